"""The folder of a search: whether it holds a search to resume or to join, and how a new search replaces an earlier one.

All functions are called in a turn, see `textapp.search.processes`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textapp.errors import InputError
from textapp.files import delete_leftovers, named_errors, read_json, write_json
from textapp.output_files import real_path
from textapp.search.processes import Processes
from textapp.text.characters import counted

PROCESSES = "processes"  # key of the description of an unfinished search: the names of its processes


def read_search(
    folder: Path, name: str, writer: str, is_valid: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    """Reads the file that describes the search in a folder; None if there is no folder, or nothing in it.

    Args:
        folder: The folder.
        name: The name of the file.
        writer: The command that writes it, for messages.
        is_valid: Whether the content has what a search needs besides its `command`.

    Raises:
        InputError: The folder holds something else.
    """
    with named_errors(folder):
        delete_leftovers(folder / name)
        if not folder.exists() or not any(folder.iterdir()):
            return None
    if not (folder / name).exists():
        raise InputError(f"{folder}: exists and holds no search; choose another --out")
    before = read_json(folder / name)
    if not isinstance(before, dict) or not isinstance(before.get("command"), dict) or not is_valid(before):
        raise InputError(f"{folder / name}: not what `{writer}` writes; choose another --out")
    return before


def others_at(before: Mapping[str, Any] | None, processes: Processes) -> list[str]:
    """The other processes at a search that still run.

    Args:
        before: The description of the search, from `read_search`.
        processes: The processes.
    """
    names = before.get(PROCESSES, ()) if before is not None else ()
    return [name for name in names if name != processes.name and processes.is_alive(name)]


def joined(others: Sequence[str]) -> str:
    """A line that says with how many other processes this one searches."""
    return f"joins {counted(len(others), 'other process')} at this search"


def resumed(
    folder: Path, before: dict[str, Any], differing: Sequence[str], sha256: Mapping[str, str], others: Sequence[str]
) -> dict[str, Any] | None:
    """Returns the description of an unfinished search to resume; None if it was killed while it replaced another one.

    Args:
        folder: The folder.
        before: From `read_search`.
        differing: The settings and files in which the command of the search differs from the present one.
        sha256: The hash of each file of the present command.
        others: The other processes at the search, from `others_at`.

    Raises:
        InputError: The search is finished, or another one, or a file has changed since.
    """
    way_on = "choose another --out" if others else "use --force, or another --out"
    if "chosen" in before:
        raise InputError(f"{folder}: holds a finished search; use --force to search again, or another --out")
    if differing:
        at_it = ", which other processes are at" if others else ""
        raise InputError(f"{folder}: holds an unfinished search with other {', '.join(differing)}{at_it}; {way_on}")
    if "clearing" in before:
        return None
    known = before["command"].get("sha256")
    for path, digest in sha256.items():
        if not isinstance(known, dict) or known.get(path) != digest:
            raise InputError(f"{path}: has changed since the search in {folder} began; restore it, or {way_on}")
    return before


def replace_search(folder: Path, name: str, start: Mapping[str, Any], delete: Callable[[], None]) -> None:
    """Deletes an earlier search, by the names of its files, and writes the start of a new one. Other files stay.

    Args:
        folder: The folder, which is made if need be.
        name: The name of the file that describes the search.
        start: The first content of that file.
        delete: Deletes all other files of an earlier search.
    """
    with named_errors(folder):
        real_path(folder).mkdir(parents=True, exist_ok=True)
    write_json(folder / name, {**start, "clearing": True})  # if this is killed, the same command deletes again
    with named_errors(folder):
        delete()
    write_json(folder / name, start)


def end_search(folder: Path, name: str, result: Mapping[str, Any], processes: Processes) -> None:
    """Writes the result of a search, in which `chosen` marks it as finished.

    Args:
        folder: The folder.
        name: The name of the file that describes the search.
        result: Its last content.
        processes: The processes. Locks of those that were killed are deleted.
    """
    others_at(read_json(folder / name), processes)
    write_json(folder / name, dict(result))
