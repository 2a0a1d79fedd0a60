"""The baseline of a training: its scores, compared with other libraries, and the warning if it is better."""

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest
import seqeval.metrics
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from textapp.data.samples import write_samples
from textapp.task import Files, names, task
from textapp.tasks.multilabel.scores import best_thresholds, sigmoid
from textapp.tasks.tagging.feature_crf import FeatureCRF
from textapp.text.tag_schemes import convert
from textapp.training.baseline import is_better, remedies, report_baseline, with_baseline
from textapp.training.prepare import prepare

COUNTS = {"train": 120, "valid": 40, "test": 40}
each_task = pytest.mark.parametrize("name", names())


@pytest.fixture(scope="module", name="corpora")
def _corpora(tmp_path_factory, tagged_corpus, topic_corpus):
    """The files of each task."""
    folder = tmp_path_factory.mktemp("Körper 语料")
    seeds = {split: (count, seed) for seed, (split, count) in enumerate(COUNTS.items())}
    return {
        "classification": write_samples(folder, COUNTS, seed=2),
        "tagging": {key: str(tagged_corpus(folder / f"{key}.txt", "english", *more)) for key, more in seeds.items()},
        "multilabel": {key: str(topic_corpus(folder / f"{key}.jsonl", *more)) for key, more in seeds.items()},
    }


@pytest.fixture(name="compared")
def _compared(corpora):
    """The settings, the data with the baseline, and what was reported, of a task."""

    def made(name, *settings):
        found, lines = task(name), []
        config = found.config().override(settings)
        data = prepare(found, config, Files(**corpora[name]), lambda line: None)
        return config, with_baseline(found, config, data, lines.append), lines

    return made


def splits(name, corpora, config):
    """The training examples and the held-out ones, as a training reads them."""
    train, held_out = task(name).read_splits(config, Files(**corpora[name]), config.training.seed, lambda line: None)
    return train, held_out["valid"], held_out["test"]


def pipeline(tokenizer):
    """A linear model over n-grams, as written in ten lines."""
    words = TfidfVectorizer(tokenizer=tokenizer.words, token_pattern=None, lowercase=False, ngram_range=(1, 2))
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    features = make_union(words.set_params(sublinear_tf=True), characters.set_params(sublinear_tf=True))
    return make_pipeline(features, LinearSVC(dual=True, tol=0.1, random_state=0))


def test_a_classifiers_baseline_scores_as_scikit_learn(compared, corpora):
    config, data, lines = compared("classification")
    train, *held_out = splits("classification", corpora, config)
    model = pipeline(data.tokenizer).fit(train.texts, train.labels)
    for split, examples in zip(("valid", "test"), held_out, strict=True):
        predicted = model.predict(examples.texts)
        assert data.baseline[split] == {
            "accuracy": pytest.approx(accuracy_score(examples.labels, predicted)),
            "macro_f1": pytest.approx(f1_score(examples.labels, predicted, average="macro")),
            "count": len(examples),
        }
    assert 0.5 < data.baseline["valid"]["accuracy"] < 1
    expected = f"baseline: linear model over n-grams, fitted to words and characters of {len(train)} texts in "
    assert lines[0].startswith(expected)


def test_a_baseline_of_several_labels_has_thresholds_of_the_validation_split(compared, corpora):
    config, data, _ = compared("multilabel")
    train, *held_out = splits("multilabel", corpora, config)
    true = [np.asarray(data.targets.encode(examples.labels), bool) for examples in (train, *held_out)]
    models = [pipeline(data.tokenizer).fit(train.texts, column) for column in true[0].T]
    probs = [
        sigmoid(np.stack([model.decision_function(examples.texts) for model in models], axis=1))
        for examples in held_out
    ]
    thresholds = best_thresholds(true[1], probs[0])
    for split, has, values in zip(("valid", "test"), true[1:], probs, strict=True):
        assert data.baseline[split] == {
            "micro_f1": pytest.approx(f1_score(has, values >= thresholds, average="micro")),
            "macro_f1": pytest.approx(f1_score(has, values >= thresholds, average="macro")),
            "exact_match": pytest.approx(accuracy_score(has, values >= thresholds)),
            "count": COUNTS[split],
        }


def test_a_taggers_baseline_scores_as_seqeval(compared, corpora):
    config, data, lines = compared("tagging")
    train, *held_out = splits("tagging", corpora, config)
    counts, of_all = {}, Counter()
    for sentence, tags in zip(train.sentences, train.tags, strict=True):
        for word, tag in zip(sentence, convert(tags, "IOB2", "IOBES"), strict=True):
            counts.setdefault(word, Counter())[tag] += 1
            of_all[tag] += 1
    order = data.targets.tags.index
    usual = {word: max(tags, key=lambda tag: (tags[tag], -order(tag))) for word, tags in counts.items()}
    default = of_all.most_common(1)[0][0]
    for split, examples in zip(("valid", "test"), held_out, strict=True):
        predicted = [
            convert([usual.get(word, default) for word in words], "IOBES", "IOB2", repair=True)
            for words in examples.sentences
        ]
        options = {"mode": "strict", "scheme": seqeval.scheme.IOB2}
        scores = data.baseline[split]
        assert scores["entity_f1"] == pytest.approx(seqeval.metrics.f1_score(examples.tags, predicted, **options))
        assert scores["token_accuracy"] == pytest.approx(seqeval.metrics.accuracy_score(examples.tags, predicted))
        assert scores.keys() == {"entity_f1", "precision", "recall", "count", "token_accuracy"}
    tokens = sum(map(len, train.sentences))
    assert lines[0].startswith(
        f"baseline: most frequent tag of each word, fitted to {tokens:,} tokens of 120 sentences"
    )


def test_on_request_a_taggers_baseline_is_a_crf_over_features(compared, corpora):
    """It learns the tags of the model, and its scores are those of seqeval."""
    config, data, lines = compared("tagging", "baseline=crf")
    train, *held_out = splits("tagging", corpora, config)
    model = FeatureCRF(train.sentences, [convert(tags, "IOB2", "IOBES") for tags in train.tags])
    for split, examples in zip(("valid", "test"), held_out, strict=True):
        predicted = [convert(tags, "IOBES", "IOB2", repair=True) for tags in model(examples.sentences)]
        expected = seqeval.metrics.f1_score(examples.tags, predicted, mode="strict", scheme=seqeval.scheme.IOB2)
        assert data.baseline[split]["entity_f1"] == pytest.approx(expected)
    _, usual, _ = compared("tagging")
    assert data.baseline["valid"]["entity_f1"] > usual.baseline["valid"]["entity_f1"]
    assert data.baseline["model"] == "CRF over features"
    assert lines[0] == "baseline: fitting a CRF; thousands of sentences take minutes"
    assert lines[1].startswith("baseline: CRF over features, fitted to ")


@each_task
def test_it_draws_nothing_and_leaves_no_training_examples(compared, name):
    """A training with a baseline must be the training without it, and must not need the memory of its texts."""
    before = np.random.get_state()[1].tolist()
    _, data, _ = compared(name)
    assert np.random.get_state()[1].tolist() == before
    assert data.train is None


@each_task
def test_without_the_setting_no_training_examples_are_kept(corpora, name):
    found = task(name)
    config = found.config().override(["baseline=false"])
    assert prepare(found, config, Files(**corpora[name]), lambda line: None).train is None


def test_streamed_texts_have_none(compared):
    _, data, lines = compared("classification", "stream=true")
    assert data.baseline is None
    assert lines == ["baseline: left out, because stream=true does not hold the training texts in memory"]


@each_task
def test_a_model_that_loses_to_it_is_warned_of(compared, name):
    """Only where the difference is more than noise; and what may help exists."""
    config, data, _ = compared(name)
    found, key = task(name), task(name).main_score(data.targets)
    other = data.baseline["valid"][key]
    title = found.main_score_title(data.targets)

    def reported(score):
        lines = []
        report_baseline(found, config, data, {"valid": {key: score}}, config.training.epochs, lines.append)
        return lines

    first = (
        f"baseline: {data.baseline['model']}, {title} {other:.4f} on valid, {data.baseline['test'][key]:.4f} on test"
    )
    assert reported(other) == reported(other - 0.001) == reported(1.0) == [first]
    epochs = 2 * config.training.epochs
    assert reported(0.0) == [
        first,
        f"warning: the baseline is better than the model on valid ({title} {other:.4f} against 0.0000); try more "
        f"epochs (--set epochs={epochs}), word vectors (--vectors) or another --preset",
    ]


def test_remedies_are_those_that_the_settings_do_not_have(compared):
    config, data, _ = compared("classification", "max_tokens=3")
    found = task("classification")
    assert remedies(found, config, data, epochs=4) == [
        "longer texts (--set max_tokens=6)", "word vectors (--vectors)", "another --preset"
    ]  # fmt: skip
    config.override(["max_tokens=6", "epochs=20"])  # what is named is accepted
    with_vectors = dataclasses.replace(data, pretrained=object())
    assert remedies(found, config.override(["max_tokens=4096"]), with_vectors, epochs=4) == ["another --preset"]


def test_one_standard_error_is_the_margin():
    """Of the difference of two shares: by simulation, it is exceeded by chance in 16 of 100 cases."""
    rng = np.random.default_rng(0)
    hits = rng.binomial(200, 0.8, size=(4000, 2)) / 200
    assert np.mean([is_better(*pair, 200) for pair in hits]) == pytest.approx(0.16, abs=0.02)
    assert not any(itertools.starmap(is_better, [(0.5, 0.5, 10), (0.0, 0.0, 0), (0.4, 0.6, 1000)]))
