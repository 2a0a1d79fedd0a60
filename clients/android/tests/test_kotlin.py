"""The Kotlin client on the JVM, and its libraries for Android; `python clients/check.py android` runs these tests.

Android's own classes and Compose are not here: the Kotlin that calls them is compiled against the stubs in `stubs`,
which checks types only. The libraries for ARM run in QEMU, with `emulated.c` in the place of Java.
"""

import hashlib
import json
import os
import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from clients.android import build
from clients.android.tests.kotlin import HERE, compile_kotlin, kotlin_output
from clients.conformance.make import make
from native.check import close
from tests.export.clients.samples import SAMPLES
from textapp.export.verb import export
from textapp.runtime import load
from textapp.runtime.selftest import selftest

KOTLINC = os.environ.get("KOTLINC")
TEXTS = [
    "a good film, truly charming",
    "Mr Miáo lives near 北京, and he likes it and he likes it and he likes it ½ 😀👍🏽",
    "昨天李小龙到了乌鲁木齐。",
    "",
    "\0 \ufeff",
    "yesterday Ms Anbeda Norsotä sang in Luminor . " * 30,
    "lone \ud83d and \ude00",
]
SYSROOTS = {  # of Debian's compilers
    "arm64-v8a": ("aarch64-linux-gnu-gcc", "qemu-aarch64", "/usr/aarch64-linux-gnu"),
    "armeabi-v7a": ("arm-linux-gnueabihf-gcc", "qemu-arm", "/usr/arm-linux-gnueabihf"),
}
_EF_ARM_ABI_FLOAT_SOFT, _EF_ARM_ABI_FLOAT_HARD = 0x200, 0x400
_SCALAR, _NEON, _ALL = "0", "0x100", "0xffffffff"
_STRINGS = 200


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """What an export of the classifier writes, with the libraries if clang is here."""
    folder = tmp_path_factory.mktemp("приложение") / "android"
    export(SAMPLES["classifier"], folder, clients=["android"])
    return folder


@pytest.fixture(scope="session")
def libraries(exported):
    """The folder of the libraries for Android."""
    folder = exported / "textapp/src/main/jniLibs"
    if not folder.is_dir():
        pytest.skip(exported.joinpath("README.md").read_text(encoding="utf-8").splitlines()[-1])
    return folder


@pytest.fixture(scope="session")
def host_library(exported, tmp_path_factory):
    """A folder with the library that this machine's Java loads: that for Android, or one by the C compiler."""
    found = exported / "textapp/src/main/jniLibs" / platform.machine()
    if found.is_dir():
        return found
    compiler = os.environ.get("CC") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is neither clang with lld nor another C compiler here")
    folder = tmp_path_factory.mktemp("library")
    build.compile_library([compiler], exported / "textapp/src/main/cpp", folder / build.NAME, build.Target(""))
    return folder


@pytest.fixture(scope="session")
def cmake_library(exported, jdk, tmp_path_factory):
    """A folder with the library as CMakeLists.txt builds it, with the JDK's jni.h: as an NDK does."""
    if shutil.which("cmake") is None:
        pytest.skip("there is no cmake here")
    folder = tmp_path_factory.mktemp("cmake")
    includes = f"-I{jdk / 'include'} -I{jdk / 'include/linux'} -Wall -Wextra -Wconversion -Werror"
    source = exported / "textapp/src/main/cpp"
    subprocess.run(["cmake", "-S", source, "-B", folder, f"-DCMAKE_C_FLAGS={includes}"], check=True)
    subprocess.run(["cmake", "--build", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def jdk():
    """The folder of a JDK."""
    javac = shutil.which("javac")
    folder = Path(javac).resolve().parents[1] if javac else Path()
    if not (folder / "include/linux/jni_md.h").is_file():
        pytest.skip("there is no JDK with jni.h for Linux here")
    return folder


@pytest.fixture(scope="session")
def golden(tmp_path_factory):
    """Golden files of few strings."""
    folder = tmp_path_factory.mktemp("golden") / "files"
    make(folder, _STRINGS)
    return folder


@pytest.fixture(scope="session")
def classes(exported, tmp_path_factory):
    """The classpath of the library, the sample app and the tests."""
    if not KOTLINC:
        pytest.skip("the variable KOTLINC names no Kotlin compiler")
    return compile_kotlin(Path(KOTLINC), exported, tmp_path_factory.mktemp("classes") / "all.jar")


def with_selftest(task, folder, logit=0.0):
    """A sample with selftest.json; a logit of it may be wrong."""
    shutil.copytree(SAMPLES[task], folder)
    content = json.loads(selftest(load(folder, engine="litert"), "dynamic_wi8_afp32"))
    content["texts"][2]["logits"][0] += logit
    part = json.dumps(content, ensure_ascii=False).encode()
    (folder / "selftest.json").write_bytes(part)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    description["selftest"] = True
    description["sha256"]["selftest.json"] = hashlib.sha256(part).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


def test_it_says_what_python_says(classes, host_library, golden):
    output = kotlin_output(classes, host_library, golden, SAMPLES["tagger"].parents[1])
    assert "predictions-tagger.txt" in output
    assert output.splitlines()[-1] == "pieces"
    assert "WARNING in native method" not in output  # of -Xcheck:jni


def test_so_does_the_library_of_cmake(classes, cmake_library, golden):
    assert kotlin_output(classes, cmake_library, golden, SAMPLES["tagger"].parents[1]).splitlines()[-1] == "pieces"


@pytest.mark.parametrize("task", SAMPLES)
def test_it_tests_itself(classes, host_library, tmp_path, task):
    kotlin_output(classes, host_library, "selftest", with_selftest(task, tmp_path / "right"))
    wrong = with_selftest(task, tmp_path / "wrong", logit=1.0)
    assert "selftest.json" in kotlin_output(classes, host_library, "failing-selftest", wrong)


def test_the_table_of_jni_is_that_of_the_jdk(jdk, tmp_path):
    header = HERE.parent / "freestanding/jni.h"
    names = [line.split("(*")[1].split(")")[0] for line in header.read_text().splitlines() if "(*" in line]
    assert len(names) == 15
    table = "".join(f"  place({name})\n" for name in names)
    (tmp_path / "places.c").write_text(
        "#include <jni.h>\n#include <stddef.h>\n#include <stdio.h>\n"
        '#define place(name) printf("%zu ", offsetof(struct JNINativeInterface_, name) / sizeof(void *));\n'
        f'int main(void) {{\n{table}  printf("%zu %zu", sizeof(jvalue), sizeof(jsize));\n  return 0;\n}}\n'
    )
    found = []
    for includes in ([header.parent], [jdk / "include", jdk / "include/linux"]):
        program = tmp_path / str(len(found))
        options = [f"-I{folder}" for folder in includes]
        subprocess.run(["cc", *options, tmp_path / "places.c", "-o", program], check=True)
        found.append(subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout)
    assert found[0] == found[1]


@pytest.mark.parametrize("abi", build.TARGETS)
def test_a_library_needs_nothing_and_gives_only_functions_of_jni(libraries, abi):
    if shutil.which("readelf") is None:
        pytest.skip("there is no readelf here")

    def read(option):
        command = ["readelf", option, "--wide", libraries / abi / build.NAME]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()

    dynamic = "\n".join(read("--dynamic"))
    assert "NEEDED" not in dynamic
    assert "TEXTREL" not in dynamic
    assert f"[{build.NAME}]" in dynamic
    alignments = [int(line.split()[-1], 16) for line in read("--program-headers") if line.lstrip().startswith("LOAD")]
    assert alignments
    assert all(alignment == 1 << 14 for alignment in alignments)
    symbols = [line.split() for line in read("--dyn-syms") if line.split()[:1] and line.split()[0][:-1].isdigit()]
    names = {symbol[-1] for symbol in symbols if symbol[0] != "0:"}
    functions = ("features", "load", "describe", "contextSize", "makeContext", "encode", "predict", "selftest")
    assert names == {f"Java_textapp_Core_{name}" for name in functions}
    assert all(symbol[6] != "UND" for symbol in symbols if symbol[0] != "0:")


@pytest.mark.parametrize(
    ("abi", "features"),
    [
        *(("arm64-v8a", features) for features in (_ALL, _NEON, _SCALAR)),
        ("armeabi-v7a", _ALL),
        ("armeabi-v7a", _SCALAR),
    ],
)
@pytest.mark.parametrize("task", SAMPLES)
def test_a_library_for_arm_runs_in_an_emulator(libraries, tmp_path, abi, features, task):
    compiler, emulator, root = SYSROOTS[abi]
    for tool in (compiler, emulator):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    library = tmp_path / build.NAME
    library.write_bytes(loadable((libraries / abi / build.NAME).read_bytes()))
    program = tmp_path / "emulated"
    options = ["-std=gnu99", "-O1", f"-I{HERE.parent / 'freestanding'}"]
    subprocess.run([compiler, *options, HERE / "emulated.c", "-ldl", "-o", program], check=True)
    (tmp_path / "texts").write_bytes(b"".join(map(units, TEXTS)))
    files = [f"{path.name}={path}" for path in sorted(SAMPLES[task].iterdir())]
    command = [emulator, "-L", root, program, library, features, tmp_path / "texts", *files]
    found = list(predictions(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout, TEXTS))
    predictor = load(SAMPLES[task], engine="litert")
    options = {name: True for name in predictor.predict_options if name == "confidence"}
    for text, one, expected in zip(TEXTS, found, predictor.predict(TEXTS, **options), strict=True):
        assert close(one, in_utf16(expected.to_dict(), text)), text


def loadable(library):
    """A library that glibc loads. That of ARMv7 passes floats elsewhere; the functions of JNI here have none."""
    header = bytearray(library)
    if header[4] == 1:  # 32 bits
        [flags] = struct.unpack_from("<I", header, 0x24)
        struct.pack_into("<I", header, 0x24, flags & ~_EF_ARM_ABI_FLOAT_SOFT | _EF_ARM_ABI_FLOAT_HARD)
    return bytes(header)


def units(text):
    """A text for emulated.c."""
    content = text.encode("utf-16-le", "surrogatepass")
    return struct.pack("<i", len(content) // 2) + content


def in_utf16(prediction, text):
    """A prediction of Python with offsets in UTF-16."""
    for one in prediction["tokens"] + prediction.get("spans", []):
        for name in ("start", "end"):
            one[name] = len(text[: one[name]].encode("utf-16-le", "surrogatepass")) // 2
        one["text"] = one["text"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return prediction


class Reader:
    """Reads a record of textapp_jni.c."""

    def __init__(self, content):
        self.content, self.place = content, 0

    def __call__(self, form):
        [value] = struct.unpack_from(f"<{form}", self.content, self.place)
        self.place += struct.calcsize(f"<{form}")
        return value

    def text(self):
        size = self("i")
        self.place += size
        return self.content[self.place - size : self.place].decode()


def predictions(output, texts):
    """Yields the predictions that emulated.c has written, as Python's `to_dict` gives them."""
    read = Reader(output)
    _, is_tagger, labels = read("i"), read("i") == 2, [read.text() for _ in range(read("i"))]
    for text in texts:
        read("i")
        label, _, truncated = read("i"), read("?"), read("?")
        probs = {labels[number]: (read("d"), read("?"))[0] for number in range(read("i"))}
        tokens = []
        for _ in range(read("i")):
            token = {"text": read.text(), "start": read("i"), "end": read("i")}
            weight, tag, confidence = read("f"), read("i"), read("d")
            token |= {"tag": labels[tag]} if is_tagger else {"weight": weight}
            tokens.append(token | ({"confidence": confidence} if confidence >= 0 else {}))
        spans = []
        for _ in range(read("i")):
            span = {"type": read.text(), "start": read("i"), "end": read("i"), "confidence": read("d")}
            original = text.encode("utf-16-le", "surrogatepass")[2 * span["start"] : 2 * span["end"]]
            spans.append({**span, "text": original.decode("utf-16-le", "replace")})
        if is_tagger:
            yield {"spans": spans, "tokens": tokens}
        else:
            yield {"label": labels[label], "probs": probs, "tokens": tokens, "truncated": truncated}
    assert read.place == len(output)
