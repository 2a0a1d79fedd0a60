"""Trains in-domain word vectors for the benchmarks, on unlabelled text without any test split."""

import itertools
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from textapp.data.readers import iterate_examples, read_examples
from textapp.data.splits import overlap_key
from textapp.files import replacing
from textapp.training.vectors import train_vectors
from textapp.vectors.config import VectorsConfig

WORK = Path("saved_models/own_vectors")
DIM = 200
WORDS = [f"dim={DIM}", "epochs=5", "vocabulary_size=100000"]
SETTINGS = {
    # Three million characters need more epochs than forty million words.
    "chinese": ["tokenizer=char", f"dim={DIM}", "epochs=10"],
    "english": WORDS,
    "wiki_en": WORDS,
    "wiki_zh": ["tokenizer=char", "lowercase=false", "dim=100", "epochs=5"],
}


def own_vectors(
    language: str, data: Path, work: Path = WORK, settings: Sequence[str] = (), reviews: str | None = None
) -> Path:
    """Trains vectors, once.

    Args:
        language: `english`: words of wiki_en and of IMDb's training and unlabelled reviews, without those that are also
            in its test split. `chinese`: characters of the texts of `reviews`. `wiki_en`: words of wiki_en only.
            `wiki_zh`: characters of wiki_zh.
        data: Folder of the data sets.
        work: Folder for the vectors, shared by the benchmarks.
        settings: More settings, for trials.
        reviews: Labelled file whose texts are the Chinese corpus: a training split.
    """
    out = work / f"{language}.npz"
    if not out.exists():
        config = VectorsConfig().override([*SETTINGS[language], *settings])
        train_vectors(config, out, corpus=corpus(language, data, out.parent, reviews))
    return out


def corpus(language: str, data: Path, work: Path, reviews: str | None) -> list[Path]:
    """The unlabelled text of a language: files with one text a line."""
    if language == "chinese":
        return [lines_of(read_examples(str(reviews)).texts, work / "reviews.txt")]
    if language in ("wiki_en", "wiki_zh"):
        return [data / language / f"{language}.txt.gz"]
    imdb, lines = data / "imdb", work / "imdb.txt"
    if not lines.exists():
        tests = {overlap_key(text) for text, _ in iterate_examples(f"{imdb / 'aclImdb_labelled.tar.gz'}#test")}
        labelled = (text for text, _ in iterate_examples(f"{imdb / 'aclImdb_labelled.tar.gz'}#train"))
        texts = itertools.chain(labelled, unlabelled(imdb / "aclImdb_unsup.tar.gz"))
        lines_of((text for text in texts if overlap_key(text) not in tests), lines)
    return [data / "wiki_en" / "wiki_en.txt.gz", lines]


def unlabelled(archive: Path) -> Iterator[str]:
    """The texts without labels in IMDb's archive, which the readers of labelled texts skip."""
    with tarfile.open(archive, "r|gz") as members:
        for member in members:
            content = members.extractfile(member) if member.name.endswith(".txt") else None
            if content is not None:
                yield content.read().decode("utf-8").replace("<br />", " ")


def lines_of(texts: Iterable[str], path: Path) -> Path:
    """Writes one text a line."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(" ".join(text.split()) + "\n" for text in texts)
    return path
