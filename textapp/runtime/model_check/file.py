"""Reads a TFLite file that nobody vouches for: each offset and length is checked before it is followed.

A TFLite file is a flatbuffer: tables and vectors that refer to each other by offset. LiteRT follows them unchecked, and
so does the reader that is generated from the schema. This reader knows only the fields that an exported file uses.

Reference: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, for the numbers of fields and enumerations;
https://flatbuffers.dev/internals for the encoding.
"""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from textapp.errors import InputError

IDENTIFIER, SCHEMA_VERSION = b"TFL3", 3

Kind = Any
"""The kind of a field: a scalar as in `struct`; "string"; "bytes"; a scalar in a list; a `Table`, or one in a list."""
Fields = Mapping[str, tuple[int, Kind]]

_SCALARS = {"?": 1, "b": 1, "B": 1, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
_ARRAYS = {"f": "<f4", "q": "<i8"}  # vectors that may be long become arrays, others tuples of numbers


class Table:
    """A table of the schema: its name for messages, and its fields: name -> number and kind.

    Fields that are not listed are not read, except those in `absent`: a file that has one of them is refused.
    """

    def __init__(self, name: str, fields: Fields, absent: Mapping[str, int] | None = None):
        self.name = name
        self.fields = fields
        self.absent = absent or {}
        self.defaults = {field: _default(kind) for field, (_, kind) in fields.items()}


def _default(kind: Kind) -> Any:
    """The value of a field that a table lacks: 0 for scalars, nothing for a vector, None for a table or a string."""
    if isinstance(kind, list):
        return np.zeros(0, _ARRAYS[kind[0]]) if kind[0] in _ARRAYS else ()
    if kind == "bytes":
        return memoryview(b"")
    return 0 if isinstance(kind, str) and kind in _SCALARS else None


QUANTIZATION = Table(
    "quantization", {"scale": (2, ["f"]), "zero_point": (3, ["q"]), "axis": (6, "i")}, absent={"details": 5}
)
TENSOR = Table(
    "tensor",
    {
        "shape": (0, ["i"]),
        "type": (1, "b"),
        "buffer": (2, "I"),
        "name": (3, "string"),
        "quantization": (4, QUANTIZATION),
        "is_variable": (5, "?"),
        "shape_signature": (7, ["i"]),
    },
    absent={"sparsity": 6, "variant_tensors": 9, "external_buffer": 10},
)
OPERATOR = Table(
    "operator",
    {
        "opcode_index": (0, "I"),
        "inputs": (1, ["i"]),
        "outputs": (2, ["i"]),
        "options_type": (3, "B"),
        "options": (4, "offset"),
        "custom_options": (5, "bytes"),
        "mutating_variable_inputs": (7, ["?"]),
        "intermediates": (8, ["i"]),
    },
    absent={"large_custom_options_offset": 9, "large_custom_options_size": 10, "builtin_options_2": 12},
)
SUBGRAPH = Table(
    "subgraph",
    {
        "tensors": (0, [TENSOR]),
        "inputs": (1, ["i"]),
        "outputs": (2, ["i"]),
        "operators": (3, [OPERATOR]),
        "name": (4, "string"),
    },
)
OPERATOR_CODE = Table(
    "operator code",
    {"deprecated_code": (0, "b"), "custom_code": (1, "string"), "version": (2, "i"), "code": (3, "i")},
)
BUFFER = Table("buffer", {"data": (0, "bytes")}, absent={"offset": 1, "size": 2})
METADATA = Table("metadata", {"name": (0, "string"), "buffer": (1, "I")})
TENSOR_MAP = Table("tensor map", {"name": (0, "string"), "tensor": (1, "I")})
SIGNATURE = Table(
    "signature",
    {"inputs": (0, [TENSOR_MAP]), "outputs": (1, [TENSOR_MAP]), "name": (2, "string"), "subgraph": (4, "I")},
)
MODEL = Table(
    "model",
    {
        "version": (0, "I"),
        "operator_codes": (1, [OPERATOR_CODE]),
        "subgraphs": (2, [SUBGRAPH]),
        "description": (3, "string"),
        "buffers": (4, [BUFFER]),
        "metadata_buffer": (5, ["i"]),
        "metadata": (6, [METADATA]),
        "signatures": (7, [SIGNATURE]),
    },
    absent={"external_buffer_groups": 8, "external_buffers": 9},
)


class ModelFile:
    """Reads the tables of a file.

    A table that others share is read once, so that a small file cannot be read for ever. The elements of all vectors
    that are read are at most as many as the file has bytes.

    Args:
        content: The file.

    Raises:
        InputError: It is not a TFLite file. Methods raise it for an offset, a length or a string that breaks a rule;
            the message begins with the place in the file.
    """

    def __init__(self, content: bytes):
        if content[4:8] != IDENTIFIER:
            raise InputError(f"bytes 4 to 8 must be {IDENTIFIER.decode()}, as in a TFLite file")
        self.content = content
        self._left = len(content)
        self._layouts: dict[tuple[int, Table], list[tuple[str, Kind, int]]] = {}
        self._tables: dict[tuple[int, Table], dict[str, Any]] = {}

    def model(self) -> dict[str, Any]:
        """The root table, with everything that it refers to; options of operators remain offsets."""
        model = self.table(self._number("<I", 0), MODEL)
        if model["version"] != SCHEMA_VERSION:
            raise InputError(f"the schema version must be {SCHEMA_VERSION}. Received: {model['version']}")
        return model

    def table(self, position: int, kind: Table) -> dict[str, Any]:
        """The fields of the table at a position."""
        key = position, kind
        if key not in self._tables:
            self._tables[key] = self._read_table(position, kind)
        return self._tables[key]

    def _read_table(self, position: int, kind: Table) -> dict[str, Any]:
        """The fields of a table that has not been read before."""
        if position % 4:
            raise InputError(f"a {kind.name} at byte {position} is not at a multiple of 4")
        vtable = position - self._number("<i", position)
        values = dict(kind.defaults)
        for name, field, offset in self._layout(vtable, kind):
            values[name] = self._value(position + offset, field, kind, name)
        self._check(position, self._number("<H", vtable + 2), f"a {kind.name}")
        return values

    def _layout(self, vtable: int, kind: Table) -> list[tuple[str, Kind, int]]:
        """The fields that tables of a vtable have: name, kind and offset in the table."""
        key = vtable, kind
        if key in self._layouts:
            return self._layouts[key]
        size, table_size = self._number("<H", vtable), self._number("<H", vtable + 2)
        if vtable % 2 or size % 2 or size < 4:
            raise InputError(f"the vtable of a {kind.name} at byte {vtable} must have an even size. Received: {size}")
        self._check(vtable, size, f"the vtable of a {kind.name}")
        offsets = struct.unpack_from(f"<{size // 2 - 2}H", self.content, vtable + 4)
        for name, number in kind.absent.items():
            if number < len(offsets) and offsets[number]:
                raise InputError(f"a {kind.name} has the field `{name}`, which exported files do not use")
        layout = []
        for name, (number, field) in kind.fields.items():
            if number < len(offsets) and offsets[number]:
                if offsets[number] + _SCALARS.get(field if isinstance(field, str) else "", 4) > table_size:
                    raise InputError(f"the field `{name}` of a {kind.name} is outside of its table")
                layout.append((name, field, offsets[number]))
        self._layouts[key] = layout
        return layout

    def _value(self, position: int, kind: Kind, table: Table, name: str) -> Any:
        """The value of a field at a position."""
        if isinstance(kind, str) and kind in _SCALARS:
            self._check_alignment(position, _SCALARS[kind], f"the field `{name}` of a {table.name}")
            return self._number("<" + kind, position)
        target = position + self._number("<I", position)
        if kind == "offset":
            return target
        if isinstance(kind, Table):
            return self.table(target, kind)
        return self._vector(target, kind, f"the field `{name}` of a {table.name}")

    def _vector(self, position: int, kind: Kind, what: str) -> Any:
        """The elements of the vector at a position: a string, a view of bytes, an array, a tuple, or tables."""
        self._check_alignment(position, 4, what)
        count, start = self._number("<I", position), position + 4
        element = kind[0] if isinstance(kind, list) else "B"
        size = _SCALARS[element] if isinstance(element, str) else 4
        self._check(start, count * size + (kind == "string"), what)
        if kind == "bytes":
            return memoryview(self.content)[start : start + count]
        self._left -= count
        if self._left < 0:
            raise InputError("its vectors have more elements than the file has bytes: they share parts without end")
        if kind == "string":
            if self.content[start + count] != 0:
                raise InputError(f"{what} must end with a zero")
            try:
                return self.content[start : start + count].decode()
            except UnicodeDecodeError as error:
                raise InputError(f"{what} is not UTF-8") from error
        if isinstance(element, Table):
            places = range(start, start + 4 * count, 4)
            return [self.table(place + self._number("<I", place), element) for place in places]
        self._check_alignment(start, size, what)
        if element in _ARRAYS:
            return np.frombuffer(self.content, _ARRAYS[element], count, start)
        return struct.unpack_from(f"<{count}{element}", self.content, start)

    def _number(self, form: str, position: int) -> Any:
        """A number at a position, which may be anywhere."""
        if position < 0:
            raise InputError(f"an offset leads to byte {position}, before the file's first byte")
        try:
            return struct.unpack_from(form, self.content, position)[0]
        except struct.error as error:
            raise InputError(
                f"an offset leads to byte {position:,} of {len(self.content):,}; the file was cut or changed"
            ) from error

    def _check(self, position: int, size: int, what: str) -> None:
        """Raises `InputError` unless `size` bytes at a position are in the file."""
        if position + size > len(self.content):
            raise InputError(
                f"{what} ends at byte {position + size:,} of {len(self.content):,}; the file was cut or changed"
            )

    def _check_alignment(self, position: int, size: int, what: str) -> None:
        """Raises `InputError` unless a position is a multiple of `size`."""
        if position % size:
            raise InputError(f"{what} is at byte {position:,}, which is no multiple of {size}")
