"""The shared library of the core in C: where it is, its structures and functions, and the kernels that may be used."""

import ctypes
import functools
import os
import sys
from pathlib import Path
from typing import Any

from textapp.errors import InputError, excerpt
from textapp.runtime import native_sources

ABI = 1
"""The version of the functions and structures below; see TEXTAPP_ABI in textapp.h."""

LIBRARY = "TEXTAPP_LIBRARY"
"""The environment variable that names another library than that of the package, such as one that checks addresses. The
path of no file means that there is no library."""

_NAMES = {"darwin": "libtextapp.dylib", "win32": "textapp.dll"}
_NEON_DOT = 1 << 9
_AT_HWCAP, _HWCAP_ASIMDDP = 16, 1 << 20  # of Linux on AArch64


class UnsupportedError(InputError):
    """The core cannot run a bundle, or is not there; LiteRT may run it."""


class BrokenLibraryError(UnsupportedError):
    """The library is there, but cannot be used."""


class Message(ctypes.Structure):
    """The message of an error: UTF-8, ends with 0."""

    _fields_ = (("text", ctypes.c_char * 512),)


class File(ctypes.Structure):
    """A file of a bundle."""

    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_char_p), ("size", ctypes.c_size_t))


Allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Options(ctypes.Structure):
    """What a bundle may use: memory, kernels, bytes in all."""

    _fields_ = (
        ("allocate", Allocate),
        ("user", ctypes.c_void_p),
        ("features", ctypes.c_uint32),
        ("most_memory", ctypes.c_size_t),
    )


class Input(ctypes.Structure):
    """An input of the model: its name, its ids a token, and the number of ids that it knows."""

    _fields_ = (("name", ctypes.c_char_p), ("width", ctypes.c_size_t), ("entries", ctypes.c_int32))


class Prediction(ctypes.Structure):
    """What the core found in a text: labels, or tokens with their tags and spans."""

    _fields_ = (
        ("label", ctypes.c_int32),
        ("label_count", ctypes.c_size_t),
        ("probs", ctypes.POINTER(ctypes.c_double)),
        ("chosen", ctypes.POINTER(ctypes.c_uint8)),
        ("logits", ctypes.POINTER(ctypes.c_float)),
        ("token_count", ctypes.c_size_t),
        ("tokens", ctypes.c_void_p),
        ("span_count", ctypes.c_size_t),
        ("spans", ctypes.c_void_p),
        ("truncated", ctypes.c_int),
    )


def library_path() -> Path:
    """Where the library is: that of the package, unless the variable `LIBRARY` names another."""
    name = _NAMES.get(sys.platform, "libtextapp.so")
    return Path(os.environ.get(LIBRARY) or Path(__file__).with_name(name))


def library() -> Any:
    """The library.

    Raises:
        UnsupportedError: It is missing.
        BrokenLibraryError: It is broken, of another version, or, unless the variable names it, built from other sources
            than those of this package.
    """
    is_named = bool(os.environ.get(LIBRARY))
    return _opened(library_path(), None if is_named else native_sources.wanted_digest())


@functools.cache
def _opened(path: Path, sources: str | None) -> Any:
    """The library of a file, with the types of its functions. `sources` is the digest that it must have, or None."""
    if not path.exists():
        raise UnsupportedError(f"{path}: missing; this package was built without its core in C")
    way_on = native_sources.way_on()
    if native_sources.is_cut(path):
        raise BrokenLibraryError(f"{path}: is no library of textapp: its end is missing; {way_on}")
    try:
        core = ctypes.CDLL(os.fspath(path))
        found = core.textapp_abi()
    except (OSError, AttributeError) as error:
        raise BrokenLibraryError(f"{path}: is no library of textapp: {excerpt(str(error))}; {way_on}") from error
    if found != ABI:
        raise BrokenLibraryError(f"{path}: is of version {found}, but this package needs {ABI}; {way_on}")
    size, pointer, code = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    out, message = ctypes.POINTER(ctypes.POINTER(Prediction)), ctypes.POINTER(Message)
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "sources": (ctypes.c_char_p, ()),
        "features": (ctypes.c_uint32, ()),
        "load": (code, (ctypes.POINTER(File), size, ctypes.POINTER(Options), ctypes.POINTER(pointer), message)),
        "label_count": (size, (pointer,)),
        "label": (ctypes.c_char_p, (pointer, size)),
        "context_size": (size, (pointer, size)),
        "batch_size": (size, (pointer, size)),
        "context_init": (pointer, (pointer, pointer, size, size)),
        "predict": (code, (pointer, ctypes.c_char_p, size, ctypes.c_uint32, out, message)),
        "tag": (code, (pointer, pointer, pointer, size, ctypes.c_uint32, out, message)),
        "longest": (size, (pointer,)),
        "input_count": (size, (pointer,)),
        "model_input": (ctypes.POINTER(Input), (pointer, size)),
        "has_attention": (code, (pointer,)),
        "run": (code, (pointer, pointer, size, pointer, pointer, message)),
        "probabilities": (
            code,
            (pointer, ctypes.c_char_p, pointer, size, pointer, pointer, pointer, ctypes.POINTER(size), message),
        ),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(core, f"textapp_{name}", None)
        if function is None:
            raise BrokenLibraryError(f"{path}: lacks the function textapp_{name}; {way_on}")
        function.restype, function.argtypes = result, arguments
    if sources is not None and core.textapp_sources() != sources.encode():
        raise BrokenLibraryError(f"{path}: was built from other sources than this package has; {way_on}")
    return core


def usable_features(built: int) -> int:
    """The kernels that this processor runs, of those in the library.

    On x86 the library asks the processor. On ARM a program cannot: the system knows whether there is a dot product.
    """
    if built & _NEON_DOT and sys.platform != "darwin":  # each of Apple's has it
        capabilities = getattr(ctypes.CDLL(None), "getauxval", None) if os.name == "posix" else None
        if capabilities is not None:
            capabilities.restype, capabilities.argtypes = ctypes.c_ulong, (ctypes.c_ulong,)
        if capabilities is None or not capabilities(_AT_HWCAP) & _HWCAP_ASIMDDP:
            return built & ~_NEON_DOT
    return built
