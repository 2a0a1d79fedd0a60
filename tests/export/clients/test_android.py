"""Client android: what an export writes. `python clients/check.py android` compiles and runs it."""

import re
import shutil

import pytest

from native.tools.amalgamate import amalgamation
from tests.export.clients.samples import SAMPLES
from textapp.export.clients import android
from textapp.export.clients.files import client_folder
from textapp.export.verb import export

MAIN = "textapp/src/main"
ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")


@pytest.fixture
def without_clang(monkeypatch, tmp_path):
    """A machine without clang."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.parametrize("task", SAMPLES)
def test_the_library_holds_the_bundle_and_the_core(without_clang, tmp_path, task):
    out = tmp_path / "приложение"
    export(SAMPLES[task], out, clients=["android"])
    written = {path.name: path.read_bytes() for path in (out / MAIN / "assets/textapp").iterdir()}
    assert written == {path.name: path.read_bytes() for path in SAMPLES[task].iterdir()}
    assert (out / MAIN / "cpp/textapp.c").read_text(encoding="utf-8") == amalgamation()
    for name in ("textapp.h", "textapp_jni.c", "CMakeLists.txt"):
        assert (out / MAIN / "cpp" / name).is_file()
    settings = (out / "settings.gradle.kts").read_text()
    for module in re.findall(r'":(\w+)"', settings):
        assert (out / module / "build.gradle.kts").is_file()
    names = {path.name for path in out.iterdir()}
    assert names >= {"README.md", "build.gradle.kts", "textapp", "sample"}
    assert not names & {"build.py", "tests", "freestanding", "EXPORTED.md", "node_modules"}


def test_without_clang_the_ndk_compiles_the_core(without_clang, tmp_path):
    out = tmp_path / "out"
    export(SAMPLES["classifier"], out, clients=["android"])
    assert not (out / MAIN / "jniLibs").exists()
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert "with the NDK" in readme
    assert "there is no clang" in readme
    assert str(tmp_path) not in readme


def test_a_compiler_that_fails_leaves_no_library(without_clang, tmp_path):
    clang = tmp_path / "bin/clang"
    clang.write_text(
        '#!/bin/sh\ncase "$*" in\n--version) echo clang version 19.1.0;;\n-print*) echo /bin/ld.lld;;\n'
        "*) echo /secret/place: error: no such target; exit 1;;\nesac\n"
    )
    clang.chmod(0o755)
    out = tmp_path / "out"
    export(SAMPLES["classifier"], out, clients=["android"])
    assert not (out / MAIN / "jniLibs").exists()
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert "-linux-android" in readme
    assert "/secret" not in readme


@pytest.mark.parametrize(("version", "reason"), [("14.0.6", "clang is older than 16"), ("19.1.0", "has no ld.lld")])
def test_an_old_clang_and_one_without_lld_are_not_used(without_clang, tmp_path, version, reason):
    clang = tmp_path / "bin/clang"
    clang.write_text(f'#!/bin/sh\ncase "$*" in\n--version) echo clang version {version};;\n*) echo ld.lld;;\nesac\n')
    clang.chmod(0o755)
    export(SAMPLES["classifier"], tmp_path / "out", clients=["android"])
    assert reason in (tmp_path / "out/README.md").read_text(encoding="utf-8")


def test_the_libraries_of_a_wheel_are_taken(without_clang, tmp_path, monkeypatch):
    folder = tmp_path / "installed"
    shutil.copytree(client_folder("android"), folder, ignore=shutil.ignore_patterns("node_modules", "tests"))
    for abi in ABIS:
        (folder / "jniLibs" / abi).mkdir(parents=True)
        (folder / "jniLibs" / abi / "libtextapp.so").write_text(abi)
    monkeypatch.setattr(android, "client_folder", lambda name: folder)
    out = tmp_path / "out"
    export(SAMPLES["classifier"], out, clients=["android"])
    for abi in ABIS:
        assert (out / MAIN / "jniLibs" / abi / "libtextapp.so").read_text() == abi
    assert "are compiled for" in (out / "README.md").read_text(encoding="utf-8")


def test_kotlin_and_c_have_the_same_functions():
    main = client_folder("android") / MAIN
    kotlin = (main / "kotlin/textapp/Core.kt").read_text(encoding="utf-8")
    native = (main / "cpp/textapp_jni.c").read_text(encoding="utf-8")
    functions = re.findall(r"Java_textapp_Core_(\w+)\(", native)
    assert sorted(functions) == sorted(re.findall(r"external fun (\w+)\(", kotlin))
    assert len(functions) == len(set(functions)) == 8
