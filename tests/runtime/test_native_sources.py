"""The digest of the core's sources: what changes it, and what an installed package compares with."""

import pytest

from native import library
from textapp.runtime import native_sources


@pytest.fixture
def native(tmp_path):
    """Sources in a folder."""
    folder = tmp_path / "native"
    for name in ("src/model.c", "src/base.h", "include/textapp.h", "kernels.txt", "library.py", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n", encoding="ascii")
    return folder


def test_the_digest_is_that_of_the_compiled_files(native):
    before = native_sources.sources_digest(native)
    assert len(before) == 64
    (native / "README.md").write_text("other", encoding="ascii")
    assert native_sources.sources_digest(native) == before
    for name in ("src/model.c", "src/base.h", "include/textapp.h", "kernels.txt", "library.py"):
        content = (native / name).read_bytes()
        (native / name).write_bytes(content + b"\n")
        assert native_sources.sources_digest(native) != before, name
        (native / name).write_bytes(content)
    assert native_sources.sources_digest(native) == before
    (native / "src/model.c").rename(native / "src/other.c")
    assert native_sources.sources_digest(native) != before


def test_a_build_writes_the_digest_that_a_checkout_wants():
    assert native_sources.is_checkout()
    native_sources.wanted_digest.cache_clear()
    assert native_sources.wanted_digest() == library.sources_digest()
    assert "python native/library.py" in native_sources.way_on()


def test_an_installed_package_wants_the_digest_of_its_build(tmp_path, monkeypatch):
    monkeypatch.setattr(native_sources, "NATIVE", tmp_path / "native")
    monkeypatch.setattr(native_sources, "BUILT", tmp_path / "native_sources.txt")
    wanted = native_sources.wanted_digest.__wrapped__
    assert wanted() is None
    (tmp_path / "native_sources.txt").write_text("12ab\n", encoding="ascii")
    assert wanted() == "12ab"
    assert native_sources.way_on() == "install textapp again"
    assert native_sources.BUILT.name == library.DIGEST.rpartition("/")[2]


def test_no_elf_file_is_left_to_the_system(tmp_path):
    for content in (b"", b"MZ", b"\xcf\xfa\xed\xfe" * 20):
        (tmp_path / "library").write_bytes(content)
        assert not native_sources.is_cut(tmp_path / "library")
