"""Changes model files at random, to see that each is refused in one line or predicts.

Most changes leave a file that still can be read: one field of the schema, one number, one constant.
The seed decides all.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from textapp.runtime.model_check.file import ModelFile

INTEGERS = (0, 1, -1, 2, 3, 4, 7, 127, 128, 255, 1000, 65_535, 10**6, 2**30, 2**31 - 1, -(2**31), 2**32 - 1, 2**62)
FLOATS = (0.0, -1.0, 1e-38, 1e-9, 1e-3, 1.0, 1e3, 3e38, float("inf"), float("nan"))
STRINGS = (b"", b"x", b"\xff\xfe", b"tokens_4", b"logits", b"\0", b"n" * 5000)


def mutated(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A changed copy of a model file, and the kind of the change."""
    way = rng.choice((changed_bytes, _changed_number, _changed_field, _changed_field, _changed_field))
    for _ in range(100):
        changed, kind = way(content, rng)
        if changed != content:
            return changed, kind
    raise ValueError("`content` must be a model file. Received: one that no change reaches")


def changed_bytes(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A copy of any file with some bytes changed, wherever they are, and the kind of the change."""
    data, at = bytearray(content), rng.randrange(len(content))
    kind = rng.choice(("bit", "bytes", "zeros", "ones", "cut", "insertion", "copy"))
    if kind == "bit":
        data[at] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        for _ in range(rng.choice((1, 4, 32))):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind in ("zeros", "ones"):
        data[at : at + 4] = (b"\0" if kind == "zeros" else b"\xff") * len(data[at : at + 4])
    elif kind == "cut":
        del data[at:]
    elif kind == "insertion":
        data[at:at] = rng.randbytes(rng.randrange(1, 9))
    else:
        source, count = rng.randrange(len(data)), rng.randrange(1, 256)
        data[at : at + count] = data[source : source + len(data[at : at + count])]
    return bytes(data), f"bytes: {kind}"


class _Recorder(ModelFile):
    """A reader that remembers where it has read numbers: offsets, lengths and fields."""

    def __init__(self, content: bytes):
        super().__init__(content)
        self.places: dict[str, list[int]] = defaultdict(list)

    def _number(self, form: str, position: int) -> Any:
        """The number at a position, which is remembered."""
        self.places[form].append(position)
        return super()._number(form, position)


def _changed_number(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One offset, length or field is changed in place, so that nothing else moves."""
    recorder = _Recorder(content)
    recorder.model()
    form = rng.choice(sorted(recorder.places))
    at = rng.choice(recorder.places[form])
    size = {"H": 2, "i": 4, "I": 4, "b": 1, "B": 1, "?": 1}[form[1:]]
    value = int.from_bytes(content[at : at + size], "little")
    value = rng.choice((value + 1, value - 1, value + 4, value - 4, value ^ 1 << rng.randrange(8 * size), *INTEGERS))
    number = (value % 256**size).to_bytes(size, "little")
    return content[:at] + number + content[at + size :], f"number: {form[1:]}"


def _changed_field(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One field of a table is changed, or two, and the file is written anew."""
    file = schema.ModelT.InitFromPackedBuf(content)
    kinds = [_change_field(file, rng) for _ in range(rng.choice((1, 1, 1, 2)))]
    builder = flatbuffers.Builder(len(content) + 4096)
    try:
        builder.Finish(file.Pack(builder), file_identifier=b"TFL3")
    except (TypeError, AttributeError):  # the field cannot hold this value
        return content, ""
    return bytes(builder.Output()), f"field: {' and '.join(kinds)}"


def _change_field(file: Any, rng: random.Random) -> str:
    """Changes a field of a table in place; each kind of table is as likely. Returns the name of the field."""
    tables = defaultdict(list)
    for table in filter(vars, _tables(file)):
        tables[type(table).__name__].append(table)
    kind = rng.choice(sorted(tables))
    table = rng.choice(tables[kind])
    name = rng.choice(sorted(vars(table)))
    setattr(table, name, _other(getattr(table, name), tables, rng))
    return f"{kind.removesuffix('T')}.{name}"


def _tables(table: Any) -> Iterator[Any]:
    """A table and all tables in it."""
    yield table
    for value in vars(table).values():
        for part in value if isinstance(value, list) else [value]:
            if hasattr(part, "__dict__"):
                yield from _tables(part)


def _other(value: Any, tables: Mapping[str, list[Any]], rng: random.Random) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, *INTEGERS))
    if isinstance(value, float):
        return rng.choice((value / 2, -value, *FLOATS))
    if isinstance(value, bytes):
        return rng.choice(STRINGS)
    if isinstance(value, np.ndarray):
        return _other_array(value, rng)
    if isinstance(value, list) and value:
        return _other_list(value, rng)
    if hasattr(value, "__dict__"):
        return rng.choice((None, rng.choice(tables[type(value).__name__])))
    return rng.choice((None, [], b"x", np.array([rng.choice(INTEGERS[:-2])], np.int32)))


def _other_list(value: list[Any], rng: random.Random) -> list[Any]:
    """A list of tables with one left out, exchanged or repeated."""
    changed, at, other = list(value), rng.randrange(len(value)), rng.randrange(len(value))
    way = rng.randrange(3)
    if way == 0:
        del changed[at]
    elif way == 1:
        changed[at], changed[other] = changed[other], changed[at]
    else:
        changed[at] = changed[other]
    return changed


def _other_array(value: np.ndarray, rng: random.Random) -> np.ndarray:
    """Numbers with one changed, or some more or fewer of them. Bytes are read as int32 or float32."""
    way = rng.randrange(5)
    if not len(value) or way == 0:
        return np.concatenate([value, np.full(rng.choice((1, 2, 1000)), rng.choice((0, 1)), value.dtype)])
    if way == 1:
        return value[: rng.randrange(len(value))]
    if value.dtype == np.uint8 and len(value) % 4 == 0:
        return _other_array(value.view(rng.choice((np.int32, np.float32))), rng).view(np.uint8)
    changed, at = value.copy(), rng.randrange(len(value))
    if value.dtype.kind == "f":
        changed[at] = rng.choice(FLOATS)
    else:
        width = 8 * value.dtype.itemsize
        number = rng.choice((int(value[at]) + 1, int(value[at]) - 1, rng.randrange(64), *INTEGERS)) % 2**width
        changed[at] = np.array([number], f"u{width // 8}").view(value.dtype)[0]
    return changed
