"""The files of the students of a search within a budget: which they are, and how they are deleted."""

from pathlib import Path

from textapp import output_files
from textapp.export.bundle import bundle_files
from textapp.output_files import delete_empty_folders, locked, outputs_in
from textapp.training import run_folder

STUDENTS, QUANTIZED, BUNDLES = "students", "quantized", "bundles"


def delete(folder: Path) -> None:
    """Deletes the students and bundles of an earlier search."""
    for path in _own_files(folder):
        path.unlink()
    for kind in (STUDENTS, QUANTIZED, BUNDLES):
        delete_empty_folders(folder / kind)


def _own_files(folder: Path) -> list[Path]:
    """The files of a search's students and bundles."""
    places = [path for kind in (STUDENTS, QUANTIZED) for path in outputs_in(folder / kind)]
    runs = [path for path in places if (path / run_folder.CONFIG).exists()]
    bundles = outputs_in(folder / BUNDLES)
    return [
        *(file for path in runs for file in run_folder.files_of_run(path)),
        *(bundle / name for bundle in bundles for name in bundle_files(bundle) if (bundle / name).is_file()),
    ]


def foreign_files(folder: Path) -> list[Path]:
    """The files in the folders of a search's students and bundles that the search did not write."""
    below = (path for kind in (STUDENTS, QUANTIZED, BUNDLES) for path in (folder / kind).rglob("*"))
    return sorted({path for path in below if path.is_symlink() or not path.is_dir()} - {*_own_files(folder)})


def clear_abandoned(folder: Path) -> None:
    """Deletes what killed processes left at the places of a search's students and bundles, also of finished ones."""
    for kind in (STUDENTS, QUANTIZED):
        for path in outputs_in(folder / kind):
            with locked(path):
                run_folder.clear_abandoned(path)
    for path in outputs_in(folder / BUNDLES):
        output_files.clear_abandoned(path, bundle_files)
