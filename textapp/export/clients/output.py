"""Writes the folder of one or more clients, and lists in it what was written.

`textapp-export.json` has the SHA-256 of each file of the folder. A later export replaces the files that are still as
they were written. A file that somebody has added or changed is never replaced.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from textapp import __version__
from textapp.errors import InputError
from textapp.export.clients import CLIENTS, client_module
from textapp.export.clients.source import Source
from textapp.files import digest, read_bytes, write_json
from textapp.runtime.bundle_format import MODEL
from textapp.runtime.clients import NOT_IN_CORE
from textapp.runtime.loading import load
from textapp.runtime.model_check import check_model
from textapp.runtime.native_library import library_path

LIST = "textapp-export.json"
FORMAT = "textapp-export"


def write_clients(source: Source, clients: Sequence[str], folder: Path) -> None:
    """Writes what apps add, and `LIST`.

    Args:
        source: What the clients are made of.
        clients: Names of one or more clients, which are known. The files of one lie in `folder`, those of several in
            `folder/CLIENT`.
        folder: An empty folder.

    Raises:
        InputError: A client cannot be made of this source.
    """
    for client in clients:
        if CLIENTS[client].needs_core:
            _check_core(source.bundle, client)
    for client in clients:
        out = folder / ".new"  # first elsewhere: a client's folder may have an entry with the client's name
        out.mkdir()
        client_module(client).write(source, out)
        if len(clients) == 1:
            for entry in list(out.iterdir()):
                entry.rename(folder / entry.name)
            out.rmdir()
        else:
            out.rename(folder / client)
    # Other names are of this command, such as the mark of an unfinished folder.
    hashes = {name: digest(folder / name) for name in written_files(folder) if not name.startswith(".textapp-")}
    write_json(
        folder / LIST,
        {"format": FORMAT, "textapp_version": __version__, "clients": list(clients), "sha256": hashes},
    )


def _check_core(bundle: Path, client: str) -> None:
    """Raises `InputError` if the core does not run a bundle. Where it is not built, the operators decide."""
    message = f"client {client}: the core in C does not run this bundle"
    if not library_path().exists():
        operators = {name for one in check_model(read_bytes(bundle / MODEL)).values() for name in one.operators}
        if lacking := sorted(operators & NOT_IN_CORE):
            raise InputError(f"{message}: {MODEL} has the operator {lacking[0]}")
        return
    try:
        load(bundle, engine="native")
    except InputError as error:
        reason = str(error.__cause__ or error).removeprefix(f"{bundle}: ")
        raise InputError(f"{message}: {reason}") from error


def exported_files(folder: Path) -> list[str]:
    """The files in a folder of clients that are as they were written; none if the folder is not one of clients.

    The names are relative, with `/`. `LIST` comes last.
    """
    if not (folder / LIST).is_file():
        return []
    try:
        content = json.loads((folder / LIST).read_bytes())
    except (ValueError, RecursionError):
        return []
    hashes = content.get("sha256") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(hashes, dict):
        return []
    # Only names of files that are there: a name in the list cannot point elsewhere.
    return [*(name for name in written_files(folder) if name in hashes and hashes[name] == digest(folder / name)), LIST]


def copy_bundle(bundle: Path, folder: Path) -> None:
    """Checks a bundle, and copies its files, as they were checked, into a new folder.

    Raises:
        InputError: A file of the bundle is missing, changed or malformed.
    """
    content = read_bytes(bundle / "bundle.json")
    checked = load(bundle).bundle
    folder.mkdir()
    for name, part in {**checked.files, "bundle.json": content}.items():
        (folder / name).write_bytes(part)
    if load(folder).bundle.description != checked.description:
        raise InputError(f"{bundle / 'bundle.json'}: was changed meanwhile; run the command again")


def written_files(folder: Path) -> Iterator[str]:
    """The files below a folder, as relative names with `/`, in order; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not (path := Path(place, name)).is_symlink():
                yield path.relative_to(folder).as_posix()
