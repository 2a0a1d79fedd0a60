"""Counts the instructions of a step of an LSTM on AArch64, by running the kernels in an emulator.

    python native/tools/count_instructions.py [--units 64] [--compiler aarch64-linux-gnu-gcc] [--emulator qemu-aarch64]

The program native/bench/kernels.c computes a BiLSTM with attention of 4 tokens and of 8, and the emulator writes a line
for each instruction. From the difference follows what a token costs: one step in each direction, and its part of the
input products and of the attention. It is a count of instructions, not a time: a phone runs from less than
one to four or more of them in a cycle. The multiply-adds of a token are printed beside it.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from native import library

SETS = ("neon-dot", "neon")
TOKENS = (4, 8)  # of the two texts: rows that kernels compute at a time
INPUTS = ATTENTION = 64  # of native/bench/kernels.c


def build(folder: Path, compiler: Sequence[str], processor: str) -> Path:
    """The benchmark of the kernels, native/bench/kernels.c."""
    main = folder / "bench.c"  # the library has a kernels.c too
    main.write_text(f'#include "{library.NATIVE / "bench/kernels.c"}"\n', encoding="utf-8")
    return library.build(
        folder / "kernels",
        compiler,
        processor=processor,
        options=[*(option for option in library.COMPILE if option not in ("-fPIC", "-DTEXTAPP_BUILD_SHARED"))],
        link=["-static"],
        more=[main],
    )


def instructions(emulator: str, program: Path, units: int, tokens: int, kernels: str) -> int:
    """The instructions that a run takes."""
    command = [emulator, "-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout", str(program)]
    command += [str(units), str(tokens), kernels, "once"]
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            count += line.startswith(b"Trace ")
    if process.returncode:
        raise SystemExit(f"{emulator}: ended with {process.returncode}")
    return count


def products(units: int) -> int:
    """The multiply-adds of a token: input and state in both directions, and attention."""
    return 2 * 4 * units * (INPUTS + units) + 2 * units * ATTENTION


def count(units: int, compiler: str, emulator: str) -> dict[str, int]:
    """The instructions that a token takes in both directions, by the set of kernels."""
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder), [compiler], "aarch64")
        counts = {}
        for kernels in SETS:
            less, more = (instructions(emulator, program, units, tokens, kernels) for tokens in TOKENS)
            counts[kernels] = round((more - less) / (TOKENS[1] - TOKENS[0]))
    return counts


def main() -> None:
    """Prints the count of each set of kernels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=64, help="LSTM units of a direction (default: 64)")
    parser.add_argument("--compiler", default="aarch64-linux-gnu-gcc")
    parser.add_argument("--emulator", default="qemu-aarch64")
    arguments = parser.parse_args()
    multiplied = products(arguments.units)
    for kernels, found in count(arguments.units, arguments.compiler, arguments.emulator).items():
        print(
            f"{kernels}: {found:,} instructions a token in both directions, {multiplied:,} multiply-adds: "
            f"{multiplied / found:.1f} an instruction"
        )


if __name__ == "__main__":
    main()
