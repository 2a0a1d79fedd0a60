"""The search within a budget, over students that cost nothing to train."""

import dataclasses
import json
import os
import signal
import time
from types import SimpleNamespace

import pytest

from tests.search.forks import PATIENCE, forked, lines_of, wait_until, write_line
from textapp.compress.config import QuantizeConfig
from textapp.errors import InputError
from textapp.export.checks import ExportError
from textapp.search import budget, processes
from textapp.search.budget import Students, search_within_budget
from textapp.search.candidates import Candidate
from textapp.task import names, task
from textapp.text.vocabulary import Vocabulary

SCORES = {"w32_b4": 0.7, "w32_r16_b4": 0.9, "w16_b4": 0.8, "w16_r8_b4": 0.95, "w16_b8": 0.9}
BYTES = {"w32_b4": 900, "w32_r16_b4": 800, "w16_b4": 600, "w16_r8_b4": 1_001, "w16_b8": 700}
TEACHER = SimpleNamespace(name="/нет/учитель", sha256="0")


class UnreadStudents(Students):
    """Students whose files are not read and not converted."""

    def read(self, files, unlabelled):
        encoder = SimpleNamespace(vocabulary=range(5), characters=None)
        targets = self.task.targets_of_names(["O", "S-好"], "here")
        return SimpleNamespace(data=SimpleNamespace(encoder=encoder, targets=targets))

    def file_bytes(self, shape, words, targets, num_characters, lowering, lengths):
        return 10 if shape.width <= 32 else 10**6


@pytest.fixture(name="students", params=names())
def _students(request):
    found = task(request.param)
    return UnreadStudents(found, found.student_preset(None).replaced(max_tokens=16), (TEACHER,))


@pytest.fixture(name="trained")
def _trained():
    """Name and source of soft targets of each student that was trained."""
    return []


@pytest.fixture(name="search")
def _search(tmp_path, monkeypatch, students, trained):
    (tmp_path / "данные.tsv").write_text("好\t1\n", encoding="utf-8")
    key = students.task.main_score(students.read(None, ()).data.targets)
    broken = set()

    def write(folder, metrics, distillation=None):
        folder.mkdir(parents=True)
        config = {"settings": {}, "textapp_version": "0"}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps(metrics | {"distillation": distillation}), encoding="utf-8")

    def distill(task_name, config, out, *, soft_targets_from, **_):
        assert soft_targets_from is None or soft_targets_from.exists()
        assert (task_name, config) == (students.task.name, students.settings(candidate_of(out.name)))
        trained.append((out.name, soft_targets_from))
        data = {"valid": {"oov_rate": 0.1}}
        write(out, {"parameters": 7, "data": data, "valid": {key: 0.99}}, {f"valid_{key}": 0.875})
        Vocabulary.build({"好": 2}, 3).save(out / "vocabulary.txt")
        (out / "soft_targets.jsonl.gz").write_bytes(b"")
        search.meanwhile(out.name)

    def quantize(config, source, out, **_):
        bits = candidate_of(out.name).embedding_bits
        assert config == QuantizeConfig(embedding_bits=bits, lowering="unrolled", epochs=config.epochs)
        assert source.name == out.name
        write(out, {"valid": {key: SCORES[out.name]}, "quantization": {"recipe": f"emb{bits}"}})

    def export(run, folder, *, recipe, lowering, lengths):
        assert (recipe, lowering, lengths) == (f"emb{candidate_of(run.name).embedding_bits}", "unrolled", [8, 16])
        if run.name in broken:
            raise ExportError(f"model.tflite: {recipe} 全错")
        folder.mkdir(parents=True)
        (folder / "bundle.json").write_text("{}", encoding="utf-8")
        (folder / "model.tflite").write_bytes(bytes(BYTES[run.name]))

    for function in (distill, quantize, export):
        monkeypatch.setattr(budget, function.__name__, function)

    def search(*, without=(), meanwhile=lambda name: None, **options):
        search.meanwhile = meanwhile
        broken.clear()
        broken.update(without)
        lines = []
        options = {"budget": 1_000, "train": tmp_path / "данные.tsv", "report": lines.append} | options
        folder = tmp_path / "поиск"
        return search_within_budget(students, folder, lowering="unrolled", lengths=[8, 16], **options), lines

    return search


def candidate_of(name):
    """The candidate of a name, of all the five words."""
    parts = {part[0]: int(part[1:]) for part in name.split("_")}
    return Candidate(parts["w"], parts.get("r"), parts["b"], 5)


def test_the_best_within_the_budget_is_chosen_the_smaller_of_equals(search, trained, tmp_path):
    result, _ = search()
    assert [row["name"] for row in result["candidates"]] == list(SCORES)
    assert result["chosen"] == "w16_b8"  # w16_r8_b4 is better, but a byte too large; w32_r16_b4 as good, but larger
    assert result == json.loads((tmp_path / "поиск/search.json").read_text(encoding="utf-8"))
    first = tmp_path / "поиск/students/w32_b4/soft_targets.jsonl.gz"
    assert trained == [("w32_b4", None), *((name, first) for name in list(SCORES)[1:])]


def test_each_student_is_described_by_its_score_before_and_after_rounding(search):
    result, _ = search()
    assert (result["words"], result["teachers_valid"]) == (5, 0.875)
    for row in result["candidates"]:
        name = row["name"]
        assert row == {
            **{"name": name, **dataclasses.asdict(candidate_of(name)), "vocabulary_size": 3, "parameters": 7},
            **{"bytes": BYTES[name], "oov_rate": 0.1, "valid_float": 0.99, "valid": SCORES[name]},
        }


@pytest.mark.parametrize(
    ("kind", "lost"),
    [("students", "parameters"), ("students", "data"), ("students", "distillation"), ("quantized", "quantization")],
)
def test_metrics_that_lost_an_entry_are_named(search, tmp_path, kind, lost):
    with pytest.raises(InputError, match="no student"):
        search(without=SCORES)
    path = tmp_path / "поиск" / kind / "w32_b4" / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    del metrics[lost]
    path.write_text(json.dumps(metrics), encoding="utf-8")
    with pytest.raises(InputError, match=rf'w32_b4/metrics\.json: has no "{lost}\b.*", which textapp writes'):
        search()


def test_a_student_whose_file_fails_a_check_is_left_out(search):
    result, lines = search(without=("w16_b8", "w16_r8_b4"))
    assert result["chosen"] == "w32_r16_b4"
    assert result["left_out"] == {"w16_r8_b4": "model.tflite: emb4 全错", "w16_b8": "model.tflite: emb8 全错"}
    assert "w16_b8: left out: model.tflite: emb8 全错" in lines


def test_nothing_within_the_budget_is_an_error(search, tmp_path):
    with pytest.raises(InputError, match="no student can be exported within 1,000 bytes"):
        search(without=[name for name in SCORES if name != "w16_r8_b4"])
    assert "chosen" not in json.loads((tmp_path / "поиск/search.json").read_text(encoding="utf-8"))


def test_what_has_changed_in_between_is_named(search, tmp_path):
    with pytest.raises(InputError, match="no student"):
        search(without=SCORES)
    with pytest.raises(InputError, match="holds an unfinished search with other budget, quantize_epochs"):
        search(budget=999, quantize_epochs=3)
    (tmp_path / "данные.tsv").write_text("坏\t1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"данные\.tsv: has changed since the search in .* began"):
        search()
    result, _ = search(force=True)
    assert result["chosen"] == "w16_b8"


@pytest.mark.parametrize("students", ["classification"], indirect=True)
def test_several_processes_share_the_students_also_those_of_a_killed_one(search, tmp_path, monkeypatch):
    """Each student is made by one process, or by another one after the first was killed; all have one result."""
    monkeypatch.setattr(budget, "WAITING", 0.01)
    monkeypatch.setattr(processes, "PAUSE", 0.005)
    log, results, second = tmp_path / "log", tmp_path / "results", list(SCORES)[1]

    def call(stuck_at=None):
        def meanwhile(name):
            write_line(log, [os.getpid(), name])
            time.sleep(PATIENCE if name == stuck_at else 0.05)

        write_line(results, search(without=("w16_r8_b4",), meanwhile=meanwhile)[0])

    killed = forked(lambda: call(stuck_at=second))
    wait_until(lambda: [killed, second] in lines_of(log))
    others = [forked(call) for _ in range(2)]
    wait_until(lambda: len({line[1] for line in lines_of(log)}) == len(SCORES))
    assert [line[1] for line in lines_of(log)].count(second) == 1  # not yet another time
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    assert [os.waitpid(other, 0)[1] for other in others] == [0, 0]
    assert {line[0] for line in lines_of(log)} == {killed, *others}
    made = [line[1] for line in lines_of(log)]
    assert sorted(made) == sorted(SCORES)  # distilled once: the student of the killed process goes on where it was
    one, other = lines_of(results)
    assert one == other == json.loads((tmp_path / "поиск/search.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in one["candidates"]] == [name for name in SCORES if name != "w16_r8_b4"]
    assert one["left_out"] == {"w16_r8_b4": "model.tflite: emb4 全错"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
