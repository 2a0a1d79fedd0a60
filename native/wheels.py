"""Builds a wheel for each platform on any of them, with Zig's C compiler.

    pip install build ziglang
    python native/wheels.py [--out dist] [PLATFORM...]

A wheel without the core is built first. Each platform's wheel is this one with its library, which needs no other on
Linux and macOS, and the system's C library on Windows. The wheels of other systems are built here, not run.
"""

import argparse
import base64
import dataclasses
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from native import library

PLACE = "textapp/runtime"


@dataclasses.dataclass(frozen=True)
class Platform:
    """A platform.

    Attributes:
        target: Its name for Zig.
        system: Its `sys.platform`.
        tags: Its tags in the name of a wheel.
    """

    target: str
    system: str
    tags: str

    @property
    def processor(self) -> str:
        """Its processor."""
        return self.target.partition("-")[0]


PLATFORMS = {
    f"{name}-{processor}": Platform(f"{processor}-{target}", system, tags)
    for name, target, system, processor, tags in (
        ("linux", "linux-musl", "linux", "x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64"),
        (
            "linux",
            "linux-musl",
            "linux",
            "aarch64",
            "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        ),
        ("macos", "macos.11.0", "darwin", "x86_64", "macosx_11_0_x86_64"),
        ("macos", "macos.11.0", "darwin", "aarch64", "macosx_11_0_arm64"),
        ("windows", "windows-gnu", "win32", "x86_64", "win_amd64"),
        ("windows", "windows-gnu", "win32", "aarch64", "win_arm64"),
    )
}


def library_of(platform: Platform, folder: Path, zig: list[str]) -> Path:
    """Compiles the library of a platform."""
    link = [option for option in library.LINK if platform.system != "win32" or option != "-nostdlib"]
    return library.build(
        folder / library.name(platform.system),
        [*zig, "-target", platform.target],
        processor=platform.processor,
        link=link,
    )


def wheel_of(platform: Platform, pure: Path, compiled: Path, out: Path) -> Path:
    """Writes the wheel of a platform: a wheel for any, and the library."""
    name, version, *_ = pure.name.split("-")
    made = out / f"{name}-{version}-py3-none-{platform.tags}.whl"
    info = f"{name}-{version}.dist-info"
    record = []
    with zipfile.ZipFile(pure) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        files = {one: source.read(one) for one in source.namelist() if one != f"{info}/RECORD"}
        files[f"{PLACE}/{compiled.name}"] = compiled.read_bytes()
        lines = [
            line for line in files[f"{info}/WHEEL"].decode().splitlines() if not line.startswith(("Root-", "Tag:"))
        ]
        lines += ["Root-Is-Purelib: false", *(f"Tag: py3-none-{tag}" for tag in platform.tags.split("."))]
        files[f"{info}/WHEEL"] = "".join(f"{line}\n" for line in lines if line).encode()
        for one, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{one},sha256={digest},{len(content)}\n")
            target.writestr(one, content)
        target.writestr(f"{info}/RECORD", "".join([*record, f"{info}/RECORD,,\n"]))
    return made


def main() -> int:
    """Builds the wheels of all platforms, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("platforms", nargs="*", default=list(PLATFORMS), help=f"of {', '.join(PLATFORMS)}")
    parser.add_argument("--out", type=Path, default=library.NATIVE.parent / "dist", help="folder of the wheels")
    parser.add_argument("--zig", help="Zig's C compiler; by default that of the package ziglang")
    parser.add_argument("--no-isolation", action="store_true", help="build with the setuptools that are installed")
    arguments = parser.parse_args()
    if unknown := set(arguments.platforms) - set(PLATFORMS):
        parser.error(f"{', '.join(sorted(unknown))}: must be of {', '.join(PLATFORMS)}")
    zig = shlex.split(arguments.zig) if arguments.zig else [sys.executable, "-m", "ziglang", "cc"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        isolation = ["--no-isolation", "--skip-dependency-check"] if arguments.no_isolation else []
        command = [sys.executable, "-m", "build", "--outdir", folder, *isolation, str(library.NATIVE.parent)]
        environment = {**os.environ, "TEXTAPP_NATIVE": "no"}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        [pure] = Path(folder).glob("*-none-any.whl")
        for name in arguments.platforms:
            platform = PLATFORMS[name]
            compiled = library_of(platform, Path(folder, name), zig)
            made = wheel_of(platform, pure, compiled, arguments.out)
            print(f"{made}: the library has {compiled.stat().st_size:,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
