"""Finds the tools of `clients/check.py`, and installs those that npm, PyPI and Debian have.

What npm and PyPI have goes into `build/clients`, which `make clean` removes: a folder for each, which is there as a
whole or not at all. Debian's packages are only installed if one asks for it, and as root. Each download has a time
limit. What fails, or takes too long, is a missing tool: it skips the tests that need it, and is no error.
"""

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from clients.web import build  # noqa: E402
from clients.web.browser import BrowserError, browser  # noqa: E402
from native.check import Skipped, needed  # noqa: E402

INSTALLED = ROOT / "build/clients"
FOUND = ROOT / "clients/tests/node_modules"
"""npm's packages that the user has installed there, for the benchmarks; they are taken first, in any version."""

NPM = {"@litertjs/core": "2.5.3", "@mediapipe/tasks-text": "1.0.1", "kotlin-compiler": "2.4.20", "typescript": "5.9.3"}
"""Package of npm -> the version that is installed. kotlin-compiler is JetBrains' whole compiler."""

MEDIAPIPE, ZIGLANG = "1.2.3", "0.17.1"
"""Versions of PyPI's packages."""

DEBIAN = {"chromium": "chromium", "chromedriver": "chromium-driver", "wasm2js": "binaryen"}
"""Tool -> package of Debian."""

DOWNLOAD = 240
"""Seconds that one download, with what it unpacks, may take."""

may_install_debian = False
"""Whether `debian_tool` may install."""


def failure(command: Sequence[str | Path], seconds: float, **variables: str) -> str | None:
    """Runs a program, and all that it starts, for at most some seconds.

    Returns:
        None if it succeeds; else the last line that it wrote, or that it took too long.
    """
    with tempfile.TemporaryFile() as output:  # no pipe, which a program that was left over would keep open
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **variables},
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"it took more than {seconds:g} s"
        if process.returncode == 0:
            return None
        output.seek(0)
        lines = [line.strip() for line in output.read().decode(errors="replace").split("\n")]
        telling = [line for line in lines if line and "log of this run" not in line]  # as npm's last line is
        return telling[-1] if telling else f"exit code {process.returncode}"


def needed_from(tool: str, least: tuple[int, ...]) -> str:
    """The path of a tool of some version or a later one.

    Raises:
        Skipped: It is missing, older, or does not run.
    """
    path = needed(tool)
    done = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)*", done.stdout)
    if done.returncode or not found or tuple(map(int, found[0].split("."))) < least:
        raise Skipped(f"no {tool} from version {'.'.join(map(str, least))} on here")
    return path


def installed(name: str, install: Callable[[Path], str | None]) -> Path:
    """The folder of a tool in `INSTALLED`. If it is not there, `install` fills a new folder.

    Args:
        name: The name of the folder.
        install: Fills the folder of its argument, and returns None, or what failed.

    Raises:
        Skipped: It cannot be installed.
    """
    folder = INSTALLED / re.sub(r"[^\w.-]+", "-", name.lstrip("@"))
    if folder.is_dir():
        return folder
    INSTALLED.mkdir(parents=True, exist_ok=True)
    print(f"installs {name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=INSTALLED) as made:
        reason = install(Path(made, "tool"))
        if reason is not None:
            raise Skipped(f"no {name} here, and it cannot be installed: {reason}")
        Path(made, "tool").rename(folder)
    return folder


@functools.cache
def npm_packages(name: str) -> Path:
    """A folder node_modules with a package of `NPM`.

    Raises:
        Skipped: It is not here, and cannot be installed.
    """
    if (FOUND / name).is_dir():
        return FOUND
    npm = needed("npm")
    options = ["--no-audit", "--no-fund", "--no-save", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]

    def install(folder: Path) -> str | None:
        folder.mkdir()
        command = [npm, "install", "--prefix", folder, *options, f"{name}@{NPM[name]}"]
        return failure(command, DOWNLOAD)

    return installed(f"{name}@{NPM[name]}", install) / "node_modules"


@functools.cache
def kotlin_compiler() -> Path:
    """The program kotlinc, from version 2 on: that of the variable KOTLINC, of PATH, or of npm.

    Raises:
        Skipped: It is not here, and cannot be installed.
    """
    if named := os.environ.get("KOTLINC"):
        return Path(named)
    if (on_path := shutil.which("kotlinc")) is not None:
        done = subprocess.run([on_path, "-version"], capture_output=True, text=True, check=False)
        if (version := re.search(r"kotlinc-jvm (\d+)", done.stderr)) and int(version[1]) >= 2:
            return Path(on_path)
    return npm_packages("kotlin-compiler") / "kotlin-compiler/bin/kotlinc"


@functools.cache
def typescript_compiler() -> Path:
    """The program tsc: that of PATH, or of npm.

    Raises:
        Skipped: It is not here, and cannot be installed.
    """
    on_path = shutil.which("tsc")
    return Path(on_path) if on_path else npm_packages("typescript") / ".bin/tsc"


@functools.cache
def mediapipe_python() -> Path:
    """A Python that has MediaPipe: that of the variable MEDIAPIPE_PYTHON, or one that is made.

    Raises:
        Skipped: It cannot be made, or lacks a library of the system.
    """

    def install(folder: Path) -> str | None:
        made = failure([sys.executable, "-m", "venv", folder], DOWNLOAD)
        return made or failure([*_pip(folder / "bin/python"), f"mediapipe=={MEDIAPIPE}"], DOWNLOAD)

    named = os.environ.get("MEDIAPIPE_PYTHON")
    python = Path(named) if named else installed(f"mediapipe {MEDIAPIPE}", install) / "bin/python"
    if reason := failure([python, "-c", "from mediapipe.tasks.python import text"], DOWNLOAD):
        raise Skipped(f"MediaPipe does not start here: {reason}")
    return python


@functools.cache
def onnx_packages() -> Path:
    """A folder with what the extra `onnx` adds to this Python, in the versions of constraints.txt.

    Raises:
        Skipped: It cannot be installed.
    """
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    chosen = [line for line in pins if line.startswith(("onnx==", "onnxruntime==", "tf2onnx=="))]

    def install(folder: Path) -> str | None:
        folder.mkdir()
        (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
        options = ["--no-deps", "--require-hashes", "--target", folder, "-r", folder / "requirements.txt"]
        return failure([*_pip(sys.executable), *options], DOWNLOAD)

    return installed(" ".join(line.split()[0] for line in chosen), install)


@functools.cache
def require_wasm_compiler() -> None:
    """Makes sure that `clients/web/build.py` finds a compiler: clang, or PyPI's ziglang, which is installed.

    Raises:
        Skipped: There is none, and none can be installed.
    """
    try:
        build.tools()
        return
    except build.BuildError:
        pass

    def install(folder: Path) -> str | None:
        return failure([*_pip(sys.executable), "--no-deps", "--target", folder, f"ziglang=={ZIGLANG}"], DOWNLOAD)

    folder = str(installed(f"ziglang {ZIGLANG}", install))
    sys.path.append(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), folder)))
    try:
        build.tools()
    except build.BuildError as error:
        raise Skipped(str(error)) from error


@functools.cache
def started_chromedriver() -> str:
    """The path of a chromedriver that starts a Chromium.

    Raises:
        Skipped: One of them is missing, or Chromium does not start.
    """
    debian_tool("chromium")
    path = debian_tool("chromedriver")
    try:
        with browser(path) as page:
            page.go("about:blank")
            assert page.run("return 1 + 1") == 2
    except (BrowserError, OSError, AssertionError) as error:
        raise Skipped(f"Chromium does not start here: {' '.join(str(error).split())}") from error
    return path


def debian_tool(name: str) -> str:
    """The path of a tool of `DEBIAN`, which is installed where that is allowed.

    Raises:
        Skipped: It is missing.
    """
    if shutil.which(name) is None and may_install_debian:
        _install_debian()
    return needed(name)


@functools.cache
def _install_debian() -> None:
    """Installs the packages of the tools that are missing. Where that fails, they stay missing."""
    packages = [package for tool, package in DEBIAN.items() if shutil.which(tool) is None]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    limits = ("DPkg::Lock::Timeout=60", "Acquire::Retries=1", "Acquire::http::Timeout=30")
    apt = ["apt-get", "-qq", *(word for limit in limits for word in ("-o", limit))]
    install = [*apt, "install", "--yes", "--no-install-recommends", "--no-remove"]
    for seconds, command in (
        (120, [*apt, "update"]),
        (DOWNLOAD, [*install, "--download-only", *packages]),
        (600, [*install, "--no-download", *packages]),  # without network; one should not stop it
    ):
        print(f"runs {' '.join(command)}", file=sys.stderr, flush=True)
        if reason := failure(command, seconds, DEBIAN_FRONTEND="noninteractive"):
            print(f"{' '.join(command)}: {reason}", file=sys.stderr)
            return


def _pip(python: str | Path) -> list[str | Path]:
    """The start of a command that installs wheels."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    return [python, "-m", "pip", "install", *options, "--retries", "1", "--timeout", "30"]
