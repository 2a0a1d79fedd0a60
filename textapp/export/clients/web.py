"""Client `web`: the core as WebAssembly, a module of JavaScript over it, the bundle, and a page that shows it."""

import shutil
from pathlib import Path

from textapp.export.clients.files import check_wasm, client_folder, core_javascript, core_wasm
from textapp.export.clients.page import write_folder_page
from textapp.export.clients.source import Source
from textapp.runtime.predictor import Predictor

KINDS = ("relaxed", "simd", "plain")
"""The kinds of WebAssembly; textapp.js takes the first that the engine runs."""

_FILES = ("textapp.js", "textapp.d.ts", "model.js", "sources.js", "package.json", "README.md")
_WITHOUT_WASM = ("without-wasm.js", "without-wasm.d.ts")


def check(predictor: Predictor) -> None:
    """Raises `InputError` if nothing here compiles the core."""
    del predictor
    check_wasm(KINDS)


def write(source: Source, out: Path) -> None:
    """Writes the modules and their types, the core of each kind, the folder bundle, a page, and README.md.

    without-wasm.js is written where its core can be made: see `core_javascript`.
    """
    cores = {f"textapp-{kind}.wasm": core_wasm(kind) for kind in KINDS}
    names = list(_FILES)
    if (javascript := core_javascript()) is not None:
        cores["textapp-wasm2js.js"] = javascript
        names += _WITHOUT_WASM
    folder = client_folder("web")
    for name in names:
        shutil.copyfile(folder / name, out / name)
    for name, content in cores.items():
        (out / name).write_bytes(content)
    write_folder_page(out)
    shutil.copytree(source.bundle, out / "bundle")
