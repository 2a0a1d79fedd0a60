"""Times two bundles and an ONNX file from text to label for the budget benchmark, in turn, without TensorFlow.

    python -m benchmarks.budget_latency STUDENT TEACHER STUDENT.onnx TEST

ONNX Runtime gets the ids from textapp's runtime, and its time includes making them. One thread each.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import onnxruntime

from textapp.data.readers import read_examples
from textapp.runtime import Classifier, load

TEXTS, TURNS, WARM_UP = 600, 6, 20


def onnx_label(path: str, student: Classifier) -> Callable[[str], int]:
    """Makes a function from a text to the index of its label, with ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def label(text: str) -> int:
        (inputs,) = student.pieces(text)
        ids = inputs["token_ids"] if len(inputs["token_ids"]) else np.ones(1, np.int32)
        return int(session.run(None, {"token_ids": ids[None]})[0].argmax())

    return label


def main(student_folder: str, teacher_folder: str, onnx: str, test: str) -> None:
    """Prints the median milliseconds of each as one JSON object."""
    student, teacher = load(student_folder), load(teacher_folder)
    contestants = {"student": student.quick, "onnx": onnx_label(onnx, student), "teacher": teacher.quick}
    examples = read_examples(test).texts
    texts = examples[:: -(-len(examples) // TEXTS)]
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(TURNS):
        part = texts[turn::TURNS]
        for name, label in contestants.items():
            for text in part[:WARM_UP]:
                label(text)
            for text in part:
                start = time.perf_counter()
                label(text)
                seconds[name].append(time.perf_counter() - start)
    if "tensorflow" in sys.modules:
        raise RuntimeError("TensorFlow is loaded: the times would not be those of a device")
    print(json.dumps({name: 1e3 * float(np.median(spent)) for name, spent in seconds.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
