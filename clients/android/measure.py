"""Times the Kotlin client on this machine's Java, beside Python with the same core.

    python clients/android/measure.py BUNDLE TEXTS

TEXTS is a file with a text on each line. The variable KOTLINC may name a Kotlin compiler; see clients/tools.py.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from clients.android.tests.kotlin import compile_kotlin, kotlin_output  # noqa: E402
from clients.tools import kotlin_compiler  # noqa: E402
from native.check import Skipped  # noqa: E402
from textapp.errors import InputError  # noqa: E402
from textapp.export.verb import export  # noqa: E402
from textapp.runtime import load  # noqa: E402

_LOADS, _CALLS = 50, 3000


def main() -> int:
    """Prints the times of each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("texts", type=Path)
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            compiler = kotlin_compiler()
            export(arguments.bundle, folder / "project", clients=["android"])
            library = folder / "project/textapp/src/main/jniLibs/x86_64"
            classes = compile_kotlin(compiler, folder / "project", folder / "all.jar")
            print(f"Python  {python_times(arguments.bundle, arguments.texts)}")
            print(f"Kotlin  {kotlin_output(classes, library, 'time', arguments.bundle, arguments.texts)}", end="")
    except (InputError, Skipped, OSError, subprocess.CalledProcessError, AssertionError) as error:
        print(f"measure.py: {error}", file=sys.stderr)
        return 1
    return 0


def python_times(bundle: Path, texts: Path) -> str:
    """The times of Python with the core, as Check.kt prints those of Kotlin."""
    start = time.perf_counter()
    model = load(bundle, engine="native")
    first = time.perf_counter() - start
    loads = [seconds(lambda: load(bundle, engine="native")) for _ in range(_LOADS)]
    lines = texts.read_text(encoding="utf-8").splitlines()
    times = [
        seconds(lambda text=line: model.predict([text])) for _ in range(_CALLS // len(lines) + 1) for line in lines
    ]
    times.sort()
    p50, p95 = times[len(times) // 2], times[len(times) * 19 // 20]
    return (
        f"first load {first * 1e3:.2f} ms; load {statistics.median(loads) * 1e3:.2f} ms; "
        f"a text: p50 {p50 * 1e6:.1f}, p95 {p95 * 1e6:.1f} µs"
    )


def seconds(call: Callable[[], object]) -> float:
    """The time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
