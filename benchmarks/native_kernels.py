"""How close the kernels of the core in C come to what the processor can do, and their instructions on AArch64.

    python -m benchmarks.native_kernels [--rounds 5]

`native/bench/kernels.c` times a BiLSTM with attention, made of the kernels' calls alone: int8, one text, one thread.
`native/bench/peak.c` times the instructions that multiply bytes, in loops that do nothing else: the peak. Both run in
turn; a row has the median of the rounds. The multiply-adds of each part are counted from its sizes, so that
multiply-adds a cycle, and the share of the peak, are their quotients.

`native/tools/count_instructions.py` counts the instructions that a token takes on AArch64, in an emulator. It is no
time: processors differ in how many they start in a cycle. It writes results/native_kernels.json and .md.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, environment_line
from native import library
from native.tools import count_instructions
from textapp.files import write_json, write_text

ROOT = Path(__file__).parents[1]
SIZES = [(64, 64), (64, 16), (128, 128)]  # units, tokens
INPUTS = ATTENTION = 64  # of native/bench/kernels.c
ARM = ("aarch64-linux-gnu-gcc", "qemu-aarch64")
_WHOLE = re.compile(r"(\S+) +(\d+) units +(\d+) tokens: p50 +([\d.]+) us")
_PART = re.compile(r"(\w+) ([\d.]+)")
_NAMES = {
    "project": "inputs to gates, all tokens at once",
    "recur": "state to gates, token by token",
    "attend": "attention, classes",
    "quantize": "rounding to int8",
    "step": "sigmoid, tanh, cell",
}


def multiply_adds(units: int, tokens: int) -> dict[str, int]:
    """The multiply-adds of bytes in each part, by its sizes."""
    return {
        "project": 2 * tokens * 4 * units * INPUTS,
        "recur": 2 * (tokens - 1) * 4 * units * units,  # the first state is zero
        "attend": tokens * 2 * units * ATTENTION,  # without the scores and classes, which are below 1 %
    }


def weight_bytes(units: int) -> dict[str, int]:
    """The bytes of int8 weights that each part reads."""
    return {"project": 2 * 4 * units * INPUTS, "recur": 2 * 4 * units * units, "attend": 2 * units * ATTENTION}


def timed(program: Path) -> dict[tuple[str, int, int], dict[str, float]]:
    """Microseconds of the whole and of its parts, by the set of kernels, units and tokens."""
    found: dict[tuple[str, int, int], dict[str, float]] = {}
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    for whole, parts in zip(lines[::2], lines[1::2], strict=True):
        if (match := _WHOLE.match(whole)) is None:
            raise RuntimeError(f"{program}: not understood: {whole}")
        name, units, tokens, time = match.groups()
        found[name, int(units), int(tokens)] = {"whole": float(time)} | {
            part: float(value) for part, value in _PART.findall(parts)
        }
    return found


def peak(program: Path) -> tuple[float, dict[str, tuple[float, float]]]:
    """The clock in cycles a nanosecond; of each set, multiply-adds a nanosecond from registers and from the cache."""
    first, *rows = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return float(first.split()[1]), {name: (float(a), float(b)) for name, a, b in map(str.split, rows)}


def measure(rounds: int) -> dict[str, Any]:
    """The clock, the peaks, and the times of each set of kernels, as medians of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        compiler = library.compiler()
        model = count_instructions.build(Path(folder), compiler, library.machine())
        limit = Path(folder, "peak")
        subprocess.run([*compiler, "-O2", library.NATIVE / "bench/peak.c", "-o", limit], check=True)
        times, clocks = [], []
        peaks: dict[str, tuple[float, float]] = {}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            times.append(timed(model))
            clock, found = peak(limit)
            clocks.append(clock)
            # The largest of all rounds: a peak is what nothing exceeds.
            peaks = {
                name: (max(a, peaks.get(name, (0, 0))[0]), max(b, peaks.get(name, (0, 0))[1]))
                for name, (a, b) in found.items()
            }
    rows = [
        {
            "kernels": key[0],
            "units": key[1],
            "tokens": key[2],
            "microseconds": {part: statistics.median(one[key][part] for one in times) for part in times[0][key]},
        }
        for key in times[0]
    ]
    return {"clock": statistics.median(clocks), "peaks": peaks, "rows": rows}


def table(result: dict[str, Any]) -> str:
    """The results as Markdown."""
    clock, peaks = result["clock"], result["peaks"]
    lines = [
        "# The kernels of the core in C beside the peak of the processor",
        "",
        f"`{result['command']}`",
        "",
        environment_line(result["environment"]),
        "",
        f"The clock ran at {clock:.2f} GHz. A BiLSTM with attention, {INPUTS} inputs a token, int8, one text, one "
        "thread.",
        "",
        "| instructions | multiply-adds a cycle, from registers | one factor from the first-level cache |",
        "|---|--:|--:|",
        *(f"| {name} | {a / clock:.1f} | {b / clock:.1f} |" for name, (a, b) in peaks.items()),
    ]
    for units, tokens in SIZES:
        counts, read = multiply_adds(units, tokens), weight_bytes(units)
        lines += [
            "",
            f"## {units} units, {tokens} tokens",
            "",
            f"{sum(counts.values()):,} multiply-adds; {sum(read.values()):,} bytes of weights.",
            "",
            "| kernels | part | multiply-adds | bytes of weights | microseconds | cycles | a cycle | of the peak |",
            "|---|---|--:|--:|--:|--:|--:|--:|",
        ]
        for row in result["rows"]:
            if (row["units"], row["tokens"]) != (units, tokens) or row["kernels"] not in peaks:
                continue
            best = peaks[row["kernels"]][0] / clock
            whole = {"whole": sum(counts.values())}
            for part, time in row["microseconds"].items():
                number, cycles = (whole | counts).get(part), time * clock * 1e3
                shown = (
                    ("", "", "", "")
                    if number is None
                    else (
                        f"{number:,}",
                        f"{(read | {'whole': sum(read.values())})[part]:,}",
                        f"{number / cycles:.1f}",
                        f"{100 * number / cycles / best:.0f} %",
                    )
                )
                lines.append(
                    f"| {row['kernels']} | {_NAMES.get(part, 'all')} | {shown[0]} | {shown[1]} | {time:.2f} | "
                    f"{cycles:,.0f} | {shown[2]} | {shown[3]} |"
                )
    lines += [
        "",
        "State to gates cannot be computed for all tokens at once: each step waits for the one before. With 64 units a "
        f"step has {4 * 64 * 64:,} multiply-adds in a direction, so what begins and ends a step weighs much.",
    ]
    if arm := result.get("aarch64"):
        lines += [
            "",
            "## Instructions on AArch64, counted in an emulator",
            "",
            "`python native/tools/count_instructions.py`: a token in both directions, with its share of the input "
            "products and of the attention. A count, not a time of a phone.",
            "",
            "| kernels | units | instructions a token | multiply-adds a token | multiply-adds an instruction |",
            "|---|--:|--:|--:|--:|",
            *(
                f"| {row['kernels']} | {row['units']} | {row['instructions']:,} | {row['multiply_adds']:,} | "
                f"{row['multiply_adds'] / row['instructions']:.1f} |"
                for row in arm
            ),
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures this processor, counts for AArch64, and writes both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "results/native_kernels", help="results, without the suffix")
    arguments = parser.parse_args()
    if library.machine() != "x86_64":
        parser.exit(2, "native/bench/peak.c is for x86-64\n")
    result: dict[str, Any] = {
        "command": f"python -m benchmarks.native_kernels --rounds {arguments.rounds}",
        "environment": describe_environment([]),
        **measure(arguments.rounds),
    }
    if all(map(shutil.which, ARM)):
        result["aarch64"] = [
            {
                "kernels": kernels,
                "units": units,
                "instructions": count,
                "multiply_adds": count_instructions.products(units),
            }
            for units in (64, 128)
            for kernels, count in count_instructions.count(units, *ARM).items()
        ]
    else:
        print(f"AArch64: skipped: {' and '.join(ARM)} are needed", file=sys.stderr)
    write_json(arguments.out.with_suffix(".json"), result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
