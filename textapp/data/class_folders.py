"""Readers of class folders, on disk or in a tar archive. The folder of a text file is its label.

    aclImdb/train/pos/1_9.txt      aclImdb/train is a subset, pos a label

Each reader yields `(name, text, label)`; `name` is the path of the file in the folder or in the archive. Only `*.txt`
files count. Hidden files are left out, and so is `unsup`, the folder of IMDb's unlabelled reviews.
"""

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from textapp.data.limits import max_text, text_too_long
from textapp.data.lines import open_stream, read_whole
from textapp.errors import InputError, excerpt, quoted
from textapp.files import named_errors

Row = tuple[str, str, str]

_UNLABELLED = "unsup"
_TAR_BLOCK = 512
_HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_MAX_HEADER = 1 << 20  # bytes; a header holds names of at most some thousand bytes


def read_folders(path: str | os.PathLike[str], subset: str | None) -> Iterator[Row]:
    """Yields the rows of class folders on disk, in the order of their names. It does not follow links to folders.

    Args:
        path: The folder that holds the class folders, or the folders of subsets above them.
        subset: Name of the folder (`train`, or `aclImdb/train`) that directly holds the class folders to read. It is
            needed if there are several.

    Raises:
        InputError: There are no class folders, or they are in several folders; or a file cannot be read.
    """
    root = Path(path)
    classes = _ClassFolders(path, subset)
    with named_errors(path):
        for folder, subfolders, files in os.walk(root, onerror=_raise):
            subfolders.sort()
            for file in sorted(files):
                name = (Path(folder) / file).relative_to(root).as_posix()
                label = classes.label_of(name)
                if label is not None:
                    with (root / name).open("rb") as text:
                        yield name, read_whole(text, os.fspath(root / name)), label
    classes.check_found()


def read_tar(path: str | os.PathLike[str], subset: str | None) -> Iterator[Row]:
    """Yields the rows of class folders in a tar archive (`.tar`, `.tar.gz`), in the archive's order.

    It reads the archive once from front to back, in memory, and unpacks nothing to the disk: names in the archive are
    only labels and parts of messages. Links among the texts are an error. Arguments and errors as for `read_folders`.
    """
    classes = _ClassFolders(path, subset)
    for name, text in _tar_texts(path, lambda name: classes.label_of(name) is not None):
        yield name, text, classes.label_of(name) or ""
    classes.check_found()


def read_unlabelled_tar(path: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yields name and text of each `*.txt` file in a tar archive, such as IMDb's unlabelled reviews."""
    return _tar_texts(path, lambda name: PurePosixPath(name).suffix == ".txt")


def _tar_texts(path: str | os.PathLike[str], wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yields name and text of the wanted files of an archive, in its order."""
    with open_stream(path) as stream:
        archive = _WatchedStream(stream)
        try:
            with tarfile.open(fileobj=archive, mode="r|", tarinfo=_Member) as members:  # type: ignore[call-overload]
                for member in members:
                    if member.isdir() or not wanted(member.name):
                        continue
                    place = f"{path}/{excerpt(member.name)}"
                    content = members.extractfile(member) if member.isreg() and not member.issparse() else None
                    if content is None:
                        raise InputError(
                            f"{place}: a link, a device or a sparse file; the archive must hold the text itself"
                        )
                    if member.size > max_text():
                        raise text_too_long(place, "the text")
                    yield member.name, read_whole(content, place)
        except InputError:
            raise
        # tarfile converts the numbers of extended headers without a check: a ValueError.
        except (tarfile.TarError, ValueError) as error:
            why = excerpt(str(error))
            raise InputError(f"{path}: not a tar archive, or a damaged one: {why}") from error
        # tarfile does not notice that an archive is cut off between two members.
        archive.drain()
        if not archive.ends_properly():
            raise InputError(f"{path}: the tar archive is cut off; fetch the file again")


def _raise(error: OSError) -> None:
    """Makes `os.walk` stop at a folder that it cannot read. By default it skips the folder."""
    raise error


class _ClassFolders:
    """Finds the label in the path of a file, and checks that all class folders are in one folder."""

    def __init__(self, path: str | os.PathLike[str], subset: str | None) -> None:
        self._path = path
        self._subset = None if subset is None else PurePosixPath(subset).parts
        self._parent: PurePosixPath | None = None

    def label_of(self, name: str) -> str | None:
        """Returns the label of a file, or None if the file is not a labelled text of the subset."""
        file = PurePosixPath(name)
        if file.suffix != ".txt" or any(part.startswith(".") and part != ".." for part in file.parts):
            return None
        if file.is_absolute() or ".." in file.parts:
            raise InputError(f"{self._path}: a path in the archive must not point out of it. Received: {quoted(name)}")
        label, parent = file.parent.name, file.parent.parent
        if label in ("", _UNLABELLED):
            return None
        if self._subset is not None and parent.parts[-len(self._subset) :] != self._subset:
            return None
        if self._parent is None:
            self._parent = parent
        if parent != self._parent:
            deeper = max(parent, self._parent, key=lambda folder: len(folder.parts))
            raise InputError(
                f"{self._path}: all class folders must be in one folder. "
                f"Found: {quoted(str(self._parent))} and {quoted(str(parent))}; "
                f"choose a subset, as in {self._path}#{excerpt(deeper.name)}"
            )
        return label

    def check_found(self) -> None:
        """Checks, at the end, that there was a text."""
        if self._parent is None:
            where = "" if self._subset is None else f" in a folder {quoted(str(PurePosixPath(*self._subset)))}"
            raise InputError(f"{self._path}: no class folders{where}; texts must be files LABEL/NAME.txt")


class _Member(tarfile.TarInfo):
    """A member, or a header that describes the next one, which tarfile holds in memory whatever its size."""

    @classmethod
    def frombuf(cls, *arguments: Any, **options: Any) -> "_Member":
        """Parses a header."""
        member = super().frombuf(*arguments, **options)
        if member.type in _HEADERS and member.size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes, more than {_MAX_HEADER:,}")
        return member


class _WatchedStream:
    """Passes a stream to tarfile, and remembers its last block, to find out whether the archive is complete."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._size = 0
        self._tail = b""

    def read(self, size: int) -> bytes:
        """Reads at most `size` bytes of the stream."""
        content = self._stream.read(size)
        self._size += len(content)
        self._tail = (self._tail + content)[-_TAR_BLOCK:]
        return content

    def drain(self) -> None:
        """Reads to the end, so that gzip compares its checksum."""
        while self.read(1 << 20):
            pass

    def ends_properly(self) -> bool:
        """Whether the stream ended in a block of zeros, as every tar archive does."""
        return self._size % _TAR_BLOCK == 0 and self._tail == bytes(_TAR_BLOCK)
