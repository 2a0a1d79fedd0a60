"""Disturbs commands: kills, signals, full disks, a second command at the same place."""

import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.reliability.children import Child, Ended, contents, leftovers
from benchmarks.reliability.commands import Command

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
OWN = "eigene Datei.txt"  # a user's file beside a run's


class Bench:
    """One command, and what it makes when nothing disturbs it.

    Args:
        command: The command.
        folder: Folder for its outputs.
        force: Whether a finished output is there already and is replaced.
    """

    def __init__(self, command: Command, folder: Path, force: bool):
        self.command, self.force = command, force
        folder.mkdir(parents=True, exist_ok=True)
        self.log, self.finished = folder / "log", folder / f"finished{command.suffix}"
        self.output = folder / "at work" / f"output{command.suffix}"
        ended = self.start(self.finished, force=False).wait()
        if ended.code:
            raise SystemExit(f"{command.name}: exit {ended.code}\n{ended.log}")
        self.seconds = ended.seconds
        self.expected = contents(self.finished)

    def start(self, output: Path, force: bool, file_size: int | None = None) -> Child:
        """Starts the command with another output."""
        return Child(self.command.to(output, force), self.log, file_size)

    def fresh(self) -> None:
        """Makes the place of the output empty; with `force` a finished output and a user's own file are there."""
        shutil.rmtree(self.output.parent, ignore_errors=True)
        self.output.parent.mkdir()
        if self.force:
            for source in self.finished.parent.glob(f"{self.finished.name}*"):
                target = self.output.with_name(source.name.replace(self.finished.name, self.output.name, 1))
                (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
            self.own.write_text("mine", encoding="utf-8")

    @property
    def own(self) -> Path:
        """A user's file: in a run folder, else beside the output."""
        is_run = self.output.is_dir() and (self.output / "metrics.json").exists()
        return (self.output if is_run else self.output.parent) / OWN

    def wrong(self) -> str:
        """What is wrong with a finished output; empty if nothing is."""
        if self.force and not any(path.name == OWN for path in self.output.parent.rglob("*")):
            return "a user's file is lost"
        found = {name: what for name, what in contents(self.output).items() if not name.endswith(OWN)}
        if found != self.expected:
            differing = sorted(name for name in found | self.expected if found.get(name) != self.expected.get(name))
            return f"differs in {', '.join(differing)}"
        return f"left {left[0]}" if (left := leftovers(self.output)) else ""

    def broken(self) -> str:
        """What is half-written where a command was stopped; empty if nothing is."""
        try:
            if self.output.exists():
                contents(self.output)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""


def kills(bench: Bench, count: int, rng: random.Random) -> Counter[str]:
    """Kills a command at random moments and runs it again, until it ends; compares what it has made."""
    found: Counter[str] = Counter()
    while found["tried"] < count:
        bench.fresh()
        ended = bench.start(bench.output, bench.force).wait(rng.uniform(0.01, 1) * bench.seconds)
        while ended.disturbed and ended.code < 0 and found["tried"] < count:
            found["tried"] += 1
            found[_bad("half-written", bench.broken())] += 1
            again = bench.force and bench.command.arguments[0] in ("export", "report")
            after = rng.uniform(0.01, 2) * bench.seconds
            ended = bench.start(bench.output, again).wait(after)
        if ended.code < 0:
            ended = bench.start(bench.output, bench.force).wait()
        # A kill after the last step leaves a finished output: the same command then says that it exists.
        is_finished = ended.is_refusal and ("finished" in ended.log or "exists" in ended.log)
        found[_bad("ended otherwise", bench.wrong() if ended.code == 0 or is_finished else _last_line(ended))] += 1
        found["ended"] += 1
    return found


def signals(bench: Bench, count: int, rng: random.Random) -> Counter[str]:
    """Sends SIGINT, SIGTERM or SIGHUP at random moments: the command ends at once, in silence, with the right code."""
    found: Counter[str] = Counter()
    while found["tried"] < count:
        bench.fresh()
        number = rng.choice(sorted(SIGNALS))
        ended = bench.start(bench.output, bench.force).wait(rng.uniform(0.2, 0.98) * bench.seconds, number)
        if not ended.disturbed:
            continue
        found["tried"] += 1
        finished = ended.code == 0 and not bench.wrong()  # the signal came at the very end
        if ended.code != SIGNALS[number] and not finished:
            found[f"WRONG {signal.Signals(number).name}: exit {ended.code}"] += 1
        elif noise := next((word for word in ("Traceback", "Logging error") if word in ended.log), ""):
            found[f"WRONG noise: {noise}"] += 1
        else:
            found[_bad("half-written", bench.broken())] += 1
    return found


def full_disks(bench: Bench, count: int, rng: random.Random) -> Counter[str]:
    """Limits the size of a file, as a full disk does: the command says so in one line and leaves nothing broken."""
    largest = max(path.stat().st_size for path in [bench.finished, *bench.finished.rglob("*")] if path.is_file())
    found: Counter[str] = Counter()
    while found["tried"] < count:
        bench.fresh()
        ended = bench.start(bench.output, bench.force, file_size=int(largest * rng.uniform(0, 1.1) ** 3)).wait()
        found["tried"] += 1
        if ended.code == 0:
            found[_bad("ended otherwise", bench.wrong())] += 1
        elif not ended.is_refusal:
            found[f"WRONG {ended.failure or _last_line(ended)}"] += 1
        else:
            found["refused"] += 1
            found[_bad("half-written", bench.broken())] += 1
            if bench.force and bench.command.arguments[0] in ("export", "report"):
                found[_bad("old output", bench.wrong())] += 1
    return found


def two_at_once(bench: Bench, count: int, rng: random.Random) -> Counter[str]:
    """Starts a second command at the same place: one is refused in one line, the other ends as if it were alone.

    Of a command that replaces its output whole, both may end.
    """
    found: Counter[str] = Counter()
    for _ in range(count):
        bench.fresh()
        first = bench.start(bench.output, bench.force)
        second = Child(bench.command.to(bench.output, bench.force), bench.log.with_name("log of the second"))
        ended = [first.wait(), second.wait(after=None)]
        found["tried"] += 1
        codes = sorted(one.code for one in ended)
        refused = [one for one in ended if one.is_refusal]
        if codes != [0, 2 * len(refused)] or len(refused) != 1 - (bench.command.replaces and codes == [0, 0]):
            found[f"WRONG exit codes {codes}"] += 1
        else:
            found["refused"] += len(refused)
            found[_bad("ended otherwise", bench.wrong())] += 1
    del rng
    return found


def _bad(kind: str, what: str) -> str:
    """The name under which an outcome is counted."""
    return f"WRONG {kind}: {what}" if what else "right"


def _last_line(ended: Ended) -> str:
    return f"exit {ended.code}, {(ended.log.splitlines() or [''])[-1][:120]}"


Disturbance = Callable[[Bench, int, random.Random], Counter[str]]
DISTURBANCES: dict[str, tuple[Disturbance, int, bool]] = {
    # how, how often, whether also with --force
    "kills": (kills, 50, True),
    "signals": (signals, 20, False),
    "full disks": (full_disks, 20, True),
    "two at once": (two_at_once, 5, False),
}
