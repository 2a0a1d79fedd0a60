"""`textapp settings`: lists the settings of a model, with value, range and meaning."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from textapp.cli.output import print_json, print_line, say
from textapp.errors import InputError, quoted
from textapp.settings import Config, as_text
from textapp.task import Task, names, task

COLUMNS = 80


def settings(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=f"{', '.join(task(name).model_noun for name in names())}.",
            autocompletion=lambda incomplete: [
                noun for name in names() if (noun := task(name).model_noun).startswith(incomplete)
            ],
        ),
    ],
    preset: Annotated[str | None, typer.Option(help="Show the values of a preset beside the defaults.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """List the settings of a model: `--set NAME=VALUE` of `textapp train` changes them.

    For example: textapp settings classifier --preset sentences
    """
    found = named(model)
    defaults, chosen = found.preset(None), found.preset(preset)
    if as_json:
        print_json({name: as_json_object(defaults, chosen, name) for name in chosen.settings()})
        return
    width = min(shutil.get_terminal_size((COLUMNS, 24)).columns, 120)
    for number, (section, members) in enumerate(by_section(chosen).items()):
        print_line(("\n" if number else "") + (section.capitalize() or "Task"))
        for name in members:
            for line in lines_of(name, defaults, chosen, width):
                print_line(line)
    if preset is None:
        say(f"\nWithout --preset, `textapp train {found.model_noun}` chooses many of them from your data.")
        say(f"Presets: {', '.join(found.presets_help)}.")


def named(model: str) -> Task[Any, Any, Any]:
    """The task of a model's name or short name. Raises `InputError` for another name."""
    tasks = [task(name) for name in names()]
    for found in tasks:
        if model in (found.model_noun, found.short_name, found.name):
            return found
    raise InputError(f"{quoted(model)}: is no model; name {', '.join(found.model_noun for found in tasks)}")


def as_json_object(defaults: Config, chosen: Config, name: str) -> dict[str, Any]:
    """A setting for programs."""
    setting = chosen.settings()[name]
    return {
        "section": setting.section,
        "value": chosen.get(name),
        "default": defaults.get(name),
        "allowed": setting.allowed,
        "meaning": setting.meaning,
    }


def by_section(config: Config) -> dict[str, list[str]]:
    """The names of the settings of each section, in order."""
    found: dict[str, list[str]] = {}
    for name, setting in config.settings().items():
        found.setdefault(setting.section, []).append(name)
    return found


def lines_of(name: str, defaults: Config, chosen: Config, width: int) -> Iterator[str]:
    """A setting for people: its name and value, then meaning and range."""
    setting, value, default = chosen.settings()[name], chosen.get(name), defaults.get(name)
    yield f"  {name}={as_text(value)}" + ("" if value == default else f"  (default: {as_text(default)})")
    yield from textwrap.wrap(
        f"{setting.meaning} Allowed: {setting.allowed}.".strip(),
        width,
        initial_indent="      ",
        subsequent_indent="      ",
    )
