"""The shape of a word: which kinds of characters it has, as one small number.

It keeps of a spelling what a vocabulary of lower-case words loses, without a look at each character.

Reference: Collobert et al., "Natural Language Processing (Almost) from Scratch" (2011), whose feature of capitals this
one extends.
"""

from textapp.text.characters import CLASS_OF, LOWER_OF

FIRST_CAPITAL, OTHER_CAPITAL, SMALL, DIGIT, MARK = 1, 2, 4, 8, 16

SHAPES = 1 + 2 * MARK
"""How many there are, with padding (0), which is the shape of no word."""


def word_shape(word: str) -> int:
    """Returns which kinds of characters a word has, from 1 to `SHAPES` - 1.

    The kinds: a capital at its beginning, capitals behind it, other letters, digits, anything else (marks of
    punctuation, symbols). Letters of scripts without capitals are other letters.

    Args:
        word: With its capitals, as `WordForm.spelling` gives it.

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
