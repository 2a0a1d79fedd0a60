"""Client `page`: one HTML file with the core and a bundle inside. It opens from the disk, without any network.

The file is packed, as it is mailed and stored: script, style, core and bundle are streams of LZMA. Their bytes are
units of UTF-16, two bytes each; Base64 would make the file a quarter larger. HTML does not keep all units as they are,
so they are masked, with a mask for each block that leaves only units that it keeps: 1 byte in 200 more.
The file starts with U+FEFF, which tells browsers its encoding, whatever a server says. `clients/web/page/loader.js`
unpacks it. The loader itself has two letters in each unit.

The page's policy allows its own scripts and style by their hashes, and WebAssembly. Nothing of a bundle is HTML or
script: its bytes are inside the stream, and the page shows them as text.
"""

import base64
import functools
import hashlib
import json
import lzma
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textapp.export.clients.files import check_wasm, client_folder, core_wasm
from textapp.export.clients.source import Source
from textapp.runtime.predictor import Predictor

_MODULES = {
    name.rpartition("/")[2]: name
    for name in (
        "model.js",
        "page/drawing.js",
        "page/examples.js",
        "page/files.js",
        "page/inside.js",
        "page/words.js",
        "page/page.js",
    )
}
"""Name of a module -> its file. Each imports only from those before it."""
_ONLY_SINGLE = ("inside.js", "loader.js")
_INSTEAD = {"beside.js": "inside.js"}
"""A module of the folder's page -> the one of the single page."""

_KIND = "simd"  # of the core

_IMPORT = re.compile(r"^import \{([^}]*)\} from '([^']+)';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?:\{([^}]*)\};\n|((?:async )?function|class|const|let) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://.*|/\*\*?(?:[^*]|\*(?!/))*\*/)\n", re.MULTILINE)
_PARAMETERS = ((3, 0, 0), (0, 1, 0), (0, 0, 2), (1, 2, 1))
"""lc, lp and pb of LZMA that are tried for each part: for text and code, pairs of bytes, and numbers of four bytes."""
_DATA_SECTION = 11
_BLOCK = 200  # units that have one mask; of more, too few masks would fit
_FACTOR, _ADDEND = 1664525, 1013904223  # of Numerical Recipes' generator of 32 bits; a mask has their upper half
_TRIED = 1024  # masks that are tried at once

_MESSAGES = {
    "old": "This browser cannot run the page. It needs WebAssembly SIMD and color-mix, as Chrome 111, Firefox 113 and "
    "Safari 16.4 have them. 此浏览器无法运行本页，请使用较新的浏览器。",
    "damaged": "This file is damaged: get it once more. 文件已损坏，请重新获取。",
}
"""What the loader shows where it stops: id of the element -> its text."""

_BOOT = """(function () {
var letters = document.getElementById('loader').textContent, script = document.createElement('script');
for (var i = 0; i < letters.length; i++) {
script.text += String.fromCharCode(letters.charCodeAt(i) & 255, letters.charCodeAt(i) >> 8);
}
document.body.appendChild(script);
})();
"""
"""The script that reads the loader and runs it."""


def check(predictor: Predictor) -> None:
    """Raises `InputError` if nothing here compiles the core."""
    del predictor
    check_wasm([_KIND])


def write(source: Source, out: Path) -> None:
    """Writes page.html and README.md."""
    names = sorted(path.name for path in source.bundle.iterdir())
    files = {name: (source.bundle / name).read_bytes() for name in names}
    (out / "page.html").write_bytes(single_page(files, core_wasm(_KIND)))
    shutil.copyfile(client_folder("web") / "page/README.md", out / "README.md")


def write_folder_page(out: Path) -> None:
    """Writes the page for a folder that also has the files of the web client and `bundle/`: index.html, and page/."""
    web = client_folder("web")
    shutil.copyfile(web / "index.html", out / "index.html")
    (out / "page").mkdir()
    for path in (web / "page").iterdir():
        if path.suffix in (".css", ".js") and path.name not in _ONLY_SINGLE:
            shutil.copyfile(path, out / "page" / path.name)


def single_page(bundle: Mapping[str, bytes], core: bytes) -> bytes:
    """The page as one file.

    Args:
        bundle: The bundle's files, by name.
        core: The core as WebAssembly.

    Returns:
        The file: HTML in UTF-16 with a byte order mark.
    """
    web = client_folder("web")
    style = _compact(_read(web / "page/page.css"))
    script = _compact(joined({name: _read(web / file) for name, file in _MODULES.items()}))
    loader = _compact(_read(web / "page/loader.js"))
    loader += "\n" * (len(loader) % 2)
    page = {"page.css": style.encode(), "page.js": script.encode(), "textapp.wasm": core}
    sizes = json.dumps({"page": _sizes(page), "bundle": _sizes(bundle)})
    texts = b"".join((sizes.encode(), b"\n", page["page.css"], page["page.js"]))
    parts = [texts, *sections(core), *bundle.values()]
    content = b"".join(parts)
    packed = [smallest(part) for part in parts if part]
    inside = (
        f'<script id="inside" type="application/octet-stream" data-crc="{zlib.crc32(content)}" '
        f'data-parts="{json.dumps([numbers for _, numbers in packed])}">'
        f"{units(b''.join(stream for stream, _ in packed))}</script>\n"
    )
    policy = (
        f"default-src 'none'; script-src {_hash(_BOOT)} {_hash(loader)} {_hash(script)} 'wasm-unsafe-eval'; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    inside += (
        f'<script id="loader" type="application/octet-stream">{_two_letters(loader)}</script>\n'
        f"<script>{_BOOT}</script>\n"
    )
    return _filled(_read(web / "index.html"), policy, inside).encode("utf-16-le")


def joined(modules: Mapping[str, str]) -> str:
    """Modules of JavaScript as one script: each is a function that returns what it exports.

    Args:
        modules: Name -> source. A module imports only from those before it, and names what it takes in one line.

    Raises:
        ValueError: A module imports from another place.
    """
    numbers = {name: number for number, name in enumerate(modules)}
    parts = []
    for name, source in modules.items():
        for _, place in _IMPORT.findall(source):
            if numbers.get(_module(place), len(modules)) >= numbers[name]:
                raise ValueError(f"{name}: imports {place}, which is no module before it")
        body = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = module{numbers[_module(found[2])]};\n", source)
        exported = [one or list_ for list_, _, one in _EXPORT.findall(body)]
        body = _EXPORT.sub(lambda found: f"{found[2]} {found[3]}" if found[3] else "", body)
        parts.append(f"const module{numbers[name]} = (() => {{\n{body}return {{{', '.join(exported)}}};\n}})();\n")
    return "".join(parts)


def _module(place: str) -> str:
    """The name of the module that an import takes from a place."""
    name = place.rpartition("/")[2]
    return _INSTEAD.get(name, name)


def units(content: bytes) -> str:
    """Bytes as a text of which HTML changes nothing: each pair of them is a code point, after a mask.

    Controls, ASCII, surrogates and noncharacters are no such code points. Before each block of `_BLOCK` units stands
    the first number of its mask. The numbers that follow are XORed with the units. About 1 of 1,000 first numbers is
    right for a whole block, whatever is in it.
    """
    numbers = np.frombuffer(content + b"\0" * (len(content) % 2), "<u2")
    kept, firsts, masks = _masks()
    found = []
    for start in range(0, len(numbers), _BLOCK):
        block = numbers[start : start + _BLOCK]
        for tried in range(0, len(firsts), _TRIED):
            masked = masks[tried : tried + _TRIED, : len(block)] ^ block
            if (right := kept[masked].all(axis=1)).any():
                chosen = int(right.argmax())
                found += [firsts[tried + chosen : tried + chosen + 1], masked[chosen]]
                break
        else:
            raise ValueError("`content` must have a mask for each block. Received: one without")
    return b"".join(part.astype("<u2").tobytes() for part in found).decode("utf-16-le")


@functools.cache
def _masks() -> tuple[NDArray[np.bool_], NDArray[np.uint16], NDArray[np.uint16]]:
    """For each unit whether HTML keeps it; those that it keeps; and the mask that begins after each of them."""
    kept = np.ones(1 << 16, np.bool_)
    for first, last in ((0, 0x7F), (0xD800, 0xDFFF), (0xFDD0, 0xFDEF), (0xFFFE, 0xFFFF)):
        kept[first : last + 1] = False
    firsts = kept.nonzero()[0].astype(np.uint16)
    masks = np.empty((len(firsts), _BLOCK), np.uint16)
    numbers = firsts.astype(np.uint32)
    for place in range(_BLOCK):
        numbers = numbers * np.uint32(_FACTOR) + np.uint32(_ADDEND)
        masks[:, place] = numbers >> 16
    return kept, firsts, masks


def smallest(content: bytes) -> tuple[bytes, tuple[int, ...]]:
    """The smallest stream of LZMA of some parameters, and its numbers: packed size, size, lc, lp, pb."""
    found = []
    whole = max(4096, 1 << len(content).bit_length())  # bytes: more than the content, and far less than the preset's
    preset = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": whole}
    for lc, lp, pb in _PARAMETERS:
        options = {**preset, "lc": lc, "lp": lp, "pb": pb}
        stream = lzma.compress(content, lzma.FORMAT_RAW, filters=[options])
        found.append((stream, (len(stream), len(content), lc, lp, pb)))
    return min(found, key=lambda one: len(one[0]))


def sections(core: bytes) -> list[bytes]:
    """WebAssembly in pieces: up to the data section, its code above all, and from there on. Each packs better alone."""
    place = 8  # after the magic number and the version
    while place < len(core):
        kind, (size, start) = core[place], _leb128(core, place + 1)
        if kind == _DATA_SECTION:
            return [core[:place], core[place:]]
        place = start + size
    return [core]


def _leb128(content: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place after it."""
    value = shift = 0
    while True:
        value |= (content[place] & 127) << shift
        shift += 7
        place += 1
        if content[place - 1] < 128:
            return value, place


def _two_letters(source: str) -> str:
    """A script of ASCII with two letters in a unit. Its length is even."""
    return source.encode("ascii").decode("utf-16-le")


def _filled(html: str, policy: str, inside: str) -> str:
    """The HTML of the folder's page as that of the single page."""
    messages = "".join(f'<p id="{key}" class="start" hidden>{text}</p>\n' for key, text in _MESSAGES.items())
    messages += "<noscript>This page needs JavaScript.</noscript>\n"
    for found, new in (
        (r'<meta charset="utf-8">\n', ""),
        (r'(?<=Security-Policy" content=")[^"]*', policy),
        (r'<link rel="stylesheet"[^>]*>\n', ""),
        (r'<p id="start"(?s:.*?)</p>\n', f'{messages}<p id="start"></p>\n'),
        (r"<script[^>]*></script>\n", inside),
    ):
        parts = re.split(found, html)
        if len(parts) != 2:
            raise ValueError(f"index.html must have one place for {found}. Received: {len(parts) - 1} places")
        html = new.join(parts)
    return f"\N{ZERO WIDTH NO-BREAK SPACE}{html}"


def _sizes(files: Mapping[str, bytes]) -> list[tuple[str, int]]:
    return [(name, len(content)) for name, content in files.items()]


def _hash(content: str) -> str:
    """The hash of a script or style for the policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _compact(source: str) -> str:
    """A source without the lines that are comments, and without indentation."""
    return re.sub(r"^ +|\n(?=\n)", "", _COMMENT.sub("", source), flags=re.MULTILINE)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
