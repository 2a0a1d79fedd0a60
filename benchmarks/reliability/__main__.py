"""Tries to break textapp, and counts what happened.

    python -m benchmarks.reliability [--parts kills "full disks" ...] [--count 10]

Each row is one kind of trial on one command or one kind of file. It is stored when it is measured, so the benchmark can
be stopped and resumes. What must never happen is counted as wrong and named: a crash, a traceback, a hang, a lost or
half-written file, another result. It writes results/reliability.json and the table results/reliability.md.
"""

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, environment_line
from benchmarks.record import Record, Row
from benchmarks.reliability import children
from benchmarks.reliability.commands import prepare
from benchmarks.reliability.disturbances import DISTURBANCES, Bench
from benchmarks.reliability.inputs import INPUTS

RESULTS = Path(__file__).parents[2] / "results"
PARTS = {**DISTURBANCES, **INPUTS}


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Nothing lost, nothing let in",
        "",
        "`python -m benchmarks.reliability`: what was tried, how often textapp refused in one line or ended well, and "
        "what must never happen: a crash, a traceback, a hang, a lost or half-written file, another result.",
        "",
        environment_line(rows[-1]["environment"]) if rows else "",
        "",
        "| what | of | tried | refused in one line | ended well | wrong |",
        "|---|---|--:|--:|--:|---|",
    ]
    for row in rows:
        wrong = ", ".join(f"{count} {what}" for what, count in sorted(row["wrong"].items())) or "0"
        cells = [row["part"], row["of"], *(f"{row[key]:,}" for key in ("tried", "refused", "ended")), wrong]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def row_of(part: str, what: str, found: Counter[str]) -> Row:
    """The counts of one kind of trial."""
    wrong = {key.removeprefix("WRONG "): count for key, count in found.items() if key.startswith("WRONG ")}
    counts: dict[str, Any] = {key: found[key] for key in ("tried", "refused", "ended")}
    environment = describe_environment(["tensorflow", "ai-edge-litert", "numpy"])
    return {"part": part, "of": what, **counts, "wrong": wrong, "environment": environment}


def main() -> None:
    """Runs the trials that are not in results/reliability.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="Kinds of trials (all).")
    parser.add_argument(
        "--commands", nargs="+", metavar="NAME", help="Commands that are disturbed, by their row (all)."
    )
    parser.add_argument("--count", type=int, help="Trials of each row (50 kills, 20 signals, ...).")
    parser.add_argument("--out", type=Path, default=RESULTS / "reliability.json", help="File of the rows.")
    arguments = parser.parse_args()
    record = Record(arguments.out, table, order=lambda row: list(PARTS).index(row["part"]))
    children.preload()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = prepare(folder)
        for command in commands:
            for part, (disturb, count, also_forced) in DISTURBANCES.items():
                for force in [False, True][: 1 + also_forced]:
                    what, wanted = command.row(force), arguments.commands
                    skipped = part not in arguments.parts or (wanted is not None and what not in wanted)
                    if skipped or record.has(part=part, of=what):
                        continue
                    bench = Bench(command, folder / "trials" / f"{part} of {what}", force)
                    found = disturb(bench, arguments.count or count, random.Random(f"{part} {what}"))
                    record.add(row_of(part, what, found))
                    print(record.rows[-1], flush=True)
        for part, (trials, count) in INPUTS.items():
            for what, trial in trials(folder).items():
                if part in arguments.parts and not record.has(part=part, of=what):
                    found = trial(arguments.count or count, random.Random(f"{part} {what}"))
                    record.add(row_of(part, what, found))
                    print(record.rows[-1], flush=True)
    print(table(record.rows))


if __name__ == "__main__":
    main()
