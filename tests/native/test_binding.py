"""The core in C through Python: the same predictions as Python with LiteRT, and what happens without the library."""

import json
import math
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.runtime import load, native_sources
from textapp.runtime import native_library as binding
from textapp.runtime.native_library import LIBRARY, library_path
from textapp.text.retokenization import retokenize

SAMPLES = Path(__file__).parents[1] / "samples"
TEXTS = [
    *json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))["texts"],
    "",
    " \t\n ",
    "Très bon café ☕, 3.5 étoiles!",
    "Angela Merkel besuchte 北京 und ㍿ ½ ﬁn",
    "don’t mp3 80s\x00 e\u0301 \U0001f469\u200d\U0001f469\u200d\U0001f467 ﷺ",
    "word " * 40,
    "北京" * 40,
    "a\ud800b lone surrogate",
    "long " * 20_000,
    # As many tokens, characters and spans as texts of so many bytes have, in a context for no more.
    *("㌖" * 341, "½" * 512, "ﷺ" * 341, "x" + "㌖" * 341, "a㌖" * 256, "½㌖a" * 170),
    *("!" * 1024, "北" * 682, "A " * 1024),
]
TOLERANCE = 0.02  # of int8 recipes


@pytest.fixture(scope="module", autouse=True)
def _library(native, module_patches):
    """Predictors take the library of these sources."""
    module_patches.setenv(LIBRARY, native._name)


@pytest.fixture(scope="module")
def module_patches():
    with pytest.MonkeyPatch.context() as patches:
        yield patches


@pytest.fixture(scope="module", params=["classifier", "tagger"])
def both(request, _library):
    """A sample's bundle in the core and in LiteRT."""
    folder = SAMPLES / request.param / "bundle"
    return load(folder, engine="native"), load(folder, engine="litert")


@pytest.fixture
def classifier(_library):
    return load(SAMPLES / "classifier/bundle", engine="native")


def close(found, expected):
    """Whether two predictions as JSON are equal but for probabilities, which differ by little."""
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(found, expected, abs_tol=TOLERANCE)
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close, found, expected))
    return type(found) is type(expected) and found == expected


def test_predictions_are_those_of_litert(both):
    found, expected = both
    for text, one, other in zip(TEXTS, found.predict(TEXTS), expected.predict(TEXTS), strict=True):
        assert type(one) is type(other)
        assert close(one.to_dict(), other.to_dict()), text[:80]


@pytest.mark.parametrize("option", ["confidence", "explain", "min_confidence", "tokens"])
def test_options_are_those_of_litert(both, option):
    found, expected = both
    if option not in found.predict_options:
        pytest.skip("an option of another task")
    options = {option: {"min_confidence": 0.9, "tokens": False}.get(option, True)}
    texts = TEXTS[:-1]  # the contributions of a long text take long
    for one, other in zip(found.predict(texts, **options), expected.predict(texts, **options), strict=True):
        assert close(one.to_dict(), other.to_dict())


def test_the_model_alone_gives_the_logits_of_litert(both):
    found, expected = both
    for text in TEXTS[:-1]:
        for one, other in zip(found.pieces(text), expected.pieces(text), strict=True):
            ours, theirs = found.score(one), expected.score(other)
            assert ours.logits.shape == theirs.logits.shape
            assert ours.logits.dtype == theirs.logits.dtype == np.float32
            np.testing.assert_allclose(ours.logits, theirs.logits, atol=TOLERANCE)
            assert (ours.attention_weights is None) == (theirs.attention_weights is None)
            if theirs.attention_weights is not None:
                np.testing.assert_allclose(ours.attention_weights, theirs.attention_weights, atol=TOLERANCE)


def test_decisions_and_probabilities_are_those_of_litert(both):
    found, expected = both
    items = TEXTS * 40  # several parts, for several threads
    if found.core.has_attention:
        for text in TEXTS:
            assert found.quick(text) == expected.quick(text)
            assert close(found.uncertainty(text), expected.uncertainty(text))
    else:
        items = [text.split()[:50] for text in items]
    assert list(found.decide(items)) == list(expected.decide(items[: len(TEXTS)])) * 40
    np.testing.assert_allclose(
        found.probabilities(items[: len(TEXTS)]), expected.probabilities(items[: len(TEXTS)]), atol=TOLERANCE
    )


def test_tokens_of_a_corpus_are_cut_as_by_python():
    """The tag of a token is that of its first piece; a token of invisible characters has one too."""
    found, expected = (load(SAMPLES / "tagger/bundle", engine=engine) for engine in ("native", "litert"))
    assert found.retokenize
    sentence = ["U.S.", "\u00ad", "1996-08-22", "C$", "", "Angela", "北京市", "\ud800"]
    assert len(retokenize(sentence, found.tokenizer).tokens) > len(sentence)
    for tokens in ([], sentence[:-1], sentence, ["x"] * 200):
        assert list(found.decide([tokens])) == list(expected.decide([tokens]))


def test_a_stream_is_read_no_further_than_needed(classifier):
    read = []

    def stream():
        for number in range(100_000):
            read.append(number)
            yield f"text {number}"

    next(iter(classifier.decide(stream())))
    assert len(read) <= 256 * (classifier.core.threads + 3)


def test_threads_share_a_predictor(both):
    found, _ = both
    expected, results = found.predict(TEXTS[:-1]), {}

    def work(number):
        results[number] = [found.predict(TEXTS[:-1]) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == expected for number in range(4) for one in results[number])


def test_a_text_without_utf8_is_no_bad_call(classifier):
    with pytest.raises(TypeError, match="index 1"):
        classifier.predict(["a", b"b"])
    with pytest.raises(TypeError, match="put it in a list"):
        classifier.decide("text")


def test_ids_beyond_a_table_are_refused(classifier):
    inputs = classifier.encode(["a"])
    inputs["token_ids"] = inputs["token_ids"] + 1_000_000
    with pytest.raises(InputError, match="token_ids"):
        classifier.score(inputs)
    with pytest.raises(ValueError, match="at most"):
        classifier.score(classifier.encode(["a"] * 1000))


def test_the_engine_is_named(tmp_path):
    with pytest.raises(ValueError, match="`engine` must be one of auto, native, litert"):
        load(SAMPLES / "classifier/bundle", engine="onnx")
    with pytest.raises(ValueError, match="`threads` must be a positive integer"):
        load(SAMPLES / "classifier/bundle", threads=0, engine="native")
    assert load(SAMPLES / "classifier/bundle").core is not None
    assert load(SAMPLES / "classifier/bundle", engine="litert").core is None


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        load(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_the_library_litert_runs(tmp_path, monkeypatch):
    monkeypatch.setenv(LIBRARY, str(tmp_path / "none.so"))
    assert refusal(SAMPLES / "classifier/bundle", engine="native").startswith(f"{tmp_path / 'none.so'}: missing")
    assert load(SAMPLES / "classifier/bundle").core is None


def test_a_broken_library_is_named(tmp_path, monkeypatch):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    monkeypatch.setenv(LIBRARY, str(broken))
    for engine in ("native", "auto"):
        assert refusal(SAMPLES / "tagger/bundle", engine=engine).startswith(f"{broken}: is no library of textapp")
    assert load(SAMPLES / "tagger/bundle", engine="litert").core is None


def test_without_a_library_that_works_in_the_package_litert_runs(tmp_path, monkeypatch):
    monkeypatch.delenv(LIBRARY)
    monkeypatch.setattr(binding, "library_path", lambda: tmp_path / "broken.so")
    (tmp_path / "broken.so").write_bytes(b"no library")
    check_refused(tmp_path / "broken.so", "is no library of textapp")


def check_refused(path, reason):
    """The library of the package is an error under "native", a warning under "auto", and both name the way on."""
    line = f"{path}: {reason}"
    refused = refusal(SAMPLES / "tagger/bundle", engine="native")
    assert refused.startswith(line)
    assert "build it again: python native/library.py" in refused
    with pytest.warns(UserWarning, match="python native/library.py; until then LiteRT runs bundles") as caught:
        assert load(SAMPLES / "tagger/bundle").core is None
    [warning] = caught
    assert str(warning.message).startswith(line)
    assert "\n" not in str(warning.message)
    assert warning.filename == __file__


@pytest.fixture
def of_package(tmp_path, monkeypatch, native):
    """A copy of the library that is taken for that of the package."""
    path = tmp_path / "libtextapp.so"
    path.write_bytes(Path(native._name).read_bytes())
    monkeypatch.delenv(LIBRARY)
    monkeypatch.setattr(binding, "library_path", lambda: path)
    return path


def test_a_library_of_these_sources_is_used_without_a_warning(of_package):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(SAMPLES / "tagger/bundle").core is not None


def test_a_library_of_other_sources_is_noticed(of_package, monkeypatch):
    monkeypatch.setattr(native_sources, "wanted_digest", lambda: "0" * 64)
    check_refused(of_package, "was built from other sources than this package has")
    monkeypatch.setenv(LIBRARY, str(of_package))  # the user's own choice
    assert load(SAMPLES / "tagger/bundle", engine="native").core is not None


def test_a_library_without_its_end_is_noticed(of_package, monkeypatch):
    content = of_package.read_bytes()
    for size in (len(content) - 1, len(content) // 2, 4096, 40):
        of_package.unlink()  # a file that is loaded must not change
        of_package.write_bytes(content[:size])
        check_refused(of_package, "is no library of textapp: its end is missing")
    of_package.write_bytes(b"")
    check_refused(of_package, "is no library of textapp")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("int textapp_abi(void) { return 999; }", "is of version 999"),
        ("int other(void) { return 1; }", "is no library of textapp"),
        (f"int textapp_abi(void) {{ return {binding.ABI}; }}", "lacks the function textapp_"),
    ],
)
def test_a_foreign_library_is_named(tmp_path, monkeypatch, compiler, content, reason):
    source, foreign = tmp_path / "foreign.c", tmp_path / "foreign.so"
    source.write_text(content, encoding="ascii")
    subprocess.run([*compiler, "-shared", "-fPIC", str(source), "-o", str(foreign)], check=True)
    monkeypatch.setenv(LIBRARY, str(foreign))
    for engine in ("native", "auto"):
        assert reason in refusal(SAMPLES / "classifier/bundle", engine=engine)
    assert load(SAMPLES / "classifier/bundle", engine="litert").core is None


def test_a_changed_file_is_refused_in_the_words_of_python(tmp_path):
    for path in (SAMPLES / "classifier/bundle").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "labels.txt").write_text("a\nb\n", encoding="ascii")
    for engine in ("auto", "native", "litert"):
        assert "labels.txt: its SHA-256" in refusal(tmp_path, engine=engine)


def test_neither_litert_nor_the_library_is_loaded_before_it_is_needed():
    script = (
        "import sys, textapp.runtime, textapp.runtime.native_library as binding\n"
        "assert binding._opened.cache_info().currsize == 0\n"
        f"textapp.runtime.load({str(SAMPLES / 'classifier/bundle')!r}, engine='native').predict(['good'])\n"
        "assert binding._opened.cache_info().currsize == 1\n"
        "assert not [name for name in sys.modules if name.startswith('ai_edge_litert')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_library_of_the_package_lies_beside_its_module(monkeypatch):
    monkeypatch.delenv(LIBRARY)
    assert library_path().parent == Path(binding.__file__).parent
