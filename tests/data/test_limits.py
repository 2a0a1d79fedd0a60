"""Small files that would fill the memory are refused in one line."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest

from textapp.data import limits
from textapp.data.readers import read_examples
from textapp.data.unlabelled import unlabelled_texts
from textapp.errors import InputError
from textapp.vectors.corpus import read_blocks
from textapp.vectors.formats import read_vectors

TEXT = "TEXTAPP_MAX_TEXT"
EXPANSION = "TEXTAPP_MAX_EXPANSION"


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Texts of 1,000 bytes, and compressed data of a mebibyte however well they compress."""
    monkeypatch.setenv(TEXT, "1000")
    monkeypatch.delenv(EXPANSION, raising=False)
    monkeypatch.setattr(limits, "FREE_BYTES", 1 << 20)


def error_of(read, path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    return str(caught.value).removeprefix(f"{path}")


def write(path, content: bytes):
    path.write_bytes(gzip.compress(content, 1) if path.suffix in (".gz", ".tgz") else content)
    return path


def tar(*members: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in members:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return content.getvalue()


def sparse_member(name: str, size: int) -> bytes:
    """A member of GNU's sparse format that has one block in the archive and claims `size` bytes."""
    member = tarfile.TarInfo(name)
    member.size = 512
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"x" * 512


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"text\tlabel\n" + b"a" * 1000 + b"\t1\n", ":2: the line has more than 1,000 bytes"),
        ("a.csv", b'text,label\n"' + b"a,b\n" * 300, ":2: the record that starts here has more than 1,000 bytes"),
        ("a.tar", tar(("pos/1.txt", b"a" * 1001)), "/pos/1.txt: the text has more than 1,000 bytes"),
    ],
)
def test_a_long_text_is_refused(tmp_path, monkeypatch, suffix, name, content, message):
    path = write(tmp_path / (name + suffix), content)
    assert error_of(read_examples, path) == (f"{message}; a larger limit is set by the environment variable {TEXT}")
    if not name.endswith(".csv"):  # whose quotation mark stays open
        monkeypatch.setenv(TEXT, "2000")
        assert len(read_examples(path)) == 1


def test_a_long_file_of_a_class_folder_is_refused(tmp_path):
    for label, size in (("pos", 1000), ("neg", 1001)):
        (tmp_path / label).mkdir()
        write(tmp_path / label / "1.txt", b"a" * size)
    assert error_of(read_examples, tmp_path).startswith("/neg/1.txt: the text has more than 1,000 bytes")


def test_a_member_that_is_larger_than_it_claims_is_refused_before_it_is_read(tmp_path):
    whole = tar(("d/neg/1.txt", b"bad"))
    path = write(tmp_path / "a.tar", sparse_member("d/pos/9.txt", 1 << 40) + whole)
    assert error_of(read_examples, path).startswith("/d/pos/9.txt: a link, a device or a sparse file")


def test_an_extended_header_of_megabytes_is_refused(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("pos/1.txt")
        member.pax_headers = {"comment": "x" * (1 << 20)}
        archive.addfile(member)
    message = error_of(read_examples, write(tmp_path / "a.tar", content.getvalue()))
    assert message.startswith(": not a tar archive, or a damaged one: a header of 1,048,")


def test_numbers_of_a_header_that_are_no_numbers_are_refused(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("pos/1.txt")
        member.pax_headers = {"GNU.sparse.size": "many", "GNU.sparse.map": "0,1"}
        archive.addfile(member)
    message = error_of(read_examples, write(tmp_path / "a.tar", content.getvalue()))
    assert message.startswith(": not a tar archive, or a damaged one: invalid literal for int()")


@pytest.mark.parametrize(
    ("read", "name", "content"),
    [
        (read_examples, "a.tsv.gz", b"text\tlabel\n" + b"aaaa bbbb\t1\n" * 150_000),
        (read_examples, "a.txt.gz", b"\n" * 2_000_000),
        (read_examples, "a.tgz", tar(("pos/1.txt", b"a"), ("film.bin", bytes(2_000_000)))),
        (read_examples, "b.tgz", tar(("pos/1.txt", b"a")) + bytes(2_000_000)),
        (lambda path: list(unlabelled_texts(path)), "a.gz", b"gut\n" * 500_000),
        (lambda path: list(read_blocks(path)), "a.gz", b"gut " * 500_000),
        (read_vectors, "a.vec.gz", b"9 2\n" + b"\n" * 2_000_000),
        (read_vectors, "a.bin.gz", b"500000 1\n" + b"a \0\0\x80?" * 500_000),
        (read_vectors, "a.npz.gz", b"PK\x03\x04" + bytes(2_000_000)),
    ],
)
def test_data_that_expand_a_lot_are_refused(tmp_path, monkeypatch, read, name, content):
    path = write(tmp_path / name, content)
    assert error_of(read, path) == (
        ": its compressed data expand more than 100 times, to over 1,048,576 bytes; a larger limit is set by the "
        f"environment variable {EXPANSION}"
    )
    monkeypatch.setenv(EXPANSION, "10000")
    if read is read_examples and name == "a.tsv.gz":
        assert len(read(path)) == 150_000


def test_text_that_compresses_as_text_does_is_read(tmp_path):
    """Random letters compress about 1.6 times."""
    letters = np.random.default_rng(0).integers(97, 123, 3_000_000).astype(np.uint8)
    letters[::80] = ord("\n")
    assert sum(map(len, read_blocks(write(tmp_path / "a.gz", letters.tobytes())))) == 3_000_000


def npz(path, method=zipfile.ZIP_DEFLATED, rows=300_000):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, array in (("words", np.frombuffer(b"a\nb", np.uint8)), ("vectors", np.zeros((rows, 1), "f4"))):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    return path


def test_an_archive_that_expands_a_lot_is_refused(tmp_path):
    assert error_of(read_vectors, npz(tmp_path / "a.npz")).startswith(": its compressed data expand more than 100")
    message = error_of(read_vectors, npz(tmp_path / "b.npz", zipfile.ZIP_LZMA, 2))
    assert message.startswith(": the member 'words.npy' is compressed by a method that is not supported")
    assert len(read_vectors(npz(tmp_path / "c.npz", rows=2))) == 2


@pytest.mark.parametrize("value", ["0", "-1", "1e6", "64MB", "９", "9" * 5000])
def test_a_limit_must_be_a_number(tmp_path, monkeypatch, value):
    monkeypatch.setenv(TEXT, value)
    path = write(tmp_path / "a.tsv", b"text\tlabel\na\t1\n")
    message = error_of(read_examples, path)
    assert message.startswith(f"environment variable {TEXT}: must be a positive whole number. Received: ")
    assert len(message) < 300
