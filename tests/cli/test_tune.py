"""`textapp tune`: a search for settings whose result is a run that `textapp train` would have made."""

import functools
import itertools
import sys

import pytest

from tests.cli.commands import read_json
from textapp.search import outcome, tune

pytestmark = pytest.mark.usefixtures("undrawn")
FIXED = ("encoder=convolution", "max_tokens=16", "epochs=2", "min_count=1", "characters=false", "batch_size=16")
SIZES = ("units=8", "embedding_dim=8", "num_layers=1", "kernel_width=3", "weight_decay=0.01", "adversarial=0")


@pytest.fixture(name="command")
def _command(tagger):
    def command(out, *more):
        files = ["--train", tagger.files["train"], "--valid", tagger.files["valid"], "--test", tagger.files["test"]]
        sets = [part for setting in (*FIXED, *SIZES) for part in ("--set", setting)]
        return ["tune", "tagger", *files, "--preset", "tiny", *sets, "--minutes", "2", "--out", out, *more]

    return command


def test_a_search_makes_the_run_of_its_best_settings(textapp, command, tagger, tmp_path, monkeypatch):
    out, ticks = tmp_path / "прогон 好", itertools.count()
    # Each look at the clock takes 2.5 seconds, so that the number of trials does not depend on the machine.
    monkeypatch.setattr(tune, "tune", functools.partial(tune.tune, clock=lambda: 2.5 * next(ticks)))
    monkeypatch.setattr(outcome, "SEEDS", 2)
    monkeypatch.setattr(outcome, "FINALISTS", 2)
    found = textapp(*command(out, "--json"))
    assert found.code == 0
    folder = tmp_path / "прогон 好.tuning"
    assert {path.name for path in folder.iterdir()} == {"tune.json", "tune.md", "tune.png", "journal.jsonl"}
    assert found.json == read_json(folder / "tune.json")
    assert (folder / "tune.png").read_bytes().startswith(b"\x89PNG")
    assert 2 <= len(found.json["trials"]) <= 12
    assert found.json["space"].keys() == {"learning_rate", "word_dropout", "embedding_dropout", "dropout"}

    chosen = found.json["trials"][found.json["chosen"]]
    settings = read_json(out / "config.json")["settings"]
    assert {name: settings[name] for name in chosen["settings"]} == chosen["settings"]
    assert found.json["run"] == {name: read_json(out / "metrics.json")[name]["entity_f1"] for name in ("valid", "test")}
    assert found.json["run"]["valid"] == chosen["score"]  # the same training, now with all files of a run
    assert textapp("evaluate", out, "--data", tagger.files["test"], "--json").json["entity_f1"] == pytest.approx(
        found.json["run"]["test"]
    )
    lines = found.err.splitlines()
    first, last = (
        next(number for number, line in enumerate(lines) if line.startswith(start)) for start in ("setting ", "table: ")
    )
    assert max(map(len, lines[first:last])) <= 80
    assert "retracing" not in found.err
    assert f"next:  textapp export '{out}'" in lines[-1]
    assert "holds a finished search" in textapp(*command(out)).refusal


def test_wrong_input_is_refused_before_any_training(textapp, command, tmp_path):
    out = tmp_path / "run"
    assert textapp(*command(out, "--minutes", "0")).refusal == "--minutes 0: must be a number above 0"
    assert "did you mean epochs?" in textapp(*command(out, "--set", "epoch=3")).refusal
    assert textapp(*command(out, "--train", "нет.txt")).refusal == "нет.txt: No such file or directory"
    out.mkdir()
    (out / "заметки.txt").write_text("!", encoding="utf-8")
    assert textapp(*command(out)).refusal == f"{out}: exists and is not a run folder; choose another --out"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_without_optuna_one_line_names_the_extra(textapp, command, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("textapp.search.", "optuna"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    refusal = textapp(*command(tmp_path / "run")).refusal
    assert refusal == 'optuna is not installed; this command needs: pip install "textapp-keras[tune]"'
