"""Which word of the vectors a word of a test set is."""

from textapp.vectors.word_vectors import WordVectors


def spelled(vectors: WordVectors, word: str) -> str | None:
    """The form under which `vectors` have a word: as written, else lower-cased.

    Returns:
        The first of the two that is in the vocabulary. Where neither is, but subwords can make up a vector: the form
        that the vectors' own tokenizer would have given. Else None.
    """
    lowered = word.lower()
    for form in (word, lowered):
        if form in vectors:
            return form
    if vectors.subwords is None:
        return None
    return lowered if (vectors.tokenizer or {}).get("lowercase", False) else word
