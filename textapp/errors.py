"""The error that is the user's to mend."""


class InputError(ValueError):
    """Something given to textapp breaks a rule: a file, an option, a text.

    The message is one line that names the file (or option), the place in it and the rule. The command line prints it
    without a traceback and exits with code 2; any other exception is a defect of textapp.

    Example:
        >>> raise InputError("reviews.tsv:3: a label is missing; each line must read TEXT<TAB>LABEL")
        Traceback (most recent call last):
        ...
        textapp.errors.InputError: reviews.tsv:3: a label is missing; each line must read TEXT<TAB>LABEL
    """
