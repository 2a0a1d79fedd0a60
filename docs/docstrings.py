"""An extension of Griffe, which reads the docstrings for the site: examples without prompts become code."""

import re
import textwrap
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:\n((?:[ ]+\S.*\n?|\n)+)", re.M)


class Examples(griffe.Extension):
    """Writes the section `Example` of a docstring as Griffe's section `Examples`, its code in a fence."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Changes the docstring of an object that was read."""
        del kwargs
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(_as_examples, obj.docstring.value)


def _as_examples(found: re.Match[str]) -> str:
    """The section, with a fence around code that has no prompts."""
    code = textwrap.dedent(found[1]).strip("\n")
    shown = code if code.lstrip().startswith(">>>") else f"```python\n{code}\n```"
    return "Examples:\n" + textwrap.indent(shown, "    ") + "\n"
