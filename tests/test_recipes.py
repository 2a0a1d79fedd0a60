"""The recipes for clusters: their scripts run with stand-ins for the programs of a cluster, their commands exist."""

import os
import py_compile
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from textapp.training.workers import task_of_cluster

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").iterdir())
SCRIPTS = [path for path in RECIPES if path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash")]
USES = re.compile(r"(?:slurm\.sbatch|ray_job\.sh \d+|-- textapp) ((?:train|tune) .*)")  # textapp with its options


@pytest.fixture(name="programs")
def _programs(tmp_path, monkeypatch):
    """Makes programs that run before those of the system."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("TF_CONFIG", raising=False)

    def make(name, script):
        (folder / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)

    # A textapp that prints its place in the cluster and its arguments, a JSON array a line.
    make("textapp", 'printf "%s\\n" "${TF_CONFIG:-}" "$#" "$@"')
    return make


def run(*command, **environment):
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def place(config, monkeypatch):
    """What textapp reads from the variable."""
    monkeypatch.setenv("TF_CONFIG", config)
    return task_of_cluster()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_are_scripts_of_the_shell(path):
    run("bash", "-n", path)
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize("path", [path for path in RECIPES if path.suffix == ".py"], ids=lambda path: path.name)
def test_the_programs_are_python(path, tmp_path):
    py_compile.compile(str(path), str(tmp_path / "compiled"), doraise=True)


def test_each_task_of_slurm_is_a_worker_with_an_address_of_its_own(programs, monkeypatch):
    programs("scontrol", '[ "$*" = "show hostnames n[1-2]" ] && printf "n1\\nn2\\n"')
    programs(
        "srun", 'while [[ $1 == --* ]]; do shift; done; for SLURM_PROCID in 0 1 2 3; do export SLURM_PROCID; "$@"; done'
    )
    slurm = {"SLURM_JOB_ID": "7123", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "n[1-2]"}
    lines = run(ROOT / "recipes/slurm.sbatch", "train", "a b", SLURM_NTASKS="4", **slurm)
    assert [lines[first + 1 : first + 4] for first in range(0, 16, 4)] == [["2", "train", "a b"]] * 4
    addresses = ["n1:21230", "n1:21231", "n2:21230", "n2:21231"]
    assert [place(config, monkeypatch) for config in lines[::4]] == [(number, addresses) for number in range(4)]
    programs("srun", 'while [[ $1 == --* ]]; do shift; done; SLURM_PROCID=0 "$@"')
    monkeypatch.delenv("TF_CONFIG")
    assert run(ROOT / "recipes/slurm.sbatch", "tune", SLURM_NTASKS="1", **slurm) == ["", "1", "tune"]


def test_each_pod_of_kubernetes_is_a_worker_that_the_service_names(programs, monkeypatch):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, of the extra docs")
    service, job = yaml.safe_load_all((ROOT / "recipes/kubernetes.yaml").read_text(encoding="utf-8"))
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    (count,) = (one["value"] for one in container["env"] if one["name"] == "WORKERS")
    assert spec["completions"] == spec["parallelism"] == int(count)
    port = service["spec"]["ports"][0]["port"]
    # Kubernetes names the pods of an indexed Job JOB-INDEX, and their hosts HOST.SUBDOMAIN.
    addresses = [f"{job['metadata']['name']}-{index}.{pod['subdomain']}:{port}" for index in range(int(count))]
    for index in range(int(count)):
        lines = run(*container["command"], *container["args"], WORKERS=count, JOB_COMPLETION_INDEX=str(index))
        assert lines[2:] == container["args"]
        assert place(lines[0], monkeypatch) == (index, addresses)
        monkeypatch.delenv("TF_CONFIG")
    check_options(container["args"])


@pytest.mark.skipif(shutil.which("kubernetes-validate") is None, reason="needs kubernetes-validate, of PyPI")
def test_the_objects_of_kubernetes_are_valid():
    run("kubernetes-validate", "--strict", ROOT / "recipes/kubernetes.yaml")


def test_ray_gets_a_job_for_each_run(programs):
    programs("ray", 'echo "$@"')
    lines = run(ROOT / "recipes/ray_job.sh", "2", "tune", "classifier", CPUS="3")
    assert len(lines) == len({line.split()[4] for line in lines}) == 2  # names of their own
    for line in lines:
        assert line.startswith("job submit --no-wait --submission-id textapp-")
        assert line.endswith(" --entrypoint-num-cpus 3 -- textapp tune classifier")


def test_spark_gets_its_options_and_the_program(programs):
    programs("spark-submit", 'printf "%s\\n" "$@"')
    lines = run(ROOT / "recipes/spark_submit.sh", "--master", "local[2]", "--", "bundle", "a b", "out")
    assert lines[:2] == ["--master", "local[2]"]
    assert lines[-3:] == ["bundle", "a b", "out"]
    assert Path(lines[-4]).samefile(ROOT / "recipes/spark_predict.py")


def test_the_commands_in_the_recipes_exist():
    commands = {line for path in RECIPES for line in USES.findall(path.read_text(encoding="utf-8"))}
    assert len(commands) >= 3
    for line in commands:
        check_options(shlex.split(line))


def check_options(words):
    """Checks that the command line is one of textapp, without running it."""
    import typer

    from textapp.cli.main import app

    command, rest = typer.main.get_command(app), list(words)
    while hasattr(command, "commands"):
        command = command.get_command(None, rest.pop(0))
    assert command.make_context("textapp", rest, resilient_parsing=False).params["out"]


@pytest.mark.parametrize("name", ["slurm.sbatch", "kubernetes.yaml", "ray_job.sh", "spark_submit.sh"])
def test_the_page_shows_the_recipes(name):
    page = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    assert f"\n{(ROOT / 'recipes' / name).read_text(encoding='utf-8')}```\n" in page
