"""Checks of runs and outputs before TensorFlow loads, which takes seconds; the work itself checks them again.

Each raises `InputError` with the message that the work would give.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from textapp.errors import InputError
from textapp.files import named_errors
from textapp.output_files import check_output, locked


def check_finished(run: Path) -> None:
    """Checks that a path is a finished run."""
    from textapp.training.run_folder import read_finished

    read_finished(run)


def check_teachers(paths: Iterable[Path]) -> None:
    """Checks that each path is a finished run, a bundle, or a file that may hold soft targets."""
    for path in paths:
        with named_errors(path):
            path.stat()
        if path.is_dir() and not (path / "bundle.json").exists():
            check_finished(path)


def check_run_place(out: Path, force: bool) -> None:
    """Checks that a folder holds neither a finished run, which only `force` replaces, nor something else than a run."""
    if not out.exists():
        return
    from textapp.training import run_folder

    if not (out / run_folder.CONFIG).exists():
        run_folder.check_folder(out, {}, force)  # nothing of the command counts where there is no run
    elif (out / run_folder.METRICS).exists() and not force:
        with locked(out):
            run_folder.check_folder(out, run_folder.read_command(out), force)


def check_bundle_place(out: Path, force: bool) -> None:
    """Checks that a folder is free for an export. With `force`, what may be replaced is known only after loading."""
    if force or not out.exists():
        return
    from textapp.export.clients.output import exported_files
    from textapp.output_files import check_folder_output

    check_folder_output(out, exported_files)


def check_vectors(out: Path, corpus: Sequence[Path], init: Path | None, force: bool) -> None:
    """Checks the files of a training of word vectors. One that was killed may have written its vectors already."""
    from textapp.training import run_folder
    from textapp.vectors.corpus import text_files
    from textapp.vectors.formats import format_of_name, holds_vectors

    if any(out.resolve() == path.resolve() for path in corpus):
        raise InputError(f"{out}: is read by this training; choose another --out")
    format_of_name(out)
    text_files(corpus)
    if init is not None:
        with named_errors(init):
            init.stat()
    folder = out.with_name(f"{out.name}.training")
    unfinished = (folder / run_folder.CONFIG).exists() and not (folder / run_folder.METRICS).exists()
    if not unfinished:
        check_output(out, holds_vectors if force else False)
