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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from native import library

SETS = ("neon-dot", "neon")
TOKENS = (4, 8)  # of the two texts: rows that kernels compute at a time
INPUTS = ATTENTION = 64  # of native/bench/kernels.c


def build(folder: Path, compiler: str) -> Path:
    """The benchmark of the kernels, computing each model once."""
    main = folder / "bench.c"  # the library has a kernels.c too
    main.write_text(f'#include "{library.NATIVE / "bench/kernels.c"}"\n', encoding="utf-8")
    return library.build(
        folder / "kernels",
        [compiler],
        processor="aarch64",
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


def main() -> None:
    """Prints the count of each set of kernels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=64, help="LSTM units of a direction (default: 64)")
    parser.add_argument("--compiler", default="aarch64-linux-gnu-gcc")
    parser.add_argument("--emulator", default="qemu-aarch64")
    arguments = parser.parse_args()
    units = arguments.units
    products = 2 * 4 * units * (INPUTS + units) + 2 * units * ATTENTION
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder), arguments.compiler)
        for kernels in SETS:
            less, more = (instructions(arguments.emulator, program, units, tokens, kernels) for tokens in TOKENS)
            count = round((more - less) / (TOKENS[1] - TOKENS[0]))
            print(
                f"{kernels}: {count:,} instructions a token in both directions, {products:,} multiply-adds: "
                f"{products / count:.1f} an instruction"
            )


if __name__ == "__main__":
    main()
