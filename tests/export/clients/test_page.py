"""Client page: all is inside the one file, nothing in it can be taken for HTML, and its policy knows its scripts."""

import base64
import hashlib
import html.parser
import json
import lzma
import random
import re
import zlib

import pytest

from tests.export.clients.samples import SAMPLES
from textapp.export.clients import page
from textapp.export.clients.files import client_folder
from textapp.export.clients.page import joined, sections, single_page, smallest, units
from textapp.export.verb import export

CORE = b"\0asm\x01\0\0\0" + b"\x0a\x82\x01" + b"\x07" * 130 + b"\x0b\x05" + b"\x01\x02\x03\x04\x05"
"""Not a core, but of its form: a code section of 130 bytes, then a data section of 5."""


class Elements(html.parser.HTMLParser):
    """The elements of a page: (name, attributes, text)."""

    def __init__(self, content):
        super().__init__(convert_charrefs=False)
        self.found = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        self.found.append(("", {}, []))

    def handle_data(self, data):
        if self.found:
            self.found[-1][2].append(data)

    def named(self, name, **attributes):
        return [
            (attrs, "".join(text))
            for tag, attrs, text in self.found
            if tag == name and attributes.items() <= attrs.items()
        ]


def bundle(task="classifier", **changed):
    files = {path.name: path.read_bytes() for path in sorted(SAMPLES[task].iterdir())}
    return files | changed


def read(content):
    """The HTML of a page as a browser decodes it."""
    assert content[:2] == b"\xff\xfe"  # the byte order mark
    return content[2:].decode("utf-16-le")


def unpacked(content):
    """The files of the page's own and of the bundle in a page, read by other code than that of the page."""
    [(attrs, text)] = Elements(read(content)).named("script", id="inside")
    stream = unmasked(text)
    whole = b""
    for packed, size, lc, lp, pb in json.loads(attrs["data-parts"]):
        decompressor = lzma.LZMADecompressor(
            lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": 1 << 26}]
        )
        whole += (part := decompressor.decompress(stream[:packed]))
        assert len(part) == size
        stream = stream[packed:]
    assert stream in (b"", b"\0")
    assert zlib.crc32(whole) == int(attrs["data-crc"])
    header, _, rest = whole.partition(b"\n")
    files = []
    for sizes in json.loads(header).values():
        files.append({})
        for name, size in sizes:
            files[-1][name], rest = rest[:size], rest[size:]
    assert rest == b""
    return files


def unmasked(text):
    """The bytes of units: each block of 200 of them stands after the first number of its mask."""
    found = b""
    for start in range(0, len(text), 201):
        mask, *block = map(ord, text[start : start + 201])
        for unit in block:
            mask = (1664525 * mask + 1013904223) % 2**32
            found += (unit ^ mask >> 16).to_bytes(2, "little")
    return found


def loader_of(content):
    [(_, letters)] = Elements(read(content)).named("script", id="loader")
    return letters.encode("utf-16-le").decode("ascii")


def hash_of(content):
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


@pytest.fixture(scope="module")
def made():
    return single_page(bundle(), CORE)


@pytest.mark.parametrize("task", SAMPLES)
def test_all_files_are_inside_as_they_are(task):
    inside, files = unpacked(single_page(bundle(task), CORE))
    assert files == bundle(task)
    assert inside["textapp.wasm"] == CORE
    assert inside.keys() == {"page.css", "page.js", "textapp.wasm"}


def test_the_policy_allows_what_is_inside_by_its_hash(made):
    [(attrs, _)] = Elements(read(made)).named("meta", **{"http-equiv": "Content-Security-Policy"})
    policy = dict(part.strip().split(" ", 1) for part in attrs["content"].split(";"))
    inside, _ = unpacked(made)
    [(_, boot)] = Elements(read(made)).named("script", **{})[-1:]
    scripts = {hash_of(boot.encode()), hash_of(loader_of(made).encode()), hash_of(inside["page.js"])}
    assert policy == {
        "default-src": "'none'",
        "script-src": policy["script-src"],
        "style-src": hash_of(inside["page.css"]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert set(policy["script-src"].split()) == scripts | {"'wasm-unsafe-eval'"}


def test_a_page_asks_for_nothing(made):
    for name, attrs, _ in Elements(read(made)).found:
        assert "src" not in attrs
        assert not attrs.get("href", "data:").removeprefix("data:image/svg+xml").startswith("http")
        assert name not in ("iframe", "object", "embed", "base", "form")


def test_nothing_of_a_bundle_can_become_html(made):
    attack = "</script><img src=x onerror=alert(1)><!--\N{LINE SEPARATOR}"
    files = bundle(**{"labels.txt": f"{attack}\n{attack}&lt;\n".encode(), f"{attack}.txt": attack.encode() * 9})
    attacked = single_page(files, CORE)
    assert unpacked(attacked)[1] == files
    assert "onerror" not in read(attacked)
    shape = [(name, sorted(attrs)) for name, attrs, _ in Elements(read(made)).found]
    assert [(name, sorted(attrs)) for name, attrs, _ in Elements(read(attacked)).found] == shape


def test_the_packed_parts_hold_only_units_that_html_keeps(made):
    for key in ("inside", "loader"):
        [(_, text)] = Elements(read(made)).named("script", id=key)
        assert len(text) > 1000
        assert min(map(ord, text)) >= 0x80
        assert not any(0xD800 <= ord(letter) < 0xE000 or 0xFDD0 <= ord(letter) <= 0xFDEF for letter in text)
        assert max(map(ord, text)) < 0xFFFE


def test_every_unit_is_kept():
    content = b"".join(unit.to_bytes(2, "little") for unit in range(1 << 16)) + b"x"
    assert unmasked(units(content)) == content + b"\0"
    assert units(b"") == ""


@pytest.mark.parametrize(
    "content",
    [random.Random(0).randbytes(40_000), b"\0" * 9_999, b"<\0" * 700, b"\0\xd8" * 700, b"\xfe\xff" * 700, b"x"],
)
def test_all_bytes_become_letters_that_html_keeps_and_hardly_grow(content):
    text = units(content)
    assert unmasked(text)[: len(content)] == content
    assert min(map(ord, text)) >= 0x80
    assert not any(0xD800 <= ord(letter) <= 0xDFFF or 0xFDD0 <= ord(letter) <= 0xFDEF for letter in text)
    assert max(map(ord, text)) < 0xFFFE
    assert len(text.encode("utf-16-le")) <= 1.006 * len(content) + 4


def test_the_same_bundle_gives_the_same_bytes(made):
    assert single_page(bundle(), CORE) == made


def test_the_data_section_is_a_part_of_its_own():
    assert sections(CORE) == [CORE[:-7], CORE[-7:]]
    assert sections(CORE[:-7]) == [CORE[:-7]]


def test_the_best_parameters_are_chosen():
    numbers = b"".join(number.to_bytes(4, "little") for number in random.Random(0).choices(range(9 << 16), k=3000))
    stream, (packed, size, *parameters) = smallest(numbers)
    assert (len(stream), len(numbers)) == (packed, size)
    assert tuple(parameters) in page._PARAMETERS
    assert parameters[1:] == [2, 1]  # numbers of four bytes


def test_modules_become_one_script():
    modules = {
        "a.js": "export const one = 1;\nconst two = 2;\nexport {two};\n",
        "b.js": "import {one, two} from '../a.js';\nexport async function three() {\n  return one + two;\n}\n",
    }
    assert joined(modules) == (
        "const module0 = (() => {\nconst one = 1;\nconst two = 2;\nreturn {one, two};\n})();\n"
        "const module1 = (() => {\nconst {one, two} = module0;\nasync function three() {\n  return one + two;\n}\n"
        "return {three};\n})();\n"
    )
    with pytest.raises(ValueError, match=r"a\.js: imports \./b\.js, which is no module before it"):
        joined({"a.js": "import {x} from './b.js';\n", "b.js": "export const x = 1;\n"})


def test_the_modules_are_those_of_the_folder(made):
    script = unpacked(made)[0]["page.js"].decode()
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert "innerHTML" not in script  # words of a bundle are text, never HTML
    on_disk = {path.name for path in (client_folder("web") / "page").glob("*.js")}
    assert on_disk == {*page._MODULES, "beside.js", "loader.js"} - {"model.js"}


def test_a_client_is_one_file_with_a_readme(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "check_wasm", lambda kinds: None)
    monkeypatch.setattr(page, "core_wasm", lambda kind: CORE)
    out = tmp_path / "стр"
    export(SAMPLES["tagger"], out, clients=["page"])
    assert {path.name for path in out.iterdir()} == {"page.html", "README.md", "textapp-export.json"}
    assert unpacked((out / "page.html").read_bytes())[1] == bundle("tagger")
    assert len((out / "README.md").read_text().splitlines()) <= 14
    assert str(tmp_path).encode("utf-16-le") not in (out / "page.html").read_bytes()
