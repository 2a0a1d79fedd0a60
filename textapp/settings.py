"""Settings as frozen dataclasses: sections with a range beside each field, strict overrides, a JSON round trip.

A field reads `units: Annotated[int, Range(1, MOST), "Width of the encoder in each direction."] = 64`: its type, the
range of its values, what it means. A `Config` holds sections, and fields of its own. Names of fields are unique over
all sections, so that a setting is named by its field alone: on the command line `units=32`, in JSON `{"units": 32}`.
"""

import dataclasses
import difflib
import functools
import json
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from textapp.errors import InputError

MOST = 2**31 - 1
"""Largest whole number of a setting: what a tensor's shape and NumPy's seeds can hold."""


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a number may have.

    Attributes:
        low: The smallest.
        high: The largest; infinity, which itself is never a value, for none.
        open_low: Whether `low` itself is left out.
        open_high: Whether `high` itself is left out.
        also: A value outside of the range that is allowed as well, with what it means: `(0, "none")`.

    Example:
        >>> str(Range(1, 8)), str(Range(0, 1, open_high=True)), str(Range(0, open_low=True))
        ('from 1 to 8', 'at least 0 and below 1', 'above 0 and finite')
    """

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    also: tuple[float, str] | None = None

    def __contains__(self, value: float) -> bool:
        if self.also is not None and value == self.also[0]:
            return True
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high or math.isinf(self.high) else value <= self.high)

    def __str__(self) -> str:
        if math.isinf(self.high):
            text = f"above {self.low:g} and finite" if self.open_low else f"{self.low:g} or more, and finite"
        elif not (self.open_low or self.open_high):
            text = f"from {_number(self.low)} to {_number(self.high)}"
        else:
            first = f"above {self.low:g}" if self.open_low else f"at least {self.low:g}"
            text = f"{first} and {'below' if self.open_high else 'at most'} {self.high:g}"
        return text if self.also is None else f"{text}, or {_number(self.also[0])} for {self.also[1]}"


class Setting(typing.NamedTuple):
    """One setting of a config.

    Attributes:
        section: Name of the section that holds it; empty for a field of the config itself.
        kind: Its type: str, int, float, bool or Literal, or None as well.
        range: The values that a number may have, or None.
        meaning: A sentence, or an empty string.
    """

    section: str
    kind: Any
    range: Range | None
    meaning: str


@dataclasses.dataclass(frozen=True)
class Section:
    """Some settings that belong together. Fields are str, int, float, bool or Literal, or None as well."""

    def check(self) -> None:
        """Raises `InputError` where settings of this section contradict each other."""


@dataclasses.dataclass(frozen=True)
class Config:
    """The settings of a command: sections, and fields of its own.

    Example:
        >>> from textapp.tasks.classification.config import ClassificationConfig
        >>> config = ClassificationConfig().override(["units=32", "text_column=none"])
        >>> config.encoder.units, config.text_column, config.to_dict()["units"]
        (32, None, 32)
    """

    decided: ClassVar[frozenset[str]] = frozenset()
    """Settings of the sections that this config does not have: their values are those of its defaults."""

    @classmethod
    @functools.cache
    def settings(cls) -> Mapping[str, Setting]:
        """All settings by name, in the order of the sections."""
        found: dict[str, Setting] = {}
        for name, hint in typing.get_type_hints(cls, include_extras=True).items():
            if typing.get_origin(hint) is ClassVar:
                continue
            parts = [("", name, hint)]
            if isinstance(hint, type) and issubclass(hint, Section):
                inner = typing.get_type_hints(hint, include_extras=True)
                parts = [(name, key, kind) for key, kind in inner.items() if key not in cls.decided]
            for section, key, kind in parts:
                if key in found:
                    raise TypeError(f"{cls.__name__}: two settings are named {key!r}")
                found[key] = Setting(section, *_described(kind))
        return found

    def get(self, name: str) -> Any:
        """The value of a setting, whatever its section."""
        section = self.settings()[name].section
        return getattr(getattr(self, section) if section else self, name)

    def override(self, settings: Iterable[str]) -> Self:
        """Applies `key=value` settings, each value read as its field's type.

        Raises:
            InputError: A setting is not of that form, its key is unknown (the nearest is named), or its value is of
                another type or out of range.
        """
        changes = {}
        for setting in settings:
            key, separator, text = setting.partition("=")
            if not separator or not key.strip():
                raise InputError(f"--set {setting}: must read KEY=VALUE")
            kind = self._setting(key.strip(), "--set").kind
            changes[key.strip()] = _parse(text.strip(), kind, f"--set {setting}")
        return self.replaced(**changes)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "config") -> Self:
        """Builds a config from JSON values. Raises `InputError` naming `source` on an unknown key or a wrong type."""
        defaults = cls()
        for key, value in values.items():
            kind = defaults._setting(key, source).kind
            if not _fits(value, kind):
                raise InputError(f"{source}: {key} must be {_describe(kind)}; received {json.dumps(value)}")
        try:
            return defaults.replaced(**values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """JSON values that `from_dict` reads back, by the names of the settings."""
        return {name: self.get(name) for name in self.settings()}

    def replaced(self, **changes: Any) -> Self:
        """The config with other values, checked.

        Raises:
            InputError: A value is out of range, or contradicts another one.
        """
        known = self.settings()
        by_section: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            by_section.setdefault(known[name].section, {})[name] = value
        fields = by_section.pop("", {})
        for section, values in by_section.items():
            fields[section] = dataclasses.replace(getattr(self, section), **values)
        changed = dataclasses.replace(self, **fields)
        changed.check()
        return changed

    def check(self) -> None:
        """Raises `InputError` where a value is out of range, or values contradict each other."""
        for name, setting in self.settings().items():
            value = self.get(name)
            if setting.range is not None and value is not None and value not in setting.range:
                raise InputError(f"setting {name}: must be {setting.range}; received {value}")
        for field in dataclasses.fields(self):
            section = getattr(self, field.name)
            if isinstance(section, Section):
                section.check()

    def _setting(self, key: str, source: str) -> Setting:
        """A setting by its name. Raises `InputError` where there is none of that name."""
        known = self.settings()
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            # All of them are half a screen: only where nothing else helps.
            hint = f"; did you mean {nearest[0]}?" if nearest else f" (settings: {', '.join(known)})"
            raise InputError(f"{source}: unknown setting {key}{hint}")
        return known[key]


def _number(value: float) -> str:
    """A bound in a message: whole numbers without an exponent."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def _described(hint: Any) -> tuple[Any, Range | None, str]:
    """Type, range and meaning of a field."""
    if typing.get_origin(hint) is not Annotated:
        return hint, None, ""
    kind, *notes = typing.get_args(hint)
    allowed = next((note for note in notes if isinstance(note, Range)), None)
    return kind, allowed, next((note for note in notes if isinstance(note, str)), "")


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
