"""Client web: what an app adds; `clients/check.py` runs it in Node. No compiler is needed here."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest

import textapp
from tests.export.clients.samples import SAMPLES
from textapp.errors import InputError
from textapp.export.clients import files, web
from textapp.export.clients.files import client_folder
from textapp.export.verb import export

WEB = client_folder("web")


@pytest.fixture
def build():
    """The module clients/web/build.py."""
    spec = importlib.util.spec_from_file_location("textapp_web_build", WEB / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exported(folder, monkeypatch, javascript):
    monkeypatch.setattr(web, "check_wasm", lambda kinds: None)
    monkeypatch.setattr(web, "core_wasm", lambda kind: kind.encode())
    monkeypatch.setattr(web, "core_javascript", lambda: javascript)
    export(SAMPLES["tagger"], folder, clients=["web"])
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def imports(module):
    """The modules that a module of JavaScript imports."""
    return set(re.findall(r"^(?:import|export) [^;]*?from '([^']+)'", module.decode(), re.MULTILINE))


def test_the_folder_has_the_cores_the_bundle_and_each_module_that_is_imported(tmp_path, monkeypatch):
    found = exported(tmp_path / "приложение", monkeypatch, b"// core")
    for kind in ("relaxed", "simd", "plain"):
        assert found[f"textapp-{kind}.wasm"] == kind.encode()
    assert found["textapp-wasm2js.js"] == b"// core"
    for path in SAMPLES["tagger"].iterdir():
        assert found[f"bundle/{path.name}"] == path.read_bytes()
    modules = {name: content for name, content in found.items() if name.endswith((".js", ".d.ts"))}
    assert {"textapp.js", "textapp.d.ts", "without-wasm.js", "page/page.js"} <= set(modules)
    for name, content in modules.items():
        for other in imports(content):
            path = (tmp_path / "приложение" / name).parent / other
            assert path.resolve().relative_to(tmp_path / "приложение").as_posix() in found, (name, other)
    assert "loader.js" not in {name.rpartition("/")[2] for name in found}  # of the single page


def test_without_wasm2js_the_folder_has_no_module_that_needs_it(tmp_path, monkeypatch):
    found = exported(tmp_path / "web", monkeypatch, None)
    assert not [name for name in found if "without-wasm" in name or "wasm2js" in name]
    assert "textapp.js" in found


def test_each_kind_of_core_is_one_of_the_build_and_one_that_the_module_looks_for(build):
    assert set(web.KINDS) == set(build.KINDS)
    module = (WEB / "textapp.js").read_text(encoding="utf-8")
    for kind in build.KINDS:
        assert f"'{build.file_name(kind)}'" in module
    assert f"'./{build.file_name(build.JAVASCRIPT)}'" in (WEB / "without-wasm.js").read_text(encoding="utf-8")


def test_without_a_compiler_the_message_says_how_to_get_one(tmp_path, build):
    environment = {"PATH": str(tmp_path)}
    command = [sys.executable, "-S", str(WEB / "build.py"), str(tmp_path / "out")]  # -S: without packages
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"no compiler for WebAssembly is here: install clang .* `pip install ziglang`\n", done.stderr)
    assert not (tmp_path / "out").exists()


def test_a_failure_of_the_build_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    if (files._COPIES / "web").is_dir():
        pytest.skip("this installation has the cores")
    with pytest.raises(InputError) as error:
        export(SAMPLES["tagger"], tmp_path / "web", clients=["web"])
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("clients page and web: ")
    assert "ziglang" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_package_has_the_version_of_textapp_and_no_dependency():
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == textapp.__version__
    assert not [key for key in package if "ependencies" in key]
