"""The shape of a word: the kinds of characters in it, as one small number.

A vocabulary of lower-case words loses capitals, which help to find names. The shape keeps them at less cost than a
network over characters.

Reference: Collobert et al., "Natural Language Processing (Almost) from Scratch" (2011); the shape extends their feature
of capitals.
"""

from textapp.text.characters import CLASS_OF, LOWER_OF

FIRST_CAPITAL, OTHER_CAPITAL, SMALL, DIGIT, MARK = 1, 2, 4, 8, 16

SHAPES = 1 + 2 * MARK
"""Number of shapes, with 0 for padding. No word has shape 0."""


def word_shape(word: str) -> int:
    """Returns the shape of a word, from 1 to `SHAPES` - 1.

    It is 1 plus a bit for each kind of characters in the word: a capital at its start, capitals after its start, other
    letters, digits, and anything else (punctuation, symbols). Letters of scripts without capitals are other letters.

    Args:
        word: The word with its capitals, as `WordForm.spelling` returns it.

    Example:
        >>> word_shape("Berlin") == 1 + FIRST_CAPITAL + SMALL, word_shape("A320-x") == word_shape("B7-yz")
        (True, True)
    """
    kinds = 0
    for place, character in enumerate(word):
        if LOWER_OF[ord(character)] != ord(character):
            kinds |= OTHER_CAPITAL if place else FIRST_CAPITAL
        else:
            kinds |= _KIND_OF.get(CLASS_OF[ord(character)], MARK)
    return 1 + kinds


_KIND_OF = {"L": SMALL, "U": SMALL, "M": SMALL, "D": DIGIT}  # combining marks are parts of letters
