"""Teachers: what their students share with them, how their files were divided, which kinds there are."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from textapp.compress import teachers as teaching
from textapp.compress.soft_targets import SoftTargets
from textapp.compress.teachers import BundleTeacher, RunTeacher, check_shared, open_teachers, student_settings
from textapp.errors import InputError
from textapp.export.run import export
from textapp.task import task

NO_FILES = {"train": None, "valid": None, "test": None}


@pytest.fixture(name="teacher")
def _teacher(teachers):
    """A teacher whose settings may be changed."""
    return RunTeacher(teachers[1].name)


@pytest.fixture(scope="session", name="bundle")
def _bundle(teachers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("Пакеты") / "包"
    export(teachers[0].name, folder, recipe="float32", lengths=[4, 12])
    return BundleTeacher(folder)


def test_how_a_run_divided_its_file(case, teacher):
    train, fraction = case.files["train"], teacher.config.data.valid_fraction
    teacher.command = {**teacher.command, "valid": None}
    assert not teacher.trained_on_validation(train, fraction, 1)
    assert teacher.trained_on_validation(train, fraction, 0)
    assert teacher.trained_on_validation(train, 0.3, 1)
    assert not teacher.trained_on_validation("другой.tsv", 0.3, 1)
    teacher.command["distillation"] = {"split_seed": 7}
    assert teacher.split_seed == 7


def test_a_student_inherits_settings_files_and_their_division_of_its_first_teacher(case, teacher):
    changed = dict.fromkeys((*case.task.reading_settings, *case.task.teacher_settings), "changed")
    teacher.config = SimpleNamespace(get={**teacher.config.to_dict(), **changed, "seed": 5}.get, training=Five)
    inherited, files = student_settings_of(case.task, teacher, None, NO_FILES)
    assert inherited["split_seed"] == 5
    assert files == {name: teacher.command[name] for name in NO_FILES}
    for name in (*case.task.reading_settings, *case.task.teacher_settings):
        assert inherited[name] == "changed"
    for name in case.task.inherited_settings:
        assert inherited[name] == teacher.config.get(name)


def test_with_a_preset_and_files_of_its_own_it_shares_what_it_must(case, teacher):
    changed = dict.fromkeys((*case.task.reading_settings, *case.task.teacher_settings), "changed")
    teacher.config = SimpleNamespace(get={**teacher.config.to_dict(), **changed}.get, training=Five)
    given = {**NO_FILES, "train": "своё"}
    settings, files = student_settings_of(case.task, teacher, "chinese", given)
    own = case.task.student_preset("chinese").to_dict()
    assert files == given
    assert settings == {**own, **dict.fromkeys(case.task.teacher_settings, "changed")}


class Five:
    """The settings of a training."""

    seed = 5


def student_settings_of(found, teacher, preset, files):
    """`student_settings` as a dictionary: of settings that are not valid, so that each differs from a default."""
    merged = {}

    class Config:
        def replaced(self, **settings):
            merged.update(settings)
            return self

    merged.update(found.student_preset(preset).to_dict())
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(type(found), "student_preset", lambda *_: Config())
        _, files = student_settings(found, [teacher], preset, files)
    return merged, files


def test_only_a_run_tells_its_files(case, bundle):
    with pytest.raises(InputError, match=r"--train is missing: .*包 does not tell what it was trained on"):
        student_settings(case.task, [bundle], None, NO_FILES)


def test_a_bundle_teaches_what_its_run_does(case, teachers, bundle):
    items = case.items("valid")[:5]
    np.testing.assert_allclose(bundle.probabilities(items), teachers[0].probabilities(items), atol=1e-4)
    assert bundle.shared_settings() == teachers[0].shared_settings()
    assert (bundle.task, bundle.targets) == (teachers[0].task, teachers[0].targets)
    assert items[0] in bundle
    assert len(bundle.sha256) == 64
    assert bundle.parameters is None


def test_teachers_of_all_kinds_are_opened(case, teachers, bundle, tmp_path):
    names = teachers[0].targets.names
    unit = dict.fromkeys(names, 1 / len(names) if case.task.exclusive else 0.9)
    item = case.items("train")[0]
    probs = unit if case.task.unit == "text" else [unit] * len(item)
    path = tmp_path / "м.jsonl"
    path.write_text(json.dumps({**case.task.item_to_json(item), "probs": probs}), encoding="utf-8")
    found, opened = open_teachers([path, bundle.name, teachers[0].name])
    assert found is case.task
    assert [type(teacher) for teacher in opened] == [SoftTargets, BundleTeacher, RunTeacher]
    assert open_teachers([path])[0] is case.task  # a file alone tells its task by its first line
    assert len({teacher.sha256 for teacher in opened}) == 3


def test_settings_that_must_be_shared_are_named(case, bundle, teacher):
    wanted = {name: teacher.shared_settings()[name] for name in case.task.teacher_settings}
    config = case.student_config().replaced(**wanted)
    check_shared(config, [teacher, bundle])
    for name, other in {"tokenizer": "char", "retokenize": False}.items():
        if name in wanted:
            with pytest.raises(InputError, match=rf"setting {name}: .* for .*包, but .* they must be the same"):
                check_shared(config.replaced(**{name: other}), [bundle])


def test_all_teachers_are_of_one_task(tmp_path):
    (tmp_path / "т").write_text('{"text": "好", "probs": {"a": 1, "b": 0}}\n', encoding="utf-8")
    run = tmp_path / "тэги"
    run.mkdir()
    (run / "config.json").write_text('{"settings": {}, "textapp_version": "0"}', encoding="utf-8")
    (run / "metrics.json").write_text('{"task": "ner", "tags": ["O", "S-Ö"], "scheme": "IOBES"}', encoding="utf-8")
    (run / "tags.txt").write_text("O\nS-Ö\n", encoding="utf-8")
    bundle = SimpleNamespace(name="пакет", task=task("classification"))
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(teaching, "BundleTeacher", lambda _: bundle)
        (tmp_path / "bundle.json").touch()
        with pytest.raises(InputError, match=r"пакет: a classifier, but .*тэги is a tagger; all teachers must be of"):
            open_teachers([run, tmp_path])
    with pytest.raises(InputError, match=r'т:1: each line must read {"tokens": '):
        open_teachers([run, tmp_path / "т"])


@pytest.mark.parametrize("line", ["", "{", "[]", '{"texts": 1}', "[" * 9999])
def test_a_file_of_no_task_is_refused(tmp_path, line):
    (tmp_path / "т").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match="т:1: each line must"):
        open_teachers([tmp_path / "т"])
