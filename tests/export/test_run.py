"""Runs become bundles, whose recorded scores are those that `textapp evaluate` gives."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

from textapp.cli.opened import open_model
from textapp.errors import InputError
from textapp.export.clients.source import Source
from textapp.export.run import export, quantized_for
from textapp.files import read_object, write_json
from textapp.runtime import load
from textapp.training.run import Run

SAMPLES = Path(__file__).parents[1] / "samples"
# Beside the samples: what is longer than the signatures, what is cut anew, and a type that the model lacks.
MORE = {
    "classifier": "good film , très bon café ! " * 5 + "\tpositiv 好\n",
    "tagger": "\nDonau B-RIVER\nsang O\n\nU.S.A. B-LOC\nsang O\n\n" + "Ms O\nAndada B-PER\nTäékda I-PER\nsang O\n" * 5,
}
DATA = {"classifier": SAMPLES / "classifier/test.tsv", "tagger": SAMPLES / "tagger/test.txt"}


@pytest.fixture(params=["classifier", "tagger"])
def sample(request) -> str:
    return request.param


@pytest.fixture
def data(sample, tmp_path) -> Path:
    """The samples, and more."""
    path = tmp_path / f"данные{DATA[sample].suffix}"
    path.write_text(DATA[sample].read_text(encoding="utf-8") + MORE[sample], encoding="utf-8")
    return path


def exported(sample: str, data: Path, folder: Path, lengths: list[int]) -> dict:
    run = Run.load(SAMPLES / sample / "run")
    examples = run.task.read(data, run.config, run.targets)
    return export(run, folder, lengths=lengths, examples=examples)


def evaluated(model: Path, data: Path) -> dict:
    """What `textapp evaluate` says."""
    opened = open_model(model)
    examples = opened.read(str(data), {})
    return opened.score(examples, opened.decisions(examples))


def test_scores_after_the_conversion_are_those_of_the_bundle(sample, data, tmp_path):
    description = exported(sample, data, tmp_path / "bündel", [4, 8])
    scores = evaluated(tmp_path / "bündel", data)
    ece = scores.pop("ece", None)  # of probabilities that the two engines round differently
    assert description["metrics"]["after"] == scores | ({} if ece is None else {"ece": pytest.approx(ece, abs=1e-5)})
    assert description == read_object(tmp_path / "bündel" / "bundle.json")
    if sample == "tagger":
        assert scores["types"]["RIVER"] == {"entity_f1": 0.0, "precision": 0.0, "recall": 0.0, "count": 1}


@pytest.mark.parametrize(("lowering", "lengths"), [("fused", [4, 8]), ("unrolled", [8])])
def test_a_bundle_says_which_clients_run_it(lowering, lengths, tmp_path):
    """The sample has an LSTM: fused, its state is a variable."""
    folder = tmp_path / "包"
    description = export(SAMPLES / "classifier/run", folder, lowering=lowering, lengths=lengths, recipe="float32")
    more = {"LiteRT CompiledModel", "LiteRT.js"} if lowering == "unrolled" else set()
    more |= {"react-native-fast-tflite", "tflite_flutter"} if len(lengths) == 1 else set()
    assert set(description["clients"]) == {"textapp", "LiteRT Interpreter", *more}
    assert load(folder).bundle.description["clients"] == description["clients"]
    content = (folder / "model.tflite").read_bytes()
    if lowering == "fused":
        with pytest.raises(RuntimeError):  # "Variable tensors not yet supported"
            CompiledModel.from_buffer(content)
        return
    compiled, interpreter = CompiledModel.from_buffer(content), Interpreter(model_content=content)
    for signature, names in compiled.get_signature_list().items():
        ids = np.array([[5, 3, 9, *[0] * 13]], np.int32)[:, : int(signature.removeprefix("tokens_"))]
        given = compiled.create_input_buffer_by_name(signature, "token_ids")
        given.write(ids)
        taken = {name: compiled.create_output_buffer_by_name(signature, name) for name in names["outputs"]}
        compiled.run_by_name(signature, {"token_ids": given}, taken)
        for name, expected in interpreter.get_signature_runner(signature)(token_ids=ids).items():
            received = taken[name].read(expected.size, np.float32)
            np.testing.assert_allclose(received, expected.ravel(), atol=1e-6)


def test_examples_of_a_run_are_texts_of_its_validation_sample(sample):
    run = Run.load(SAMPLES / sample / "run")
    texts = run.task.texts(run.sample(), run.tokenizer)
    examples = Source(Path(), run).examples(3)
    assert len(set(examples)) == 3
    assert set(examples) <= set(texts)


def test_scores_before_the_conversion_are_those_of_the_run(sample, tmp_path):
    description = exported(sample, DATA[sample], tmp_path / "bündel", [16])
    assert description["metrics"]["before"] == evaluated(SAMPLES / sample / "run", DATA[sample])


@pytest.mark.parametrize(
    ("lost", "rule"),
    [
        ({}, 'has no "quantization.recipe", which textapp writes; restore it, or train the run again'),
        ({"recipe": "float32"}, 'has no "quantization.lowering", which'),
        (
            {"recipe": "float33", "lowering": "fused"},
            "\"quantization\" has an unknown recipe or lowering: 'float33'",
        ),
    ],
)
def test_a_run_that_lost_what_it_was_quantized_for_is_refused(sample, tmp_path, lost, rule):
    run = Path(shutil.copytree(SAMPLES / sample / "run", tmp_path / "прогон"))
    write_json(run / "metrics.json", {**read_object(run / "metrics.json"), "quantization": lost})
    with pytest.raises(InputError) as caught:
        quantized_for(run)
    assert str(caught.value).startswith(f"{run / 'metrics.json'}: {rule}")


def test_lengths_that_the_run_never_saw_are_refused(sample, tmp_path):
    with pytest.raises(InputError, match=r"lengths \[8, 32\]: the run was trained on texts of at most 16 tokens"):
        export(SAMPLES / sample / "run", tmp_path / "b", lengths=[8, 32])
    assert not list(tmp_path.iterdir())
