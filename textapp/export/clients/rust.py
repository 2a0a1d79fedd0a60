"""Client `rust`: a crate without dependencies, with the core in C and a bundle in it."""

import shutil
from pathlib import Path

from textapp.export.clients.files import client_folder, write_core
from textapp.export.clients.source import Source


def write(source: Source, out: Path) -> None:
    """Writes Cargo.toml, build.rs, and the folders src, examples, core and bundle, and README.md."""
    crate = client_folder("rust")
    for name in ("Cargo.toml", "build.rs", "README.md"):
        shutil.copyfile(crate / name, out / name)
    for name in ("src", "examples"):
        shutil.copytree(crate / name, out / name)
    write_core(out / "core")
    shutil.copytree(source.bundle, out / "bundle")
