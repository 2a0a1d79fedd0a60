"""A training that starts from a run: what it keeps, what is new, what it says of both."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.commands import change_json
from tests.training.killed import KillAt, Killed
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantize import quantize
from textapp.data.batches import model_inputs
from textapp.data.rows import encode_untargeted
from textapp.errors import InputError
from textapp.task import Files, names, task
from textapp.tasks.tagging.head import without_crf
from textapp.training.initial import InitialRun
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT
from textapp.training.train import train

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = (
    "epochs=2",
    "encoder=convolution",
    "units=4",
    "embedding_dim=6",
    "batch_size=8",
    "min_count=1",
    "max_tokens=16",
)
SETTINGS = {
    "classification": (*SMALL, "attention_units=4", "context_filters=3", "embedding_rank=2"),
    "multilabel": (*SMALL, "attention_units=4", "shapes=true", "characters=true"),
    "tagging": (*SMALL, "shapes=true", "context_filters=3", "character_dim=4", "character_filters=4"),
}
# Words of old examples, then with new words and characters and a new target; "ж" and "x" are new characters.
OLD = {
    "classification": [("好 film", "да"), ("плохой film", "нет")],
    "multilabel": [("好 film", ["да"]), ("плохой film", ["нет"]), ("好 плохой", ["да", "нет"])],
    "tagging": [("好 Wien ist", "O B-LOC O"), ("in Bad Wien", "O B-LOC I-LOC")],
}
NEW = {
    "classification": [("жук 好 quiz", "mañana"), ("quiz film", "да"), ("quiz жук", "нет")],
    "multilabel": [("жук 好 quiz", ["mañana"]), ("quiz film", ["да", "mañana"]), ("quiz жук", ["нет"])],
    "tagging": [("жук Anna quiz", "O B-人 O"), ("好 Wien quiz", "O B-LOC O")],
}
TEXTS = ["жук 好 quiz unseen", "film Wien плохой in", "quiz"]

each_task = pytest.mark.parametrize("name", names())


def write(path, name, rows, times=8, first=0):
    """Examples in a file. A number, from `first` on, makes each text another one."""
    if name == "tagging":
        blocks = ("".join(map("{} {}\n".format, text.split(), tags.split())) for text, tags in rows)
        content = "\n".join(list(blocks) * times)
    else:
        pairs = [(f"{text} {number}", label) for number in range(first, first + times) for text, label in rows]
        lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in pairs)
        content = "".join(f"{line}\n" for line in lines)
    path.write_text(content, encoding="utf-8")
    return path


def config_of(name, *settings):
    return task(name).preset("tiny").override([*SETTINGS[name], *settings])


def trained(name, folder, rows, *settings, init=None, lines=None, **files):
    """Trains on rows; with `init` from a run."""
    data = write(folder.with_name(f"{folder.name}.data"), name, rows)
    config = config_of(name, *settings)
    if init is not None:
        config = InitialRun.open(task(name), init).config().override(settings)
    files = {
        split: write(folder.with_name(f"{folder.name}.{split}"), name, part, first=100 * number)
        for number, (split, part) in enumerate(files.items(), start=1)
    }
    report = (lambda line: None) if lines is None else lines.append
    return train(name, config, folder, train=data, init=init, report=report, **files)


@pytest.fixture
def at_once(monkeypatch):
    """Leaves weights as they are before the first step."""
    monkeypatch.setattr("textapp.training.train.fit", lambda *_, **__: [{"loss": 1.0}])


def scramble(model, *_, **__):
    """Stands for `fit`: random numbers in all weights, biases and scores of pairs of tags as well."""
    rng = np.random.default_rng(3)
    for variable in model.weights:
        variable.assign(rng.normal(size=variable.shape))
    return [{"loss": 1.0}]


@pytest.fixture(scope="module", name="runs")
def _runs(tmp_path_factory):
    """A run of each task with random weights."""
    folder = tmp_path_factory.mktemp("Läufe 跑")
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("textapp.training.train.fit", scramble)
        for name in names():
            trained(name, folder / name, OLD[name], "baseline=false", test=OLD[name])
    return {name: folder / name for name in names()}


def logits(run):
    """The logits of `TEXTS`, without a CRF's scores."""
    model = without_crf(run.model)[0] if run.task.unit == "token" else run.model
    rows = encode_untargeted([text.split() for text in TEXTS], run.encoder)
    longest = int(rows.lengths.max())
    inputs = {key: np.zeros((len(rows), longest, *ids.shape[1:]), "int32") for key, ids in rows.inputs.items()}
    for number in range(len(rows)):
        for key, ids in rows.inputs.items():
            found = ids[rows.index[rows.offsets[number] : rows.offsets[number + 1]]]
            inputs[key][number, : len(found)] = found
    return np.asarray(model(model_inputs(inputs)))


@each_task
@pytest.mark.usefixtures("at_once")
def test_a_training_begins_with_the_outputs_of_the_run(runs, tmp_path, name):
    """New words and characters are read as unknown ones until training tells them apart.

    Both are scored on the same examples: those of new targets are left out, and those alone are not compared at all.
    """
    lines, files = [], {"valid": NEW[name][:1], "test": [*OLD[name], NEW[name][0]]}
    metrics = trained(name, tmp_path / "новый 新", NEW[name], init=runs[name], lines=lines, **files)
    old, new = Run.load(runs[name]), Run.load(tmp_path / "новый 新")
    for kind in ("vocabulary", "characters"):
        before, after = (getattr(run.encoder, kind) for run in (old, new))
        assert before is None or (after.tokens[: len(before)] == before.tokens and len(after) > len(before))
    assert {"quiz", "жук"} <= set(new.encoder.vocabulary.tokens) - set(old.encoder.vocabulary.tokens)
    count = len(old.targets.names)
    assert new.targets.names[:count] == old.targets.names
    before, after = logits(old), logits(new)
    np.testing.assert_allclose(after[..., :count], before, rtol=1e-4, atol=1e-5)
    assert np.ptp(before) > 0.1
    if name == "tagging":
        for score in ("transitions", "start", "end"):
            known, grown = (np.asarray(getattr(run.model.get_layer("crf"), score)) for run in (old, new))
            np.testing.assert_array_equal(grown[tuple(map(slice, known.shape))], known)
            assert not grown[count:].any()
    entry = metrics["init"]
    assert entry["path"] == str(runs[name])
    assert entry["new_words"] == len(new.encoder.vocabulary) - len(old.encoder.vocabulary)
    assert entry["new_targets"] == list(new.targets.names[count:]) == (["S-人"] if name == "tagging" else ["mañana"])
    assert entry["scores"].keys() == {"test"}
    assert any(line.startswith("valid: not compared, because each example has a target") for line in lines)
    warning = f"warning: 8 examples of test have targets that {runs[name]} lacks; the two are compared without them, "
    assert any(line.startswith(warning) for line in lines)
    before, after, left_out = entry["scores"]["test"].values()
    assert (before["count"], after["count"], left_out) == (8 * len(OLD[name]), 8 * len(OLD[name]), 8)
    key = task(name).main_score(old.targets)
    assert any(
        f" {after[key]:.4f}, before {before[key]:.4f} ({runs[name]}), without 8 examples" in one for one in lines
    )


def test_the_test_file_of_the_run_is_the_default_unless_it_has_changed(runs, tmp_path):
    source, file, lines = tmp_path / "alt", tmp_path / "тест.jsonl", []
    shutil.copytree(runs["classification"], source)
    known = Path(Run.load(source).command["test"])
    shutil.copy(known, file)
    change_json(source / "config.json", test=str(file))
    initial = InitialRun.open(task("classification"), source)
    config, files = initial.config(), Files("train")
    assert initial.with_test(files, config, lines.append) == Files("train", test=str(file))
    assert initial.with_test(Files("train", test="other"), config, lines.append) == Files("train", test="other")
    assert not lines
    assert initial.with_test(files, config.replaced(text_column="text"), lines.append) == files
    write(file, "classification", OLD["classification"][:1], first=100)
    assert initial.with_test(files, config, lines.append) == files
    write(file, "classification", NEW["classification"], first=100)
    assert initial.with_test(files, config, lines.append) == files
    file.unlink()
    assert initial.with_test(files, config, lines.append) == files
    reasons = (
        "was read with another text_column,",
        "has changed since",
        "has changed since",  # its labels too
        "No such",
    )
    for line, reason in zip(lines, reasons, strict=True):
        assert line.startswith(f"note: {file}")
        assert reason in line
        assert line.endswith(f"so the test score of {source} is not compared; --test chooses a test file")


def test_one_new_label_alone_can_be_learned_and_what_is_forgotten_is_said(runs, tmp_path, monkeypatch):
    def forget(model, *_, **__):
        model.get_layer("logits").bias.assign([0.0, 0.0, 1e4])
        return [{"loss": 1.0}]

    monkeypatch.setattr("textapp.training.train.fit", forget)
    lines, rows = [], [("жук quiz", "mañana")]
    metrics = trained(
        "classification", tmp_path / "neu", rows, "baseline=true", init=runs["classification"], lines=lines
    )
    assert metrics["labels"] == ["да", "нет", "mañana"]
    assert metrics["valid"]["accuracy"] == metrics["baseline"]["valid"]["accuracy"] == 1
    assert metrics["init"]["without_examples"] == ["да", "нет"]
    assert metrics["init"]["scores"].keys() == {"test"}  # the run may have learned from texts of the training file
    scores = metrics["init"]["scores"]["test"]
    assert scores["before"] == Run.load(runs["classification"]).metrics["test"]
    assert scores["before"]["accuracy"] > scores["after"]["accuracy"] == 0
    assert any(line.startswith("warning: the training split has no example of да, нет;") for line in lines)
    assert any(line.startswith("warning: on test the new model is worse than") for line in lines)


def test_a_killed_training_ends_with_the_same_numbers_and_only_from_the_same_run(runs, tmp_path, monkeypatch):
    source = tmp_path / "alt 旧"
    shutil.copytree(runs["classification"], source)
    rows, lines = NEW["classification"], []
    settings = ("epochs=1", "baseline=false")
    expected = trained("classification", tmp_path / "ganz", rows, *settings, init=source)
    monkeypatch.setattr("textapp.training.checkpoint.EVERY_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(type(task("classification")), "dashboards", lambda *_: [KillAt(2)])
        with pytest.raises(Killed):
            trained("classification", tmp_path / "neu", rows, *settings, init=source)
    assert (tmp_path / "neu" / CHECKPOINT).exists()
    content = (source / "config.json").read_bytes()
    (source / "config.json").write_bytes(content + b" ")
    with pytest.raises(InputError, match="holds an unfinished run with other init; use --force"):
        trained("classification", tmp_path / "neu", rows, *settings, init=source)
    (source / "config.json").write_bytes(content)
    metrics = trained("classification", tmp_path / "neu", rows, *settings, init=source)
    assert {**metrics, "seconds": 0} == {**expected, "seconds": 0}
    weights, wanted = (Run.load(tmp_path / folder).model.get_weights() for folder in ("neu", "ganz"))
    for one, other in zip(weights, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    # The run reads its files again to be quantized: with the words and labels of the run that it started from.
    result = quantize(QuantizeConfig(epochs=0), tmp_path / "neu", tmp_path / "rund", report=lambda line: None)
    assert result["labels"] == metrics["labels"]
    monkeypatch.setattr("textapp.training.train.fit", scramble)
    trained("classification", tmp_path / "weiter", rows, *settings, init=tmp_path / "rund", lines=lines)
    assert any(line.startswith(f"note: {tmp_path / 'rund'} is quantized, the new run is not;") for line in lines)


@pytest.mark.usefixtures("at_once")
def test_word_vectors_of_a_run_are_kept_without_their_file(tmp_path):
    """Also where the run's settings name no dimension, and more words than the training split has."""
    vectors = tmp_path / "向量.txt"
    vectors.write_text("4 5\n" + "".join(f"{word} 1 2 3 4 {n}\n" for n, word in enumerate(("好", "film", "ёж", "+"))))
    data = write(tmp_path / "data", "classification", OLD["classification"])
    settings = ("embedding_rank=none", "embedding_dim=none", "extra_words=2", "freeze_epochs=1")
    config = config_of("classification", *settings)
    train("classification", config, tmp_path / "alt", train=data, vectors=vectors, report=lambda line: None)
    vectors.unlink()
    metrics = trained("classification", tmp_path / "neu", NEW["classification"], "stream=false", init=tmp_path / "alt")
    old, new = (Run.load(tmp_path / folder) for folder in ("alt", "neu"))
    assert new.config.words.embedding_dim == 5
    assert new.encoder.vocabulary.tokens[: len(old.encoder.vocabulary)] == old.encoder.vocabulary.tokens
    rows = [np.asarray(run.model.get_layer("embedding").embeddings) for run in (old, new)]
    np.testing.assert_array_equal(rows[1][: len(rows[0])], rows[0])
    np.testing.assert_array_equal(rows[1][len(rows[0]) :], np.tile(rows[0][1], (metrics["init"]["new_words"], 1)))


@pytest.mark.usefixtures("at_once")
def test_n_grams_of_a_run_are_kept_beside_those_of_new_texts(tmp_path):
    trained("classification", tmp_path / "alt", OLD["classification"], "ngram_rows=1024", "baseline=false")
    rows = [("жук quiz", "mañana"), ("жук plus", "нет")]
    settings = ("class_weights=balanced", "monitor=loss")  # no settings of the model's shape
    trained("classification", tmp_path / "neu", rows, *settings, init=tmp_path / "alt")
    ngrams = Run.load(tmp_path / "neu").ngrams
    for words, label in (("好 film", 0), ("плохой film", 1), ("жук quiz", 2), ("жук plus", 1)):
        assert ngrams.logits(words.split()).argmax() == label


@pytest.mark.usefixtures("at_once")
def test_a_streamed_training_starts_from_a_run(runs, tmp_path):
    data, valid = (
        write(tmp_path / name, "classification", NEW["classification"][:2], n, first)
        for name, n, first in (("a", 9, 0), ("b", 2, 100))
    )
    initial, lines = InitialRun.open(task("classification"), runs["classification"]), []
    config = initial.config().override(["stream=true"])
    metrics = train(
        "classification", config, tmp_path / "neu", train=data, valid=valid, init=initial, report=lines.append
    )
    assert metrics["labels"] == ["да", "нет", "mañana"]
    assert metrics["init"]["without_examples"] == ["нет"]
    assert {"quiz", "жук"} <= set(Run.load(tmp_path / "neu").encoder.vocabulary.tokens)


@pytest.mark.usefixtures("at_once")
def test_a_model_that_is_not_that_of_its_settings_is_refused(runs, tmp_path):
    source = tmp_path / "alt"
    shutil.copytree(runs["classification"], source)
    path = source / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"units": 4', '"units": 6'), encoding="utf-8")
    with pytest.raises(InputError, match=r"model.keras: its layer encoder\w* is not the one of the settings"):
        trained("classification", tmp_path / "neu", NEW["classification"], init=source)
    assert not (tmp_path / "neu").exists()
