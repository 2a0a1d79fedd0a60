"""The rivals of a classifier: the most frequent class, a linear SVM over TF-IDF n-grams, and fastText."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.any_data.parts import Parts
from benchmarks.compression_rival import CUT, write_lines
from textapp.cli.native_log import native_log_hidden
from textapp.data.readers import Examples, read_examples

CHUNK = 500  # held-out texts whose n-grams are in memory at a time
TUNED = ("dim", "epoch", "lr", "wordNgrams", "minn", "maxn", "bucket")


class Answers(NamedTuple):
    """What a model says of texts.

    Attributes:
        labels: The label of each text.
        confidences: A number for each text, higher where the model is more sure: a probability, or a margin.
    """

    labels: list[str]
    confidences: list[float]


Answer = Callable[[Sequence[str]], Answers]
"""Labels texts."""


class Fitted(NamedTuple):
    """A model that learned the training part.

    Attributes:
        answer: Labels texts.
        parameters: Number of its weights.
    """

    answer: Answer
    parameters: int


def fit_majority(train: Examples) -> Fitted:
    """The most frequent class, of equally frequent ones the first by name."""
    counts = Counter(train.labels)
    label = min(counts, key=lambda one: (-counts[one], one))
    return Fitted(lambda texts: Answers([label] * len(texts), [1.0] * len(texts)), 0)


def fit_svm(train: Examples, seed: int) -> Fitted:
    """TF-IDF of n-grams of words (1 to 2) and of characters (2 to 5), and a linear SVM: ten lines of scikit-learn.

    textapp's tokenizer cuts the words. That of scikit-learn drops punctuation and takes Chinese sentences for words,
    which costs three points on ChnSentiCorp's validation part (85.0 against 88.1).
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    features = make_union(
        TfidfVectorizer(
            tokenizer=CUT.words, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True
        ),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    machine = LinearSVC(C=1.0, random_state=seed)
    model = make_pipeline(features, machine).fit(train.texts, train.labels)

    def answer(texts: Sequence[str]) -> Answers:
        found = Answers([], [])
        for start in range(0, len(texts), CHUNK):
            margins = model.decision_function(texts[start : start + CHUNK])
            if margins.ndim == 1:  # two classes: a positive margin is that of the second
                chosen, confidences = (margins > 0).astype(int), abs(margins)
            else:
                chosen, confidences = margins.argmax(axis=1), margins.max(axis=1)
            found.labels.extend(machine.classes_[chosen].tolist())
            found.confidences.extend(confidences.tolist())
        return found

    return Fitted(answer, machine.coef_.size + machine.intercept_.size)


def tune_fasttext(parts: Parts, seed: int, folder: Path, seconds: int) -> dict[str, Any]:
    """The settings that fastText's own search, `autotune`, finds on the validation part, on all cores.

    The search has a limit of time, so other work on the machine makes its result worse.
    """
    import fasttext

    train_file, valid_file, _ = fasttext_files(parts, folder)
    search = {"autotuneValidationFile": valid_file, "autotuneDuration": seconds}
    with native_log_hidden():  # `verbose` does not silence the search
        model = fasttext.train_supervised(train_file, **search, seed=seed, thread=len(os.sched_getaffinity(0)))
    return {name: getattr(model.f.getArgs(), name) for name in TUNED}


def fit_fasttext(parts: Parts, seed: int, folder: Path, settings: dict[str, Any]) -> Fitted:
    """A classifier of fastText with these settings, on one thread: a seed gives the same model again."""
    import fasttext

    train_file, _, names = fasttext_files(parts, folder)
    model = fasttext.train_supervised(train_file, loss="softmax", **settings, seed=seed, thread=1, verbose=0)

    def answer(texts: Sequence[str]) -> Answers:
        labels, probs = model.predict([" ".join(CUT.words(text)) for text in texts])
        # A text without tokens has no label.
        return Answers(
            [names[some[0]] if some else "" for some in labels],
            [float(some[0]) if len(some) else 0.0 for some in probs],
        )

    rows = settings["bucket"] + len(model.words) + len(names)
    return Fitted(answer, rows * settings["dim"])


def fasttext_files(parts: Parts, folder: Path) -> tuple[str, str, dict[str, str]]:
    """Writes the training and the validation part for fastText.

    textapp's tokenizer cuts and lower-cases the words (Chinese into characters).

    Returns:
        The two files, and the label of each name in them; the names are numbers, which have no spaces.
    """
    train, valid = (read_examples(path) for path in (parts.train, parts.valid))
    numbers = {label: str(number) for number, label in enumerate(sorted(set(train.labels)))}
    paths = []
    for name, part in (("train", train), ("valid", valid)):
        numbered = Examples(part.texts, [numbers[label] for label in part.labels], part.source)
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(str(write_lines([numbered], folder / f"fasttext_{name}.txt")))
    return paths[0], paths[1], {f"__label__{number}": label for label, number in numbers.items()}
