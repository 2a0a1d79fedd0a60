"""Compares word vectors with gensim's: speed and quality at equal epochs, on the same text with the same options.

    python -m benchmarks.word_vectors --data ../shared/data [--seeds 0 1 2] [--growth] [--memory]

Both read one text file (wiki_en in lower case, with spaces between the words of textapp's tokenizer) and write a
word2vec binary. Each training is a separate process with 2 threads; the tools take turns. CPU and wall seconds count
from the first byte read to the last byte written, without imports; gensim reads the file in its fastest way
(`corpus_file`). Rates and layout were chosen on WordSim-353 and SimLex-999; the other sets are only read here. The
benchmark can be stopped and resumes. It writes results/word_vectors.json and results/word_vectors.md.
"""

import argparse
import itertools
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import describe_environment, environment_line
from benchmarks.record import spread
from textapp.data.lines import open_stream
from textapp.files import replacing, write_text
from textapp.text.tokenizer import Tokenizer
from textapp.vectors.config import VectorsConfig

RESULTS = Path(__file__).parents[1] / "results"
EPOCHS = 3
SETS = ["EN-WS-353-ALL", "EN-SIMLEX-999", "EN-MEN-TR-3k", "EN-RW-STANFORD", "EN-MTurk-771"]
CHOSEN_ON = SETS[:2]
TOOLS = [("textapp", 0.5), ("gensim", 0.05), ("gensim", 0.025)]  # gensim's better rate first: its times count
GROWTH = [
    *({"vocabulary_size": size} for size in (10_000, 30_000, 60_000, 250_000)),
    *({"dim": dim} for dim in (50, 100, 200, 300)),
    *({"million_words": millions} for millions in (2, 5, 10, 20)),
]


def cpu_seconds() -> float:
    """CPU seconds of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def write_corpus(data: Path, path: Path) -> None:
    """Writes wiki_en as words between spaces, a paragraph a line."""
    tokenizer = Tokenizer("word")
    with (
        open_stream(data / "wiki_en/wiki_en.txt.gz") as source,
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        for line in source:
            file.write(" ".join(tokenizer.words(line.decode("utf-8"))) + "\n")


def run_textapp(job: dict[str, Any], corpus: str, out: str) -> int:
    """Trains with textapp; returns the words of the corpus."""
    from textapp.training.vectors import train_vectors

    settings = {key: job[key] for key in ("dim", "epochs", "seed", "vocabulary_size", "min_count") if key in job}
    config = VectorsConfig(
        tokenizer="whitespace", lowercase=False, normalization="none", threads=2, learning_rate=job["rate"], **settings
    )
    return train_vectors(config, out, corpus=[corpus], force=True)["words"]


def run_gensim(job: dict[str, Any], corpus: str, out: str) -> int:
    """Trains with gensim; returns the words of the corpus."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        corpus_file=corpus,
        sg=1,
        vector_size=job["dim"],
        window=5,
        negative=5,
        sample=1e-3,
        min_count=5,
        workers=2,
        epochs=job["epochs"],
        alpha=job["rate"],
        seed=job["seed"] + 1,
    )
    model.wv.save_word2vec_format(out, binary=True)
    return model.corpus_total_words


def child(job: dict[str, Any], corpus: str, out: str) -> None:
    """Runs one training in this process and prints its figures."""
    if job["tool"] == "textapp":
        import textapp.training.vectors  # noqa: F401  (imports are not measured)
    else:
        import gensim.models  # noqa: F401
    imports, began = cpu_seconds(), time.perf_counter()
    words = (run_textapp if job["tool"] == "textapp" else run_gensim)(job, corpus, out)
    print(
        json.dumps(
            {
                "words": words,
                "cpu_s": cpu_seconds() - imports,
                "wall_s": time.perf_counter() - began,
                "import_cpu_s": imports,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def measure(job: dict[str, Any], corpus: Path, work: Path) -> dict[str, Any]:
    """Runs a training in a separate process."""
    out = work / f"{job['tool']}.bin"
    command = [sys.executable, "-m", "benchmarks.word_vectors", "--child", json.dumps(job), str(corpus), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {**job, **json.loads(done.stdout.splitlines()[-1])}


def scores(path: Path, data: Path) -> dict[str, float | None]:
    """Spearman's rho on each similarity set, and the share of right analogies."""
    from textapp.vectors.analogies import read_analogies, score_analogies
    from textapp.vectors.formats import read_vectors
    from textapp.vectors.similarity import read_similarity_set, score_similarity

    vectors = read_vectors(path)
    result = {
        name: score_similarity(vectors, read_similarity_set(data / f"word_similarity/{name}.txt"))["spearman"]
        for name in SETS
    }
    analogies = score_analogies(vectors, read_analogies(data / "analogy/questions-words.txt"))
    accuracy = {section["section"]: section["accuracy"] for section in analogies["sections"]}
    return {**result, "analogies": accuracy["total"]}


def write_gigabyte(source: Path, path: Path) -> None:
    """Writes a corpus again and again until the file has 1 GB, each time with new rare words."""
    text = source.read_text(encoding="utf-8")
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for round_number in itertools.count():
            if file.tell() > 10**9:
                break
            # Every word of nine letters or more is a new one.
            file.write(re.sub(r"(\w{9,})", rf"\g<1>{round_number or ''}", text))


def product_limit(dim: int) -> float:
    """CPU microseconds of the three matrix products for a word that is kept: the limit for every layout."""
    from textapp.vectors.blocks import BlockShape

    size = BlockShape().words_per_block
    rng = np.random.default_rng(0)
    inputs, outputs = rng.random((2, size, dim), dtype=np.float32)
    slope = rng.random((size, size), dtype=np.float32)
    products = [lambda: inputs @ outputs.T, lambda: slope @ outputs, lambda: slope.T @ inputs]
    return sum(min(_cpu_time_of(product) for _ in range(20)) for product in products) / size * 1e6


def _cpu_time_of(call: Any, repeats: int = 200) -> float:
    """CPU seconds of all threads."""
    began = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - began) / repeats


def microseconds(row: dict[str, Any], clock: str) -> float:
    """Microseconds a word and epoch."""
    return row[clock] / row["words"] / row["epochs"] * 1e6


def words_a_second(row: dict[str, Any], clock: str) -> str:
    """Words a second over all epochs, for the table."""
    return f"{1e6 / microseconds(row, clock):,.0f}"


def table(rows: list[dict[str, Any]], environment: dict[str, Any]) -> str:
    """The rows as Markdown."""
    compared = [row for row in rows if row["kind"] == "compared"]
    lines = [
        "# Word vectors",
        "",
        "`python -m benchmarks.word_vectors --data DATA --growth --memory`, skip-gram on wiki_en, window 5, 5",
        f"negatives, sample 1e-3, minimum count 5, {EPOCHS} epochs, 2 threads. {environment_line(environment)}",
        "",
        "## Speed, text in and vectors out",
        "",
        "Words a second of CPU time and of wall time, over all epochs, and how many times gensim's.",
        "",
        "| dimension | seed | rate | words | CPU: textapp | gensim | times | wall: textapp | gensim | times |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in compared:
        place = (*TOOLS[1], row["dim"], row["seed"])
        rival = next((r for r in compared if (r["tool"], r["rate"], r["dim"], r["seed"]) == place), None)
        if row["tool"] == "gensim" or rival is None:
            continue
        own_cpu, cpu = (microseconds(r, "cpu_s") for r in (row, rival))
        own_wall, wall = (microseconds(r, "wall_s") for r in (row, rival))
        lines.append(
            f"| {row['dim']} | {row['seed']} | {row['rate']} | {row['words']:,} "
            f"| {words_a_second(row, 'cpu_s')} | {words_a_second(rival, 'cpu_s')} | {cpu / own_cpu:.1f} "
            f"| {words_a_second(row, 'wall_s')} | {words_a_second(rival, 'wall_s')} | {wall / own_wall:.1f} |"
        )
    lines += [
        "",
        "## Quality at equal epochs",
        "",
        f"Rates and layout were chosen on {' and '.join(CHOSEN_ON)}; Spearman's rho, and the share of right analogies.",
        "",
        "| | dimension | " + " | ".join([*SETS, "analogies"]) + " | seeds |",
        "|---|---|" + "---|" * (len(SETS) + 2),
    ]
    for dim, (tool, rate) in itertools.product((100, 200), TOOLS):
        of_tool = [row for row in compared if (row["tool"], row["rate"], row["dim"]) == (tool, rate, dim)]
        if of_tool:
            cells = [spread([row["scores"][name] for row in of_tool], ".3f") for name in [*SETS, "analogies"]]
            lines.append(f"| {tool}, rate {rate} | {dim} | " + " | ".join(cells) + f" | {len(of_tool)} |")
    grown = [row for row in rows if row["kind"] == "growth"]
    if grown:
        lines += [
            "",
            "## How it grows",
            "",
            "One epoch, everything included; the limit is the CPU time of the three matrix products alone, for a word",
            "that is kept when frequent ones are thinned out. Reading the text takes the same whatever the model.",
            "",
            "| what | vocabulary | dimension | words | CPU µs a word | limit | words/s of wall time | peak MB |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in grown:
            what = ", ".join(f"{key} {row[key]:,}" for key in ("vocabulary_size", "million_words") if key in row)
            lines.append(
                f"| {what or 'dimension'} | {row['vocabulary']:,} | {row['dim']} | {row['words']:,} "
                f"| {microseconds(row, 'cpu_s'):.2f} | {row['limit_us']:.2f} | {row['words'] / row['wall_s']:,.0f} "
                f"| {row['peak_mb']:,.0f} |"
            )
    for row in rows:
        if row["kind"] == "memory":
            lines += [
                "",
                "## Memory",
                "",
                f"A text of {row['text_mb']:,.0f} MB, {row['words']:,} words, vocabulary {row['vocabulary']:,}, "
                f"dimension {row['dim']}: peak resident size {row['peak_mb']:,.0f} MB, of which the tables are "
                f"{row['tables_mb']:,.0f} MB; {microseconds(row, 'cpu_s'):.2f} CPU µs a word for one epoch.",
            ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the missing rows and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=Path("saved_models/word_vectors"), help="folder for vectors")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--growth", action="store_true", help="measure vocabulary, dimension and corpus size too")
    parser.add_argument("--memory", action="store_true", help="measure the peak memory on a file of 1 GB")
    parser.add_argument("--child", nargs=3, metavar=("JOB", "CORPUS", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        job, corpus, out = arguments.child
        child(json.loads(job), corpus, out)
        return
    work: Path = arguments.work
    corpus = work / "wiki_en.txt"
    if not corpus.exists():
        write_corpus(arguments.data, corpus)
    record = RESULTS / "word_vectors.json"
    rows: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else []
    environment = describe_environment(["tensorflow", "gensim", "numpy"])

    def keep(row: dict[str, Any]) -> None:
        rows.append(row)
        write_text(record, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
        write_text(RESULTS / "word_vectors.md", table(rows, environment))

    jobs = [
        {"kind": "compared", "tool": tool, "rate": rate, "dim": dim, "seed": seed, "epochs": EPOCHS}
        for seed in arguments.seeds
        for dim in ([100, 200] if seed == arguments.seeds[0] else [100])
        for tool, rate in (TOOLS if dim == 100 else TOOLS[:2])
    ]
    # gensim's other rate comes last: one seed shows which of the two is better.
    jobs.sort(key=lambda job: job["rate"] == TOOLS[-1][1] and job["seed"] != arguments.seeds[0])
    for job in jobs:
        if not any(all(row.get(key) == value for key, value in job.items()) for row in rows):
            row = measure(job, corpus, work)
            keep({**row, "scores": scores(work / f"{job['tool']}.bin", arguments.data)})
    for change in GROWTH if arguments.growth else []:
        job = {"kind": "growth", "tool": "textapp", "rate": 0.5, "dim": 100, "seed": 0, "epochs": 1, **change}
        if "vocabulary_size" in change:
            job["min_count"] = 1
        if any(all(row.get(key) == job.get(key) for key in {*job, *itertools.chain(*GROWTH)}) for row in rows):
            continue
        text = corpus
        if "million_words" in change:
            text = work / f"wiki_en_{change['million_words']}m.txt"
            _write_part(corpus, text, change["million_words"] * 1_000_000)
        row = measure(job, text, work)
        trained = json.loads((work / "textapp.bin.training/metrics.json").read_text(encoding="utf-8"))
        keep({**row, "vocabulary": trained["vocabulary"], "limit_us": product_limit(row["dim"])})
    job = {"kind": "memory", "tool": "textapp", "rate": 0.5, "dim": 100, "seed": 0, "epochs": 1}
    if arguments.memory and not any(row["kind"] == "memory" for row in rows):
        text = work / "gigabyte.txt"
        write_gigabyte(corpus, text)
        row = measure(job, text, work)
        vocabulary = json.loads((work / "textapp.bin.training/metrics.json").read_text(encoding="utf-8"))["vocabulary"]
        tables = 2 * 4 * vocabulary * (row["dim"] + 1) / 2**20  # input and output vectors, and a number a row
        keep({**row, "vocabulary": vocabulary, "tables_mb": tables, "text_mb": text.stat().st_size / 2**20})
        text.unlink()
    print(table(rows, environment))


def _write_part(source: Path, path: Path, words: int) -> None:
    """The first lines of a corpus, about `words` words."""
    with (
        source.open(encoding="utf-8") as lines,
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        for line in lines:
            file.write(line)
            words -= line.count(" ") + 1
            if words <= 0:
                break


if __name__ == "__main__":
    main()
