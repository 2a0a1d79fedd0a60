"""Settings as frozen dataclasses: sections with a range beside each field, strict overrides, a JSON round trip.

A field is written `units: Annotated[int, Range(1, MOST), "Width of the encoder in each direction."] = 64`: type, range
and meaning. A `Config` has sections and perhaps fields. Field names are unique over all sections, so the field name is
enough to set a value: `units=32` on the command line, `{"units": 32}` in JSON.
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

from textapp.errors import InputError, excerpt, quoted

MOST = 2**31 - 1
"""Largest whole number of a setting: tensor shapes and NumPy's seeds can hold no larger one."""


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a number may have.

    Attributes:
        low: The smallest value.
        high: The largest value; infinity for no limit. Infinity itself is never allowed.
        open_low: Whether `low` itself is excluded.
        open_high: Whether `high` itself is excluded.
        also: One more allowed value outside the range, with its meaning: `(0, "none")`.

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
        section: Name of its section; empty for a field of the config itself.
        kind: Its type: str, int, float, bool or Literal, each perhaps with None.
        range: The values that a number may have, or None.
        meaning: A sentence, or an empty string.
    """

    section: str
    kind: Any
    range: Range | None
    meaning: str

    @property
    def allowed(self) -> str:
        """The values that it may have: `a whole number, 1 or more`."""
        kinds = _describe(self.kind)
        if self.range is None:
            return kinds
        limits = f"{self.range.low:g} or more" if self.range.high == MOST else str(self.range)
        if self.range.high == MOST and self.range.also is not None:
            limits += f", or {_number(self.range.also[0])} for {self.range.also[1]}"
        return f"{kinds}, {limits}"


@dataclasses.dataclass(frozen=True)
class Section:
    """Some settings that belong together. Fields are str, int, float, bool or Literal, each perhaps with None."""

    def check(self) -> None:
        """Raises `InputError` if settings of this section contradict each other."""

    def unused(self) -> dict[str, str]:
        """The settings that have no effect because of the values of others, and why."""
        return {}


@dataclasses.dataclass(frozen=True)
class Config:
    """The settings of a command: sections, and perhaps more fields.

    Example:
        >>> from textapp.tasks.classification.config import ClassificationConfig
        >>> config = ClassificationConfig().override(["units=32", "text_column=none"])
        >>> config.encoder.units, config.text_column, config.to_dict()["units"]
        (32, None, 32)
    """

    decided: ClassVar[frozenset[str]] = frozenset()
    """Settings of the sections that this config does not offer: they keep their default values."""

    earlier: ClassVar[Mapping[str, Any]] = {}
    """The values of settings that runs of earlier versions lack, where these differ from the defaults."""

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
                found[key] = Setting(section, *_type_range_meaning(kind))
        return found

    def get(self, name: str) -> Any:
        """The value of a setting of any section."""
        section = self.settings()[name].section
        return getattr(getattr(self, section) if section else self, name)

    def override(self, settings: Iterable[str], automatic: bool = False) -> Self:
        """Applies `key=value` settings. Each value is parsed as the type of its field.

        Args:
            settings: The settings.
            automatic: Whether other settings will be chosen from data, so that `check_used` has to wait for them.

        Raises:
            InputError: A setting is not written so, its key is unknown (the message suggests the nearest), its value
                has the wrong type or is out of range, or changes nothing because of other settings.
        """
        changes = {}
        for setting in settings:
            key, separator, text = setting.partition("=")
            if not separator or not key.strip():
                raise InputError(f"--set {excerpt(setting)}: must read KEY=VALUE")
            kind = self._setting(key.strip(), "--set").kind
            changes[key.strip()] = _parse(text.strip(), kind, f"--set {excerpt(setting)}")
        changed = self.replaced(**changes)
        if not automatic:
            changed.check_used(name for name in changes if changed.get(name) != self.get(name))
        return changed

    def check_used(self, names: Iterable[str]) -> None:
        """Raises `InputError` if one of the settings has no effect because of the values of others."""
        unused = self.unused()
        for name in names:
            if name in unused:
                raise InputError(f"setting {name}: {unused[name]}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "config") -> Self:
        """Builds a config from JSON values. Raises `InputError` naming `source` on an unknown key or a wrong type."""
        defaults = cls()
        for key, value in values.items():
            kind = defaults._setting(key, source).kind
            if not _fits(value, kind):
                raise InputError(f"{source}: {key} must be {_describe(kind)}; received {excerpt(json.dumps(value))}")
        try:
            return defaults.replaced(**values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    @classmethod
    def from_run(cls, values: Mapping[str, Any], source: str) -> Self:
        """Builds the config of a run, perhaps one of an earlier version, from its file. Raises as `from_dict` does."""
        return cls.from_dict({**cls.earlier, **values}, source)

    def to_dict(self) -> dict[str, Any]:
        """JSON values by setting name, which `from_dict` reads back."""
        return {name: self.get(name) for name in self.settings()}

    def replaced(self, **changes: Any) -> Self:
        """Returns the config with changed values, and checks it.

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
        """Raises `InputError` if a value is out of range, or values contradict each other."""
        for name, setting in self.settings().items():
            value = self.get(name)
            if setting.range is not None and value is not None and value not in setting.range:
                raise InputError(f"setting {name}: must be {setting.range}; received {quoted(value)}")
        for field in dataclasses.fields(self):
            section = getattr(self, field.name)
            if isinstance(section, Section):
                section.check()

    def unused(self) -> dict[str, str]:
        """The settings that have no effect because of the values of others, and why."""
        found: dict[str, str] = {}
        for field in dataclasses.fields(self):
            if isinstance(section := getattr(self, field.name), Section):
                found |= section.unused()
        return found

    @classmethod
    def owner(cls, key: str) -> str | None:
        """The command that has a setting which this config lacks; None if it is not known."""
        del key
        return None

    def _setting(self, key: str, source: str) -> Setting:
        """A setting by its name. Raises `InputError` if the name is unknown."""
        known = self.settings()
        if key not in known:
            owner, nearest = self.owner(key), difflib.get_close_matches(key, known, n=1)
            hint = "the option --help lists the settings"
            if owner is not None:
                hint = f"it is one of `{owner}`; {hint} of this command"
            elif nearest:
                hint = f"did you mean {nearest[0]}?"
            raise InputError(f"{source}: unknown setting {excerpt(key)}; {hint}")
        return known[key]


def not_with(setting: str, value: object) -> str:
    """The reason why a setting is not used: the value of another one."""
    return f"not used with {setting}={as_text(value)}"


def as_text(value: object) -> str:
    """A value as `--set` reads it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    """A limit as text: whole numbers without an exponent."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def _type_range_meaning(hint: Any) -> tuple[Any, Range | None, str]:
    """Type, range and meaning of a field."""
    if typing.get_origin(hint) is not Annotated:
        return hint, None, ""
    kind, *notes = typing.get_args(hint)
    allowed = next((note for note in notes if isinstance(note, Range)), None)
    return kind, allowed, next((note for note in notes if isinstance(note, str)), "")


def _choices(kind: Any) -> tuple[Any, ...]:
    """The alternatives of an `X | None` type, or a tuple of the type itself."""
    union = typing.get_origin(kind) in (types.UnionType, typing.Union)  # `typing.Union` comes from a Literal and None
    return typing.get_args(kind) if union else (kind,)


def _describe(kind: Any) -> str:
    """Describes a type in an error message."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    parts: list[str] = []
    for choice in _choices(kind):
        parts += typing.get_args(choice) if typing.get_origin(choice) is Literal else [names[choice]]
    return " or ".join(dict.fromkeys(parts))  # a Literal may have the choice "none"


def _fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value has a field's type; a whole number fits a float."""
    for choice in _choices(kind):
        if typing.get_origin(choice) is Literal:
            if value in typing.get_args(choice):
                return True
        elif type(value) is choice or (choice is float and type(value) is int):
            return True
    return False


def _precedence(choice: Any) -> int:
    """Order of parsing: Literal before None, as one of its choices may be "none"; None before str, which fits all."""
    return 0 if typing.get_origin(choice) is Literal else 1 if choice is type(None) else 2


def _parse(text: str, kind: Any, source: str) -> Any:
    """Parses the text of a `--set` value as the type of its field."""
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
