"""The core's memory, numbers and hashes against Python's math, struct, hashlib and zlib."""

import ctypes
import hashlib
import itertools
import math
import random
import struct
import zlib

import numpy as np
import pytest

from .core_text import Arena, Block, Options

NUMBERS = {"ta_exp": math.exp, "ta_log": math.log, "ta_tanh": math.tanh, "ta_sqrt": math.sqrt}


def function(library, name, result, *arguments):
    one = getattr(library, name)
    one.restype, one.argtypes = result, arguments
    return one


def inputs(name):
    """Numbers of all sizes; for logarithms and roots positive ones."""
    seeded = random.Random(7)
    near = [seeded.uniform(-3, 3) for _ in range(5000)] + [seeded.uniform(-750, 710) for _ in range(5000)]
    wide = [seeded.uniform(-1, 1) * 10.0 ** seeded.randint(-320, 308) for _ in range(5000)]
    special = [0.0, -0.0, 5e-324, 1.0, 0.8, 22.0, math.nextafter(1, 2), math.nextafter(1, 0), 709.782712893384]
    numbers = near + wide + special
    if name in ("ta_log", "ta_sqrt"):
        return [abs(number) for number in numbers if number != 0]
    return [number for number in numbers if name != "ta_exp" or number <= 709.782712893384]


@pytest.mark.parametrize("name", NUMBERS)
def test_doubles_are_within_a_unit(internals, name):
    core = function(internals, name, ctypes.c_double, ctypes.c_double)
    exact = getattr(np, name.removeprefix("ta_"))
    for x in inputs(name):
        with np.errstate(all="ignore"):
            right = exact(np.longdouble(x))
        unit = math.ulp(float(right))
        assert abs(np.longdouble(core(x)) - right) <= np.longdouble(unit), x


@pytest.mark.parametrize("name", NUMBERS)
def test_floats_are_within_a_unit(internals, name):
    core = function(internals, f"{name}f", ctypes.c_float, ctypes.c_float)
    for x in map(np.float32, np.clip(inputs(name), -87, 88)):
        if x > 0 or name not in ("ta_log", "ta_sqrt"):
            right = NUMBERS[name](float(x))
            assert abs(core(x) - right) <= float(np.spacing(np.float32(abs(right)))), x


def test_numbers_without_a_finite_result(internals):
    exp, log, tanh, sqrt = (function(internals, name, ctypes.c_double, ctypes.c_double) for name in NUMBERS)
    infinite = math.inf
    assert [exp(infinite), exp(-infinite), exp(710), exp(-746)] == [infinite, 0, infinite, 0]
    assert [log(infinite), log(0), tanh(infinite), tanh(-infinite)] == [infinite, -infinite, 1, -1]
    assert sqrt(infinite) == infinite
    assert all(map(math.isnan, [exp(math.nan), log(-1), log(math.nan), tanh(math.nan), sqrt(-1), sqrt(math.nan)]))
    finite = function(internals, "ta_is_finite", ctypes.c_int, ctypes.c_double)
    assert [finite(x) for x in (0, -1e308, infinite, -infinite, math.nan)] == [1, 1, 0, 0, 0]


def test_rounding(internals):
    nearest = function(internals, "ta_round_even", ctypes.c_double, ctypes.c_double)
    floor = function(internals, "ta_floor", ctypes.c_double, ctypes.c_double)
    for x in [*np.arange(-8, 8, 0.25), 0.49999999999999994, 2.0**52 - 0.5, -(2.0**52) - 1, 1e300, -1e300, -0.0]:
        assert struct.pack("d", nearest(x)) == struct.pack("d", np.rint(x)), x
        assert floor(x) == math.floor(x), x
    assert nearest(math.inf) == floor(math.inf) == math.inf
    assert math.isnan(nearest(math.nan))


def test_every_half(internals):
    core = function(internals, "ta_from_half", ctypes.c_float, ctypes.c_uint16)
    for half in range(1 << 16):
        right = float(np.uint16(half).view(np.float16))
        value = core(half)
        assert (value == right and math.copysign(1, value) == math.copysign(1, right)) or (
            value != value and right != right
        )


@pytest.mark.parametrize("size", [*range(0, 10), *range(54, 66), 119, 120, 127, 128, 1000, 4159, 4160, 4231, 100_003])
def test_hashes(internals, size):
    sha256 = function(internals, "ta_sha256", None, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p)
    crc32 = function(internals, "ta_crc32", ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)
    data = random.Random(size).randbytes(size)
    digest = ctypes.create_string_buffer(32)
    sha256(data, size, digest)
    assert digest.raw == hashlib.sha256(data).digest()
    assert crc32(0, data, size) == zlib.crc32(data)
    assert crc32(crc32(0, data[:5], len(data[:5])), data[5:], len(data[5:])) == zlib.crc32(data)


def test_memory(internals):
    seeded = random.Random(7)
    pointer, size_t = ctypes.c_void_p, ctypes.c_size_t
    copy, move = (function(internals, name, pointer, pointer, pointer, size_t) for name in ("ta_copy", "ta_move"))
    fill = function(internals, "ta_fill", pointer, pointer, ctypes.c_int, size_t)
    compare = function(internals, "ta_compare", ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, size_t)
    for _ in range(500):
        content = bytearray(seeded.randbytes(300))
        memory = (ctypes.c_uint8 * 300).from_buffer_copy(content)
        base = ctypes.addressof(memory)
        to, start, size = seeded.randrange(100), seeded.randrange(100), seeded.randrange(200)
        move(base + to, base + start, size)
        content[to : to + size] = content[start : start + size]
        assert bytes(memory) == content
        size = seeded.randrange(100)
        copy(base + 200, base + start, size)
        content[200 : 200 + size] = content[start : start + size]
        fill(base + to, seeded.choice((0, 0xAB, -1)), 0)
        fill(base + to, 0x1AB, size)
        content[to : to + size] = b"\xab" * size
        assert bytes(memory) == content
    assert [compare(b"ab\xff", b"ab\x01", size) for size in (2, 3)] == [0, 1]
    assert compare(b"a", b"b", 1) == -1


def test_little_endian_numbers_at_any_address(internals):
    data = ctypes.create_string_buffer(random.Random(7).randbytes(16))
    kinds = {"u16": ("<H", ctypes.c_uint16), "u32": ("<I", ctypes.c_uint32), "u64": ("<Q", ctypes.c_uint64)}
    for name, (code, kind) in {**kinds, "f32": ("<f", ctypes.c_float)}.items():
        read = function(internals, f"ta_{name}", kind, ctypes.c_void_p)
        for at in range(8):
            assert read(ctypes.addressof(data) + at) == struct.unpack_from(code, data.raw, at)[0]


class Message(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char * 512),)


def said(internals, what, *parts):
    message = Message()
    assert internals.ta_say(ctypes.byref(message), 2, what, *parts) == 2
    return message.text.decode()


def test_messages(internals):
    size = ctypes.c_size_t
    number = ctypes.c_int64
    assert said(internals, b"%s:%z: at most %d%% of '%c'", b"a.txt", size(3), number(-(2**63)), ord("x")) == (
        f"a.txt:3: at most {-(2**63)}% of 'x'"
    )
    assert (
        said(internals, b"Received: %q", b"a\nb\x1b\xc2\x85c\xffd\xed\xa0\x80e", size(13)) == "Received: 'a b  c?d???e'"
    )
    assert said(internals, b"%q", "é".encode() * 81, size(162)) == "'" + "é" * 80 + "'…"
    assert said(internals, b"x%s%s", "é".encode() * 400, b"y") == "x" + "é" * 255
    assert internals.ta_say(None, 3, b"%s", b"nobody reads it") == 3


def test_the_arena_gives_zeros_within_its_limit(internals):
    blocks = []

    def allocate(user, size):
        blocks.append(ctypes.create_string_buffer(b"\xff" * size, size))
        return ctypes.addressof(blocks[-1])

    options = Options(Options.ALLOCATE(allocate), None, 0, 1 << 20)
    arena = Arena()
    internals.ta_arena_init(ctypes.byref(arena), ctypes.byref(options))
    new = function(internals, "ta_new", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    seeded, pieces = random.Random(7), []
    while piece := new(ctypes.byref(arena), count := seeded.choice((0, 1, 7, 100, 9000)), 3):
        pieces.append((piece, piece + 3 * count))
        assert piece % 64 == 0
        assert not any(ctypes.string_at(piece, 3 * count))
    assert (1 << 20) - 30_000 < arena.used <= 1 << 20
    assert arena.used == sum(map(len, blocks))
    pieces.sort()
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(pieces))
    assert len(blocks) < len(pieces) / 2
    assert new(ctypes.byref(arena), 2**63, 2) is None
    assert new(ctypes.byref(arena), 2**64 - 1, 1) is None


def test_a_block_is_counted_before_it_is_cut(internals):
    take = function(internals, "ta_take", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    counted, cut = Block(), Block(64 * 100)
    for count in (1, 64, 65, 0):
        assert take(ctypes.byref(counted), count, 1) is None
        assert take(ctypes.byref(cut), count, 1) == 64 * 100 + {1: 0, 64: 64, 65: 128, 0: 256}[count]
    assert counted.used == cut.used == 320
    assert take(ctypes.byref(counted), 2**62, 8) is None
    assert counted.used == 2**64 - 1
    assert take(ctypes.byref(counted), 1, 1) is None
    assert counted.used == 2**64 - 1
