"""`textapp predict`, `evaluate` and `bench` on taggers: a run and its bundle."""

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from textapp.cli.predict import marked_spans
from textapp.config import ner_preset
from textapp.data.tagged import read_tagged
from textapp.runtime import TaggedSpan, Tagging

TEXTS = ["", "\0", "🎉 Ms Anbe\u0301 sang", "then Mr Ｌusotä [x] \\ in Norço.", "a\x1b[31mb\nc", "\udcff ㍿", "e ½ 好"]


@pytest.fixture(scope="module")
def tag_corpus(tmp_path_factory, tagged_corpus):
    folder = tmp_path_factory.mktemp("данные 数据")
    return {
        name: tagged_corpus(folder / f"{name}.txt", "english", count, 5)
        for name, count in (("train", 80), ("test", 20))
    }


@pytest.fixture(scope="module")
def tag_run(tmp_path_factory, tag_corpus):
    """A run whose weights are those that it began with: what is done with them is under test."""
    from textapp.training import ner

    folder = tmp_path_factory.mktemp("Läufe") / "метки 好"
    config = ner_preset("tiny").override(["max_tokens=16", "min_count=1"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])
        ner.train_ner(config, folder, train=tag_corpus["train"], test=tag_corpus["test"], report=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def tag_bundle(tag_run):
    from textapp.export.run import export_tagger_run

    export_tagger_run(tag_run, tag_run.with_name("bündel"), lengths=[8, 16], recipe="float32")
    return tag_run.with_name("bündel")


@pytest.mark.parametrize("folder", ["tag_run", "tag_bundle"])
@pytest.mark.parametrize("confidence", [[], ["--confidence"]])
def test_any_text_is_tagged(textapp, request, folder, confidence):
    outcome = textapp("predict", request.getfixturevalue(folder), "--json", *confidence, *TEXTS)
    assert outcome.code == 0
    assert outcome.err == ""
    predictions = outcome.json["predictions"]
    assert len(predictions) == len(TEXTS)
    for text, prediction in zip(TEXTS, predictions, strict=True):
        assert list(prediction) == ["spans", "tokens"]
        for span in prediction["spans"]:
            assert span["text"] == text[span["start"] : span["end"]]
            assert span["type"] in ("PER", "LOC")
            assert ("confidence" in span) == bool(confidence)
    assert [token["text"] for token in predictions[3]["tokens"][2:4]] == ["Lusotä", "["]
    assert any(prediction["spans"] for prediction in predictions)


def test_run_and_bundle_agree(textapp, tag_run, tag_bundle, tag_corpus):
    texts = [" ".join(tokens) for tokens in read_tagged(tag_corpus["test"]).sentences]
    texts.append(" ".join(texts[:8]))  # longer than the model reads at once
    of_run, of_bundle = (
        textapp("predict", folder, "--json", "--confidence", *texts).json["predictions"]
        for folder in (tag_run, tag_bundle)
    )
    for one, other in zip(of_run, of_bundle, strict=True):
        assert [token["tag"] for token in one["tokens"]] == [token["tag"] for token in other["tokens"]]
        assert [span["confidence"] for span in one["spans"]] == pytest.approx(
            [span["confidence"] for span in other["spans"]], abs=1e-4
        )
    assert len(of_run[-1]["tokens"]) > 32


@pytest.mark.parametrize("text", ["Mr 好 " * 4_000, "x y\0" * 4_000])
def test_a_long_text_is_tagged_to_its_end(textapp, tag_bundle, text):
    outcome = textapp("predict", tag_bundle, "--json", stdin=b"short \xc3\xa9\n" + text.encode())
    assert outcome.err == ""
    assert outcome.json["predictions"][1]["tokens"][-1]["end"] == len(text.rstrip(" \0"))


def test_people_read_a_line_a_text(textapp, tag_bundle, monkeypatch):
    outcome = textapp("predict", tag_bundle, *TEXTS)
    lines = outcome.out.split("\n")
    assert len(lines) == len(TEXTS) + 1
    assert lines[:2] == ["", " "]
    for text, line in zip(TEXTS, lines, strict=False):
        plain = re.sub(r"(?<!\\)\[((?:[^\\\]]|\\.)*) \w+\]", r"\1", line)  # marks away, then backslashes
        text = text.replace("\udcff", "\ufffd")  # an argument that is no UTF-8
        shown = "".join(character if character.isprintable() else " " for character in text)
        assert re.sub(r"\\([\[\]\\])", r"\1", plain) == shown
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    coloured = textapp("predict", tag_bundle, *TEXTS).out
    assert "\x1b[30;48;5;" in coloured
    assert "\x1b[31m" not in coloured


@pytest.mark.parametrize(
    ("text", "span", "line"),
    [
        ("in São Paulo.", ("LOC", "São Paulo", 3, 12, None), "in [São Paulo LOC]."),
        ("in São Paulo.", ("LOC", "São Paulo", 3, 12, 0.987), "in [São Paulo LOC 0.99]."),
        ("[a] b\\c]", ("x y]", "b\\c]", 4, 8, None), r"\[a\] [b\\c\] x\ y\]]"),
        ("好\x1b片", ("\x1b[1m", "\x1b片", 1, 3, None), r"好[ 片 \x1b\[1m]"),
        ("词", ("", "词", 0, 1, None), "[词 _]"),
    ],
)
def test_marks_can_be_told_from_the_text(text, span, line):
    assert marked_spans(text, Tagging((), (TaggedSpan(*span),))) == line


def test_a_terminal_shows_spans_by_colour():
    tagging = Tagging((), (TaggedSpan("LOC", "北\x1b京", 1, 4), TaggedSpan("PER", "张", 4, 5, 0.5)))
    assert marked_spans("去北\x1b京张[", tagging, ["LOC", "PER"]) == (
        "去\x1b[30;48;5;117m北 京 \x1b[1mLOC\x1b[0m\x1b[30;48;5;156m张 \x1b[1mPER 0.50\x1b[0m["
    )


@pytest.mark.parametrize("folder", ["tag_run", "tag_bundle"])
def test_the_scores_are_those_of_the_training(textapp, request, tag_run, tag_corpus, folder):
    metrics = json.loads((tag_run / "metrics.json").read_text(encoding="utf-8"))["test"]
    outcome = textapp("evaluate", request.getfixturevalue(folder), "--data", tag_corpus["test"], "--json")
    assert outcome.json.keys() == metrics.keys()
    assert outcome.json["count"] == metrics["count"] == 40
    assert outcome.json["entity_f1"] == pytest.approx(metrics["entity_f1"])
    assert "type  precision  recall  entity F1  count" in outcome.err
    assert "% of tokens unknown" in outcome.err
    assert textapp("evaluate", request.getfixturevalue(folder), "--data", tag_corpus["test"]).out == ""


def test_an_export_records_the_scores_that_its_bundle_has(textapp, tag_run, tag_corpus, tmp_path):
    """On data with a type that the model lacks: its spans are missed."""
    data = tmp_path / "река 河.txt"
    known = Path(tag_corpus["test"]).read_text(encoding="utf-8")
    data.write_text(f"{known}\nDonau B-RIVER\nsang O\n\nRhein B-RIVER\n", encoding="utf-8")
    bundle = tmp_path / "bündel"
    assert textapp("export", tag_run, "--out", bundle, "--data", data).code == 0
    recorded = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["metrics"]["after"]
    assert recorded == textapp("evaluate", bundle, "--data", data, "--json").json
    assert recorded["types"]["RIVER"]["count"] == 2


class TestEvaluatingABundle:
    @pytest.mark.parametrize(
        ("content", "rule"),
        [
            (None, "No such file or directory"),
            (b"", "there is no sentence to read"),
            (b"Wien B-LOC\nist \xff\n", ":2: byte 5 of the line is not UTF-8"),
            (b"Wien NOUN\nist VERB\n", ": holds plain tags, but the model gives spans"),
        ],
    )
    @pytest.mark.parametrize("command", ["evaluate", "bench"])
    def test_bad_data_are_refused(self, textapp, tag_bundle, tmp_path, command, content, rule):
        if (command, "plain tags" in rule) == ("bench", True):
            pytest.skip("bench times sentences of any tags")
        path = tmp_path / "плохо é.txt"
        if content is not None:
            path.write_bytes(content)
        refusal = textapp(command, tag_bundle, "--data", path, "--json").refusal
        assert refusal.startswith(str(path))
        assert rule in refusal

    def test_columns_and_formats(self, textapp, tag_bundle, tmp_path):
        (tmp_path / "т.txt").write_text("S-LOC x Wien\nO x ist\n", encoding="utf-8")
        (tmp_path / "т.jsonl").write_text('{"text": "Wien", "spans": [{"start": 0, "end": 4, "type": "地"}]}\n')
        columns = ["--token-column", "2", "--tag-column", "0"]
        assert textapp("evaluate", tag_bundle, "--data", tmp_path / "т.txt", *columns, "--json").json["count"] == 1
        outcome = textapp("evaluate", tag_bundle, "--data", tmp_path / "т.jsonl", "--json")
        assert outcome.json["count"] == 1
        assert "the model does not know and will miss: 地" in outcome.err


@pytest.mark.parametrize("folder", ["tag_run", "tag_bundle"])
def test_a_scheme_can_be_told(textapp, request, folder, tmp_path):
    """Read as IOB2, what a guess takes for IOB1 is broken."""
    path, folder = tmp_path / "ä.txt", request.getfixturevalue(folder)
    path.write_text("Wien I-LOC\nGraz B-LOC\n", encoding="utf-8")
    command = ["evaluate", folder, "--data", path, "--json"]
    assert textapp(*command).json["count"] == 2
    assert f"{path}:1: " in textapp(*command, "--scheme", "IOB2").refusal
    assert textapp(*command, "--scheme", "IOB2", "--repair").json["count"] == 2
    assert f"{path}: holds plain tags" in textapp(*command, "--scheme", "none").refusal
    assert "scheme` must be one of IOB2" in textapp(*command, "--scheme", "нет").refusal


def test_a_wrong_column_is_told_with_the_file(textapp, tag_bundle, tmp_path):
    path = tmp_path / "ä.txt"
    path.write_text("Wien B-LOC\n", encoding="utf-8")
    refusal = textapp("evaluate", tag_bundle, "--data", path, "--tag-column", "abc").refusal
    assert refusal == f"{path}: tag_column must be a number, from 0, or from the end such as -1. Received: 'abc'"


def test_parts_of_speech_are_shown_behind_their_tokens(textapp, copy, tag_bundle, tmp_path):
    """The bundle of spans, with its tags given another meaning."""
    folder = copy(tag_bundle)
    count = len((folder / "tags.txt").read_text(encoding="utf-8").splitlines())
    tags = "".join(f"{'a/b' if number == 0 else '名 詞'}{number}\n" for number in range(count)).encode()
    (folder / "tags.txt").write_bytes(tags)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    description["sha256"]["tags.txt"] = hashlib.sha256(tags).hexdigest()
    (folder / "bundle.json").write_text(json.dumps({**description, "tag_scheme": None}), encoding="utf-8")
    line = textapp("predict", folder, "tä / \\好").out.rstrip("\n")
    fields = re.findall(r"((?:[^\\/ ]|\\.)+)/((?:[^\\/ ]|\\.)+)(?: |$)", line)
    assert [token for token, _ in fields] == ["tä", "\\/", "\\\\", "好"]
    assert {tag for _, tag in fields} <= {"a\\/b0", *(f"名\\ 詞{number}" for number in range(count))}
    assert re.search(r"/0\.\d\d$", textapp("predict", folder, "--confidence", "tä").out.rstrip("\n"))
    data = tmp_path / "名.txt"
    data.write_text("tä a/b0\n好 X\n", encoding="utf-8")
    outcome = textapp("evaluate", folder, "--data", data, "--json")
    assert set(outcome.json) == {"accuracy", "count"}
    assert "will miss: X" in outcome.err


def test_the_figures_are_there_and_hang_together(textapp, tag_bundle, tag_corpus):
    outcome = textapp("bench", tag_bundle, "--data", tag_corpus["test"], "--count", "10", "--json")
    figures = outcome.json
    assert figures["count"] == 10
    assert 0 < figures["model_ms_p50"] < figures["text_to_spans_ms_p50"] <= figures["text_to_spans_ms_p95"]
    assert figures["model_bytes"] == (tag_bundle / "model.tflite").stat().st_size
    assert "text to spans, ms" in outcome.err


@pytest.mark.parametrize(
    "name", ["model.tflite", "vocabulary.txt", "tags.txt", "characters.txt", "crf.json", "bundle.json"]
)
def test_a_broken_file_of_a_bundle_is_named(textapp, copy, tag_bundle, name):
    folder = copy(tag_bundle)
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert textapp("predict", folder, "текст").refusal.startswith(str(path))
    path.unlink()
    refusal = textapp("predict", folder, "текст").refusal
    assert refusal.startswith(str(folder))
    assert name in refusal


@pytest.mark.parametrize("name", ["model.keras", "vocabulary.txt", "tags.txt", "characters.txt"])
def test_a_broken_file_of_a_run_is_named(textapp, copy, tag_run, name):
    folder = copy(tag_run)
    path = folder / name
    path.write_bytes(b"\xff")
    assert textapp("predict", folder, "текст").refusal.startswith(str(path))


def test_a_classifier_is_not_asked_for_confidence(textapp, bundle_folder):
    refusal = textapp("predict", bundle_folder, "--confidence", "好").refusal
    assert refusal == "--confidence: is of taggers; a classifier always says how sure it is"


def test_broken_tags_are_refused_or_mended(textapp, tag_run, tag_bundle, tmp_path):
    broken = tmp_path / "gebrochen.conll"
    broken.write_text("Ms O\nAnbé B-PER\nsang O\nin B-LOC\nNorço I-PER\n", encoding="utf-8")
    for model in (tag_run, tag_bundle):
        assert "I-PER cannot follow B-LOC in IOB2" in textapp("evaluate", model, "--data", broken).refusal
        assert textapp("evaluate", model, "--data", broken, "--repair", "--json").json["count"] == 3
    assert textapp("bench", tag_bundle, "--data", broken, "--json").json["count"] == 1


def test_tokens_are_scored_as_texts_are_cut(textapp, tag_run, tag_bundle, tmp_path):
    """A corpus may keep together what a text's tokenizer cuts apart."""
    whole = tmp_path / "ganz.conll"
    whole.write_text("Ms O\nAnbé-Norço B-PER\nsang O\n", encoding="utf-8")
    scores = [textapp("evaluate", model, "--data", whole, "--json").json for model in (tag_run, tag_bundle)]
    assert scores[0] == scores[1]
    described = json.loads((tag_bundle / "bundle.json").read_text(encoding="utf-8"))
    assert described["retokenize"] is True
