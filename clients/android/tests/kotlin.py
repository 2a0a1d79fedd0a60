"""Compiles the Kotlin of an exported project with its tests, and runs the tests."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def compile_kotlin(compiler: Path, project: Path, out: Path) -> str:
    """Compiles the library, the sample app and the tests together. Warnings are errors.

    Args:
        compiler: The program kotlinc.
        project: What `textapp export --client android` wrote.
        out: The jar to write.

    Returns:
        The classpath.
    """
    names = ("kotlin-stdlib", "kotlinx-coroutines-core-jvm")
    libraries = [compiler.resolve().parents[1] / "lib" / f"{name}.jar" for name in names]
    sources = [*project.rglob("*.kt"), *HERE.rglob("*.kt")]
    options = ["-Werror", "-jvm-target", "11", "-cp", os.pathsep.join(map(str, libraries)), "-d", out]
    subprocess.run(["bash", compiler, *options, *sources], check=True)
    return os.pathsep.join(map(str, [out, *libraries]))


def kotlin_output(classes: str, library: Path, *arguments: object) -> str:
    """What Check.kt prints with the library of a folder. Raises `AssertionError` with it if a check fails."""
    # The limit on memory outside of Java's heap makes a text of a megabyte too long for a tagger.
    options = ["-XX:MaxDirectMemorySize=64m", f"-Djava.library.path={library}"]
    if arguments[0] != "time":
        options.append("-Xcheck:jni")
    command = ["java", *options, "-cp", classes, "textapp.tests.CheckKt", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stdout)
    return done.stdout
