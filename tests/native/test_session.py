"""The session in C of the client flutter, called as its Dart code does."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from native import library
from textapp.runtime import load
from textapp.runtime.native import _SPAN, _TOKEN
from textapp.runtime.native_library import Prediction

ROOT = Path(__file__).parents[2]
SAMPLES = {name: ROOT / "tests/samples" / name / "bundle" for name in ("classifier", "tagger")}
TEXTS = ["", "Ms Anbeda Norsotä sang in 北京 👍🏽 .", "a good film, truly charming", "word " * 1000, "\0\r\n"]
UTF16, CONFIDENCE, ARGUMENT, BUNDLE = 1 << 1, 1 << 2, 4, 2


@pytest.fixture(scope="module")
def core(native, compiler, tmp_path_factory):
    """The session, linked with the library."""
    built, flutter, ios = Path(native._name), ROOT / "clients/flutter/src", ROOT / "clients/ios/Sources/CTextapp"
    path = tmp_path_factory.mktemp("session") / "libsession.so"
    subprocess.run(
        [*compiler, "-std=c99", "-O1", "-fPIC", "-shared", "-DTEXTAPP_BUILD_SHARED", *library.WARNINGS, "-Werror",
         f"-I{library.NATIVE}/include", f"-I{ios}/include", str(flutter / "session.c"), str(ios / "processor.c"),
         str(built), f"-Wl,-rpath,{built.parent}", "-o", str(path)],
        check=True,
    )  # fmt: skip
    found = ctypes.CDLL(str(path))
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
        ("new", pointer, ()),
        ("free", None, (pointer,)),
        ("name", ctypes.c_char_p, (size,)),
        ("file", pointer, (pointer, size, size)),
        ("load", ctypes.c_int, (pointer,)),
        ("text", pointer, (pointer, size)),
        ("predict", ctypes.POINTER(Prediction), (pointer, size, ctypes.c_uint32)),
        ("selftest", ctypes.c_int, (pointer,)),
        ("status", ctypes.c_int, (pointer,)),
        ("message", ctypes.c_char_p, (pointer,)),
    ):
        function = getattr(found, f"textapp_session_{name}")
        function.restype, function.argtypes = result, arguments
    return found


def opened(core, files):
    """A session with the given files, and the status of its loading."""
    session, number = core.textapp_session_new(), 0
    while name := core.textapp_session_name(number):
        if (content := files.get(name.decode())) is not None:
            ctypes.memmove(core.textapp_session_file(session, number, len(content)), content, len(content))
        number += 1
    return session, core.textapp_session_load(session)


def predicted(core, session, text, flags):
    """The prediction of a text."""
    content = text.encode()
    ctypes.memmove(core.textapp_session_text(session, len(content)), content, len(content))
    return core.textapp_session_predict(session, len(content), flags).contents


def files(name):
    """The files of a sample."""
    return {path.name: path.read_bytes() for path in SAMPLES[name].iterdir()}


@pytest.mark.parametrize("sample", SAMPLES)
def test_its_predictions_are_those_of_python(core, sample):
    session, status = opened(core, files(sample))
    assert status == 0
    predictor = load(SAMPLES[sample], engine="litert")
    for text in TEXTS:
        found = predicted(core, session, text, UTF16 | CONFIDENCE)
        [wanted] = predictor.predict([text])
        content = ctypes.string_at(found.tokens, found.token_count * _TOKEN.size) if found.token_count else b""
        units = [len(text[:place].encode("utf-16-le")) // 2 for place in range(len(text) + 1)]
        places = [(start, end) for _, _, start, end, *_ in _TOKEN.iter_unpack(content)]
        assert places == [(units[token.start], units[token.end]) for token in wanted.tokens]
        if sample == "classifier":
            assert found.probs[: found.label_count] == pytest.approx(list(wanted.probs.values()), abs=0.02)
        else:
            content = ctypes.string_at(found.spans, found.span_count * _SPAN.size) if found.span_count else b""
            spans = [(start, end) for _, _, start, end, _ in _SPAN.iter_unpack(content)]
            assert spans == [(units[span.start], units[span.end]) for span in wanted.spans]
    core.textapp_session_free(session)


def test_a_failure_has_a_status_and_one_line(core):
    session, status = opened(core, {**files("tagger"), "tags.txt": b"O\n"})
    assert status == core.textapp_session_status(session) == BUNDLE
    assert core.textapp_session_message(session).startswith(b"tags.txt: ")
    assert core.textapp_session_text(session, 1) is None
    assert core.textapp_session_status(session) == ARGUMENT
    core.textapp_session_free(session)
    session, status = opened(core, files("tagger"))
    assert status == 0
    assert not core.textapp_session_predict(session, 1, 0)
    assert b"textapp_session_text" in core.textapp_session_message(session)
    assert core.textapp_session_text(session, 1 << 60) is None
    assert b"longer" in core.textapp_session_message(session)
    assert core.textapp_session_selftest(session) == ARGUMENT
    assert b"selftest.json" in core.textapp_session_message(session)
    for count in (1, 30_000, 2):  # after a long text, memory for a short one is made anew
        assert predicted(core, session, "Ms " * count, 0).token_count == count
    core.textapp_session_free(session)
