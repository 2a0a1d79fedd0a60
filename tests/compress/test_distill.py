"""Distillation: a student learns from its teachers, is a run, survives being killed, and refuses what cannot be."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.compress.runs import (
    QUIET,
    Killed,
    assert_same_run,
    fit_replaced,
    killed_before_training,
    killed_within_an_epoch,
    metrics_of,
    untrained,
)
from textapp.compress import distill as distilling
from textapp.compress import soft_targets
from textapp.compress.distill import StudentData, add_retention, distill
from textapp.compress.soft_targets import SoftTargets, mean_probabilities
from textapp.compress.teachers import RunTeacher
from textapp.data.rows import NO_TARGET, UNLABELLED
from textapp.data.splits import overlap_key
from textapp.errors import InputError
from textapp.export.run import export
from textapp.runtime import load
from textapp.task import Files, task
from textapp.training.adversarial import AdversarialTraining
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT, SOFT_TARGETS, SOFT_TARGETS_PART
from textapp.training.train import train


@pytest.fixture(scope="session", name="student")
def _student(case, teachers, augment, tmp_path_factory):
    """A student of two teachers that nobody killed, asked for 64 items at once; from soft targets alone."""
    folder = tmp_path_factory.mktemp("Ученики") / "学生"
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(soft_targets, "CHUNK", 64)
        case.distill(folder, teachers, "alpha=0", *augment)
    return folder


@pytest.fixture(scope="session", name="augment")
def _augment(case):
    """Settings that make new texts, where a task makes some."""
    return ["augment=2"] if "augment" in case.task.student_config.settings() else []


def test_a_student_is_a_run_and_says_what_its_teachers_are(case, teachers, student, augment):
    metrics, run, key = metrics_of(student), Run.load(student), case.task.main_score(teachers[0].targets)
    distillation, trained = metrics["distillation"], [metrics_of(Path(teacher.name)) for teacher in teachers]
    assert {**run.metrics, "seconds": 0} == metrics
    assert len(run.encoder.vocabulary) == case.words
    assert run.model.count_params() == metrics["parameters"]
    assert RunTeacher(student).score(case.task.read(case.files["valid"])) == metrics["valid"]
    described = [(one["path"], one["parameters"], one[f"valid_{key}"]) for one in distillation["teachers"]]
    expected = [(t.name, one["parameters"], one["valid"][key]) for t, one in zip(teachers, trained, strict=True)]
    assert described == expected
    assert distillation["parameters"] == sum(one["parameters"] for one in trained)
    assert distillation["kept"] == metrics["valid"][key] / distillation[f"valid_{key}"]
    counts = metrics["data"]["train"]
    labelled, unlabelled = len(case.items("train")), 80 if case.task.unit == "text" else 60
    kinds = [counts[name] for name in ("labelled", "unlabelled", "without_soft_targets")]
    assert kinds == [labelled, unlabelled, 0]
    assert counts["count"] == labelled + unlabelled + counts["augmented"]
    assert (counts["augmented"] > 0) == bool(augment)
    command = json.loads((student / "config.json").read_text(encoding="utf-8"))
    assert [teacher["path"] for teacher in command["teachers"]] == [teacher.name for teacher in teachers]
    assert command["distillation"]["alpha"] == 0.0
    assert not command["distillation"].keys() & command["settings"].keys()


def test_a_student_learns_from_soft_targets_alone(case, teachers, student):
    key = case.task.main_score(teachers[0].targets)
    assert metrics_of(Path(teachers[0].name))["valid"][key] > 0.8
    assert metrics_of(student)["valid"][key] > 0.7  # with alpha=0 no true target was looked at


def test_a_student_is_exported_and_predicts(case, student, tmp_path):
    export(student, tmp_path / "пакет", lengths=[8])
    predictor = load(tmp_path / "пакет")
    assert predictor.targets.names == Run.load(student).targets.names
    assert len(predictor.predict(case.texts("valid")[:2])) == 2


def test_of_teachers_that_are_never_right_no_share_can_be_kept():
    assert add_retention({"valid_accuracy": 0.0}, "accuracy", 0.5) == {"valid_accuracy": 0.0, "kept": None}


def test_what_is_held_out_is_asked_but_never_learned(case, student):
    valid, asked = case.items("valid"), case.asked(student)
    assert asked[: len(valid)] == valid
    learned = {overlap_key(case.task.item_text(item)) for item in asked[len(valid) :]}
    assert len(learned) == metrics_of(student)["data"]["train"]["count"]
    assert not learned & {overlap_key(text) for text in case.texts("valid")}


def test_the_ensemble_is_what_is_on_disk(case, teachers, student):
    asked = case.asked(student)
    soft = SoftTargets.read(student / SOFT_TARGETS, case.task, Run.load(student).targets)
    names = soft.targets.names
    columns = [[list(teacher.targets.names).index(name) for name in names] for teacher in teachers]
    each = [teacher.probabilities(asked)[:, order] for teacher, order in zip(teachers, columns, strict=True)]
    np.testing.assert_allclose(soft.probabilities(asked), (each[0] + each[1]) / 2, rtol=1e-3, atol=1e-5)


def test_soft_targets_teach_another_student_of_another_shape(case, student, tmp_path):
    soft = SoftTargets.read(student / SOFT_TARGETS, case.task, Run.load(student).targets)
    other = ["tokenizer=char", "distillation_loss=mse"] if case.task.unit == "text" else ["shapes=true"]
    files = {"unlabelled": [], "test": case.files["valid"]}
    metrics = case.distill(tmp_path / "второй", [soft], "embedding_rank=3", "epochs=1", *other, **files)
    first, key = metrics_of(student), f"valid_{case.task.main_score(soft.targets)}"
    assert metrics["distillation"][key] == first["distillation"][key]
    assert metrics["distillation"]["parameters"] is None
    assert metrics["data"]["train"]["count"] == first["data"]["train"]["count"]
    assert metrics["test"] == metrics["valid"]
    assert Run.load(tmp_path / "второй").model.get_layer("embedding").embeddings.shape[1] == 3


def soft_file(case, path, items, names):
    """A file of soft targets that gives every target of these items the same probability."""
    unit = dict.fromkeys(names, 1 / len(names))
    lines = (
        {**case.task.item_to_json(item), "probs": unit if case.task.unit == "text" else [unit] * len(item)}
        for item in items
    )
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return SoftTargets.read(path, case.task)


def new_item(case, text):
    return text if case.task.unit == "text" else text.split()


def test_a_file_that_knows_few_items_teaches_those(case, teachers, tmp_path):
    items = [*case.items("train")[:30], new_item(case, "новый 好 текст")]
    soft = soft_file(case, tmp_path / "мягкие.jsonl", items, teachers[0].targets.names)
    with untrained():
        metrics = case.distill(tmp_path / "ученик", [soft])
    counts, count = metrics["data"]["train"], len(case.items("train"))
    kinds = [counts[name] for name in ("labelled", "unlabelled", "without_soft_targets")]
    assert kinds == [count, 1, count - 30]
    assert metrics["distillation"][f"valid_{case.task.main_score(soft.targets)}"] is None
    assert metrics["distillation"]["kept"] is None


def test_a_student_starts_from_word_vectors(case, teachers, tmp_path):
    words = case.texts("train")[0].lower().split()
    rows = (f"{word} {' '.join(str(number + place) for place in range(5))}\n" for number, word in enumerate(words))
    (tmp_path / "向量.txt").write_text("".join(rows), encoding="utf-8")
    settings = ["embedding_dim=none", "lowercase=true", "embedding_rate=0"]
    with untrained():
        metrics = case.distill(tmp_path / "ученик", teachers, *settings, vectors=tmp_path / "向量.txt")
    assert metrics["vectors"]["dim"] == 5
    run = Run.load(tmp_path / "ученик")
    known = [word for word in words if word in run.encoder.vocabulary.tokens]
    assert known
    table = run.model.get_layer("embedding").embeddings.numpy()
    row = table[run.encoder.vocabulary.tokens.index(known[0])]
    np.testing.assert_allclose(np.diff(row) / (row[1] - row[0]), 1, rtol=1e-4)  # vectors may be scaled as a whole


def kill_while_asking(patches):
    """Kills the second question."""
    left = iter(range(1))

    def asked(*arguments):
        if next(left, None) is None:
            raise Killed
        return mean_probabilities(*arguments)

    patches.setattr(distilling, "mean_probabilities", asked)


@pytest.mark.parametrize("case", ["classification", "tagging"], indirect=True)
def test_a_run_killed_twice_ends_like_one_that_was_not(case, teachers, student, augment, tmp_path, monkeypatch):
    monkeypatch.setattr(soft_targets, "CHUNK", 64)
    folder = tmp_path / "убитый 死"
    with monkeypatch.context() as patches:
        kill_while_asking(patches)
        with pytest.raises(Killed):
            case.distill(folder, teachers, "alpha=0", *augment)
    assert (folder / SOFT_TARGETS_PART).exists()
    with killed_within_an_epoch():
        case.distill(folder, teachers, "alpha=0", *augment)
    assert (folder / CHECKPOINT).exists()
    assert not (folder / "metrics.json").exists()
    case.distill(folder, teachers, "alpha=0", *augment)
    assert_same_run(folder, student)


def test_students_are_trained_adversarially_where_they_should(case, teachers, tmp_path):
    def fit(model, *_, **__):
        assert isinstance(model, AdversarialTraining)
        raise Killed

    with fit_replaced(fit), pytest.raises(Killed):
        case.distill(tmp_path / "против", teachers, "adversarial=0.05")


def test_what_changed_since_is_named(case, teachers, tmp_path):
    folder, more = tmp_path / "убитый", tmp_path / "ещё.txt"
    more.write_text("Yesterday Ms Zorba slept well\n", encoding="utf-8")

    def resume(*settings, unlabelled=more, **options):
        case.distill(folder, teachers, *settings, unlabelled=[str(unlabelled)], **options)

    with killed_before_training():
        resume()
    with pytest.raises(InputError, match="holds an unfinished run with other unlabelled; use --force"):
        resume(unlabelled=case.files["unlabelled"])
    with pytest.raises(InputError, match="holds an unfinished run with other distillation; use --force"):
        resume("alpha=0.5")
    more.write_text("совсем новый текст\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"soft_targets\.jsonl\.gz: has other texts; .*--force"):
        resume()
    with killed_before_training():  # anew, which is as far as this training comes
        resume(force=True)
    assert case.asked(folder)[-1] == new_item(case, "совсем новый текст")


def test_batches_of_static_shape_have_soft_targets_on_real_units_alone(case, teachers, tmp_path):
    def fit(model, batches, validation, **_):
        del model
        size = batches.batch_size
        for inputs, targets, weights in validation.take(1):
            ids = np.asarray(inputs["token_ids"] if isinstance(inputs, dict) else inputs)
            targets, real = np.asarray(targets), ids != 0 if per_token else ids.any(axis=1)
            width = (1 if case.task.exclusive else len(names)) + len(names)
            shape = (*ids.shape, width) if per_token else (size, width)
            assert (len(ids), targets.shape, weights.shape) == (size, shape, (size,))
            counted = np.asarray(weights).reshape(-1, *[1] * (real.ndim - 1)) > 0
            sums = targets[..., -len(names) :].sum(axis=-1)
            if not case.task.exclusive:  # any number of labels
                sums = np.minimum(sums * 1e3, 1)
            np.testing.assert_allclose(sums * counted, real * counted, atol=2e-3)
            np.testing.assert_array_equal((targets[..., 0] >= 0) & counted, real & counted)  # all are labelled
        found = {float(one) for _, targets, *_ in batches.dataset.take(9) for one in np.unique(targets[..., 0])}
        assert {UNLABELLED, 0.0} | ({NO_TARGET} if per_token else set()) <= found
        return [{"loss": 1.0}]

    names, per_token = teachers[0].targets.names, case.task.unit == "token"
    with fit_replaced(fit):
        metrics = case.distill(tmp_path / "静", teachers[1:], "static_shapes=true", "alpha=0.5", "batch_size=8")
    key = f"valid_{case.task.main_score(teachers[0].targets)}"
    assert metrics["distillation"][key] == metrics["distillation"]["teachers"][0][key]


def test_teachers_that_know_the_validation_texts_are_named(case, teachers, tmp_path):
    lines = []
    with killed_before_training():
        case.distill(tmp_path / "ученик", teachers, "split_seed=1", valid=None, report=lines.append)
    warned = [line for line in lines if line.startswith("warning: ") and "trained on validation texts" in line]
    assert [teachers[0].name in warned[0], teachers[1].name in warned[1]] == [True, True]


def test_refusals_leave_nothing(case, teachers, tmp_path):
    out = tmp_path / "ученик"
    with pytest.raises(InputError, match="нет: No such file"):
        case.distill(out, teachers, unlabelled=[str(tmp_path / "нет")])
    soft = soft_file(case, tmp_path / "м.jsonl", [new_item(case, "quite another text")], teachers[0].targets.names)
    with pytest.raises(InputError, match=r"м\.jsonl: knows none of the texts of .*train"):
        case.distill(out, [soft])
    assert not out.exists()
    folder = Path(teachers[0].name)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(InputError, match="holds the teacher"):
        case.distill(folder, teachers, force=True)
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def renamed_copy(teacher, folder, old, new):
    """A run with another name for one of its targets."""
    shutil.copytree(teacher.name, folder)
    for path in (folder / "metrics.json", *(folder / name for name in teacher.task.target_files)):
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return RunTeacher(folder)


def test_teachers_with_other_targets_are_refused(case, teachers, tmp_path):
    changes = {"classification": ("positive", "позитив"), "tagging": ("LOC", "ORT"), "multilabel": ("Preis", "цена")}
    old, new = changes[case.task.name]
    other = renamed_copy(teachers[1], tmp_path / "чужой", old, new)
    with pytest.raises(InputError, match=rf"чужой: knows the (labels|tags) .*{new}.*, but .*{old}"):
        case.distill(tmp_path / "ученик", [teachers[0], other])
    assert not (tmp_path / "ученик").exists()


@pytest.mark.parametrize("case", ["classification"], indirect=True)
class TestClassification:
    def test_labels_that_teachers_lack_are_refused(self, case, teachers, tmp_path):
        path = tmp_path / "чужие.tsv"
        pairs = zip(case.texts("train"), ["да", "нет"] * 60, strict=True)
        path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in pairs), encoding="utf-8")
        with pytest.raises(InputError, match=r"knows the labels negative, positive, but .*чужие\.tsv has да, нет"):
            case.distill(tmp_path / "ученик", teachers, train=str(path), valid=None)

    def test_a_file_cannot_label_new_texts(self, case, tmp_path):
        soft = soft_file(case, tmp_path / "м.jsonl", case.items("train"), ["negative", "positive"])
        with pytest.raises(InputError, match=r"setting augment: .*м\.jsonl is a file"):
            case.distill(tmp_path / "ученик", [soft], "augment=2")


@pytest.mark.parametrize("case", ["tagging"], indirect=True)
class TestTagging:
    def test_settings_that_say_what_a_token_is_are_shared(self, case, teachers, tmp_path):
        for setting, wanted in (
            ("tokenizer=char", "word"),
            ("retokenize=false", "true"),
            ("normalization=nfc", "nfkc"),
        ):
            key, _, own = setting.partition("=")
            with pytest.raises(
                InputError, match=rf"setting {key}: {wanted} for .*знает, but {own} .* must be the same"
            ):
                case.distill(tmp_path / "ученик", teachers, setting)
        with pytest.raises(InputError, match=r"setting tag_scheme: IOBES for .* but IOB2 for the student"):
            case.distill(tmp_path / "ученик", teachers, "tag_scheme=IOB2")

    def test_tags_that_teachers_lack_are_refused(self, case, teachers, tagged_corpus, tmp_path):
        foreign = tagged_corpus(tmp_path / "别.txt", "chinese", 20, 0)
        with pytest.raises(InputError, match=r"别\.txt: has 人名, 地名, which the teacher .*знает does not know"):
            case.distill(tmp_path / "ученик", teachers, train=str(foreign))
        (tmp_path / "词.txt").write_text("Ms NOUN\nsang VERB\n\nhe PRON\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"词\.txt: holds plain tags, but .*знает gives spans"):
            case.distill(tmp_path / "ученик", teachers, train=str(tmp_path / "词.txt"), valid=None)

    def test_the_marginals_of_a_crf_are_those_of_the_layer(self, case, teachers):
        item = case.items("valid")[0]
        run = Run.load(teachers[0].name)
        inputs = {name: np.array([ids]) for name, ids in run.encoder.encode(item).items()}
        marginals = run.model.get_layer("crf").marginals(run.model(inputs, training=False))
        np.testing.assert_allclose(teachers[0].probabilities([item]), marginals[0], atol=1e-5)


def test_plain_tags_are_learned_and_scored_by_accuracy(tmp_path):
    path, folders, found = tmp_path / "词.txt", [tmp_path / "师", tmp_path / "傅"], task("tagging")
    path.write_text("我 PRON\n爱 VERB\n\n好 ADJ\n\n他 PRON\n跑 VERB\n\n走 VERB\n", encoding="utf-8")
    files = {"train": path, "valid": path}
    with untrained():
        for seed, folder in enumerate(folders):
            settings = {"units": 2, "embedding_dim": 3, "crf": False, "seed": seed}
            train("tagging", found.preset("chinese").replaced(**settings), folder, **files, **QUIET)
        opened = [RunTeacher(folder) for folder in folders]
        shared = opened[0].shared_settings()
        config = found.student_preset(None).replaced(**shared, units=3, min_count=1, characters=False, crf=False)
        metrics = distill("tagging", config, tmp_path / "徒", teachers=opened, **files, **QUIET)
    assert Run.load(tmp_path / "徒").encoder.characters is None
    examples = found.read(path)
    best = mean_probabilities(opened, examples.sentences, metrics["tags"]).argmax(axis=1)
    true = [tag for tags in examples.tags for tag in tags]
    together = np.mean([metrics["tags"][tag] == wanted for tag, wanted in zip(best, true, strict=True)])
    assert metrics["distillation"]["valid_accuracy"] == pytest.approx(together)
    each = [one["valid_accuracy"] for one in metrics["distillation"]["teachers"]]
    assert each == [metrics_of(folder)["valid"]["accuracy"] for folder in folders]


class Guessing:
    """A teacher that knows every item, and gives a unit what its length says."""

    name, parameters, sha256 = "учитель", None, "0"

    def __init__(self, case, targets):
        self.task, self.targets = case.task, targets

    def __contains__(self, item):
        return True

    def probabilities(self, items):
        units = items if self.task.unit == "text" else [token for item in items for token in item]
        share = np.array([len(unit) % 10 / 10 for unit in units])
        rest = np.zeros((len(units), len(self.targets.names) - 2))
        return np.column_stack([1 - share, share, rest])


@pytest.mark.parametrize("kind", ["a model", "a file", "both"])
def test_soft_targets_stand_for_the_teachers(case, teachers, augment, kind, tmp_path):
    """A student's files come out the same with its soft targets as with the teachers themselves."""
    own = ["Quite new 好", "quite NEW 好", "noch ein Text", case.texts("valid")[0].upper()]
    items = [*case.items("valid"), *case.items("train")[:30], *(new_item(case, text) for text in own)]
    file = soft_file(case, tmp_path / "мягкие.jsonl", items, teachers[0].targets.names)
    model = Guessing(case, teachers[0].targets)
    given = {"a model": [model], "a file": [file], "both": [model, file]}[kind]
    settings = ["min_count=1", *(augment if kind == "a model" else [])]
    folder = tmp_path / "ученик"
    with killed_before_training():
        case.distill(folder, given, *settings)
    soft = SoftTargets.read(folder / SOFT_TARGETS, case.task, model.targets)

    lines = []
    files, unlabelled = Files(case.files["train"], case.files["valid"]), [case.files["unlabelled"]]
    with_teachers, with_soft = (
        StudentData.read(case.task, case.student_config(*settings), files, unlabelled, some, lines.append)
        for some in (given, [soft])
    )
    assert with_soft.data.encoder.vocabulary.tokens == with_teachers.data.encoder.vocabulary.tokens
    assert with_soft.data.counts == with_teachers.data.counts
    kinds = with_soft.data.counts["train"]
    assert (kinds["augmented"] > 60) == (kind == "a model" and bool(augment))
    assert (kinds["without_soft_targets"] > 0) == (kind != "a model")
    data, valid = with_soft.with_soft_targets(soft)
    expected, expected_valid = with_teachers.with_soft_targets(soft)
    assert data.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(valid.targets, expected_valid.targets)
    if case.task.exclusive:
        np.testing.assert_allclose(valid.targets[:, 1:].sum(axis=1), 1, rtol=1e-6)
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
