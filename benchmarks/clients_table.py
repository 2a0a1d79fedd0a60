"""The results of `benchmarks.clients` as Markdown."""

import statistics
from collections.abc import Sequence

from benchmarks.environment import environment_line
from benchmarks.record import Row


def table(rows: Sequence[Row]) -> str:
    """The results as Markdown."""
    lines = [
        "# The clients",
        "",
        "`python -m benchmarks.clients --classifier BUNDLE --tagger BUNDLE --texts FILE --classifier-run RUN "
        "--tagger-run RUN`",
        "",
        *_strings_table([row for row in rows if row["part"] == "strings"]),
        *_timing_table([row for row in rows if row["part"] == "timing"]),
        *_bytes_table([row for row in rows if row["part"] == "bytes"]),
        *_page_table([row for row in rows if row["part"] == "page"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _strings_table(rows: Sequence[Row]) -> list[str]:
    """Different lines by golden file and client."""
    measured = [row for row in rows if row["skipped"] is None]
    if not rows:
        return []
    lines = [
        "## Generated strings and whole predictions, through each binding",
        "",
        "Lines of the golden files of clients/conformance that differ from the answer of Python with LiteRT. In "
        "`tokens` files these are tokens and offsets in one setting of the tokenizer; in `predictions` files labels, "
        "tags, spans, offsets and numbers of a bundle. Rust and Swift check offsets in all three units, Kotlin in "
        "UTF-16, Python in code points. The core itself on x86-64, AArch64 and ARMv7, and client web in Node, are in "
        "native_equality.md.",
        "",
    ]
    if measured:
        names = list(dict.fromkeys(row["client"] for row in measured))
        found = {(row["client"], row["file"]): row for row in measured}
        lines += [f"| golden file | lines | different: {' | '.join(names)} |", f"|---|--:|{'--:|' * len(names)}"]
        for file in dict.fromkeys(row["file"] for row in measured):
            cells = [found.get((name, file)) for name in names]
            count = next(cell["lines"] for cell in cells if cell)
            different = [f"{cell['different']:,}" if cell else "" for cell in cells]
            lines.append(f"| {file.removesuffix('.txt')} | {count:,} | {' | '.join(different)} |")
        lines.append("")
    return [*lines, *_skipped(rows)]


def _skipped(rows: Sequence[Row]) -> list[str]:
    """What was not measured."""
    reasons = [f"- not measured: {row['client']}: {row['skipped']}" for row in rows if row.get("skipped")]
    return [*reasons, ""] if reasons else []


def _timing_table(rows: Sequence[Row]) -> list[str]:
    """Loading and times a text."""
    lines: list[str] = []
    for task in dict.fromkeys(row["task"] for row in rows):
        [about] = [row["about"] for row in rows if row["task"] == task and "about" in row]
        measured = [row for row in rows if row["task"] == task and "rounds" in row]
        rounds = len(measured[0]["rounds"])
        busy = about["load"][0] > 0.5
        lines += [
            f"## Time: {task}",
            "",
            f"{about['parameters']:,} parameters, {about['recipe']}; {about['model']:,} bytes of model.tflite, "
            f"{about['bundle']['bytes']:,} of the bundle. {about['texts']} texts, of {about['tokens']:g} tokens in the "
            f"median. Median of {rounds} rounds; in each round all take their turn.",
            "",
            environment_line(about["environment"])
            + " "
            + ", ".join(f"{name} {version}" for name, version in about["tools"].items())
            + ".",
            f"Load average of the last 1, 5 and 15 minutes: {', '.join(map(str, about['load']))}."
            + (" Other programs ran: compare rows with one another, not with other machines." if busy else ""),
            "",
            "| client | what | load, ms | a text, p50 µs | p95 µs | p50 beside Python, native | same answers |",
            "|---|---|--:|--:|--:|--:|--:|",
        ]
        reference = next(row["rounds"] for row in measured if row["client"] == "Python, native")
        for row in measured:
            load_time, p50, p95 = (
                statistics.median(one[key] for one in row["rounds"]) for key in ("load", "p50", "p95")
            )
            ratio = statistics.median(
                mine["p50"] / other["p50"] for mine, other in zip(row["rounds"], reference, strict=True)
            )
            same = f"{row['same']} of {about['texts']}" if "same" in row else ""
            lines.append(
                f"| {row['client']} | {row['what']} | {load_time:.1f} | {p50:.0f} | {p95:.0f} | {ratio:.2f} | {same} |"
            )
        lines += ["", *_skipped([row for row in rows if row["task"] == task])]
    if lines:
        lines += [
            "Each turn is a new process or a new page. Load is the time until the model is ready: of programs from a "
            "folder, after the language has started; in Chromium from the import of the first module on, with all "
            "files from a server on the same machine and no cache. In Chromium a time is the mean of 10 calls of the "
            "same text, elsewhere it is of one call. LiteRT.js and onnxruntime-web have no tokenizer, no CRF and no "
            "spans: their time is that of the model alone, on ids from Python, in LiteRT.js padded to the next length. "
            "LiteRT.js runs the unrolled file of the same recipe. onnxruntime-web runs Keras' own export in float32 "
            "without padding. MediaPipe cuts texts by its own rules. Same answers are the texts whose label, or whose "
            "best tag of each token before the CRF, is that of LiteRT in Python. Swift and Dart are not timed.",
            "",
        ]
    return lines


def _bytes_table(rows: Sequence[Row]) -> list[str]:
    """What an app adds beside the bundle."""
    if not rows:
        return []
    lines = ["## Bytes that an app adds beside the bundle", "", "| what | bytes | gzip | brotli |", "|---|--:|--:|--:|"]
    lines += [f"| {row['name']} | {_cells(row)} |" for row in rows]
    return [*lines, "", "For the web these are all files that the page fetched, except the model.", ""]


def _page_table(rows: Sequence[Row]) -> list[str]:
    """The single page."""
    if not rows:
        return []
    lines = [
        "## The single page, client `page`",
        "",
        "| bundle | parameters | recipe | model.tflite | all files of the bundle | page.html | gzip | brotli |",
        "|---|--:|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['task']} | {row['parameters']:,} | {row['recipe']} | {row['model']:,} | {row['bundle']:,} | "
            f"{_cells(row)} |"
        )
    return [*lines, ""]


def _cells(row: Row) -> str:
    brotli = "" if row["brotli"] is None else f"{row['brotli']:,}"
    return f"{row['bytes']:,} | {row['gzip']:,} | {brotli}"
