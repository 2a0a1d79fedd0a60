"""Class folders on disk and in tar archives."""

import errno
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from textapp.data.readers import read_examples
from textapp.errors import InputError

REVIEWS = {
    "corpus/train/neg/0_1.txt": "Très mauvais.<br /><br />Évitez !",
    "corpus/train/pos/0_9.txt": "很好看",
    "corpus/test/neg/0_2.txt": "Schade ums Geld – öde",
    "corpus/test/pos/0_8.txt": "¡Excelente!",
}
STRAY = {
    "corpus/README": "über",
    "corpus/notes.md": "über",
    "corpus/train/urls_pos.txt": "https://example.org/é",
    "corpus/train/unsup/0_0.txt": "ungelabelt",
    "corpus/train/pos/._0_9.txt": "Müll",
    "corpus/train/pos/picture.png": "Müll",
}


def folders(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root / "corpus"


def archive(path: Path, files: dict[str, str | bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            for kind, prefix in ((tarfile.SYMTYPE, "s"), (tarfile.LNKTYPE, "h")):
                member = tarfile.TarInfo(name.replace(".txt", f"{prefix}.txt"))
                member.type, member.linkname = kind, target
                tar.addfile(member)
    return path


def error_of(path: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        read_examples(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("kind", ["folders", "a.tar", "a.tar.gz", "a.tgz"])
def test_subsets_are_read_apart(tmp_path, kind):
    files = REVIEWS | STRAY
    path = folders(tmp_path, files) if kind == "folders" else archive(tmp_path / kind, files)
    train = read_examples(f"{path}#train")
    assert sorted(zip(train.texts, train.labels, strict=True)) == [
        ("Très mauvais.  Évitez !", "neg"),
        ("很好看", "pos"),
    ]
    test = read_examples(path, subset="test")
    assert dict(zip(test.labels, test.texts, strict=True)) == {"neg": "Schade ums Geld – öde", "pos": "¡Excelente!"}
    assert test.source == f"{path}#test"
    assert test.location(0).startswith(f"{path}#test: ")
    assert test.location(0).endswith("test/neg/0_2.txt")


def test_a_subset_on_disk_can_be_given_as_the_folder_itself(tmp_path):
    root = folders(tmp_path, REVIEWS | STRAY)
    assert read_examples(root / "train").texts == read_examples(f"{root}#train").texts


def test_a_folder_that_is_really_called_so_wins_over_a_subset(tmp_path):
    folders(tmp_path, {"a#train/pos/ö.txt": "schön", "a#train/neg/ö.txt": "öde"})
    assert read_examples(tmp_path / "a#train").labels == ["neg", "pos"]


@pytest.mark.parametrize("kind", ["folders", "a.tar"])
def test_two_sets_of_class_folders_are_never_mixed(tmp_path, kind):
    path = folders(tmp_path, REVIEWS) if kind == "folders" else archive(tmp_path / kind, REVIEWS)
    message = error_of(path)
    assert "all class folders must be in one folder" in message
    assert message.endswith(f"choose a subset, as in {path}#test") or message.endswith(f"as in {path}#train")


@pytest.mark.parametrize("kind", ["folders", "a.tar"])
def test_no_class_folders_is_an_error(tmp_path, kind):
    files = {"corpus/ä.md": "à"}
    path = folders(tmp_path, files) if kind == "folders" else archive(tmp_path / kind, files)
    assert error_of(path) == f"{path}: no class folders; texts must be files LABEL/NAME.txt"
    assert (
        error_of(f"{path}#train") == f"{path}: no class folders in a folder 'train'; texts must be files LABEL/NAME.txt"
    )


@pytest.mark.parametrize("kind", ["folders", "a.tar"])
def test_an_empty_text_is_counted(tmp_path, kind):
    files = {"corpus/pos/1.txt": "très bien", "corpus/neg/1.txt": "<br/>\n"}
    path = folders(tmp_path, files) if kind == "folders" else archive(tmp_path / kind, files)
    examples = read_examples(path)
    assert (examples.texts, examples.empty) == (["très bien"], 1)


def test_links_in_an_archive_are_refused_where_they_would_be_texts(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("geheim: süß", encoding="utf-8")
    path = archive(tmp_path / "a.tar", {"a/pos/1.txt": "bien sûr"}, links={"a/pos/2.txt": str(secret)})
    assert (
        error_of(path)
        == f"{path}/a/pos/2s.txt: a link, a device or a sparse file; the archive must hold the text itself"
    )
    path = archive(tmp_path / "b.tar", {"a/pos/1.txt": "bien sûr"}, links={"README.md": str(secret)})
    assert read_examples(path).texts == ["bien sûr"]


@pytest.mark.parametrize("name", ["../../pos/ü.txt", "/pos/ü.txt", "a/../../pos/ü.txt"])
def test_an_archive_with_a_path_that_escapes_is_refused_and_nothing_is_written(tmp_path, monkeypatch, name):
    inside = tmp_path / "in" / "side"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    path = archive(tmp_path / "a.tar", {"a/neg/1.txt": "nö", name: "böse"})
    before = sorted(tmp_path.rglob("*"))
    assert "must not point out of it" in error_of(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_broken_utf8_names_the_file_in_the_archive(tmp_path):
    path = archive(tmp_path / "a.tar.gz", {"a/pos/1.txt": "é", "a/neg/2.txt": "é\n".encode() + b"\xe9t\xe9"})
    place = f"{path}/a/neg/2.txt:2: byte 1 of the line is not UTF-8; files must be UTF-8"
    assert error_of(path) == f"{place}; convert it: iconv -f latin1 -t utf-8 FILE > NEW"


def test_an_archive_that_is_cut_off_anywhere_is_an_error(tmp_path):
    whole = archive(tmp_path / "whole.tar", REVIEWS).read_bytes()
    path = tmp_path / "cut.tar"
    ends = 2 * 512 * len(REVIEWS)  # a header and one block of text each, then blocks of zeros
    for size in range(0, ends + 1, 256):
        path.write_bytes(whole[:size])
        assert error_of(f"{path}#train").startswith(f"{path}: ")
    path.write_bytes(whole)
    assert len(read_examples(f"{path}#train")) == 2


@pytest.mark.parametrize("cut", [-4, -9, 100])
def test_a_truncated_gzip_archive_is_an_error(tmp_path, cut):
    whole = archive(tmp_path / "whole.tar.gz", REVIEWS).read_bytes()
    path = tmp_path / "cut.tar.gz"
    path.write_bytes(whole[:cut])
    assert "cut off or damaged" in error_of(f"{path}#train")


def test_a_foreign_file_is_no_archive(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress("naïve Zeilen\n".encode() * 1000))
    assert error_of(path).startswith(f"{path}: not a tar archive")


def test_a_folder_without_permission_is_an_error(tmp_path, monkeypatch):
    root = folders(tmp_path, {"corpus/neg/é.txt": "è", "corpus/pos/é.txt": "à"})
    scandir = os.scandir

    def refuse_neg(path: str) -> object:
        if path == str(root / "neg"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    # A test that runs as root cannot take permissions away.
    monkeypatch.setattr(os, "scandir", refuse_neg)
    assert error_of(root) == f"{root / 'neg'}: Permission denied"
