"""Kernels: the scalar set against NumPy, every other set that this processor can run against the scalar one."""

import ctypes
import platform
import shutil
import subprocess
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_float, c_int, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path

import numpy as np
import pytest

from native import library

ROOT = Path(__file__).parents[2]
BITS = {"sse41": 1 << 0, "avx2": 1 << 1, "avx_vnni": 1 << 2, "avx512_vnni": 1 << 3, "neon": 1 << 8, "neon_dot": 1 << 9}
SIZES = [(1, 1), (2, 3), (1, 64), (4, 4), (15, 50), (16, 64), (17, 65), (30, 30), (63, 128), (64, 127), (120, 30)]
SIZES += [(200, 50), (256, 64), (260, 100), (300, 7), (515, 130)]


class Matrix(ctypes.Structure):
    """A packed matrix."""

    _fields_ = [("outputs", c_uint32), ("inputs", c_uint32), ("weights", c_void_p), ("sums", c_void_p)]
    _fields_ += [("scales", c_void_p), ("is_float", c_int), ("is_packed", c_int)]


_SIZE = CFUNCTYPE(c_size_t, c_size_t, c_size_t)
_EACH = CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)
_PAIR = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_void_p)
_MATRIX = POINTER(Matrix)
_OUTPUT = [c_void_p, c_size_t, c_void_p, c_int, c_void_p, c_size_t]


class Kernels(ctypes.Structure):
    """The functions of a set, in the order of kernels.h."""

    _fields_ = [
        ("name", c_char_p),
        ("int8_size", _SIZE),
        ("int8_pack", CFUNCTYPE(None, _MATRIX, c_void_p, c_void_p, c_void_p, c_size_t, c_size_t)),
        ("float_size", _SIZE),
        ("float_pack", CFUNCTYPE(None, _MATRIX, c_void_p, c_void_p, c_size_t, c_size_t)),
        ("quantize", CFUNCTYPE(c_float, c_void_p, c_size_t, c_void_p)),
        ("quantize_ranges", CFUNCTYPE(None, c_void_p, c_size_t, c_size_t, c_int, c_void_p, c_void_p, c_void_p)),
        ("int8_product", CFUNCTYPE(None, _MATRIX, c_void_p, c_size_t, c_void_p, *_OUTPUT)),
        ("int8_sums", CFUNCTYPE(None, _MATRIX, c_void_p, c_size_t, c_int32, c_size_t, c_void_p, c_size_t)),
        ("float_product", CFUNCTYPE(None, _MATRIX, c_void_p, c_size_t, *_OUTPUT[1:])),
        ("tanh", _EACH),
        ("sigmoid", _EACH),
        ("exp", _EACH),
        ("lstm_step", CFUNCTYPE(None, c_void_p, c_size_t, c_void_p, c_void_p)),
        ("add_scaled", CFUNCTYPE(None, c_float, c_void_p, c_size_t, c_void_p)),
        ("scale_bytes", CFUNCTYPE(None, c_float, c_void_p, c_size_t, c_void_p)),
        ("dot", CFUNCTYPE(c_float, c_void_p, c_void_p, c_size_t)),
        ("add", _PAIR),
        ("multiply", _PAIR),
        ("sum_rows", CFUNCTYPE(None, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p)),
    ]


def kernels_of(core, name):
    """A set of a library, or None."""
    get = getattr(core, f"ta_kernels_{name}")
    get.restype = POINTER(Kernels)
    found = get()
    return found.contents if found else None


@pytest.fixture(scope="module")
def scalar(internals):
    """The definition."""
    return kernels_of(internals, "scalar")


@pytest.fixture(scope="module", params=["scalar", *BITS])
def kernels(request, internals):
    """A set that this processor can run."""
    found = kernels_of(internals, request.param)
    if found is None:
        pytest.skip("not built for this processor")
    internals.textapp_features.restype = c_uint32
    bit = BITS.get(request.param, 0)
    if internals.textapp_features() & bit != bit:
        pytest.skip("this processor does not have it")
    return found


@pytest.fixture(scope="module")
def wide_vnni(tmp_path_factory, compiler):
    """AVX-VNNI's kernels, compiled for AVX-512 VNNI, whose instruction for short vectors does the same."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    if "avx512_vnni" not in flags or "avx512vl" not in flags:
        pytest.skip("no AVX-512 VNNI")
    path = tmp_path_factory.mktemp("vnni") / "vnni.so"
    names = ["kernels_avx_vnni.c", "kernels_scalar.c"]
    options = [*library.COMPILE, "-fvisibility=default", "-mavx2", "-mfma", "-mavx512vnni", "-mavx512vl", "-shared"]
    sources = [str(ROOT / "native/src" / name) for name in names]
    subprocess.run([*compiler, *options, "-I", str(ROOT / "native/include"), *sources, "-o", str(path)], check=True)
    return kernels_of(ctypes.CDLL(str(path)), "avx_vnni")


def aligned(size, dtype=np.uint8):
    """Zeros at an address that 64 divides."""
    block = np.zeros(size * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + size * np.dtype(dtype).itemsize].view(dtype)


def at(array):
    """The address of an array, or NULL."""
    return None if array is None else array.ctypes.data


def pack(kernels, weights, scales=None):
    """A packed matrix, with the memory that it lies in."""
    outputs, inputs = weights.shape
    matrix = Matrix()
    kind = "float" if scales is None else "int8"
    memory = aligned(getattr(kernels, f"{kind}_size")(outputs, inputs))
    weights = np.ascontiguousarray(weights)
    given = (at(weights),) if scales is None else (at(weights), at(scales))
    getattr(kernels, f"{kind}_pack")(matrix, at(memory), *given, outputs, inputs)
    return matrix, memory


def padded_rows(x):
    """Rows of int8 as products read them: 64 at a time, and zeros after the last."""
    padded = np.zeros((len(x), (x.shape[1] + 63) // 64 * 64), np.int8)
    padded[:, : x.shape[1]] = x
    return padded


def product(kernels, packed, x, scales, zeros=None, bias=None, before=None):
    """y, with a column behind it that must stay as it is."""
    outputs = packed[0].outputs
    y = np.full((len(x), outputs + 3), 7.5, np.float32)
    if before is not None:
        y[:, :outputs] = before
    x = padded_rows(x)
    given = (at(scales), at(zeros), len(x), at(bias), before is not None)
    kernels.int8_product(packed[0], at(x), x.shape[1], *given, at(y), outputs + 3)
    assert (y[:, outputs:] == 7.5).all()
    return y[:, :outputs]


def int8_sums(kernels, packed, x, zero_point):
    """Integer sums."""
    outputs = packed[0].outputs
    sums = np.full((len(x), outputs + 3), 77, np.int32)
    x = padded_rows(x)
    kernels.int8_sums(packed[0], at(x), x.shape[1], zero_point, len(x), at(sums), outputs + 3)
    assert (sums[:, outputs:] == 77).all()
    return sums[:, :outputs]


def float_product(kernels, packed, x, bias=None, before=None):
    """y of float weights."""
    outputs = packed[0].outputs
    y = np.full((len(x), outputs + 3), 7.5, np.float32)
    if before is not None:
        y[:, :outputs] = before
    kernels.float_product(packed[0], at(x), x.shape[1], len(x), at(bias), before is not None, at(y), outputs + 3)
    assert (y[:, outputs:] == 7.5).all()
    return y[:, :outputs]


def quantized(kernels, row):
    """(int8, scale) of a row; what follows the row is zero."""
    out = np.full((len(row) + 63) // 64 * 64 + 1, 99, np.int8)
    scale = kernels.quantize(at(row), len(row), at(out))
    assert out[-1] == 99
    assert not out[len(row) : -1].any()
    return out[: len(row)], scale


def quantized_range(kernels, row, rounding):
    """(int8, scale, zero point) of a row; what follows the row is zero. Rows above and below it change nothing."""
    rows, padded = 18, (len(row) + 63) // 64 * 64
    out = np.full(rows * padded + 1, 99, np.int8)
    scales, zeros = np.zeros(rows, np.float32), np.zeros(rows, np.int32)
    with np.errstate(over="ignore"):
        x = np.stack([row, *[row * np.float32(2) ** (place % 5) for place in range(1, rows - 1)], row])
    kernels.quantize_ranges(at(x), rows, len(row), rounding, at(out), at(scales), at(zeros))
    assert out[-1] == 99
    values = out[:-1].reshape(rows, padded)
    assert not values[:, len(row) :].any()
    np.testing.assert_array_equal(values[0], values[-1])
    assert (scales[0], zeros[0]) == (scales[-1], zeros[-1])
    alone = np.full(padded + 1, 99, np.int8)
    scale, zero = np.zeros(1, np.float32), np.zeros(1, np.int32)
    kernels.quantize_ranges(at(x[1]), 1, len(row), rounding, at(alone), at(scale), at(zero))
    np.testing.assert_array_equal(alone, np.append(values[1], np.int8(99)))
    assert (scale[0], zero[0]) == (scales[1], zeros[1])
    return values[0, : len(row)], scales[0], int(zeros[0])


def each(kernels, name, x):
    """A function of each number; nothing behind is written."""
    y = np.full(len(x) + 1, 7.5, np.float32)
    getattr(kernels, name)(at(x), len(x), at(y))
    assert y[-1] == 7.5
    return y[:-1]


def generated(seed, outputs, inputs, rows, least):
    """Weights, their scales, rows and their scales; with the extremes."""
    random = np.random.default_rng(seed)
    weights = random.integers(least, 128, (outputs, inputs), dtype=np.int8)
    x = random.integers(-128, 128, (rows, inputs), dtype=np.int8)
    weights[0] = 127
    weights[-1] = least
    x[-1] = -128
    x[0] = 127
    x[rows // 2] = 0
    scales = random.uniform(0.001, 0.1, outputs).astype(np.float32)
    x_scales = random.uniform(0.001, 0.1, rows).astype(np.float32)
    return weights, scales, x, x_scales


def check_products(kernels, scalar):
    """Products of int8 are those of the scalar set, and its are NumPy's."""
    for seed, (outputs, inputs) in enumerate(SIZES):
        rows = 70 if seed == 4 else seed % 9 + 1
        for least in (-127, -128):
            weights, scales, x, x_scales = generated(seed, outputs, inputs, rows, least)
            packed, defined = pack(kernels, weights, scales), pack(scalar, weights, scales)
            exact = x.astype(np.int32) @ weights.T.astype(np.int32)
            moved = (x.astype(np.int32) + 5) @ weights.T.astype(np.int32)
            np.testing.assert_array_equal(int8_sums(kernels, packed, x, 0), exact)
            np.testing.assert_array_equal(int8_sums(kernels, packed, x, -5), moved)
            bias = scales * 3
            before = np.add.outer(x_scales, scales)
            zeros = np.arange(len(x), dtype=np.int32) * 37 % 256 - 128
            for given in ({}, {"bias": bias}, {"before": before, "zeros": zeros}, {"bias": bias, "zeros": zeros}):
                y = product(kernels, packed, x, x_scales, **given)
                np.testing.assert_array_equal(y, product(scalar, defined, x, x_scales, **given))
                base = given.get("bias", given.get("before", 0))
                centred = x.astype(np.int32) - given.get("zeros", np.zeros(len(x), np.int32))[:, None]
                sums = centred @ weights.T.astype(np.int32)
                np.testing.assert_allclose(y, base + np.multiply.outer(x_scales, scales) * sums, 1e-6, 1e-6)


def check_float_products(kernels, scalar):
    """Products of floats are within 1e-6 of the largest sum of sizes."""
    for seed, (outputs, inputs) in enumerate(SIZES):
        random = np.random.default_rng(seed)
        weights = random.normal(size=(outputs, inputs)).astype(np.float32)
        x = random.normal(size=(seed % 9 + 1, inputs)).astype(np.float32)
        bias = random.normal(size=outputs).astype(np.float32)
        before = random.normal(size=(len(x), outputs)).astype(np.float32)
        packed, defined = pack(kernels, weights), pack(scalar, weights)
        largest = 1e-6 * (1 + np.abs(x).astype(float) @ np.abs(weights).T).max()
        for given in ({}, {"bias": bias}, {"before": before}):
            y = float_product(kernels, packed, x, **given)
            np.testing.assert_allclose(y, float_product(scalar, defined, x, **given), 0, largest)
            base = given.get("bias", given.get("before", 0))
            np.testing.assert_allclose(y, base + x.astype(float) @ weights.T, 0, largest)


def check_quantization(kernels, scalar):
    """Rounding a row is LiteRT's rule, and all sets do the same."""
    random = np.random.default_rng(0)
    rows = [random.normal(size=count).astype(np.float32) for count in (1, 3, 16, 30, 50, 64, 65, 100, 128, 300)]
    rows.append(np.arange(-254, 256, dtype=np.float32) / 2 * np.float32(127 / 127.5))
    halves = np.float32([127, 0.5, -0.5, 1.5, -2.5, 126.5])
    rows += [halves, np.nextafter(halves, np.float32(0)), np.nextafter(halves, np.float32(200))]
    rows += [np.zeros(70, np.float32), np.full(20, -0.0, np.float32), np.full(9, 1e-37, np.float32)]
    rows += [np.float32([3e38, -3e38, 1]), np.float32([1e-36, -5e-37, 2e-36])]
    for row in rows:
        values, scale = quantized(kernels, row)
        expected, expected_scale = quantized(scalar, row)
        np.testing.assert_array_equal(values, expected)
        assert scale == expected_scale
        largest = np.abs(row).max()
        if largest < 1e-36:
            assert scale == 1
            assert not values.any()
        else:
            steps = row * (np.float32(127) / largest)
            rounded = np.sign(steps) * np.floor(np.abs(steps.astype(float)) + 0.5)
            np.testing.assert_array_equal(values, np.clip(rounded, -127, 127))
            assert scale == largest / np.float32(127)
    broken = [np.float32([np.inf, 1, -np.inf, 0]), np.float32([np.nan, 1, 2]), np.full(40, np.nan, np.float32)]
    for row in broken:
        quantized(kernels, row)
    for row in rows[:-2]:
        for rounding in (0, 1):
            values, scale, zero = quantized_range(kernels, row, rounding)
            expected, expected_scale, expected_zero = quantized_range(scalar, row, rounding)
            np.testing.assert_array_equal(values, expected)
            assert (scale, zero) == (expected_scale, expected_zero)
            if np.abs(row).max() > 1e-36:
                assert np.abs(scale * (values.astype(float) - zero) - row).max() <= 0.501 * scale


def check_functions(kernels, scalar):
    """tanh, sigmoid and exp within their limits; the same bits in all sets."""
    x = np.concatenate(
        [np.linspace(-100, 100, 20003), np.linspace(-9, 9, 30011), [0, -0.0, 1e-30, -1e-40, 3e38, -3e38, np.inf]]
    ).astype(np.float32)
    x = np.concatenate([x, np.float32([-np.inf, np.nan])])
    true = x.astype(float)
    with np.errstate(over="ignore"):
        expected = {"tanh": np.tanh(true), "sigmoid": 1 / (1 + np.exp(-true)), "exp": np.exp(true)}
        expected["exp"] = np.where(expected["exp"] > np.finfo(np.float32).max, np.inf, expected["exp"])
    for name, values in expected.items():
        y = each(kernels, name, x)
        relative, absolute = (1e-6, 1.2e-38) if name == "exp" else (0, 2e-7)
        np.testing.assert_allclose(y, values, relative, absolute)
        np.testing.assert_array_equal(y, each(scalar, name, x))
        if name != "exp":
            assert np.nanmax(np.abs(y)) <= 1
        for count in range(1, 36):
            part = np.ascontiguousarray(x[1000 : 1000 + count])
            np.testing.assert_array_equal(each(kernels, name, part), y[1000 : 1000 + count])
        in_place = x.copy()
        getattr(kernels, name)(at(in_place), len(x), at(in_place))
        np.testing.assert_array_equal(in_place, y)


def check_lstm_steps(kernels, scalar):
    """A step of an LSTM is that of its definition, and the same bits in all sets."""
    for units in (1, 3, 4, 7, 8, 15, 16, 30, 50, 64, 100):
        random = np.random.default_rng(units)
        states = {}
        for which in (kernels, scalar):
            random = np.random.default_rng(units)
            cell, hidden = np.zeros(units + 1, np.float32), np.zeros(units + 1, np.float32)
            true_cell = np.zeros(units)
            for step in range(20):
                gates = (random.normal(size=(4, units)) * (3 if step < 15 else 40)).astype(np.float32)
                which.lstm_step(at(gates), units, at(cell), at(hidden))
                i, f, o = (1 / (1 + np.exp(-gates[row].astype(float))) for row in (0, 1, 3))
                true_cell = f * true_cell + i * np.tanh(gates[2].astype(float))
                np.testing.assert_allclose(cell[:units], true_cell, 1e-5, 3e-6)
                np.testing.assert_allclose(hidden[:units], o * np.tanh(true_cell), 1e-5, 3e-6)
                true_cell = cell[:units].astype(float)
            assert cell[units] == hidden[units] == 0
            states[id(which)] = cell, hidden
        (cell, hidden), (expected_cell, expected_hidden) = states[id(kernels)], states[id(scalar)]
        np.testing.assert_array_equal(cell, expected_cell)
        np.testing.assert_array_equal(hidden, expected_hidden)


def check_loops(kernels, scalar):
    """Sums and products of vectors; sums of rows."""
    for count in [*range(1, 36), 64, 100, 129]:
        random = np.random.default_rng(count)
        a, b = random.normal(size=(2, count)).astype(np.float32)
        small = random.integers(-128, 128, count, dtype=np.int8)
        results = []
        for which in (kernels, scalar):
            total = np.append(b, np.float32(7.5))
            which.add_scaled(1.25, at(a), count, at(total))
            added, multiplied, scaled = np.full((3, count + 1), 7.5, np.float32)
            which.scale_bytes(0.3, at(small), count, at(scaled))
            which.add(at(a), at(b), count, at(added))
            which.multiply(at(a), at(b), count, at(multiplied))
            results.append([total, added, multiplied, scaled, np.float32(which.dot(at(a), at(b), count))])
        for mine, definition in zip(*results, strict=True):
            np.testing.assert_array_equal(mine, definition)
        total, added, multiplied, scaled, dot = results[0]
        np.testing.assert_array_equal(scaled, np.append(np.float32(0.3) * small, np.float32(7.5)))
        np.testing.assert_allclose(total, np.append(b + np.float32(1.25) * a, 7.5), 1e-6, 1e-7)
        np.testing.assert_array_equal(added, np.append(a + b, np.float32(7.5)))
        np.testing.assert_array_equal(multiplied, np.append(a * b, np.float32(7.5)))
        np.testing.assert_allclose(dot, a.astype(float) @ b, 0, 1e-6 * (1 + np.abs(a) @ np.abs(b)))
        table = random.integers(-128, 128, (50, count), dtype=np.int8)
        rows = random.integers(0, 50, 40, dtype=np.uint32)
        out = np.full(count + 1, 77, np.int32)
        kernels.sum_rows(at(table), count, at(rows), len(rows), at(out))
        np.testing.assert_array_equal(out, np.append(table[rows].astype(np.int32).sum(axis=0), 77))
        kernels.sum_rows(at(table), count, at(rows), 0, at(out))
        assert not out[:-1].any()


CHECKS = [check_products, check_float_products, check_quantization, check_functions, check_lstm_steps, check_loops]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_kernels(check, kernels, scalar):
    check(kernels, scalar)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_avx_vnni_compiled_for_avx512(check, wide_vnni, scalar):
    check(wide_vnni, scalar)


def digests(command):
    """{check: the checksums that any set has} of a program that prints them."""
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = {}
    for line in lines:
        name, check, checksum = line.split()
        found.setdefault(check, {})[name] = checksum
    return found


def digest_program(folder, command, processor):
    """The program of checksums, for a processor."""
    objects = []
    names = sorted((ROOT / "native/src").glob("kernels*.c"))
    for source in [*names, *(ROOT / f"native/src/{name}.c" for name in ("base", "numbers", "hashes"))]:
        objects.append(str(folder / f"{source.stem}.o"))
        options = [*library.COMPILE, *library.kernel_options(processor).get(source.name, [])]
        include = ["-I", str(ROOT / "native/include")]
        subprocess.run([*command, *options, *include, "-c", str(source), "-o", objects[-1]], check=True)
    program = folder / "digest"
    main = str(ROOT / "tests/native/kernels_digest.c")
    subprocess.run([*command, "-std=c99", "-O2", *include, main, *objects, "-static", "-o", str(program)], check=True)
    return program


def test_checksums_are_those_of_aarch64(tmp_path, compiler):
    cross, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if not cross or not emulator:
        pytest.skip("no compiler for AArch64, or no qemu-aarch64")
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here = digests([digest_program(tmp_path / "here", compiler, library.machine())])
    there = digests([emulator, digest_program(tmp_path / "there", [cross], "aarch64")])
    assert here.keys() == there.keys()
    assert {"scalar", "neon", "neon-dot"} <= there["products"].keys()
    for check, checksums in here.items():
        expected = {"00000000"} if check == "float_products" else {checksums["scalar"]}
        assert set(checksums.values()) | set(there[check].values()) == expected, check


def test_features_choose_the_fastest_set(internals):
    internals.textapp_features.restype = c_uint32
    internals.ta_kernels_for.restype = POINTER(Kernels)
    internals.ta_kernels_for.argtypes = [c_uint32]
    features = internals.textapp_features()
    assert internals.ta_kernels_for(0).contents.name == b"scalar"
    for name, bit in BITS.items():
        chosen = internals.ta_kernels_for(bit).contents.name.decode()
        built = kernels_of(internals, name)
        assert chosen == ("scalar" if built is None else built.name.decode())
        if features & bit:
            assert built is not None
    if platform.machine() in ("x86_64", "AMD64"):
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split() if Path("/proc/cpuinfo").exists() else []
        for name, flag in {"sse41": "sse4_1", "avx2": "avx2", "avx512_vnni": "avx512_vnni"}.items():
            if flags and kernels_of(internals, name) is not None:
                assert bool(features & BITS[name]) == (flag in flags)
    best = internals.ta_kernels_for(features).contents.name.decode()
    assert best != "scalar" or not features
