"""Client `ios`: a Swift package for iOS, macOS and Linux, with the core in C, and a bundle as resource."""

import shutil
from pathlib import Path

from textapp.export.clients.files import client_folder, write_core
from textapp.export.clients.source import Source


def write(source: Source, out: Path) -> None:
    """Writes Package.swift, the folders Sources, Tests and Examples, and README.md."""
    package = client_folder("ios")
    for name in ("Package.swift", "README.md"):
        shutil.copyfile(package / name, out / name)
    for name in ("Sources", "Tests", "Examples"):
        shutil.copytree(package / name, out / name)
    core = out / "Sources/CTextapp"
    write_core(core / "include")
    (core / "include/textapp.c").rename(core / "textapp.c")  # the package's compiler takes only headers from `include`
    shutil.copytree(source.bundle, out / "Sources/Textapp/bundle")
