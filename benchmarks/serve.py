"""Measures `textapp serve`: requests a second and latency, beside the predictor called directly.

    python -m benchmarks.serve BUNDLE [--seconds 3]

A server runs in a process of its own, on loopback. Clients are threads of this process with one connection each, and
send the same words in other orders. They share the processors with the server, so that a server alone does more. It
writes results/serve.json and the table results/serve.md.
"""

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, environment_line
from benchmarks.record import Record
from textapp.runtime.loading import load

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ["fastapi", "starlette", "uvicorn", "numpy"]
CLIENTS, TEXTS = (1, 8, 32), (1, 32)
WORDS = 20  # a text


def texts(predictor: Any, count: int) -> list[str]:
    """Texts of known words."""
    words, rng = predictor.encoder.vocabulary.tokens[2:], random.Random(0)
    return [" ".join(rng.choices(words, k=WORDS)) for _ in range(count)]


def direct(predictor: Any, batch: list[str], seconds: float) -> dict[str, float]:
    """Calls of the predictor in this thread, with the JSON that an answer has."""
    times, end = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        json.dumps([one.to_dict() for one in predictor.predict(batch)])
        times.append(time.perf_counter() - began)
    return figures(times, seconds)


def figures(times: list[float], seconds: float) -> dict[str, float]:
    """Calls a second, and quantiles of their time in milliseconds."""
    cuts = statistics.quantiles(times, n=20)
    return {"per_second": len(times) / seconds, "p50_ms": 1e3 * cuts[9], "p95_ms": 1e3 * cuts[18]}


def served(port: int, clients: int, batch: list[str], seconds: float) -> dict[str, float]:
    """Requests of some clients at the same time."""
    body = json.dumps({"texts": batch}).encode()
    times: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (began := time.perf_counter()) < end:
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}")
            times.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return figures(times, seconds)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Server",
        "",
        f"`python -m benchmarks.serve BUNDLE`: texts of {WORDS} words, clients on the machine of the server, which "
        "share its processors. Direct: the predictor called in one thread, with its answer as JSON. The bundle is "
        "tests/samples/classifier/bundle, so small that the time is the server's own. Other programs ran on the "
        "machine.",
        "",
        rows[0]["environment"] if rows else "",
        "",
        "| clients | texts a request | requests/s | texts/s | p50 ms | p95 ms |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['clients'] or 'direct'} | {row['texts']} | {row['per_second']:,.0f} | "
            f"{row['per_second'] * row['texts']:,.0f} | {row['p50_ms']:.2f} | {row['p95_ms']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures everything anew, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--results", type=Path, default=RESULTS / "serve.json")
    arguments = parser.parse_args()
    environment = environment_line(describe_environment(PACKAGES))
    predictor = load(arguments.bundle, threads=1)
    record = Record(arguments.results, table)
    record.drop(lambda _: True)
    script = "import sys; from textapp.cli.main import main; main()"
    command = [sys.executable, "-c", script, "serve", str(arguments.bundle), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(json.loads(server.stdout.readline())["url"].rpartition(":")[2])
        try:
            for count in TEXTS:
                batch = texts(predictor, count)
                row = {"environment": environment, "texts": count}
                record.add({**row, "clients": 0, **direct(predictor, batch, arguments.seconds)})
                served(port, 1, batch, 0.5)  # warm-up
                for clients in CLIENTS:
                    record.add({**row, "clients": clients, **served(port, clients, batch, arguments.seconds)})
        finally:
            server.terminate()
    print(table(record.rows))


if __name__ == "__main__":
    main()
