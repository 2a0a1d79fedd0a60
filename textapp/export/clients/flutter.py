"""Client `flutter`: a plugin for Flutter through dart:ffi, with the core in C, and a bundle among its assets."""

import shutil
from pathlib import Path

from textapp.export.clients.files import client_folder, write_core
from textapp.export.clients.source import Source


def write(source: Source, out: Path) -> None:
    """Writes pubspec.yaml, the folders lib, src, android, ios, example and assets, and README.md."""
    plugin, processor = client_folder("flutter"), client_folder("ios") / "Sources/CTextapp"
    for name in ("pubspec.yaml", "README.md"):
        shutil.copyfile(plugin / name, out / name)
    for name in ("lib", "src", "android", "ios", "example"):
        shutil.copytree(plugin / name, out / name)
    write_core(out / "src")
    for path in (processor / "processor.c", processor / "include/textapp_processor.h"):
        shutil.copyfile(path, out / "src" / path.name)
    shutil.copytree(source.bundle, out / "assets/bundle")
