"""Client `c`: the core in two files, a bundle, and an example that compiles as it stands."""

import shutil
from pathlib import Path

from textapp.export.clients.files import amalgamation, client_folder
from textapp.export.clients.source import Source


def write(source: Source, out: Path) -> None:
    """Writes textapp.c, textapp.h, main.c, the folder bundle, and README.md."""
    code, header = amalgamation()
    (out / "textapp.c").write_text(code, encoding="utf-8", newline="\n")
    (out / "textapp.h").write_text(header, encoding="utf-8", newline="\n")
    for name in ("main.c", "README.md"):
        shutil.copyfile(client_folder("c") / name, out / name)
    shutil.copytree(source.bundle, out / "bundle")
