"""Settings as frozen dataclasses: strict overrides that name the nearest key, a JSON round trip."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from textapp.errors import InputError


@dataclasses.dataclass(frozen=True)
class Config:
    """A command's settings. Subclasses are flat: fields are str, int, float, bool or Literal, or None too."""

    def override(self, settings: Iterable[str]) -> Self:
        """Applies `key=value` settings, each value read as its field's type.

        Raises:
            InputError: A setting is not of that form, its key is unknown (the nearest is named) or its value is of
                another type.

        Example:
            >>> from textapp.config import SentimentConfig
            >>> SentimentConfig().override(["units=32", "text_column=none"]).units
            32
        """
        changes = {}
        for setting in settings:
            key, separator, text = setting.partition("=")
            if not separator or not key.strip():
                raise InputError(f"--set {setting}: must read KEY=VALUE")
            changes[key.strip()] = _parse(text.strip(), self._type(key.strip(), "--set"), f"--set {setting}")
        return self._changed(changes)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "config") -> Self:
        """Builds a config from JSON values. Raises `InputError` naming `source` on an unknown key or a wrong type."""
        defaults = cls()
        for key, value in values.items():
            kind = defaults._type(key, source)
            if not _fits(value, kind):
                raise InputError(f"{source}: {key} must be {_describe(kind)}; received {json.dumps(value)}")
        try:
            return defaults._changed(values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """JSON values that `from_dict` reads back."""
        return dataclasses.asdict(self)

    def check(self) -> None:
        """Raises `InputError` where values are of the right type but out of range; called on every change."""

    def _changed(self, changes: Mapping[str, Any]) -> Self:
        changed = dataclasses.replace(self, **changes)
        changed.check()
        return changed

    def _type(self, key: str, source: str) -> Any:
        kinds = typing.get_type_hints(type(self))
        if key not in kinds:
            nearest = difflib.get_close_matches(key, kinds, n=1, cutoff=0.4)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"{source}: unknown setting {key}{hint} (settings: {', '.join(kinds)})")
        return kinds[key]


def _choices(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a `X | None` type, or the type alone."""
    union = typing.get_origin(kind) in (types.UnionType, typing.Union)  # the latter of a Literal and None
    return typing.get_args(kind) if union else (kind,)


def _describe(kind: Any) -> str:
    """A type in the words of an error message."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    parts: list[str] = []
    for choice in _choices(kind):
        parts += typing.get_args(choice) if typing.get_origin(choice) is Literal else [names[choice]]
    return " or ".join(dict.fromkeys(parts))  # a setting may have a `none` of its own


def _fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value is of a field's type; a whole number fits a float."""
    for choice in _choices(kind):
        if typing.get_origin(choice) is Literal:
            if value in typing.get_args(choice):
                return True
        elif type(value) is choice or (choice is float and type(value) is int):
            return True
    return False


def _precedence(choice: Any) -> int:
    """Words before None, as a setting may have a `none` of its own; None before text, which it would be as well."""
    return 0 if typing.get_origin(choice) is Literal else 1 if choice is type(None) else 2


def _parse(text: str, kind: Any, source: str) -> Any:
    """Reads the text of a `--set` value as its field's type."""
    for choice in sorted(_choices(kind), key=_precedence):
        if choice is type(None) and text.lower() == "none":
            return None
        if choice is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if choice is str:
            return text
        if typing.get_origin(choice) is Literal and text in typing.get_args(choice):
            return text
        if choice in (int, float):
            try:
                return choice(text)
            except ValueError:
                continue
    raise InputError(f"{source}: must be {_describe(kind)}")
