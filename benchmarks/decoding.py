"""Compares two ways to decode tags on a device: Viterbi unrolled into the graph, or in NumPy outside of the graph.

    python -m benchmarks.decoding

In the graph, Viterbi takes a dozen builtin operators for each token and reads rows padded to the signature's length. In
NumPy (`textapp.runtime.decoding`) it reads only the tokens of the text. Both get the same random scores of 17 tags (as
CoNLL-2003 has in IOBES) and must find the same tags. A new process that never loads TensorFlow times them in turn. It
writes results/decoding.json and the table results/decoding.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import describe_environment, environment_line
from textapp.files import write_json, write_text
from textapp.runtime.decoding import TagDecoder

RESULTS = Path(__file__).parents[1] / "results"
TAGS = 17
CASES = [(20, 32), (32, 32), (20, 128), (128, 128)]  # tokens of the text, tokens of the signature
CALLS, ROUNDS = 300, 5


def crf_scores(generator: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Random scores of transitions, starts and ends."""
    shapes = {"transitions": (TAGS, TAGS), "start": (TAGS,), "end": (TAGS,)}
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def viterbi_graph(scores: dict[str, NDArray[np.float32]]) -> bytes:
    """A file with a signature `tokens_T` for each length, from logits `(T, K)` and a mask `(T,)` to tags `(T,)`."""
    import tensorflow as tf

    transitions, into = tf.constant(scores["transitions"]), tf.constant(scores["transitions"].T)

    def traced(length: int) -> Any:
        @tf.function(
            input_signature=[
                tf.TensorSpec((length, TAGS), tf.float32, name="logits"),
                tf.TensorSpec((length,), tf.float32, name="real"),
            ],
            autograph=False,
        )
        def decode(logits: Any, real: Any) -> dict[str, Any]:
            rows, kept = tf.unstack(logits), tf.unstack(real)
            beginnings = [rows[0] + scores["start"]]
            for row, one in zip(rows[1:], kept[1:], strict=True):
                longer = tf.reduce_max(beginnings[-1][:, None] + transitions, axis=0) + row
                beginnings.append(beginnings[-1] + one * (longer - beginnings[-1]))  # on padding the last token's
            following = tf.argmax(beginnings[-1] + scores["end"], output_type=tf.int32)
            tags = [following]
            for beginning, one in zip(beginnings[-2::-1], kept[:0:-1], strict=True):
                following = tf.argmax(beginning + one * tf.gather(into, following), output_type=tf.int32)
                # The token before padding keeps the tag that was chosen at the end.
                following = tags[-1] + tf.cast(one, tf.int32) * (following - tags[-1])
                tags.append(following)
            return {"tags": tf.stack(tags[::-1])}

        return decode.get_concrete_function()

    lengths = sorted({length for _, length in CASES})
    module = tf.Module()
    module.functions = {f"tokens_{length}": traced(length) for length in lengths}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(module.functions))
        return bytes(converter.convert())


def time_both(folder: Path) -> list[dict[str, Any]]:
    """Median ms of a call of both forms, for each case, in a process without TensorFlow."""
    from ai_edge_litert.interpreter import Interpreter

    generator = np.random.default_rng(1)
    scores = {name: np.array(values) for name, values in json.loads((folder / "crf.json").read_text()).items()}
    decoder = TagDecoder(**scores)
    interpreter = Interpreter(model_path=str(folder / "viterbi.tflite"), num_threads=1)
    lines = []
    for count, length in CASES:
        runner = interpreter.get_signature_runner(f"tokens_{length}")
        texts = [generator.normal(size=(count, TAGS)).astype(np.float32) * 3 for _ in range(CALLS)]
        real = (np.arange(length) < count).astype(np.float32)
        rows = [np.pad(text, ((0, length - count), (0, 0))) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if runner(logits=row, real=real)["tags"][:count].tolist() != decoder.viterbi(text):
                raise SystemExit(f"{count} tokens in {length}: the two find other tags")

        def in_graph(row: Any, runner: Any = runner, mask: Any = real) -> Any:
            return runner(logits=row, real=mask)

        graph = _median_ms(in_graph, rows)
        lines.append(
            {"tokens": count, "signature": length, "graph_ms": graph, "numpy_ms": _median_ms(decoder.viterbi, texts)}
        )
    return lines


def _median_ms(call: Callable[[Any], Any], items: list[Any]) -> float:
    """Milliseconds of one call."""
    times = []
    for item in items:
        began = time.perf_counter()
        call(item)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "# Viterbi in the graph and beside it",
        "",
        f"`python -m benchmarks.decoding`: {TAGS} tags, one thread, median ms a text of {ROUNDS} rounds (smallest to "
        f"largest). The graph's form takes {result['graph_bytes']:,} bytes of file.",
        "",
        environment_line(result["environment"]),
        "",
        "| tokens | signature | in the graph | NumPy | NumPy / graph |",
        "|--:|--:|--:|--:|--:|",
    ]
    for case in result["cases"]:
        graph, beside = case["graph_ms"], case["numpy_ms"]
        ratio = statistics.median(b / a for a, b in zip(graph, beside, strict=True))
        cells = [f"{statistics.median(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in (graph, beside)]
        lines.append(f"| {case['tokens']} | {case['signature']} | {cells[0]} | {cells[1]} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Builds the graph, times both forms in a separate process and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time:
        print(json.dumps(time_both(arguments.time)))
        return
    scores = crf_scores(np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = viterbi_graph(scores)
        (folder / "viterbi.tflite").write_bytes(content)
        write_json(folder / "crf.json", {key: values.tolist() for key, values in scores.items()})
        command = [sys.executable, "-m", "benchmarks.decoding", "--time", str(folder)]
        rounds = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(ROUNDS)]
    cases = [
        {
            "tokens": lines[0]["tokens"],
            "signature": lines[0]["signature"],
            **{key: [line[key] for line in lines] for key in ("graph_ms", "numpy_ms")},
        }
        for lines in zip(*rounds, strict=True)
    ]
    result = {
        "environment": describe_environment(["tensorflow", "ai-edge-litert", "numpy"]),
        "graph_bytes": len(content),
        "cases": cases,
    }
    write_json(RESULTS / "decoding.json", result)
    write_text(RESULTS / "decoding.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
