"""The error that the user can correct, and how its message quotes the input."""

from collections.abc import Sequence


class InputError(ValueError):
    """An input of textapp breaks a rule: a file, an option or a text.

    The message is one line that names the file (or option), the place in it and the rule. The command line prints the
    message without a traceback and exits with code 2. Any other exception is a bug in textapp.

    Example:
        >>> raise InputError("reviews.tsv:3: a label is missing; each line must read TEXT<TAB>LABEL")
        Traceback (most recent call last):
        ...
        textapp.errors.InputError: reviews.tsv:3: a label is missing; each line must read TEXT<TAB>LABEL
    """


EXCERPT = 80
"""The most characters of an input that a message quotes: a line of megabytes must not become a message of megabytes."""

_NAMES = 8  # of a list in a message


def excerpt(text: str) -> str:
    r"""At most `EXCERPT` characters of a text, in one line, for a message.

    Example:
        >>> excerpt("first line\nsecond line"), len(excerpt("x" * 1_000_000))
        ('first line second line', 81)
    """
    return " ".join(text[:EXCERPT].split()) + ("…" if len(text) > EXCERPT else "")


def quoted(value: object) -> str:
    r"""How a message quotes a value of an input: as Python writes it, at most `EXCERPT` characters of it.

    Bytes are shown as text.

    Example:
        >>> print(quoted("北京\n"), quoted(b"caf\xc3\xa9"), quoted([1, 2]), quoted("x" * 81)[-3:])
        '北京\n' 'café' [1, 2] x'…
    """
    if isinstance(value, bytes):
        value = value[: 4 * EXCERPT].decode("utf-8", "replace")  # a character has at most four bytes
    if isinstance(value, str):
        return repr(value[:EXCERPT]) + ("…" if len(value) > EXCERPT else "")
    return excerpt(repr(value))


def list_some(names: Sequence[str], noun: str = "") -> str:
    """The first names of a list, separated by commas, and the number of those left out.

    Example:
        >>> list_some(["a", "b"]), list_some([str(number) for number in range(10)], " labels")
        ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, 2 more labels')
    """
    more = [f"{len(names) - _NAMES:,} more{noun}"] if len(names) > _NAMES else []
    return ", ".join([*map(excerpt, names[:_NAMES]), *more])


def quoted_name(name: str) -> str:
    """A label or a tag as a list of names shows it: in quotation marks if it needs them, as in a CSV file.

    Example:
        >>> print(quoted_name("price"), quoted_name("food, drinks"))
        price "food, drinks"
    """
    return f'"{name.replace(chr(34), chr(34) * 2)}"' if "," in name or name.startswith(('"', "[")) else name


def list_names(names: Sequence[str], noun: str = "") -> str:
    """The first labels or tags of a list as `list_some` shows them; a name with a comma is in quotation marks."""
    return list_some(list(map(quoted_name, names)), noun)
