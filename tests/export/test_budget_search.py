"""The search within a budget, over students that cost nothing to train."""

import dataclasses
import json
from types import SimpleNamespace
from typing import ClassVar

import pytest
from textapp.export.budget_search import search_within_budget

from textapp.compress.config import DistillConfig
from textapp.errors import InputError
from textapp.export import budget_search
from textapp.export.checks import ExportError
from textapp.text.vocabulary import Vocabulary

SCORES = {"w32_b4": 0.7, "w32_r16_b4": 0.9, "w16_b4": 0.8, "w16_r8_b4": 0.95, "w16_b8": 0.9}
BYTES = {"w32_b4": 900, "w32_r16_b4": 800, "w16_b4": 600, "w16_r8_b4": 1_001, "w16_b8": 700}


@dataclasses.dataclass
class Students:
    """Students whose files and scores stand in a table; those named in `broken` do not pass the checks of an export."""

    broken: tuple[str, ...] = ()
    config: DistillConfig = dataclasses.field(default_factory=lambda: DistillConfig(max_tokens=16))
    teachers: tuple = (SimpleNamespace(name="/нет/учитель", sha256="0"),)
    trained: list = dataclasses.field(default_factory=list)

    decided: ClassVar = ()
    answers: ClassVar = "answers.txt"
    factorized: ClassVar = True

    def words(self, files):
        return 5

    def file_bytes(self, shape, words, lowering, lengths):
        return 10 if shape.width <= 32 else 10**6

    def distill(self, candidate, out, *, answers, **options):
        self.trained.append((candidate.name, answers))
        write(
            out,
            {"parameters": 7, "data": {"valid": {"oov_rate": 0.1}}, "valid": {"score": 0.99}},
            {"valid_accuracy": 1},
        )
        Vocabulary.build({"好": 2}, 3).save(out / "vocabulary.txt")

    def export(self, trained, folder, *, recipe, **options):
        if trained.name in self.broken:
            raise ExportError(f"model.tflite: {recipe} 全错")
        folder.mkdir(parents=True)
        (folder / "bundle.json").write_text("{}", encoding="utf-8")
        (folder / "model.tflite").write_bytes(bytes(BYTES[trained.name]))

    def score(self, metrics):
        return metrics["score"]


def write(folder, metrics, distillation=None):
    folder.mkdir(parents=True)
    config = {"settings": {}, "textapp_version": "0"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps(metrics | {"distillation": distillation}), encoding="utf-8")


@pytest.fixture(name="search")
def _search(tmp_path, monkeypatch):
    (tmp_path / "данные.tsv").write_text("好\t1\n", encoding="utf-8")

    def quantize(config, source, out, **options):
        write(out, {"valid": {"score": SCORES[out.name]}, "quantization": {"recipe": "dynamic_wi8_afp32"}})

    monkeypatch.setattr(budget_search, "quantize_run", quantize)

    def search(students, **options):
        said = []
        options = {"budget": 1_000, "train": tmp_path / "данные.tsv", "report": said.append} | options
        return search_within_budget(students, tmp_path / "поиск", **options), said

    return search


def test_the_best_within_the_budget_is_chosen_the_smaller_of_equals(search, tmp_path):
    students = Students()
    result, _ = search(students)
    assert [row["name"] for row in result["candidates"]] == list(SCORES)
    assert result["chosen"] == "w16_b8"  # w16_r8_b4 is better, but a byte too large; w32_r16_b4 as good, but larger
    assert result == json.loads((tmp_path / "поиск/search.json").read_text(encoding="utf-8"))
    first = tmp_path / "поиск/students/w32_b4/answers.txt"
    assert students.trained == [("w32_b4", None), *((name, first) for name in list(SCORES)[1:])]


def test_a_student_whose_file_fails_a_check_is_left_out(search):
    result, said = search(Students(broken=("w16_b8", "w16_r8_b4")))
    assert result["chosen"] == "w32_r16_b4"
    assert result["left_out"] == dict.fromkeys(("w16_r8_b4", "w16_b8"), "model.tflite: dynamic_wi8_afp32 全错")
    assert "w16_b8: left out: model.tflite: dynamic_wi8_afp32 全错" in said


def test_nothing_within_the_budget_is_an_error(search, tmp_path):
    with pytest.raises(InputError, match="no student can be exported within 1,000 bytes"):
        search(Students(broken=tuple(name for name in SCORES if name != "w16_r8_b4")))
    assert "chosen" not in json.loads((tmp_path / "поиск/search.json").read_text(encoding="utf-8"))


def test_what_has_changed_in_between_is_named(search, tmp_path):
    students = Students(broken=tuple(SCORES))
    with pytest.raises(InputError, match="no student"):
        search(students)
    with pytest.raises(InputError, match="holds an unfinished search with other budget, quantize_epochs"):
        search(students, budget=999, quantize_epochs=3)
    (tmp_path / "данные.tsv").write_text("坏\t1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"данные\.tsv: has changed since the search in .* began"):
        search(students)
    result, _ = search(Students(), force=True)
    assert result["chosen"] == "w16_b8"
