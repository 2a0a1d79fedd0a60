"""A file of word vectors on its way into a run, and the three ways to train it."""

import json

import numpy as np
import pytest

from tests.dashboards.events import read
from textapp.data.samples import write_samples
from textapp.errors import InputError
from textapp.export.run import export
from textapp.runtime import load
from textapp.task import Files, names, task
from textapp.tasks.classification.config import ClassificationConfig
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.training import run, run_folder
from textapp.training.prepare import prepare
from textapp.training.pretrained import describe_embedding_training, read_pretrained
from textapp.training.train import train

VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "好", "film", "très"])
COUNTS = {"好": 10, "film": 6, "très": 3, "weg": 1}
SIZES = ["epochs=2", "units=4", "attention_units=4", "max_tokens=32", "encoder=convolution", "min_count=3"]
SETTINGS = [*SIZES, "baseline=false"]


def write_vectors(path, words, dim=3, seed=0):
    """word2vec's text, written here by hand."""
    rows = np.random.default_rng(seed).normal(2.0, 0.5, (len(words), dim)).round(3)
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(words, rows.tolist(), strict=True)]
    path.write_text("\n".join([f"{len(words)} {dim}", *lines]) + "\n", encoding="utf-8")
    return dict(zip(words, rows.astype("float32"), strict=True))


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "词向量 é.txt"


def test_rows_report_and_summary(path):
    rows = write_vectors(path, ["extra", "好", "外", "très"])
    lines: list[str] = []
    arguments = {"tokenizer": Tokenizer(), "extra_words": 1, "report": lines.append}
    pretrained = read_pretrained(path, VOCABULARY, COUNTS, **arguments)
    assert pretrained.vocabulary.tokens == (*VOCABULARY.tokens, "extra")
    assert pretrained.num_train_words == 5
    np.testing.assert_array_equal(pretrained.table[[2, 4, 5]], [rows["好"], rows["très"], rows["extra"]])
    assert lines[0] == f"read {path}: 4 vectors of 3 dimensions"
    assert (
        lines[1] == "vectors: 2 of 3 words (66.7 %), 65.0 % of 20 tokens of the training split have one; 1 extra word"
    )
    assert lines[2].startswith("warning: less than 90% of the tokens have a vector")
    assert json.loads(json.dumps(pretrained.summary)) == {
        "path": str(path),
        "sha256": pretrained.sha256,
        "dim": 3,
        "words": 3,
        "words_found": 2,
        "tokens": 20,
        "tokens_found": 13,
        "words_composed": 0,
        "extra_words": 1,
    }
    write_vectors(path, ["extra", "好", "外", "très"], seed=1)
    assert read_pretrained(path, VOCABULARY, COUNTS, **arguments).sha256 != pretrained.sha256


def test_a_low_coverage_is_explained(path):
    write_vectors(path, ["The", "Film", "Très", "好"])
    lines: list[str] = []
    read_pretrained(path, VOCABULARY, COUNTS, tokenizer=Tokenizer(), report=lines.append)
    assert lines[-1].endswith(
        "75% of their first 4 words have capitals, such as 'The', 'Film', 'Très': set lowercase=false"
    )


def test_a_form_of_words_chooses_extra_words_and_explains_a_low_coverage(path):
    """As of a tagger, whose tokenizer keeps capitals."""
    write_vectors(path, ["The", "1996", "film", "neu", "00"])
    lines: list[str] = []
    arguments = {"tokenizer": Tokenizer(lowercase=False), "form": WordForm(zero_digits=True), "extra_words": 9}
    pretrained = read_pretrained(path, VOCABULARY, COUNTS, **arguments, report=lines.append)
    assert pretrained.vocabulary.tokens == (*VOCABULARY.tokens, "neu", "00")
    assert lines[-1].endswith("20% of their first 5 words have capitals, such as 'The': set lowercase=false")


def test_what_does_not_fit_is_refused(path, tmp_path):
    write_vectors(path, ["Good", "Very", "Bad"])
    with pytest.raises(
        InputError, match=r"é\.txt: holds none of the training split's words: 100% .* set lowercase=false"
    ):
        read_pretrained(path, VOCABULARY, COUNTS, tokenizer=Tokenizer(), report=print)
    write_vectors(path, ["слово"])
    with pytest.raises(InputError, match="none of the training split's words: the vectors may be of another language"):
        read_pretrained(path, VOCABULARY, COUNTS, report=print)
    with pytest.raises(InputError, match=r"setting embedding_dim: is 64, but the vectors of .* have 3 dimensions"):
        read_pretrained(path, VOCABULARY, COUNTS, embedding_dim=64, report=print)
    with pytest.raises(InputError, match="fehlt"):
        read_pretrained(tmp_path / "fehlt.txt", VOCABULARY, COUNTS, report=print)


@pytest.fixture(name="corpus", scope="module")
def _corpus(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("Отзывы"), {"train": 120, "valid": 40, "test": 40}, seed=2)


@pytest.fixture(name="vectors", scope="module")
def _vectors(tmp_path_factory, corpus):
    """Vectors for most words of all splits."""
    words = prepared(configured("min_count=1"), corpus).encoder.vocabulary.tokens[2:]
    path = tmp_path_factory.mktemp("词") / "向量.txt"
    write_vectors(path, ["unbekannt", *words[:-5]], dim=5)
    return path


def configured(*settings) -> ClassificationConfig:
    return task("classification").preset("tiny", vectors=True).override([*SETTINGS, *settings])


def prepared(config, corpus, vectors=None, report=str):
    files = Files(corpus["train"], corpus["valid"], vectors=vectors)
    return prepare(task("classification"), config, files, report)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_extra_words_leave_fewer_unknown(corpus, vectors, stream):
    lines: list[str] = []
    config = configured("extra_words=100", f"stream={stream}")
    data = prepared(config, corpus, vectors, lines.append)
    plain = prepared(configured(f"stream={stream}"), corpus)
    for name in ("train", "valid"):
        assert data.counts[name]["oov_rate_without_extra"] == pytest.approx(plain.counts[name]["oov_rate"])
        assert data.counts[name]["oov_rate"] < plain.counts[name]["oov_rate"]
        assert "oov_rate_without_extra" not in plain.counts[name]
    assert data.encoder.vocabulary.tokens[: len(plain.encoder.vocabulary)] == plain.encoder.vocabulary.tokens
    assert "unbekannt" in data.encoder.vocabulary
    assert data.pretrained.table.shape == (len(data.encoder.vocabulary), 5)
    without = plain.counts["valid"]["oov_rate"]
    table = [line.split() for line in "\n".join(lines).splitlines()]
    rates = [f"{data.counts['valid']['oov_rate']:.1%}", f"{without:.1%}"]
    assert [row[-2:] for row in table if row[:1] == ["valid"]] == [rates]
    assert data.fingerprint != prepared(config, corpus).fingerprint


def norms(folder) -> list[float]:
    """The embedding's gradient norms that TensorBoard shows, epoch by epoch."""
    return [float(norm) for _, norm in read(folder / "logs/train")["gradient_norm/embedding"]]


def test_frozen_for_good_the_run_needs_the_file_no_more(corpus, vectors, tmp_path):
    copied = tmp_path / "向量.txt"
    copied.write_bytes(vectors.read_bytes())
    lines: list[str] = []
    config = configured("embedding_rate=0", "extra_words=20")
    data = prepared(config, corpus, copied)
    files = {"train": corpus["train"], "valid": corpus["valid"], "test": corpus["test"], "vectors": copied}
    metrics = train("classification", config, tmp_path / "run", **files, report=lines.append)
    assert "word vectors: frozen for the whole training" in lines
    assert metrics["vectors"] == data.pretrained.summary
    assert run_folder.read_command(tmp_path / "run")["vectors"] == str(copied)
    assert norms(tmp_path / "run") == [0.0, 0.0]
    copied.unlink()
    finished = run.Run.load(tmp_path / "run")
    embedding = finished.model.get_layer("embedding")
    np.testing.assert_array_equal(embedding.get_weights()[0], data.pretrained.table)
    assert metrics["parameters"] == finished.model.count_params()
    export(tmp_path / "run", tmp_path / "bundle", recipe="float32", lengths=[32])
    assert len(load(tmp_path / "bundle").predict(["好 film"])) == 1
    with pytest.raises(InputError, match="holds a finished run"):
        train("classification", config, tmp_path / "run", **files)


def test_frozen_for_an_epoch_then_trained_and_resumed(corpus, vectors, tmp_path, monkeypatch):
    copied = tmp_path / "向量.txt"
    copied.write_bytes(vectors.read_bytes())
    lines: list[str] = []
    config = configured("freeze_epochs=1", "embedding_rate=0.5")
    files = {"train": corpus["train"], "valid": corpus["valid"], "vectors": copied}
    with monkeypatch.context() as patch:  # killed after its last epoch, before the model is written
        patch.setattr("textapp.training.run.save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train("classification", config, tmp_path / "run", **files, report=lines.append)
    assert "word vectors: frozen for 1 of 2 epochs, then trained at 0.5 of the learning rate" in lines
    frozen, trained = norms(tmp_path / "run")
    assert frozen == 0.0 < trained
    write_vectors(copied, copied.read_text(encoding="utf-8").split()[2::6], dim=5, seed=9)
    with pytest.raises(InputError, match="data or settings have changed"):
        train("classification", config, tmp_path / "run", **files, report=str)
    with pytest.raises(InputError, match="unfinished run with other vectors"):
        train("classification", config, tmp_path / "run", **{**files, "vectors": vectors}, report=str)
    copied.write_bytes(vectors.read_bytes())
    assert train("classification", config, tmp_path / "run", **files, report=str)["epochs"] == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([], "trained"),
        (["embedding_rate=0.1"], "trained at 0.1 of the learning rate"),
        (["freeze_epochs=1"], "frozen for 1 of 2 epochs, then trained"),
        (["freeze_epochs=2"], "frozen for the whole training"),
    ],
)
def test_the_ways_in_words(settings, words):
    assert describe_embedding_training(configured(*settings).training) == words


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (["extra_words=3"], "setting extra_words: .* need --vectors"),
        (["freeze_epochs=1"], "setting freeze_epochs: random word vectors must be trained"),
        (["embedding_rate=0"], "setting embedding_rate: random word vectors must be trained"),
        (["embedding_dim=none"], "setting embedding_dim: none means the dimension of the vectors, and needs --vectors"),
    ],
)
@pytest.mark.parametrize("name", names())
def test_settings_that_need_vectors(tmp_path, corpus, settings, rule, name):
    with pytest.raises(InputError, match=rule):
        train(name, task(name).config().override(settings), tmp_path / "run", train=corpus["train"])
    assert not (tmp_path / "run").exists()
