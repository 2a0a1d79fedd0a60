"""The processes of `--workers`, each a worker of one training on this machine."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO, Annotated, Literal

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import say
from textapp.errors import InputError

TrainingWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Processes that train together on this machine, one core each; batch_size is that of all together.",
    ),
]
Timeout = Annotated[
    int, typer.Option(min=1, metavar="SECONDS", help="How long a worker waits for the others to start.")
]

Strategy = Annotated[
    Literal["auto", "none", "mirrored", "multiworker", "tpu"],
    typer.Option(
        help="What trains: none takes one CPU or GPU, mirrored all GPUs, multiworker the processes of --workers or "
        "TF_CONFIG, tpu the TPU of TPU_NAME; auto what is there."
    ),
]

_LAUNCHER = "TEXTAPP_LAUNCHER"  # the file descriptor of a pipe that ends with the process of --workers
_CONFIG = "TF_CONFIG"
_SECONDS = 5.0  # for a process to end after SIGTERM
_POLL = 0.2


def ran_in_workers(count: int | None, timeout: int) -> bool:
    """Runs this command in the processes of `--workers`; in a worker, joins the others.

    Args:
        count: Number of processes; None, or 1, for this one alone.
        timeout: Seconds that a worker waits for the others.

    Returns:
        Whether the processes have done the work; otherwise this process is to do it.

    Raises:
        InputError: A worker died, or the cluster is wrong.
    """
    if os.environ.get(_CONFIG):
        _join(timeout)
        return False
    if count is None or count == 1:
        return False
    _run(count)
    return True


def _run(count: int) -> None:
    """Starts the workers and waits for all. They end with this process, however it ends."""
    addresses = _free_addresses(count)
    reading, writing = os.pipe()
    processes: list[subprocess.Popen[bytes]] = []
    logs: list[IO[bytes] | None] = []
    try:
        for index in range(count):
            cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            threads = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
            environment = {**os.environ, **threads, _CONFIG: json.dumps(cluster), _LAUNCHER: str(reading)}
            log: IO[bytes] | None = tempfile.TemporaryFile() if index else None  # noqa: SIM115 (closed below)
            logs.append(log)
            command = [sys.executable, "-P", "-c", "from textapp.cli.main import main; main()", *sys.argv[1:]]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, pass_fds=[reading]))
        while (codes := [process.poll() for process in processes]).count(0) < count:
            if any(codes):
                _explain(codes, logs)
            time.sleep(_POLL)
    finally:
        os.close(writing)
        os.close(reading)
        _end(processes)
        for log in logs:
            if log is not None:
                log.close()


def _explain(codes: Sequence[int | None], logs: Sequence[IO[bytes] | None]) -> None:
    """Ends the command because of a worker that failed, of several the one that a signal killed."""
    failed = min((code, number) for number, code in enumerate(codes) if code)
    code, number = failed
    if number == 0 and code > 0:  # it has said why
        sys.exit(code)
    reason = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    log = logs[number]
    if log is not None:
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
        reason += f" ({lines[-1]})" if lines and code > 0 else ""
    raise InputError(
        f"--workers {len(codes)}: worker {number} {reason}; all workers were ended; the same command without --force "
        "resumes the training"
    )


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ends processes that still run."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + _SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:  # native code, which waits for another worker, handles no signal
            process.kill()
            process.wait()


def _free_addresses(count: int) -> list[str]:
    """Free ports of this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def _join(timeout: int) -> None:
    """Joins the cluster of `TF_CONFIG`. Ends this process with a line if a worker does not come in time."""
    if (descriptor := os.environ.get(_LAUNCHER)) is not None:
        threading.Thread(target=_end_with_launcher, args=(int(descriptor),), daemon=True).start()
    with native_log_hidden():
        from textapp.training.workers import cluster_strategy, task_of_cluster

        place = task_of_cluster()
        if place is None:
            return
        number, addresses = place
        others = {index: address for index, address in enumerate(addresses) if index != number}
        threading.Thread(target=_wait_for, args=(others, timeout), daemon=True).start()
        cluster_strategy()


def _end_with_launcher(descriptor: int) -> None:
    """Ends this process when that of --workers has ended: its end of the pipe is then closed."""
    while os.read(descriptor, 1):
        pass
    os._exit(1)


def _wait_for(others: dict[int, str], timeout: int) -> None:
    """Waits until each of the other workers has opened its port; ends this process if one does not."""
    until = time.monotonic() + timeout
    missing = dict(others)
    while missing:
        for index, address in list(missing.items()):
            host, _, port = address.rpartition(":")
            try:
                with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
                    del missing[index]
            except OSError:  # not yet there
                continue
        if missing and time.monotonic() > until:
            named = ", ".join(f"{index} ({address})" for index, address in missing.items())
            say(f"textapp: TF_CONFIG: worker {named} did not come within {timeout} seconds; see its log, or --timeout")
            os._exit(2)
        time.sleep(_POLL)
