"""Runs, bundles and vectors of an earlier version (tests/samples) load, and give the numbers that they gave then."""

import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from textapp.cli.main import main
from textapp.tasks.tagging.config import TaggingConfig
from textapp.training.run import Run

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
TEST = {"classifier": SAMPLES / "classifier/test.tsv", "tagger": SAMPLES / "tagger/test.txt"}
# A run computes in float32. A bundle rounds activations to int8, and another processor may round one the other way.
TOLERANCE = {"run": 1e-5, "bundle": 1e-3}


@pytest.fixture
def textapp(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command in this process, with lines on its standard input; gives its JSON."""

    def run(*arguments: object, lines: Sequence[str] = ()) -> Any:
        text = "".join(f"{line}\n" for line in lines).encode()
        monkeypatch.setattr(sys, "argv", ["textapp", *map(str, arguments), "--json"])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capfd.readouterr()
        assert leaving.value.code == 0, err
        return json.loads(out)

    return run


def assert_same(found: Any, expected: Any, tolerance: float, place: str = "") -> None:
    """Compares JSON values: numbers within a tolerance; an object may have more members than it had then."""
    if isinstance(expected, dict):
        assert found.keys() >= expected.keys(), place
        for key, value in expected.items():
            assert_same(found[key], value, tolerance, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for index, pair in enumerate(zip(found, expected, strict=True)):
            assert_same(*pair, tolerance, f"{place}[{index}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=tolerance), place
    else:
        assert found == expected, place


def predictions(textapp: Any, folder: Path, task: str) -> Any:
    """What a run or a bundle predicts for the texts of the samples."""
    options = ["--confidence"] if task == "tagger" else []
    return textapp("predict", folder, *options, lines=EXPECTED["texts"])["predictions"]


@pytest.fixture(params=["classifier", "tagger"])
def task(request):
    return request.param


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_predictions_are_those_of_then(textapp, task, kind):
    expected = EXPECTED[task][kind]["predictions"]
    assert len(expected) == len(EXPECTED["texts"]) >= 12
    assert_same(predictions(textapp, SAMPLES / task / kind, task), expected, TOLERANCE[kind])


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_scores_are_those_of_then(textapp, task, kind):
    scores = textapp("evaluate", SAMPLES / task / kind, "--data", TEST[task])
    assert_same(scores, EXPECTED[task][kind]["scores"], 1e-6)


def test_a_tagger_of_then_cuts_texts_as_then():
    run = Run.load(SAMPLES / "tagger/run")
    assert not run.config.split_apostrophes
    assert run.tokenizer.words("Oslo's") == ["Oslo's"]
    assert TaggingConfig().split_apostrophes


def test_a_run_is_exported_to_the_same_bundle(textapp, task, tmp_path):
    """The new bundle predicts what the old one predicts, and the old run is not written to."""
    run, bundle = tmp_path / "запуск 好", tmp_path / "bündel"
    shutil.copytree(SAMPLES / task / "run", run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    textapp("export", run, "--out", bundle, "--lengths", "8,16")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert_same(predictions(textapp, bundle, task), EXPECTED[task]["bundle"]["predictions"], TOLERANCE["bundle"])


def test_a_training_starts_from_a_run(textapp, task, tmp_path, monkeypatch):
    """All its weights are carried over: before the first step the new model has the scores of then."""
    monkeypatch.setattr("textapp.training.train.fit", lambda *_, **__: [{"loss": 1.0}])
    command = ["train", task, "--train", TEST[task], "--init", SAMPLES / task / "run", "--out", tmp_path / "новый"]
    metrics = textapp(*command, "--set", "baseline=false", "--set", "min_count=1000")
    assert (metrics["init"]["new_words"], metrics["init"]["new_targets"]) == (0, [])
    scores = textapp("evaluate", tmp_path / "новый", "--data", TEST[task])
    keys = {"accuracy", "macro_f1", "entity_f1", "count"} & scores.keys()
    assert_same(scores, {key: EXPECTED[task]["run"]["scores"][key] for key in keys}, 1e-6)


def test_neighbours_of_vectors_are_those_of_then(textapp):
    found = textapp("vectors", "neighbors", SAMPLES / "vectors.npz", *EXPECTED["vectors"], "--count", 5)
    assert_same(found["neighbors"], EXPECTED["vectors"], 1e-5)


def test_vectors_are_trained_further(textapp, tmp_path):
    """The file holds all that a further training needs: vectors, output vectors, counts, n-grams."""
    corpus, out = tmp_path / "текст.txt", tmp_path / "новые.npz"
    corpus.write_text("the film is good , 这电影很好 café\n" * 40, encoding="utf-8")
    settings = json.loads((SAMPLES / "vectors.npz.training/config.json").read_text(encoding="utf-8"))["settings"]
    kept = [part for key in ("buckets", "threads") for part in ("--set", f"{key}={settings[key]}")]
    command = ["vectors", "train", corpus, "--init", SAMPLES / "vectors.npz", "--out", out, "--subwords", *kept]
    metrics = textapp(*command, "--epochs", 1)
    assert (metrics["vocabulary"], metrics["dim"]) == (100, 8)
    assert len(textapp("vectors", "neighbors", out, "goodest")["neighbors"]["goodest"]) == 10


def test_the_samples_name_no_path_of_the_machine_that_made_them():
    for path in SAMPLES.rglob("*.json"):
        for text in _strings(json.loads(path.read_text(encoding="utf-8"))):
            assert not Path(text).is_absolute(), f"{path}: {text}"


def _strings(value: Any) -> list[str]:
    """All strings of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []
