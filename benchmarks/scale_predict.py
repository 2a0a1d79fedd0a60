"""Labels of many texts: `--workers 2`, Ray and Spark beside one process, and with a worker killed in the middle.

    python -m benchmarks.scale_predict --classifier BUNDLE --tagger BUNDLE --texts 1000000

It needs the extras `parquet`, `ray` and `spark`, and Java 17; a way whose package is missing is left out. Texts are
random words of the bundle's vocabulary, 4 to 30 of them, in eight parquet files. Each way runs in a process of its own
and is timed with its start. Its rows are compared with those of one process: all labels, or all spans. In the lines
`killed` a process is killed after the first output (for `--workers 2` the command itself, which is then run again; of
Ray an actor; of Spark an executor).
"""

import argparse
import importlib.util
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from benchmarks.record import Record
from textapp.runtime import load
from textapp.runtime.native import processors

SHARDS = 8
SAMPLES = Path(__file__).parents[1] / "tests" / "samples"
SPARK_MASTER = "local-cluster[2,1,1024]"
VICTIMS = {"ray": b"ray::MapWorker", "spark": b"CoarseGrainedExecutorBackend"}
"""What the command line of a worker of an engine has in it."""


def write_texts(folder: Path, bundle: Path, texts: int, seed: int) -> None:
    """Writes random texts of the words of a bundle into eight parquet files, with their numbers."""
    words = [word for word in load(bundle).encoder.vocabulary.tokens if word.isprintable()]
    rng = random.Random(seed)
    folder.mkdir()
    for shard in range(SHARDS):
        numbers = range(shard * texts // SHARDS, (shard + 1) * texts // SHARDS)
        rows = [" ".join(rng.choices(words, k=rng.randint(4, 30))) for _ in numbers]
        table = pyarrow.table({"n": list(numbers), "text": rows})
        pyarrow.parquet.write_table(table, folder / f"part-{shard}.parquet")


def run_ray(bundle: str, source: str, out: str) -> None:
    """Predicts with two actors of Ray Data."""
    import ray

    from textapp.integrations.ray import BatchPredictor

    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR")
    ray.data.read_parquet(source).map_batches(
        BatchPredictor,
        fn_constructor_args=(bundle,),
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=0.5,
        batch_size=1024,
    ).write_parquet(out)
    ray.shutdown()


def run_spark(bundle: str, source: str, out: str) -> None:
    """Predicts with two executors of one core each."""
    from pyspark.sql import SparkSession

    from textapp.integrations.spark import predict_udf

    builder = SparkSession.builder.master(SPARK_MASTER).config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    predicted = predict_udf(bundle)("text")
    spark.read.parquet(source).withColumn("p", predicted).select("*", "p.*").drop("p").write.parquet(out)
    spark.stop()


def command_of(way: str, bundle: Path, source: Path, out: Path) -> list[str]:
    """The command of a way to predict."""
    if way in VICTIMS:
        return [sys.executable, "-m", "benchmarks.scale_predict", "--run", way, str(bundle), str(source), str(out)]
    start = [sys.executable, "-c", "from textapp.cli.main import main; main()", "predict", str(bundle)]
    return [*start, "--file", str(source), "--out", str(out), "--workers", way.removeprefix("workers ")]


def timed(way: str, bundle: Path, source: Path, out: Path, is_killed: bool) -> float:
    """Runs a way to predict, and returns its seconds. Raises `RuntimeError` if it fails, or nothing was killed."""
    command, begun = command_of(way, bundle, source, out), time.perf_counter()
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        if is_killed:
            _kill(process, out, VICTIMS.get(way))
        code = process.wait()
        if is_killed and way not in VICTIMS:
            if code != -signal.SIGKILL:
                raise RuntimeError(f"{way}: ended with {code} before it was killed; use more texts")
            code = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode
        if code:
            log.seek(0)
            raise RuntimeError(f"{way}: {log.read()[-3000:].decode('utf-8', 'replace')}")
    return time.perf_counter() - begun


def _kill(process: "subprocess.Popen[bytes]", out: Path, victim: bytes | None) -> None:
    """Kills a process when the first output is there: one below `process` with `victim` in its name, or itself."""
    while not any(path.is_file() and path.suffix == ".parquet" for path in out.rglob("*")):
        if process.poll() is not None:
            raise RuntimeError("ended before a worker was killed; use more texts")
        time.sleep(0.02)
    if victim is None:
        process.kill()
        return
    for pid in _below(process.pid):
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        if line.startswith(victim) or (b"java" in line and victim in line):
            os.kill(pid, signal.SIGKILL)
            return
    raise RuntimeError(f"no process {victim.decode()} is there to be killed")


def _below(pid: int) -> Iterator[int]:
    """The processes that a process started, and that they started."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield child
            yield from _below(child)


def predictions(out: Path) -> dict[int, Any]:
    """Number of a text -> its label or spans."""
    found: dict[int, Any] = {}
    for path in sorted(out.rglob("*.parquet")):
        table = pyarrow.parquet.ParquetFile(path).read()
        name = "predicted_label" if "predicted_label" in table.column_names else "predicted_spans"
        numbers = table.column("n").to_pylist()
        if repeated := found.keys() & set(numbers):
            raise RuntimeError(f"{path}: text {min(repeated)} is there twice")
        found.update(zip(numbers, table.column(name).to_pylist(), strict=True))
    return found


def measure(name: str, bundle: Path, texts: int, seed: int, record: Record) -> None:
    """Runs all ways for a bundle, and stores a row of each."""
    installed = [way for way, package in (("ray", "ray"), ("spark", "pyspark")) if importlib.util.find_spec(package)]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts")
        write_texts(source, bundle, texts, seed)
        expected: dict[int, Any] = {}
        for way in ["workers 1", "workers 2", *installed]:
            for is_killed in (False, True)[: 1 if way == "workers 1" else 2]:
                out = Path(folder, f"{way} {is_killed}")
                load_before = os.getloadavg()[0]
                seconds = timed(way, bundle, source, out, is_killed)
                found = predictions(out)
                expected = expected or found
                equal = sum(found.get(number) == one for number, one in expected.items())
                record.add(
                    {
                        "model": name,
                        "way": way,
                        "killed": is_killed,
                        "texts": texts,
                        "rows": len(found),
                        "equal": equal,
                        "seconds": round(seconds, 1),
                        "texts_a_second": round(texts / seconds),
                        "load_before": round(load_before, 1),
                        "cores": processors(),
                    }
                )
                print(record.rows[-1], flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Labels of many texts\n",
        "Random texts of 4 to 30 words in eight parquet files. Times hold the start of each way. `load` is the number",
        f"of processes that ran before it began, on {rows[0]['cores']} cores: times of a busy machine compare roughly.",
        "`equal`: rows with the labels or spans of one process. `killed`: a worker was killed in the middle (of",
        "`--workers 2` the whole command, which was run again). Written by `python -m benchmarks.scale_predict`.\n",
        "| model | way | killed | texts | equal | seconds | texts a second | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['model']} | {row['way']} | {'yes' if row['killed'] else ''} | {row['texts']:,} | "
            f"{row['equal']:,} | {row['seconds']} | {row['texts_a_second']:,} | {row['load_before']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Reads the arguments, and runs all ways, or one inside its own process."""
    parser = argparse.ArgumentParser(description="Labels of many texts, in one process, two, Ray and Spark.")
    parser.add_argument("--classifier", type=Path, default=SAMPLES / "classifier" / "bundle")
    parser.add_argument("--tagger", type=Path, default=SAMPLES / "tagger" / "bundle")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/scale_predict"))
    parser.add_argument("--run", nargs=4, metavar=("ENGINE", "BUNDLE", "TEXTS", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        engines: dict[str, Callable[[str, str, str], None]] = {"ray": run_ray, "spark": run_spark}
        engines[arguments.run[0]](*arguments.run[1:])
        return
    record = Record(arguments.out.with_suffix(".json"), table)
    record.path.unlink(missing_ok=True)
    for name in ("classifier", "tagger"):
        measure(name, getattr(arguments, name).absolute(), arguments.texts, arguments.seed, record)


if __name__ == "__main__":
    main()
