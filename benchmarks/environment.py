"""Describes the environment of a measurement: the processor and the versions."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path


def describe_environment(packages: Sequence[str]) -> dict[str, str | int]:
    """The processor, its cores, Python's version and those of `packages`, by name."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def environment_line(environment: dict[str, str | int]) -> str:
    """The environment as one line of Markdown."""
    processor, cores, *versions = environment.items()
    return f"{processor[1]}, {cores[1]} cores; " + ", ".join(f"{name} {number}" for name, number in versions) + "."


def _processor() -> str:
    """The name of the processor, if the system reports it, and the architecture."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join(filter(None, [names[0] if names else platform.processor(), platform.machine()]))
