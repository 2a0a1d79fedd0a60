"""Clients rust, ios and flutter: what they write. `make test-clients` compiles and runs them."""

import re

import pytest

from tests.export.clients.samples import SAMPLES
from textapp.export.clients.files import amalgamation
from textapp.export.verb import export

CORES = {"rust": "core", "ios": "Sources/CTextapp", "flutter": "src"}
BUNDLES = {"rust": "bundle", "ios": "Sources/Textapp/bundle", "flutter": "assets/bundle"}
DECLARED = {"rust": "src/ffi.rs", "flutter": "lib/textapp.dart"}


@pytest.fixture(scope="module", params=CORES)
def written(request, tmp_path_factory):
    """The name of a client, and its folder."""
    out = tmp_path_factory.mktemp("приложение") / request.param
    export(SAMPLES["tagger"], out, clients=[request.param])
    return request.param, out


def test_the_core_and_the_bundle_are_in_it(written):
    name, out = written
    code, header = amalgamation()
    core = out / CORES[name]
    assert (core / "textapp.c").read_text(encoding="utf-8") == code
    [found] = core.rglob("textapp.h")
    assert found.read_text(encoding="utf-8") == header
    for path in SAMPLES["tagger"].iterdir():
        assert (out / BUNDLES[name] / path.name).read_bytes() == path.read_bytes()


def test_no_tests_and_nothing_built_is_in_it(written):
    _, out = written
    assert not {"tests", "target", "build", ".build", "Cargo.lock"} & {path.name for path in out.rglob("*")}


@pytest.mark.parametrize("name", DECLARED)
def test_the_functions_that_it_declares_are_those_of_the_headers(name, tmp_path):
    out = tmp_path / name
    export(SAMPLES["tagger"], out, clients=[name])
    headers = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.h"))
    functions = set(re.findall(r"\b(textapp_\w+)\(", headers))
    declared = set(re.findall(r"(?:fn |')(textapp_\w+)", (out / DECLARED[name]).read_text(encoding="utf-8")))
    assert len(declared) > 8
    assert declared <= functions
