"""Makes of a classifier's file one that MediaPipe Tasks' TextClassifier runs.

MediaPipe cuts a text itself, and wants of a model:

- one subgraph, of batch 1 and one length, with three int32 inputs: ids, mask, segments. The tokens stand between two
  more, [CLS] and [SEP]; the mask is 1 on all of these. The ids of the tokens are cut out in the graph.
- one output of probabilities: it shows them as they are.
- metadata that names the inputs, the tokenizer and the files of its vocabulary and of the labels; these files are an
  archive after the model, as members that are not compressed.

Weights and operators stay as they are in the bundle, so the scores are equal on equal tokens.

Reference: mediapipe/tasks/cc/components/processors/text_preprocessing_graph.cc, bert_preprocessor_calculator.cc and
classification_postprocessing_graph.cc; mediapipe/tasks/metadata/metadata_schema.fbs for the numbers of fields.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from textapp.errors import InputError
from textapp.export.flatbuffer import add_operator_code, add_tensor, keep_signature, read, write

SIGNATURE = "serving_default"
INPUTS = {
    "ids": ("input_word_ids", "Ids of [CLS], the tokens of the text, and [SEP]; then 0."),
    "segment_ids": ("input_type_ids", "0 for all tokens. The model does not read it."),
    "mask": ("input_mask", "1 for [CLS], tokens and [SEP]; then 0."),
}
"""Name in the metadata, by which MediaPipe finds an input -> name in the file, and description."""
CLASSIFIER, SEPARATOR = "[CLS]", "[SEP]"
VOCABULARY, LABELS = "vocabulary.txt", "labels.txt"

_PARSER = "1.1.0"  # the first version of metadata with the BERT tokenizer
_BERT_TOKENIZER, _FEATURE = 4, 1  # numbers in the unions ProcessUnitOptions and ContentProperties
_AXIS_LABELS, _VOCABULARY = 2, 5  # numbers of AssociatedFileType


def mediapipe_file(
    content: bytes, signature: str, temperature: float, vocabulary: Sequence[str], labels: Sequence[str]
) -> bytes:
    """Makes the file.

    Args:
        content: The model of a bundle of a classifier that reads words only.
        signature: The name of the signature to keep: from `token_ids`, int32 `(1, T)`, to `logits`, float32 `(1, C)`.
        temperature: What logits are divided by before the softmax; positive.
        vocabulary: The words by id.
        labels: The labels, in the order of the logits.

    Returns:
        A file with one signature: from `INPUTS`, int32 `(1, T + 2)`, to `probabilities`, float32 `(1, C)`.

    Raises:
        InputError: MediaPipe would refuse the file.
    """
    file = read(content)
    inputs, outputs = keep_signature(file, signature)
    graph = file.subgraphs[0]
    variables = {index for index, tensor in enumerate(graph.tensors) if tensor.isVariable}
    if any(not variables.isdisjoint(operator.outputs.tolist()) for operator in graph.operators):
        raise InputError(
            "client mediapipe: MediaPipe refuses a fused recurrent layer with weights in float16; export the run with "
            "--lowering unrolled, or with another --recipe"
        )
    tokens = inputs["token_ids"]
    length = int(graph.tensors[tokens].shape[1])
    ids, segments, mask = (_add_ids(graph, (1, length + 2), name) for name, _ in INPUTS.values())
    words, goes_on = _add_ids(graph, (1, length)), _add_ids(graph, (1, length))
    size = _add_constant(file, graph, (1, length))
    # A token is in the text if another one follows it: the last token is [SEP], the first [CLS].
    before = [
        _operator(file, "SLICE", (ids, _add_constant(file, graph, (0, 1)), size), words),
        _operator(file, "SLICE", (mask, _add_constant(file, graph, (0, 2)), size), goes_on),
        _operator(file, "MUL", (words, goes_on), tokens),
    ]
    probabilities = add_tensor(graph, graph.tensors[outputs["logits"]].shape)
    graph.tensors[probabilities].name = b"probabilities"
    softmax = _operator(file, "SOFTMAX", (outputs["logits"],), probabilities)
    softmax.builtinOptions.beta = 1 / temperature
    graph.operators = [*before, *graph.operators, softmax]
    graph.inputs, graph.outputs = np.array([ids, segments, mask], np.int32), np.array([probabilities], np.int32)
    named = dict(zip((name for name, _ in INPUTS.values()), (ids, segments, mask), strict=True))
    file.signatureDefs = [
        schema.SignatureDefT(
            inputs=[schema.TensorMapT(name.encode(), index) for name, index in named.items()],
            outputs=[schema.TensorMapT(b"probabilities", probabilities)],
            signatureKey=SIGNATURE.encode(),
            subgraphIndex=0,
        )
    ]
    file.buffers.append(schema.BufferT(data=np.frombuffer(_metadata(), np.uint8)))
    file.metadata = [
        *(file.metadata or []),
        schema.MetadataT(name=b"TFLITE_METADATA", buffer=len(file.buffers) - 1),
    ]
    entries = {VOCABULARY: [*vocabulary, CLASSIFIER, SEPARATOR], LABELS: labels}
    return write(file) + _archive({name: "".join(f"{line}\n" for line in lines) for name, lines in entries.items()})


def _add_ids(graph: Any, shape: tuple[int, ...], name: str | None = None) -> int:
    """Appends an int32 tensor and returns its index."""
    index = add_tensor(graph, shape)
    graph.tensors[index].type = schema.TensorType.INT32
    graph.tensors[index].name = None if name is None else name.encode()
    return index


def _add_constant(file: Any, graph: Any, numbers: tuple[int, ...]) -> int:
    """Appends a constant vector of int32 and returns its index."""
    index = _add_ids(graph, (len(numbers),))
    file.buffers.append(schema.BufferT(data=np.array(numbers, "<i4").view(np.uint8)))
    graph.tensors[index].buffer = len(file.buffers) - 1
    return index


def _operator(file: Any, name: str, inputs: Sequence[int], output: int) -> Any:
    """An operator with the default options of its kind."""
    options = f"{name.title()}Options"
    return schema.OperatorT(
        opcodeIndex=add_operator_code(file, getattr(schema.BuiltinOperator, name)),
        inputs=np.array(inputs, np.int32),
        outputs=np.array([output], np.int32),
        builtinOptionsType=getattr(schema.BuiltinOptions, options),
        builtinOptions=getattr(schema, f"{options}T")(),
    )


def _archive(files: Mapping[str, str]) -> bytes:
    """A zip archive of texts, not compressed, the same on every day."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode())  # of the year 1980
    return content.getvalue()


def _metadata() -> bytes:
    """The metadata, a flatbuffer: what the inputs and the output are, and which tokenizer MediaPipe takes."""
    writer = _Writer()
    inputs = [writer.tensor(name, description) for name, (_, description) in INPUTS.items()]
    labels = writer.file(LABELS, "The labels, in the order of the scores.", _AXIS_LABELS)
    scores = writer.tensor("score", "The probability of each label.", [labels], (0.0, 1.0))
    vocabulary = writer.file(VOCABULARY, "The words by id.", _VOCABULARY)
    tokenizer = writer.table({0: writer.vector([vocabulary])})
    unit = writer.table({1: tokenizer}, {0: _BERT_TOKENIZER})
    subgraph = writer.table({2: writer.vector(inputs), 3: writer.vector([scores]), 5: writer.vector([unit])})
    name, description = writer.string("TextClassifier"), writer.string("A text classifier, made by textapp.")
    parser = writer.string(_PARSER)
    model = writer.table({0: name, 1: description, 3: writer.vector([subgraph]), 7: parser})
    return writer.finish(model)


class _Writer:
    """Writes the tables of metadata_schema.fbs. Each method returns the offset of what it wrote."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def string(self, text: str) -> int:
        """A string."""
        return int(self._builder.CreateString(text))

    def table(self, offsets: Mapping[int, int], bytes_: Mapping[int, int] | None = None) -> int:
        """A table, from the number of each field to an offset or to one byte."""
        self._builder.StartObject(max([*offsets, *(bytes_ or ())], default=-1) + 1)
        for number, offset in offsets.items():
            self._builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, value in (bytes_ or {}).items():
            self._builder.PrependUint8Slot(number, value, 0)
        return int(self._builder.EndObject())

    def vector(self, offsets: Sequence[int]) -> int:
        """A vector of tables."""
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def file(self, name: str, description: str, kind: int) -> int:
        """An AssociatedFile: a file of the archive."""
        return self.table({0: self.string(name), 1: self.string(description)}, {2: kind})

    def tensor(
        self, name: str, description: str, files: Sequence[int] = (), limits: tuple[float, float] | None = None
    ) -> int:
        """A TensorMetadata, with its files, and the smallest and the largest value."""
        content = self.table({1: self.table({})}, {0: _FEATURE})
        fields = {0: self.string(name), 1: self.string(description), 3: content}
        if limits is not None:
            smallest, largest = (self._builder.CreateNumpyVector(np.array([one], np.float32)) for one in limits)
            fields[5] = self.table({0: largest, 1: smallest})
        if files:
            fields[6] = self.vector(files)
        return self.table(fields)

    def finish(self, model: int) -> bytes:
        """The whole content."""
        self._builder.Finish(model, file_identifier=b"M001")
        return bytes(self._builder.Output())
