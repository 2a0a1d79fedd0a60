"""The error that the user can correct."""


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
