"""`textapp compress`: students within a budget, one of which is chosen without the test split."""

from pathlib import Path

import pytest

from tests.cli.commands import read_json
from textapp.cli.compress import _say_candidates, read_bytes
from textapp.errors import InputError
from textapp.runtime import load
from textapp.search import budget, candidates, student_files
from textapp.search.candidates import Shape
from textapp.search.folder import replace_search
from textapp.search.processes import Processes
from textapp.training.run_folder import SOFT_TARGETS

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = ["--lengths", "16", "--quantize-epochs", "0", "--set", "epochs=1", "--set", "max_tokens=16"]
BUDGET = "48KB"
FOREIGN = [
    *(
        "[]",
        "3",
        "null",
        "{}",
        '{"command": 3, "words": 3}',
        '{"command": {}, "words": 3}',
        '{"command": {"sha256": {}}}',
    ),
    *('{"command": {"sha256": {}}, "words": "3"}', '{"command": {"sha256": []}, "words": 3}', '{"chosen": "w16_b4"}'),
]


@pytest.fixture(scope="module", autouse=True)
def _two_students():
    """A grid of two, of one width."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(candidates, "WIDTHS", (16,))
        patches.setattr(candidates, "_shapes", lambda width, with_8_bits: [Shape(16, None, 4), Shape(16, 8, 4)])
        patches.setattr(candidates, "FEWEST_WORDS", 900)
        yield


@pytest.fixture(name="compress")
def _compress(textapp, classifier):
    def compress(out, *more, budget=BUDGET):
        return textapp("compress", classifier.run, "--budget", budget, "--out", out, *SMALL, *more)

    return compress


def test_the_best_that_fits_is_chosen_and_killed_searches_are_resumed(
    textapp, compress, classifier, tmp_path, monkeypatch, snapshot
):
    out = tmp_path / "поиск 搜索"
    export, exported = budget.export, []

    def killed(run, folder, **options):
        if exported:
            raise RuntimeError("killed")
        exported.append(folder)
        return export(run, folder, **options)

    monkeypatch.setattr(budget, "export", killed)
    with pytest.raises(RuntimeError, match="killed"):
        compress(out)
    trained = {path: path.stat().st_mtime_ns for path in out.rglob("model.*")}
    assert len(trained) == 5  # two students, both rounded, one bundle
    assert "holds an unfinished search with other budget" in compress(out, budget="47KB").refusal

    train = Path(classifier.files["train"])
    whole = train.read_bytes()
    train.write_bytes(whole.rsplit(b"\n", 2)[0])
    assert compress(out).refusal.startswith(f"{train}: has changed since the search in {out} began")
    train.write_bytes(whole)

    monkeypatch.setattr(budget, "export", export)
    outcome = compress(out, "--json")
    assert outcome.code == 0
    assert all(path.stat().st_mtime_ns == time for path, time in trained.items())
    assert outcome.json == read_json(out / "search.json")
    rows = outcome.json["candidates"]
    assert [row["name"] for row in rows] == ["w16_b4", "w16_r8_b4"]
    best = max(rows, key=lambda row: (row["valid"], -row["bytes"]))
    assert outcome.json["chosen"] == best["name"]
    for row in rows:
        bundle = load(out / "bundles" / row["name"]).bundle
        assert row["bytes"] == len(bundle.model) <= 48_000
        assert bundle.description["lineage"]["teachers"] == [f"{classifier.run.parent.name}/{classifier.run.name}"]
        metrics = read_json(out / "quantized" / row["name"] / "metrics.json")
        assert metrics["data"] == {**metrics["data"], "test": classifier.metrics["data"]["test"]}
        assert row["valid"] == metrics["valid"]["accuracy"]
    soft_targets = [(out / "students" / row["name"] / SOFT_TARGETS).read_bytes() for row in rows]
    assert soft_targets[0] == soft_targets[1]
    assert outcome.err.count("soft targets: ") == 0  # the teacher was asked before the kill, once
    assert f"bundle: {out / 'bundles' / best['name']}" in outcome.err
    assert "holds a finished search" in compress(out).refusal

    before = snapshot(out)
    missing = tmp_path / "нет.txt"
    assert compress(out, "--force", "--unlabelled", missing).refusal == f"{missing}: No such file or directory"
    teacher = out / "students" / "w16_b4"
    refusal = textapp("compress", teacher, "--budget", BUDGET, "--out", out, *SMALL, "--force").refusal
    assert refusal == f"{out}: holds the teacher {teacher}; choose another --out"
    assert snapshot(out) == before

    for mine in (out / "bundles" / "w16_b4" / "заметки.txt", out / "students" / "заметки.txt"):
        mine.write_text("важно", encoding="utf-8")
        refusal = compress(out, "--force").refusal
        assert refusal == f"{mine}: is not a file that `textapp compress` writes; move it away, or choose another --out"
        mine.unlink()
    (out / "students/.w16_b4.textapp-lock").touch()  # of a killed process, as the next
    (out / "bundles/.w16_b4.textapp-a1b2c3d4").mkdir()
    start = {"command": {"sha256": {}}, "words": 3}
    with monkeypatch.context() as patches:
        patches.setattr(student_files, "delete_empty_folders", lambda _: 1 / 0)
        student_files.clear_abandoned(out)
        assert not student_files.foreign_files(out)
        with pytest.raises(ZeroDivisionError):
            replace_search(out, "search.json", start, lambda: student_files.delete(out))
    with Processes(out) as processes:
        assert budget._read_unfinished(out, start["command"], False, processes) is None  # clears again
    replace_search(out, "search.json", start, lambda: student_files.delete(out))
    assert [path.name for path in out.iterdir()] == ["search.json"]
    assert read_json(out / "search.json") == start


def test_taggers_are_students_too(textapp, tagger, tmp_path, monkeypatch, fit_at_once):
    monkeypatch.setattr(candidates, "_shapes", lambda *_, **__: [Shape(16, None, 4)])
    teacher, out = tagger.run, tmp_path / "маленький"
    outcome = textapp("compress", teacher, "--budget", "90KB", "--out", out, *SMALL, "--json")
    assert outcome.code == 0, outcome.err
    (row,) = outcome.json["candidates"]
    assert outcome.json["chosen"] == row["name"] == "w16_b4"
    metrics = read_json(out / "quantized" / "w16_b4" / "metrics.json")
    assert row["valid"] == metrics["valid"]["entity_f1"]
    settings = read_json(out / "students" / "w16_b4" / "config.json")["settings"]
    known = (teacher / "characters.txt").read_text(encoding="utf-8").count("\n")
    assert (settings["units"], settings["embedding_dim"]) == (16, 16)
    assert settings["character_vocabulary_size"] >= known - 2
    assert outcome.json["teachers_valid"] == read_json(teacher / "metrics.json")["valid"]["entity_f1"]
    bundle = load(out / "bundles" / "w16_b4").bundle
    assert row["bytes"] == len(bundle.model) <= 90_000
    assert bundle.description["lineage"]["quantized"]["embedding_bits"] == 32  # so few words stay float


@pytest.mark.parametrize(
    ("more", "budget", "message"),
    [
        ((), "150XB", "--budget 150XB: must be a number of bytes such as 150KB, 1.5MB or 200KiB"),
        ((), "9KB", "--budget 9KB: too small; the smallest student, of 352 words, takes 3"),
        (
            ("--set", "units=8"),
            BUDGET,
            "--set units=8: the search decides it; train one such student by textapp distill",
        ),
        (("--lengths", "16,32"), BUDGET, "lengths [16, 32]: the students read 16 tokens; --set max_tokens=32"),
    ],
)
def test_what_is_refused(compress, tmp_path, snapshot, more, budget, message):
    assert compress(tmp_path / "out", *more, budget=budget).refusal.startswith(message)
    assert snapshot(tmp_path) == {}


def test_a_folder_of_somebody_else_is_left_alone(compress, tmp_path, snapshot):
    (tmp_path / "notes.txt").write_text("заметки", encoding="utf-8")
    assert compress(tmp_path).refusal == f"{tmp_path}: exists and holds no search; choose another --out"
    assert snapshot(tmp_path) == {"notes.txt": "заметки".encode()}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", ":1: not JSON: Expecting value"),
        ("[" * 100_000, ": not JSON that can be read"),
        *((content, ": not what `textapp compress` writes; choose another --out") for content in FOREIGN),
    ],
)
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_foreign_search_is_left_alone(compress, tmp_path, snapshot, content, rule, force):
    (tmp_path / "search.json").write_text(content, encoding="utf-8")
    before = snapshot(tmp_path)
    assert compress(tmp_path, *force).refusal.startswith(f"{tmp_path / 'search.json'}{rule}")
    assert snapshot(tmp_path) == before


def test_budgets_are_read():
    assert [read_bytes(text) for text in ("150KB", "1.5 MB", "200KiB", "1000", "2mb")] == [
        *((150_000, "KB"), (1_500_000, "MB"), (204_800, "KiB"), (1_000, "bytes"), (2_000_000, "mb"))
    ]
    for text in ("", "KB", "0KB", "0.1", "-5KB", "1e3", "１５KB", "١٥KB", "9" * 400 + "KB"):
        with pytest.raises(InputError, match="must be a number of bytes"):
            read_bytes(text)


def test_teachers_that_are_never_right_have_no_share(capsys):
    sizes = {"vocabulary_size": 9, "oov_rate": 0.0, "parameters": 7, "bytes": 1}
    row = {"name": "w16_b4", **sizes, "valid_float": 0.5, "valid": 0.5}
    _say_candidates({"teachers_valid": 0.0, "candidates": [row], "chosen": "w16_b4"})
    assert capsys.readouterr().err.splitlines()[-1].endswith("   0.5000            -")
