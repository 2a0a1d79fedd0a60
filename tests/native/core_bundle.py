"""Whole bundles in the core, for tests: the functions of textapp.h in Python."""

import ctypes
import hashlib
import json
import shutil
from pathlib import Path

CODE_POINTS, UTF16, CONFIDENCE, DECISION = 1, 2, 4, 8


class File(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_char_p), ("size", ctypes.c_size_t))


class Options(ctypes.Structure):
    _fields_ = (
        ("allocate", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)),
        ("user", ctypes.c_void_p),
        ("features", ctypes.c_uint32),
        ("most_memory", ctypes.c_size_t),
    )


class Token(ctypes.Structure):
    _fields_ = (
        ("text", ctypes.POINTER(ctypes.c_char)),
        ("length", ctypes.c_size_t),
        ("start", ctypes.c_size_t),
        ("end", ctypes.c_size_t),
        ("weight", ctypes.c_float),
        ("tag", ctypes.c_int32),
        ("confidence", ctypes.c_double),
    )


class Span(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.POINTER(ctypes.c_char)),
        ("type_length", ctypes.c_size_t),
        ("start", ctypes.c_size_t),
        ("end", ctypes.c_size_t),
        ("confidence", ctypes.c_double),
    )


class Prediction(ctypes.Structure):
    _fields_ = (
        ("label", ctypes.c_int32),
        ("label_count", ctypes.c_size_t),
        ("probs", ctypes.POINTER(ctypes.c_double)),
        ("chosen", ctypes.POINTER(ctypes.c_uint8)),
        ("logits", ctypes.POINTER(ctypes.c_float)),
        ("token_count", ctypes.c_size_t),
        ("tokens", ctypes.POINTER(Token)),
        ("span_count", ctypes.c_size_t),
        ("spans", ctypes.POINTER(Span)),
        ("truncated", ctypes.c_int),
    )


class CoreError(Exception):
    """A call failed; `status` says how."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def bundle_files(folder):
    """Name -> content of the files of a folder."""
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def with_files(source, folder, changes=(), remove=(), fields=()):
    """Copies a bundle with other files and fields, and right hashes.

    Args:
        changes: Name -> content of new files.
        remove: Names of files to leave out.
        fields: Name -> value of fields of bundle.json; a name with the value None is set to null.
    """
    shutil.copytree(source, folder)
    for name in remove:
        (folder / name).unlink()
    for name, content in dict(changes).items():
        (folder / name).write_bytes(content)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8")) | dict(fields)
    description["sha256"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in bundle_files(folder).items()
        if name != "bundle.json"
    }
    (folder / "bundle.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


class Core:
    """A loaded bundle and one context."""

    def __init__(self, library, files, longest=4096, features=None, most_memory=0):
        self.library, self._kept = library, []
        self.message = ctypes.create_string_buffer(512)
        library.textapp_context_size.restype = ctypes.c_size_t
        library.textapp_context_init.restype = ctypes.c_void_p
        library.textapp_label_count.restype = ctypes.c_size_t
        library.textapp_logit_count.restype = ctypes.c_size_t
        library.textapp_label.restype = ctypes.c_char_p
        library.textapp_features.restype = ctypes.c_uint32
        rows = (File * len(files))(*(File(name.encode(), data, len(data)) for name, data in files.items()))
        self._kept += [files]
        features = library.textapp_features() if features is None else features
        self._options = Options(type(Options().allocate)(self._allocate), None, features, most_memory)
        self.model, self.allocated = ctypes.c_void_p(), 0
        self._check(
            library.textapp_load(
                rows, ctypes.c_size_t(len(rows)), ctypes.byref(self._options), ctypes.byref(self.model), self.message
            )
        )
        ctypes.memset(rows, 0, ctypes.sizeof(rows))  # only the bytes of the files must stay
        self.context_bytes = library.textapp_context_size(self.model, ctypes.c_size_t(longest))
        memory = self._allocate(None, self.context_bytes + 64)
        memory += -memory % 64
        self.context = ctypes.c_void_p(
            library.textapp_context_init(
                self.model, ctypes.c_void_p(memory), ctypes.c_size_t(self.context_bytes), ctypes.c_size_t(longest)
            )
        )
        self.labels = [
            library.textapp_label(self.model, ctypes.c_size_t(number)).decode()
            for number in range(library.textapp_label_count(self.model))
        ]
        self.logit_count = library.textapp_logit_count(self.model)

    def predict(self, content, flags=CODE_POINTS):
        """The prediction of a text in UTF-8, as values of Python."""
        found = ctypes.POINTER(Prediction)()
        length = ctypes.c_size_t(len(content))
        self._check(
            self.library.textapp_predict(self.context, content, length, flags, ctypes.byref(found), self.message)
        )
        return self._values(found.contents)

    def tag(self, tokens):
        """The tags and spans of tokens."""
        contents = [token.encode("utf-8", "surrogatepass") for token in tokens]
        rows = (ctypes.c_char_p * len(contents))(*contents)
        lengths = (ctypes.c_size_t * len(contents))(*map(len, contents))
        found = ctypes.POINTER(Prediction)()
        count = ctypes.c_size_t(len(contents))
        self._check(self.library.textapp_tag(self.context, rows, lengths, count, 0, ctypes.byref(found), self.message))
        return self._values(found.contents)

    def selftest(self):
        """Runs the bundle's own test."""
        self._check(self.library.textapp_selftest(self.context, self.message))

    def _values(self, found):
        probs = list(found.probs[: found.label_count]) if found.probs else None
        logits = self.logit_count * (1 if probs is not None else found.token_count)
        return {
            "label": found.label,
            "probs": probs,
            "chosen": list(found.chosen[: found.label_count]) if found.chosen else None,
            "logits": list(found.logits[:logits]) if found.logits else [],
            "tokens": [
                (token.text[: token.length], token.start, token.end, token.weight, token.tag, token.confidence)
                for token in found.tokens[: found.token_count]
            ],
            "spans": [
                (span.type[: span.type_length].decode(), span.start, span.end, span.confidence)
                for span in found.spans[: found.span_count]
            ],
            "truncated": bool(found.truncated),
        }

    def _check(self, status):
        if status:
            raise CoreError(status, self.message.value.decode())

    def _allocate(self, user, size):
        memory = ctypes.create_string_buffer(size + 16)
        self._kept.append(memory)
        self.allocated = getattr(self, "allocated", 0) + size
        address = ctypes.addressof(memory)
        return address + -address % 16
