"""The model file of a run, which is checked before Keras reads it: a small file must not take gigabytes of memory."""

import io
import math
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import keras

from textapp.data.limits import check_zip
from textapp.errors import InputError, quoted
from textapp.files import named_errors, parse_json

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"  # what Keras calls these members of the archive


def load_keras(path: Path) -> keras.Model:
    """Loads a model of any task, not compiled.

    Raises:
        InputError: The file is not a Keras model, or its layers or weights need more memory than it holds weights for.
    """
    with named_errors(path), path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise InputError(f"{path}: not a Keras model: the file was cut off, or has another format")
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(archive, path)
            weights = _count_weights(archive.read(_WEIGHTS), path)
            _check_layers(archive.read(_CONFIG), weights, path)
        return keras.models.load_model(path, compile=False)
    except InputError:
        raise
    except Exception as error:  # Keras, h5py and zipfile raise many classes of errors
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a Keras model, or a broken one ({reason[:200]})") from error


def _count_weights(content: bytes, path: Path) -> int:
    """The number of weights in the HDF5 file of a model.

    Keras stores the weights of each variable whole and not compressed. HDF5 could do otherwise: compress them, leave
    out what equals a fill value, let several names share them, or take them from another file.

    Raises:
        InputError: The file does not hold the bytes of all its weights.
    """
    datasets: list[h5py.Dataset] = []
    linked: list[str] = []

    def visit(name: str, found: object) -> None:
        if isinstance(found, h5py.Dataset):
            datasets.append(found)
            if found.external or found.is_virtual or found.dtype.hasobject:
                linked.append(name)

    def visit_link(name: str, link: object) -> None:
        if not isinstance(link, h5py.HardLink):
            linked.append(name)

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(visit)
        file.visititems_links(visit_link)
        if linked:
            raise InputError(
                f"{path}: its weights {quoted(linked[0])} are not in the file itself; save the model again"
            )
        if any(found.id.get_storage_size() < found.nbytes for found in datasets):
            raise InputError(f"{path}: its weights expand when they are read; Keras stores them whole: save it again")
        return sum(found.size or 0 for found in datasets)


def _check_layers(config: bytes, weights: int, path: Path) -> None:
    """Raises `InputError` if a model of this config has more weights than the file holds.

    The model is built without values: in a `StatelessScope` a variable has only a shape. Keras remembers such variables
    for its thread, and would give them values later. So the model is built in a thread that ends with it.
    """
    fields = parse_json(config, f"{path}: {_CONFIG}")

    def count() -> int:
        with keras.StatelessScope(initialize_variables=False):
            model = keras.saving.deserialize_keras_object(fields)
        return sum(math.prod(variable.shape) for variable in model.weights)

    with ThreadPoolExecutor(1) as thread:
        wanted = thread.submit(count).result()
    if wanted > weights:
        raise InputError(
            f"{path}: its layers have {wanted:,} weights, but the file holds {weights:,}; it was changed or cut off: "
            "copy the run again, or train it again"
        )
