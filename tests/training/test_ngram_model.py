"""The linear model over n-grams beside the encoder, from its fit to runs, bundles and students."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import expit, log_softmax
from sklearn.svm import LinearSVC

from tests.compress.runs import untrained
from textapp.cli.opened import open_model
from textapp.compress.distill import distill
from textapp.compress.teachers import open_teachers
from textapp.data.rows import UNLABELLED, TargetRows, TokenRows, encode_rows
from textapp.data.samples import write_samples
from textapp.errors import InputError
from textapp.export.run import export
from textapp.runtime import load
from textapp.tasks.classification.config import ClassificationConfig, StudentConfig
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.training.ngram_model import MOST_COLUMNS, best_weights, fitted, table_bytes
from textapp.training.predictor import run_decisions, run_predictor
from textapp.training.run import Run
from textapp.training.train import train

SETTINGS = ("encoder=convolution", "units=8", "attention_units=4", "embedding_dim=8", "max_tokens=16", "epochs=2")
NGRAMS = ("ngram_rows=4096", "baseline=false")
QUIET = {"report": lambda line: None}


def rows_of(texts, targets):
    """Texts of words with spaces between, and their targets."""
    tokens = TokenRows.read(text.split() for text in texts)
    rows = TargetRows(tokens, np.asarray(targets), False, np.arange(len(texts)))
    return encode_rows(rows, TokenEncoder(None, Vocabulary.build(tokens.counts())))


def made(rng, count, classes, words=40):
    """Texts whose class has words that it uses more often than others do."""
    labels = rng.integers(classes, size=count)
    texts = []
    for label in labels:
        own = [f"w{(label * 7 + part) % words}" for part in rng.integers(3, size=2)]
        texts.append(" ".join([*own, *(f"w{number}" for number in rng.integers(words, size=6))]))
    return texts, labels


def config(*settings):
    return ClassificationConfig().override(["ngram_rows=65536", *settings])


@pytest.mark.parametrize("classes", [2, 5])
def test_the_fit_is_that_of_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    texts, labels = made(rng, 300, classes)
    model = fitted(config("ngram_characters=0", "ngram_order=1"), [rows_of(texts, labels)], classes)
    vocabulary = sorted({word for text in texts for word in text.split()})
    counts = np.array([[word in text.split() for word in vocabulary] for text in texts], float)
    idf = np.log((1 + len(texts)) / (1 + counts.sum(axis=0))) + 1
    features = counts * idf / np.sqrt(counts.sum(axis=1, keepdims=True))
    features /= np.sqrt((np.outer(np.ones(len(texts)), idf)[counts > 0] ** 2).mean())
    expected = np.zeros((len(texts), classes))
    for label in range(classes) if classes > 2 else [1]:
        own = labels == label
        shares = [(counts[part].sum(axis=0) + 1) / (part.sum() + 2) for part in (own, ~own)]
        weighed = features * (1 + np.abs(np.log(shares[0] / shares[1])))
        weighed *= np.linalg.norm(features) / np.linalg.norm(weighed)
        machine = LinearSVC(dual=True, tol=1e-6, max_iter=100_000).fit(weighed, own)
        expected[:, label] = machine.decision_function(weighed)
    if classes == 2:
        expected[:, 0] = -expected[:, 1]
    found = np.stack([model.logits(text.split()) for text in texts])
    assert np.abs(found - expected).mean() < 0.05  # int8, and the tolerance of the fit
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.97


@pytest.mark.parametrize("classes", [2, 4])
def test_offsets_of_classes_are_judged_by_texts_that_were_left_out(classes, monkeypatch):
    rng = np.random.default_rng(9)
    texts, labels = made(rng, 150, 2)
    labels = rng.integers(2, size=len(texts))  # nothing to learn but the texts themselves
    if classes > 2:
        labels[:3] = 3  # a class of three texts, and none of class 2
    seen = []

    def offsets(margins, targets):
        seen.append((margins, targets))
        return np.array([-0.25, 0.25])

    plain = fitted(config(), [rows_of(texts, labels)], classes)
    monkeypatch.setattr("textapp.training.ngram_model.class_offsets", offsets)
    model = fitted(config(), [rows_of(texts, labels)], classes)
    monkeypatch.setattr("textapp.training.ngram_model.class_offsets", lambda *_: np.zeros(2))
    without = fitted(config(), [rows_of(texts, labels)], classes)
    np.testing.assert_array_equal(model.table, plain.table)
    np.testing.assert_allclose(model.bias - without.bias, [-0.25, 0.25, 0, 0][:classes], atol=1e-6)
    ((margins, targets),) = seen
    assert margins.shape == (len(targets), 2)
    np.testing.assert_array_equal(targets, labels[labels < 2])
    assert (margins.argmax(axis=1) == targets).mean() < 0.7
    found = np.array([without.logits(text.split()).argmax() for text in texts])
    assert (found == labels).mean() > 0.9


def test_an_open_order_is_that_of_the_known_model():
    """Runs of an earlier version have 4 where words are characters; they are trained on with that."""
    texts, labels = made(np.random.default_rng(4), 60, 2)
    rows = [rows_of(texts, labels)]
    known = fitted(config("tokenizer=char", "ngram_order=4"), rows, 2)
    assert fitted(config("tokenizer=char"), rows, 2).hashed.order == 3
    model = fitted(config("tokenizer=char"), rows, 2, known)
    assert model.hashed == known.hashed
    assert np.abs(model.bias).sum() > np.abs(known.bias).sum()  # the sum of both
    assert fitted(config("tokenizer=char", "ngram_order=2"), rows, 2, known).hashed.order == 2


def test_many_labels_share_columns():
    rng = np.random.default_rng(3)
    classes = MOST_COLUMNS + 8
    texts, labels = made(rng, 800, classes, words=400)
    labels[:classes] = np.arange(classes)
    model = fitted(config(), [rows_of(texts, labels)], classes)
    assert model.table.shape == (65536 + 65536, MOST_COLUMNS)
    assert model.classes == classes
    found = [int(model.logits(text.split()).argmax()) for text in texts]
    assert (found == labels).mean() > 0.9


def test_labels_of_a_text_are_fitted_apart_and_unlabelled_texts_left_out():
    rng = np.random.default_rng(4)
    texts, labels = made(rng, 200, 2)
    targets = np.stack([labels, 1 - labels, np.ones_like(labels)], axis=1)
    model = fitted(config(), [rows_of(texts, targets)], 3)
    logits = np.stack([model.logits(text.split()) for text in texts])
    assert ((logits > 0) == targets).mean() > 0.95
    more = fitted(config(), [rows_of([*texts, "w1 w2"], np.concatenate([targets, [[UNLABELLED] * 3]]))], 3)
    np.testing.assert_array_equal(more.table, model.table)


def test_a_fit_to_two_splits_is_that_to_all_their_texts():
    texts, labels = made(np.random.default_rng(8), 200, 3)
    parts = [rows_of(texts[:150], labels[:150]), rows_of(texts[150:], labels[150:])]
    both = fitted(config(), [rows_of(texts, labels)], 3)
    np.testing.assert_array_equal(fitted(config(), parts, 3).table, both.table)


@pytest.mark.parametrize("exclusive", [True, False])
def test_weights_are_the_most_likely(exclusive):
    rng = np.random.default_rng(5)
    labels = rng.integers(3, size=100_000)
    truth = np.eye(3)[labels]
    encoder, ngrams = (truth * scale + rng.normal(size=truth.shape) for scale in (2.0, 1.0))
    targets = labels if exclusive else truth.astype(int)
    first, second = best_weights(targets, encoder, ngrams, exclusive)

    def loss(a, b):
        logits = a * encoder + b * ngrams
        if exclusive:
            return -(log_softmax(logits, axis=1) * truth).sum()
        probs = expit(logits)
        return -np.log(np.where(truth > 0, probs, 1 - probs)).sum()

    best = loss(first, second)
    for a, b in ((1.05, 1), (0.95, 1), (1, 1.05), (1, 0.95)):
        assert loss(first * a, second * b) > best - 5
    assert first > second > 0


def test_an_encoder_that_knows_nothing_has_hardly_a_weight():
    rng = np.random.default_rng(6)
    labels = rng.integers(2, size=2000)
    good, noise = np.eye(2)[labels] * 2 - 1 + rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2))
    assert best_weights(labels, noise, good, True)[0] < 0.1
    assert best_weights(labels, good, noise, True)[0] > 0.5
    noise[3] = np.nan
    assert np.isfinite(best_weights(labels, noise, good, True)).all()


def test_few_texts_do_not_make_a_model_sure():
    labels = np.array([0, 1])
    logits = np.eye(2) * 4 - 2
    first, second = best_weights(labels, logits, logits / 4, True)
    assert 0 <= first < 2
    assert 0 <= second < 4


def test_an_encoder_that_is_clearly_better_has_the_most_likely_weights():
    """The prior counts as 400 texts for the linear model. Where that is wrong in every third text, it is refuted."""
    rng = np.random.default_rng(2)
    labels = rng.integers(2, size=200)
    truth = np.eye(2)[labels] * 2 - 1
    encoder = 3 * truth + rng.normal(size=(200, 2)) * 1.5
    ngrams = np.where((np.arange(200) % 3 == 0)[:, None], -truth, truth) / 2
    first, second = best_weights(labels, encoder, ngrams, True)

    def loss(a, b):
        logits = a * encoder + b * ngrams
        return -log_softmax(logits, axis=1)[np.arange(200), labels].sum()

    assert all(loss(first, second) <= loss(a, b) + 1e-3 for a in (0.3, 0.6, 1, 2, first) for b in (0, 0.2, 1, second))
    some = slice(0, 12)  # of a few texts, four more are no proof
    assert best_weights(labels[some], encoder[some], ngrams[some], True)[1] > 1


@pytest.fixture(scope="module", name="samples")
def _samples(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("texts"), {"train": 150, "valid": 40, "test": 40}, seed=3)


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory, samples):
    folder = tmp_path_factory.mktemp("runs") / "run"
    lines = []
    chosen = ClassificationConfig().override([*SETTINGS, *NGRAMS])
    metrics = train("classification", chosen, folder, **samples, report=lines.append)
    return Run.load(folder), metrics, lines


def test_a_run_scores_both_models_together(run, samples):
    opened, metrics, lines = run
    assert any(line.startswith("n-grams: a linear model of ") for line in lines)
    assert metrics["ngrams"] == {"weights": list(opened.ngrams.weights), "fitted_to": ["train", "valid"]}
    assert any("and at the end to the 40 validation texts too" in line for line in lines)
    examples = opened.task.read(samples["test"], opened.config)
    decisions = run_decisions(opened, examples)
    assert opened.task.score_decisions(examples, decisions, opened.targets)["accuracy"] == metrics["test"]["accuracy"]
    predictor = run_predictor(opened)
    assert [one.label for one in decisions] == [one.label for one in predictor.predict(examples.texts)]
    alone = run_predictor(opened)
    alone.ngrams = None
    words = alone.tokens(examples.texts[0])
    expected = opened.ngrams.combined(alone.outputs(words).logits, words)
    np.testing.assert_allclose(predictor.outputs(words).logits, expected, rtol=1e-4, atol=1e-5)


def test_its_bundle_predicts_the_same(run, samples, tmp_path):
    opened = run[0]
    description = export(opened, tmp_path / "bundle")
    assert description["ngrams"] is True
    assert description["metrics"]["label_agreement"] > 0.95
    texts = opened.task.read(samples["test"], opened.config).texts[:10]
    of_run, of_bundle = run_predictor(opened).predict(texts), load(tmp_path / "bundle").predict(texts)
    for before, after in zip(of_run, of_bundle, strict=True):
        assert before.probs == pytest.approx(after.probs, abs=0.02)
    # As a teacher, a run does without what it learned from validation texts. A bundle has nothing else.
    of_train = dataclasses.replace(opened, ngrams=opened.ngrams_of_train)
    for folder, learned in ((opened.folder, of_train), (tmp_path / "bundle", opened)):
        expected = run_predictor(learned).probabilities(texts)
        np.testing.assert_allclose(open_teachers([folder])[1][0].probabilities(texts), expected, atol=0.02)


def test_a_student_has_n_grams_of_its_own(run, samples, tmp_path):
    _, teachers = open_teachers([run[0].folder])
    student = StudentConfig().override([*SETTINGS, "ngram_rows=1024", "ngram_characters=0"])
    with untrained():
        distill("classification", student, tmp_path / "student", teachers=teachers, **samples, **QUIET)
    opened = Run.load(tmp_path / "student")
    assert opened.ngrams.table.shape == (1024, 1)
    assert opened.ngrams.logits(["good"]).shape == (2,)


def test_a_run_with_another_table_is_refused(run, tmp_path):
    opened = run[0]
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in opened.folder.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    fields = json.loads((copy / "ngrams.json").read_text())
    (copy / "ngrams.json").write_text(json.dumps(fields | {"rows": 2048}))
    with pytest.raises(Exception, match=r"ngrams\.bin: must have"):
        Run.load(copy)


def test_the_bytes_of_a_table_are_known_before_the_fit(run):
    opened = run[0]
    assert table_bytes(opened.config, 2, True) == opened.ngrams.table.size == 2 * 4096
    assert table_bytes(opened.config, 3, False) == 3 * 8192
    assert table_bytes(opened.config, 500, True) == MOST_COLUMNS * 8192
    assert table_bytes(ClassificationConfig(), 2, True) == 0


@pytest.mark.parametrize("given", [False, True])
def test_validation_texts_are_judged_by_the_n_grams_of_the_training_split(samples, tmp_path, given):
    chosen = ClassificationConfig().override([*SETTINGS, *NGRAMS])
    valid = samples["valid"] if given else None
    with untrained():
        metrics = train("classification", chosen, tmp_path / "run", train=samples["train"], valid=valid, **QUIET)
    opened = Run.load(tmp_path / "run")
    assert (opened.ngrams.table != opened.ngrams_of_train.table).any()
    assert opened.ngrams.weights == opened.ngrams_of_train.weights
    description = export(opened, tmp_path / "bundle")
    assert description["metrics"]["before"]["accuracy"] == pytest.approx(metrics["valid"]["accuracy"])
    np.testing.assert_array_equal(load(tmp_path / "bundle").ngrams.table, opened.ngrams.table)
    examples = opened.sample()
    teacher = open_teachers([opened.folder])[1][0]
    assert teacher.score(examples)["accuracy"] == pytest.approx(metrics["valid"]["accuracy"])
    if given:
        lines = []
        judged = open_model(opened.folder).unbiased(valid, lines.append)
        assert lines == [
            "n-grams: those of the training texts alone, because the run's have learned this file, its --valid"
        ]
        examples = judged.read(valid, {})
        assert judged.score(examples, judged.decisions(examples))["accuracy"] == metrics["valid"]["accuracy"]
        one = open_model(opened.folder)
        assert one.unbiased(samples["test"], lines.append) is one
    (opened.folder / "ngrams.json").unlink()
    with pytest.raises(InputError, match=r"ngrams\.json: missing, but metrics\.json names n-grams"):
        Run.load(opened.folder)


def test_validation_texts_may_stay_unknown(samples, tmp_path):
    chosen = ClassificationConfig().override([*SETTINGS, *NGRAMS, "ngram_valid=false"])
    with untrained():
        metrics = train("classification", chosen, tmp_path / "run", **samples, **QUIET)
    assert metrics["ngrams"]["fitted_to"] == ["train"]
    opened = open_model(tmp_path / "run")
    assert opened.run.ngrams is opened.run.ngrams_of_train
    assert opened.unbiased(samples["valid"], pytest.fail) is opened


def test_n_grams_are_not_of_a_stream():
    with pytest.raises(InputError, match="setting ngram_rows: not used with stream=true"):
        ClassificationConfig().override(["stream=true", "ngram_rows=1024"])
