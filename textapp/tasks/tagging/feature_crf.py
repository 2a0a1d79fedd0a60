"""A linear-chain conditional random field over written features: the strong baseline of a tagger.

It knows words by their letters and their neighbours, and chooses the tags of a sentence together. It does not know that
words are similar. Before recurrent taggers it was the usual model, and with few sentences it is hard to beat.

Reference: Lafferty et al. 2001, Conditional Random Fields; the features and settings are those of the tutorial of
python-crfsuite on CoNLL-2002, and for characters n-grams as in Zhang and Yang 2018, Chinese NER Using Lattice LSTM.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from textapp.errors import InputError
from textapp.files import temporary_folder
from textapp.text.characters import replace_surrogates

TITLE = "CRF over features"
SETTINGS = {"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True}
EDGE = "<edge>"  # stands for a character before the start or after the end of a sentence


def check_installed() -> None:
    """Raises `InputError` if the library is not installed."""
    _library()


class FeatureCRF:
    """A CRF over features, fitted to tagged sentences.

    The features of a token are those of `character_features` if most tokens are single characters, as in Chinese,
    otherwise those of `word_features`.

    Args:
        sentences: The tokens of each sentence, one token or more.
        tags: The tag of each token.

    Attributes:
        parameters: The number of its weights: those that are not 0.

    Raises:
        InputError: The library python-crfsuite is not installed.
    """

    def __init__(self, sentences: Sequence[Sequence[str]], tags: Iterable[Sequence[str]]):
        library = _library()
        self._features = character_features if by_character(sentences) else word_features
        trainer = library.Trainer(algorithm="lbfgs", params=SETTINGS, verbose=False)
        for sentence, own in zip(sentences, tags, strict=True):
            trainer.append(self._of(sentence), list(own))
        with temporary_folder() as folder:
            path = folder / "model.crfsuite"
            trainer.train(str(path))
            self._content = path.read_bytes()  # the tagger reads it in place
        self._tagger = library.Tagger()
        self._tagger.open_inmemory(self._content)
        known = self._tagger.info()
        self.parameters = len(known.state_features) + len(known.transitions)

    def __call__(self, sentences: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yields the best tags of each sentence."""
        for sentence in sentences:
            yield self._tagger.tag(self._of(sentence))

    def _of(self, sentence: Sequence[str]) -> list[Mapping[str, Any]]:
        """The features of each token. Lone surrogates, which JSON may hold, cannot be given to the library."""
        return self._features(list(map(replace_surrogates, sentence)))


def by_character(sentences: Iterable[Sequence[str]]) -> bool:
    """Whether most tokens are single characters, as in Chinese data."""
    return statistics.median(len(token) for sentence in sentences for token in sentence) == 1


def character_features(sentence: Sequence[str]) -> list[Mapping[str, Any]]:
    """The features of each character: n-grams of up to three characters, none of which is more than two away."""
    around = [EDGE, EDGE, *sentence, EDGE, EDGE]
    rows: list[Mapping[str, Any]] = []
    for position, character in enumerate(sentence, start=2):
        row: dict[str, Any] = {"bias": 1.0, "digit": character.isdigit(), "letter": character.isascii()}
        for length in (1, 2, 3):
            for start in range(-2, 4 - length):
                found = around[position + start : position + start + length]
                row[f"{start:+d}:{length}"] = " ".join(found)
        rows.append(row)
    return rows


def word_features(sentence: Sequence[str]) -> list[Mapping[str, Any]]:
    """The features of each word: the word, its ends, its shape, and the same of its neighbours."""
    own = [
        {
            "lower": word.lower(),
            "suffix3": word[-3:],
            "suffix2": word[-2:],
            "prefix3": word[:3],
            "upper": word.isupper(),
            "title": word.istitle(),
            "digit": word.isdigit(),
        }
        for word in sentence
    ]
    near = ("lower", "upper", "title")
    rows: list[Mapping[str, Any]] = []
    for position, features in enumerate(own):
        row: dict[str, Any] = {"bias": 1.0, **features}
        for step in (-1, 1):
            if 0 <= position + step < len(own):
                row |= {f"{step:+d}:{name}": own[position + step][name] for name in near}
            else:
                row[f"{step:+d}:edge"] = True
        rows.append(row)
    return rows


def _library() -> Any:
    """The library. Raises `InputError` if it is not installed."""
    try:
        import pycrfsuite
    except ModuleNotFoundError as error:
        raise InputError(
            'setting baseline: crf needs the library python-crfsuite; pip install "textapp-keras[crf]"'
        ) from error
    return pycrfsuite
