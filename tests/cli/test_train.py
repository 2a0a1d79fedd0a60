"""`textapp train`: what it makes, what it refuses, and that it then loses nothing."""

import errno
import re
from shlex import quote

import keras
import pytest

from tests.cli.commands import as_options, read_json
from textapp.output_files import locked
from textapp.settings import as_text
from textapp.task import names
from textapp.training import train
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT

HEADER, NAMES = "text\tlabel\n", ("да", "нет")
LABELLED = HEADER + "".join(f"хороший 好 {i}\tда\nплохой 坏 {i}\tнет\n" for i in range(30))
TAGGED = "".join(f"Wien{i} B-地\nist O\nschön O\n\nAnna B-PER\nLin{i} I-PER\n\n" for i in range(10))
GOOD = {"classification": LABELLED, "tagging": TAGGED}
BAD_FILES = {
    "classification": {
        "missing": (None, "No such file or directory"),
        "empty": (b"", "there is no example to read"),
        "header only": (HEADER.encode(), "there is no example to read"),
        "wrong column": ("a\tb\nх\t1\n".encode(), ":1: no column has a known name for the text"),
        "columns": ((LABELLED + "無\n").encode(), ":62: each row must have 2 columns, as the first row has"),
        "no label": ((LABELLED + "無\t\n").encode(), ":62: the label is missing"),
        "one label": ((HEADER + "да 好\tда\n" + "нет 坏\tда\n" * 9).encode(), "two labels or more"),
        "broken UTF-8": (LABELLED.encode() + b"\xe5\xa5\tda\n", ":62: byte 1 of the line is not UTF-8"),
        "broken gzip": (b"\x1f\x8b" + LABELLED.encode(), "gzip data are cut off or damaged"),
        "no words": (
            "".join([HEADER, *(f"{chr(7) * i}\t{NAMES[i % 2]}\n" for i in range(1, 40))]).encode(),
            "has a token",
        ),
    },
    "tagging": {
        "missing": (None, "No such file or directory"),
        "empty": (b"", "there is no sentence to read"),
        "broken UTF-8": (TAGGED.encode() + b"\xe5\xa5 O\n", ":71: byte 1 of the line is not UTF-8"),
        "columns": ((TAGGED + "無\n").encode(), ":71: each line must have 2 columns, as the first token's line has"),
        "a broken sequence": ((TAGGED + "無 B-地\n无 I-PER\n").encode(), ":72: I-PER cannot follow B-地 in IOB2"),
        "no span": ("無 O\n\n无 O\n\n好 O\n".encode(), "there must be two different tags"),
    },
}
ALLOWED_IN_HELD_OUT = ("one label", "no span")
STRICT = {"classification": [], "tagging": ["--set", "scheme=IOB2"]}
BAD_CASES = [(task, case) for task, cases in BAD_FILES.items() for case in cases]


@pytest.fixture
def good(tmp_path):
    """Writes good examples of a task to a file."""

    def write(task):
        path = tmp_path / "данные 好.txt"
        path.write_text(GOOD[task], encoding="utf-8")
        return path

    return write


@pytest.fixture
def old_run(model, tmp_path, textapp, fit_at_once):
    """A run as a command makes it, its folder, that command, and what came of it."""
    folder = tmp_path / "прогон"
    command = model.train_command(folder)
    outcome = textapp(*command, "--json")
    assert outcome.code == 0, outcome.err
    return folder, command, outcome


@pytest.mark.parametrize(("task", "case"), BAD_CASES)
@pytest.mark.parametrize("option", ["--train", "--valid"])
def test_a_bad_file_is_refused_and_no_run_is_made(textapp, models, tmp_path, good, task, case, option):
    if option == "--valid" and case in ALLOWED_IN_HELD_OUT:
        pytest.skip("held-out examples may be of one label, or without spans")
    content, rule = BAD_FILES[task][case]
    bad, out = tmp_path / "плохо é.txt", tmp_path / "прогон"
    if content is not None:
        bad.write_bytes(content)
    files = ["--train", bad] if option == "--train" else ["--train", good(task), "--valid", bad]
    noun = models(task).task.model_noun
    refusal = textapp("train", noun, *files, "--out", out, "--set", "epochs=1", *STRICT[task]).refusal
    assert refusal.startswith(str(bad))
    assert rule in refusal
    assert not out.exists()


def test_a_label_unseen_in_training_is_named_with_its_line(textapp, tmp_path, good):
    """Each validation label must be known, as it chooses the epoch; of test labels one."""
    path = tmp_path / "проверка.tsv"
    for option, rows, message in (
        ("--valid", "好\tда\n很\tможет быть\n", ":3: the label 'может быть' does not occur"),
        ("--test", "\n好\tможет быть\n很\tданет\n", ": none of its labels occurs in the training data"),
    ):
        path.write_text(HEADER + rows, encoding="utf-8")
        arguments = ["--train", good("classification"), option, path, "--out", tmp_path / "п"]
        refusal = textapp("train", "classifier", *arguments).refusal
        assert refusal.startswith(f"{path}{message}")
        assert not (tmp_path / "п").exists()


def test_macro_f1_chooses_the_epoch_of_skewed_classes(textapp, tmp_path, monkeypatch):
    monitors: list[str] = []

    def fit(*_, monitor, **__):
        monitors.append(monitor)
        return [{"loss": 1.0}]

    monkeypatch.setattr("textapp.training.train.fit", fit)
    rows = [f"好 Satz {number}\t{'да' if number % 8 else 'нет'}\n" for number in range(40)]
    (tmp_path / "д.tsv").write_text(HEADER + "".join(rows), encoding="utf-8")
    for setting in ("monitor=auto", "monitor=loss"):
        options = as_options(["baseline=false", "encoder=none", setting])
        command = ["train", "classifier", "--train", tmp_path / "д.tsv", "--out", tmp_path / setting, *options]
        outcome = textapp(*command)
        assert outcome.code == 0
        chosen = "the best epoch is the one with the best macro F1" in outcome.err
        assert chosen is (setting == "monitor=auto")
        assert outcome.err.count("warning: skewed classes: 'да' has 31 training texts, 'нет' has 4; ") == 1
    assert monitors == ["val_macro_f1", "val_loss"]


BOTH = ("classification", "tagging")


@pytest.mark.parametrize(
    ("tasks", "arguments", "rule"),
    [
        (BOTH, ["--set", "unitz=3"], "--set: unknown setting unitz; did you mean units?"),
        (BOTH, ["--set", "units"], "must read KEY=VALUE"),
        (BOTH, ["--set", "dropout=много"], "must be a number"),
        (BOTH, ["--set", "extra_words=9"], "setting extra_words: these words come from a file of vectors"),
        (BOTH, ["--set", "gated=true"], "setting gated: not used by encoder=recurrent, only by convolution"),
        (
            BOTH[:1],
            ["--preset", "крошка"],
            "--preset крошка: unknown; presets: sentences, phrases, reviews, chinese, tiny",
        ),
        (
            BOTH[1:],
            ["--preset", "中文"],
            "--preset 中文: unknown; presets: english, chinese, chinese_large, tags, tiny",
        ),
        (BOTH[:1], ["--set", "text_column=評論"], ":1: no column '評論' for the text; columns found: 'text', 'label'"),
        (
            BOTH[:1],
            ["--set", "crf=true"],
            "--set: unknown setting crf; it is one of `textapp train tagger`",
        ),
        (BOTH[:1], ["--set", "stream=true"], "setting stream: needs a validation file (--valid)"),
        (BOTH[1:], ["--set", "stream=true"], "setting stream: a tagger is trained from memory; leave it false"),
        (BOTH[1:], ["--set", "tag_column=7"], "`tag_column` must be from -2 to 1 here"),
        (BOTH[1:], ["--set", "scheme=BILOU"], ":2: O cannot follow B-地 in BILOU"),
    ],
)
def test_a_wrong_setting_is_refused(textapp, models, tmp_path, good, tasks, arguments, rule):
    for task in tasks:
        noun = models(task).task.model_noun
        command = ["train", noun, "--train", good(task), "--out", tmp_path / "прогон", *arguments]
        assert rule in textapp(*command).refusal
        assert not (tmp_path / "прогон").exists()


def test_vectors_are_checked_before_a_run_is_made(textapp, tmp_path, model):
    path = tmp_path / "векторы 好.txt"
    command = [*model.train_command(tmp_path / "прогон"), "--set", "embedding_dim=none"]
    outcome = textapp(*command, "--vectors", path)
    assert outcome.err == f"textapp: {path}: No such file or directory\n"  # before any text is read
    path.write_text("2 3\ngood 1 2 3\n好 1 2\n", encoding="utf-8")
    assert textapp(*command, "--vectors", path).refusal.startswith(f"{path}:3: ")
    path.write_text("2 3\ngood 1 2 3\n好 1 2 4\n", encoding="utf-8")
    refusal = textapp(*command, "--vectors", path, "--set", "embedding_dim=32").refusal
    assert refusal.startswith(f"setting embedding_dim: is 32, but the vectors of {path} have 3 dimensions")
    assert not (tmp_path / "прогон").exists()


@pytest.mark.parametrize("task", BOTH)
def test_a_presets_dimension_gives_way_to_the_vectors(textapp, models, tmp_path, fit_at_once, task):
    path, model = tmp_path / "векторы 好.txt", models(task)
    path.write_text("4 3\ngood 1 2 3\n好 1 2 4\nfilm 1 0 0\nthen 1 2 1\n", encoding="utf-8")
    files = ["--train", model.files["train"], "--out", tmp_path / "прогон"]
    outcome = textapp("train", model.task.model_noun, *files, "--preset", "tiny", "--vectors", path, "--json")
    assert outcome.code == 0
    assert outcome.json["vectors"]["dim"] == 3
    assert "vectors: " in outcome.err
    assert read_json(tmp_path / "прогон/config.json")["vectors"] == str(path)


@pytest.mark.parametrize("task", names())
def test_without_a_preset_settings_are_chosen(textapp, models, tmp_path, fit_at_once, task):
    folder, model = tmp_path / "прогон", models(task)
    command = ["train", model.task.model_noun, "--train", model.files["train"], "--out", folder]
    outcome = textapp(*command, "--set", "units=8", "--set", "encoder=convolution")
    assert outcome.code == 0, outcome.err
    content = read_json(folder / "config.json")
    assert content["fixed"] == {"units": 8, "encoder": "convolution"}
    for name, reason in content["chosen"].items():
        assert re.search(
            rf"^chosen: {name}={as_text(content['settings'][name])} +{re.escape(reason)}$", outcome.err, re.M
        )
    assert content["chosen"].keys() >= {"tokenizer", "batch_size", "epochs"}
    assert Run.load(folder).config.encoder.units == 8


def test_python_without_settings_chooses_them_as_the_command_does(textapp, models, tmp_path, fit_at_once):
    model, folders = models("classification"), (tmp_path / "команда", tmp_path / "函数")
    files = {"train": model.files["train"], "valid": model.files["valid"]}
    options = ["--train", files["train"], "--valid", files["valid"]]
    assert textapp("train", "classifier", *options, "--out", folders[0]).code == 0
    train.train("classification", None, folders[1], **files, report=lambda line: None)
    by_command, by_call = (read_json(folder / "config.json") for folder in folders)
    assert by_call["chosen"]
    assert by_call == by_command
    train.train(
        "classification", None, tmp_path / "新", train=files["train"], init=folders[1], report=lambda line: None
    )
    started = read_json(tmp_path / "新" / "config.json")
    assert started["settings"]["units"] == by_call["settings"]["units"]
    assert "chosen" not in started


def test_a_run_is_made_and_described(model, old_run):
    folder, _, outcome = old_run
    metrics = read_json(folder / "metrics.json")
    assert outcome.json == metrics
    assert metrics["task"] == model.task.name
    assert metrics["history"] == [{"loss": None, "val_loss": 0.5}]  # JSON knows no NaN
    assert f"run:   {folder}\nwatch: tensorboard --logdir {quote(str(folder / 'logs'))}\n" in outcome.err
    assert f"next:  textapp export {quote(str(folder))} --out " in outcome.err


def test_the_tags_of_a_file_become_those_of_the_settings(textapp, tmp_path, good, fit_at_once):
    command = ["train", "ner", "--train", good("tagging"), "--test", good("tagging"), "--out", tmp_path / "п"]
    outcome = textapp(*command, "--preset", "tiny", "--set", "min_count=1", "--json")
    assert (tmp_path / "п/tags.txt").read_text(encoding="utf-8").splitlines() == ["O", "B-PER", "E-PER", "S-地"]
    assert outcome.json["test"]["count"] == 20


def test_broken_sequences_are_repaired_where_asked(textapp, tmp_path, good, fit_at_once):
    path = good("tagging")
    path.write_text(TAGGED + "无 O\n無 I-地\n", encoding="utf-8")
    command = ["train", "tagger", "--train", path, "--test", path, "--out", tmp_path / "п", "--preset", "tiny"]
    command += ["--set", "scheme=IOB2"]
    assert textapp(*command).refusal.startswith(f"{path}:72: I-地 cannot follow O in IOB2")
    outcome = textapp(*command, "--set", "repair=true", "--json")
    assert outcome.json["test"]["count"] == 21
    assert f"1 broken tag repaired, the first at {path}:72" in outcome.err


def test_a_finished_run_is_kept_unless_forced(textapp, models, old_run, snapshot):
    folder, command, outcome = old_run
    before = snapshot(folder)
    others = [models(task).train_command(folder) for task in BOTH]  # the task is no matter
    for again in (command, *others):
        assert textapp(*again).refusal == (
            f"{folder}: holds a finished run; use --force to train it again, or another --out"
        )
    assert snapshot(folder) == before
    forced = textapp(*command, "--force", "--json")
    assert {**forced.json, "seconds": 0} == {**outcome.json, "seconds": 0}


def test_what_was_left_between_the_metrics_and_the_checkpoint_is_cleared_away(textapp, copy, classifier, snapshot):
    """By the same command, which is refused, and by one that reads the run."""
    folder = copy(classifier.run)
    before = snapshot(folder.parent)
    command = classifier.train_command(folder)
    for reader in (command, ["predict", folder, "好"]):
        for name in ("checkpoint.npz", ".metrics.json.textapp-a1b2c3d4.json"):
            (folder / name).write_bytes(b"killed")
        (folder.parent / f".{folder.name}.textapp-lock").touch()
        code = textapp(*reader).code
        assert code == (2 if reader is command else 0)
        assert snapshot(folder.parent) == before


def test_a_reader_leaves_the_checkpoint_of_a_training_at_work(textapp, copy, classifier):
    folder = copy(classifier.run)
    (folder / CHECKPOINT).write_bytes(b"")
    with locked(folder):
        assert textapp("predict", folder, "好").code == 0
    assert (folder / CHECKPOINT).exists()


def test_a_folder_that_appears_while_the_data_are_read_is_kept(textapp, tmp_path, classifier, snapshot, monkeypatch):
    folder, build = tmp_path / "прогон", train.build_model

    def slowly(*arguments):
        folder.mkdir()
        (folder / "vocabulary.txt").write_text("важно", encoding="utf-8")
        return build(*arguments)

    monkeypatch.setattr(train, "build_model", slowly)
    refusal = textapp(*classifier.train_command(folder)).refusal
    assert refusal == f"{folder}: exists and is not a run folder; choose another --out"
    assert snapshot(tmp_path) == {"прогон/vocabulary.txt": "важно".encode()}


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_to_a_folder_gets_the_run_and_stays(textapp, tmp_path, classifier, fit_at_once, exists):
    target, link = tmp_path / "а" / "цель", tmp_path / "ссылка"
    if exists:
        target.mkdir(parents=True)
    link.symlink_to(target)
    assert textapp(*classifier.train_command(link)).code == 0
    assert link.is_symlink()
    assert {path.name for path in target.iterdir()} == {path.name for path in classifier.run.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["а", "ссылка"]


@pytest.mark.parametrize(("task", "case"), BAD_CASES)
def test_force_keeps_the_old_run_when_the_new_one_cannot_start(textapp, models, tmp_path, snapshot, task, case):
    content, _ = BAD_FILES[task][case]
    if content is not None:
        (tmp_path / "плохо.tsv").write_bytes(content)
    model = models(task)
    before = snapshot(model.run)
    arguments = ["--train", tmp_path / "плохо.tsv", "--out", model.run, "--force", *STRICT[task]]
    assert textapp("train", model.task.model_noun, *arguments).code == 2
    assert snapshot(model.run) == before


def test_force_keeps_the_old_run_when_no_model_can_be_built(textapp, classifier, snapshot, monkeypatch):
    def too_large(*_):
        raise MemoryError

    monkeypatch.setattr(train, "build_model", too_large)
    before = snapshot(classifier.run)
    assert "more memory than there is" in textapp(*classifier.train_command(classifier.run), "--force").refusal
    assert snapshot(classifier.run) == before


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("name", ["тезис.doc", "config.json"])
def test_a_folder_that_is_no_run_is_never_touched(textapp, tmp_path, classifier, snapshot, force, name):
    folder = tmp_path / "Важно"
    (folder / "подпапка").mkdir(parents=True)
    (folder / name).write_text('{"чужой": 1}', encoding="utf-8")
    before = snapshot(folder)
    refusal = textapp(*classifier.train_command(folder), *force).refusal
    assert refusal.startswith(str(folder))
    assert snapshot(folder) == before


@pytest.mark.parametrize("out", ["файл", "файл/прогон", "名" * 300])
def test_a_place_where_no_folder_can_be_is_refused_at_once(textapp, tmp_path, classifier, out):
    (tmp_path / "файл").write_text("данные", encoding="utf-8")
    outcome = textapp(*classifier.train_command(tmp_path / out), "--force")
    assert outcome.refusal.startswith(str(tmp_path))
    assert len(outcome.err.splitlines()) == 1  # before anything is read
    assert (tmp_path / "файл").read_text(encoding="utf-8") == "данные"


def test_a_folder_without_write_permission_is_refused_at_once(textapp, tmp_path, classifier, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    refusal = textapp(*classifier.train_command(tmp_path / "прогон")).refusal
    assert refusal == f"{tmp_path}: is not writable; choose another place"


def test_an_unfinished_run_of_another_command_is_refused(textapp, copy, model, models, snapshot):
    folder = copy(model.run)
    (folder / "metrics.json").unlink()
    before = snapshot(folder)
    changes = ["--set", "units=5", "--set", "dropout=0.1", "--valid", model.files["valid"]]
    refusal = textapp(*model.train_command(folder), *changes).refusal
    assert refusal.startswith(f"{folder}: holds an unfinished run with other valid, units, dropout; use --force")
    other = "classification" if model.task.name == "tagging" else "tagging"
    refusal = textapp(*models(other).train_command(folder)).refusal
    assert refusal.startswith(f"{folder}: holds an unfinished run with other task, train, test, ")
    assert refusal.endswith(" more; use --force, or another --out")
    assert snapshot(folder) == before


@pytest.mark.parametrize("damage", [b"", "чепуха".encode(), b"PK\3\4" + bytes(100)])
def test_a_broken_checkpoint_is_named(textapp, copy, model, damage):
    folder = copy(model.run)
    (folder / "metrics.json").unlink()
    (folder / CHECKPOINT).write_bytes(damage)
    refusal = textapp(*model.train_command(folder)).refusal
    assert refusal.startswith(f"{folder / CHECKPOINT}: the archive is cut off, damaged or encrypted")
    assert "--force" in refusal


def test_force_deletes_the_run_and_leftovers_alone(textapp, copy, model, fit_at_once):
    folder = copy(model.run)
    (folder / "logs" / "train").mkdir(parents=True)
    others = ["заметки.txt", "logs.txt", ".hidden", ".config.json.original.json", "logs"]
    stale = ["checkpoint.npz", ".checkpoint.npz.textapp-a1b2c3d4.npz", "logs/train/events.out.tfevents.1.host"]
    for name in (*others[:-1], "logs/заметки.txt", *stale):
        (folder / name).write_text("старое", encoding="utf-8")
    outcome = textapp(*model.train_command(folder), "--force", "--json")
    assert outcome.code == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {*others, *(path.name for path in model.run.iterdir())}
    assert (folder / "logs" / "заметки.txt").read_text(encoding="utf-8") == "старое"
    assert not (folder / "logs" / "train" / "events.out.tfevents.1.host").exists()
    assert outcome.json == read_json(folder / "metrics.json")


def test_a_start_that_was_killed_at_its_first_file_is_resumed(textapp, tmp_path, classifier, fit_at_once):
    folder = tmp_path / "прогон"
    folder.mkdir()
    (folder / ".config.json.textapp-a1b2c3d4.json").write_text("{")
    outcome = textapp(*classifier.train_command(folder))
    assert (outcome.code, outcome.out) == (0, "")
    assert not list(folder.glob(".*"))


def test_after_a_full_disk_the_run_is_unfinished(textapp, tmp_path, model, fit_at_once, monkeypatch):
    def save(_, path):
        path.write_bytes(b"half a model")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", save)
    folder = tmp_path / "прогон"
    assert textapp(*model.train_command(folder)).refusal == f"{folder / 'model.keras'}: No space left on device"
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in model.run.iterdir()} - {"model.keras", "metrics.json"}
    assert "not finished" in textapp("predict", folder, "текст").refusal
    monkeypatch.undo()


def test_ctrl_c_says_that_the_same_command_resumes(textapp, classifier, tmp_path, monkeypatch):
    def stopped(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", stopped)
    outcome = textapp(*classifier.train_command(tmp_path / "run"))
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.splitlines()[-1] == "stopped; the same command resumes it"


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--set", "units=5"], "setting units: must stay 4 to start from {run}, whose weights or tokens depend on it"),
        (["--set", "lowercase=false"], "setting lowercase: must stay true"),
        (["--set", "dropout=2"], "setting dropout: must be at least 0 and below 1"),
        (["--preset", "tiny"], "--preset: the settings are those of the run of --init"),
        (["--vectors", "{train}"], "--vectors: the word vectors are those of {run}; leave out --vectors or --init"),
        (["--out", "{run}", "--force"], "{run}: holds {run}, the run to start from; choose another --out"),
        (["--init", "{bundle}"], "{bundle}: not a run folder (no config.json in it)"),
        (["--init", "{tagger}"], "{tagger}: a tagger, from which no classifier can start; use `textapp train tagger`"),
    ],
)
def test_a_run_that_cannot_be_the_start_is_refused(textapp, classifier, tagger, tmp_path, snapshot, arguments, rule):
    names = {
        "run": classifier.run,
        "bundle": classifier.bundle,
        "tagger": tagger.run,
        "train": classifier.files["train"],
    }
    before = snapshot(classifier.run)
    out, given = tmp_path / "прогон", [argument.format(**names) for argument in arguments]
    command = ["train", "classifier", "--train", names["train"], "--out", out, "--init", classifier.run, *given]
    assert textapp(*command).refusal.startswith(rule.format(**names))
    assert snapshot(classifier.run) == before
    assert not out.exists()


def test_a_training_starts_from_a_run(textapp, model, tmp_path, fit_at_once):
    """Its settings are those of the run, except for those of the training; so is its test file."""
    command = ["--train", model.files["train"], "--out", tmp_path / "новый", "--init", model.run, "--set", "epochs=3"]
    outcome = textapp("train", model.task.model_noun, *command, "--json")
    assert outcome.code == 0, outcome.err
    entry, scores = outcome.json["init"], outcome.json["init"]["scores"]
    assert (entry["path"], entry["new_words"], entry["new_targets"]) == (str(model.run), 0, [])
    assert scores["test"]["before"] == model.metrics["test"]
    key = model.main_score
    assert f"test: {model.task.main_score_title(None) if key != 'entity_f1' else 'strict entity F1'}" in outcome.err
    lines, test = outcome.err.splitlines(), outcome.json["test"]
    (result,) = (line for line in lines if line.startswith("result: "))
    assert re.fullmatch(
        rf"result: .*{test[key]:.4f} on {test['count']:,} \w+ of test, 95% interval 0\.\d+ to [01]\.\d+(; .*)?", result
    )
    assert lines[lines.index(result) - 1] == ""
    assert [line.split()[0] for line in lines if re.match(r"(data|train|valid|test) +\S", line)][:4] == [
        *("data", "train", "valid", "test")
    ]
    written, known = (read_json(folder / "config.json") for folder in (tmp_path / "новый", model.run))
    assert written["init"] == {"path": str(model.run), "sha256": entry["sha256"]}
    assert written["test"] == model.files["test"]
    changed = {name for name, value in known["settings"].items() if written["settings"][name] != value}
    assert "epochs" in changed
    assert changed <= {"epochs", "learning_rate"}
