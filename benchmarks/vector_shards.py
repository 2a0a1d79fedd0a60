"""Compares word vectors from shards, averaged after each round, with those of one process on the same text.

    python -m benchmarks.vector_shards --data ../shared/data [--shards 2 4 8] [--rounds 30] [--million-words 4]
    python -m benchmarks.vector_shards --large 5000000

All trainings read wiki_en with the same settings and the same number of epochs, in processes of one thread. The rule of
the average (`textapp/vectors/averaging.py`) was chosen on the first 8.6 million words of it. `--large` measures memory
and time of a vocabulary of that size in one process, with a generated corpus. Each row is stored when it is measured,
so the benchmark can be stopped and resumes; `--million-words` reads only the start of wiki_en. It writes
results/vector_shards.json and results/vector_shards.md.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import describe_environment, environment_line
from benchmarks.record import Record, Row, spread
from benchmarks.word_vectors import SETS, scores
from textapp.data.lines import open_stream
from textapp.files import replacing
from textapp.vectors.config import VectorsConfig

RESULTS = Path(__file__).parents[1] / "results"
EPOCHS, DIM = 3, 100
LARGE_DIM = 100
_LINE = 20  # words of a generated line


def child(job: dict[str, Any]) -> None:
    """Runs one training in this process and prints its figures."""
    import textapp.training.vectors  # noqa: F401  (imports are not measured)
    from textapp.training.vector_workers import train_vectors_on_workers
    from textapp.training.vectors import train_vectors

    began = time.perf_counter()
    config = VectorsConfig().override(job["settings"])
    if job.get("shards", 1) == 1:
        counts = job.get("counts", [])
        metrics = train_vectors(config, job["out"], corpus=[job["corpus"]], counts=counts)
    else:
        metrics = train_vectors_on_workers(
            config, job["out"], corpus=[job["corpus"]], workers=job["shards"], rounds=job["rounds"]
        )
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    figures = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime,
        "peak_mb": max(own.ru_maxrss, others.ru_maxrss) / 1024,
    }
    print(json.dumps({"words": metrics["words"], "vocabulary": metrics["vocabulary"], **figures}))


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs a training in a separate process, and returns its figures."""
    command = [sys.executable, "-m", "benchmarks.vector_shards", "--child", json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def write_generated(path: Path, size: int, words: int) -> None:
    """Writes a corpus in which each of `size` words occurs at least twice, the frequent ones as Zipf's law says."""
    rng = np.random.default_rng(0)
    counts = 2 + (words - 2 * size) / np.log(size) / np.arange(1, size + 1)
    ids = np.repeat(np.arange(size, dtype=np.int32), counts.astype(np.int64))
    rng.shuffle(ids)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for start in range(0, len(ids), 50_000 * _LINE):
            tokens = [f"w{number:x}" for number in ids[start : start + 50_000 * _LINE].tolist()]
            file.writelines(" ".join(tokens[i : i + _LINE]) + "\n" for i in range(0, len(tokens), _LINE))


def measure_large(size: int, work: Path) -> Row:
    """Memory and time of one epoch with a vocabulary of `size` words: counting, then training."""
    corpus, counts, out = work / "generated.txt", work / "generated.tsv", work / "generated.npz"
    if not corpus.exists():
        write_generated(corpus, size, 6 * size)
    began = time.perf_counter()
    count = ["vectors", "count", str(corpus), "--out", str(counts), "--tokenizer", "whitespace", "--force"]
    main = "import resource, sys; from textapp.cli.main import app; app(standalone_mode=False); "
    main += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    counted = subprocess.run([sys.executable, "-c", main, *count], stdout=subprocess.PIPE, text=True, check=True)
    count_s, count_mb = time.perf_counter() - began, float(counted.stdout.splitlines()[-1])
    settings = ["epochs=1", f"dim={LARGE_DIM}", "threads=1", "min_count=1", "tokenizer=whitespace"]
    figures = run({"settings": settings, "corpus": str(corpus), "counts": [str(counts)], "out": str(out)})
    file_mb = out.stat().st_size / 2**20
    for path in (corpus, counts, out):
        path.unlink()
    return {"kind": "large", "dim": LARGE_DIM, **figures, "count_s": count_s, "count_mb": count_mb, "file_mb": file_mb}


def table(rows: list[Row], environment: dict[str, str | int]) -> str:
    """The rows as Markdown."""
    compared = [row for row in rows if row["kind"] == "compared"]
    lines = [
        "# Word vectors from shards",
        "",
        f"`python -m benchmarks.vector_shards --data DATA`, skip-gram on wiki_en, dimension {DIM}, {EPOCHS} epochs,",
        "processes of one thread, an average after each round; the other settings are the defaults. Time is that of a",
        f"machine on which other work ran. {environment_line(environment)}",
        "",
        "Spearman's rho on the sets of similarity, and the share of right analogies.",
        "",
        "| words | shards | rounds | " + " | ".join([*SETS, "analogies"]) + " | mean | CPU s | seeds |",
        "|---|---|---|" + "---|" * (len(SETS) + 4),
    ]
    single = [row for row in compared if row["shards"] == 1]
    for words, shards, rounds in sorted({_kind(row) for row in compared}):
        found = [row for row in compared if _kind(row) == (words, shards, rounds)]
        cells = [spread([row["scores"][name] for row in found], ".3f") for name in [*SETS, "analogies"]]
        means = spread([float(np.mean(list(row["scores"].values()))) for row in found], ".3f")
        cpu = spread([row["cpu_s"] for row in found], ".0f")
        lines.append(
            f"| {words / 1e6:.0f} M | {shards} | {rounds} | " + " | ".join([*cells, means, cpu, str(len(found))]) + " |"
        )
    differences = []
    for words, shards, rounds in sorted({_kind(row) for row in compared if row["shards"] > 1}):
        of_seeds = [
            {name: row["scores"][name] - one["scores"][name] for name in row["scores"]}
            for row in compared
            for one in single
            if _kind(row) == (words, shards, rounds) and (words, row["seed"]) == (one["words"], one["seed"])
        ]
        if of_seeds:
            cells = [f"{np.mean([found[name] for found in of_seeds]):+.3f}" for name in [*SETS, "analogies"]]
            differences.append(f"| {words / 1e6:.0f} M | {shards} | {rounds} | " + " | ".join(cells) + " |")
    if differences:
        lines += [
            "",
            "Difference to one process with the same seeds:",
            "",
            "| words | shards | rounds | " + " | ".join([*SETS, "analogies"]) + " |",
            "|---|---|---|" + "---|" * (len(SETS) + 1),
            *differences,
        ]
    for row in rows:
        if row["kind"] == "large":
            lines += [
                "",
                f"## A vocabulary of {row['vocabulary']:,} words in one process",
                "",
                f"`python -m benchmarks.vector_shards --large {row['vocabulary']}`: a generated corpus of "
                f"{row['words']:,} words, dimension {row['dim']}, one epoch, one thread.",
                "",
                "| | seconds | CPU s | peak MB |",
                "|---|---|---|---|",
                f"| `vectors count` | {row['count_s']:,.0f} | | {row['count_mb']:,.0f} |",
                f"| `vectors train --counts` | {row['wall_s']:,.0f} | {row['cpu_s']:,.0f} | {row['peak_mb']:,.0f} |",
                "",
                f"The two tables have {2 * 4 * row['vocabulary'] * (row['dim'] + 1) / 2**20:,.0f} MB, the file "
                f"{row['file_mb']:,.0f} MB.",
            ]
    return "\n".join(lines) + "\n"


def _kind(row: Row) -> tuple[int, int, int]:
    """The words, shards and rounds of a row."""
    return row["words"], row["shards"], row["rounds"]


def _corpus(data: Path, work: Path, million_words: int | None) -> Path:
    """wiki_en, or the lines at its start that have about so many words between spaces."""
    whole = data / "wiki_en/wiki_en.txt.gz"
    if million_words is None:
        return whole
    path = work / f"wiki_en_{million_words}m.txt"
    if not path.exists():
        words = 0
        with open_stream(whole) as source, replacing(path) as temporary, temporary.open("wb") as file:
            for line in source:
                file.write(line)
                words += len(line.split())
                if words >= million_words * 1_000_000:
                    break
    return path


def main() -> None:
    """Measures the missing rows and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=Path("saved_models/vector_shards"), help="folder for vectors")
    parser.add_argument("--shards", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--million-words", type=int, help="read only so many words of wiki_en; by default all")
    parser.add_argument("--large", type=int, metavar="WORDS", help="measure a vocabulary of this size instead")
    parser.add_argument("--child", metavar="JOB", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(json.loads(arguments.child))
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    environment = describe_environment(["tensorflow", "numpy"])
    record = Record(
        RESULTS / "vector_shards.json",
        lambda rows: table(rows, environment),
        order=lambda row: (row["kind"], row["words"], row.get("shards", 0), row.get("rounds", 0), row.get("seed", 0)),
    )
    if arguments.large:
        record.add(measure_large(arguments.large, arguments.work))
        return
    for seed in arguments.seeds:
        for shards in dict.fromkeys([1, *arguments.shards]):
            job: dict[str, Any] = {"kind": "compared", "shards": shards, "rounds": 1, "seed": seed}
            job |= {"rounds": arguments.rounds if shards > 1 else 1, "million_words": arguments.million_words}
            if record.has(**job):
                continue
            out = arguments.work / f"{arguments.million_words}_{shards}_{job['rounds']}_{seed}.npz"
            settings = [f"epochs={EPOCHS}", f"dim={DIM}", "threads=1", f"seed={seed}"]
            corpus = _corpus(arguments.data, arguments.work, arguments.million_words)
            figures = run({**job, "settings": settings, "corpus": str(corpus), "out": str(out)})
            record.add({**job, **figures, "scores": scores(out, arguments.data)})
            out.unlink()


if __name__ == "__main__":
    main()
