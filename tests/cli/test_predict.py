"""`textapp predict`, and any text at all."""

import hashlib
import json
from pathlib import Path

import pytest

from textapp.cli.predict import marked
from textapp.runtime import Prediction, TokenWeight

TEXTS = ["", "\0", "🎉👩‍👩‍👧", "很 好 film", "a\x1b[31mb\nc", "e\u0301 \u202e", "\udcff", "￾ \ufeff"]


@pytest.mark.parametrize("folder", ["run_folder", "bundle_folder"])
def test_any_text_is_predicted(textapp, request, folder):
    outcome = textapp("predict", request.getfixturevalue(folder), "--json", *TEXTS)
    assert outcome.code == 0
    assert outcome.err == ""
    assert list(outcome.json) == ["predictions"]
    predictions = outcome.json["predictions"]
    assert len(predictions) == len(TEXTS)
    for text, prediction in zip(TEXTS, predictions, strict=True):
        assert set(prediction) == {"label", "probs", "tokens", "truncated"}
        assert prediction["label"] == max(prediction["probs"], key=prediction["probs"].get)
        assert sum(prediction["probs"].values()) == pytest.approx(1)
        assert all(0 <= token["start"] < token["end"] <= len(text) for token in prediction["tokens"])
        if prediction["tokens"]:
            assert sum(token["weight"] for token in prediction["tokens"]) == pytest.approx(1, abs=1e-3)
        assert not prediction["truncated"]
    assert [token["text"] for token in predictions[3]["tokens"]] == ["很", "好", "film"]
    assert predictions[0]["tokens"] == []


def test_run_and_bundle_agree(textapp, run_folder, bundle_folder, corpus):
    texts = [line.split("\t")[0] for line in Path(corpus["test"]).read_text(encoding="utf-8").splitlines()[1:]]
    of_run, of_bundle = (
        textapp("predict", folder, "--json", *texts).json["predictions"] for folder in (run_folder, bundle_folder)
    )
    for one, other in zip(of_run, of_bundle, strict=True):
        assert one["probs"] == pytest.approx(other["probs"], abs=0.01)
        assert [token["start"] for token in one["tokens"]] == [token["start"] for token in other["tokens"]]


@pytest.mark.parametrize("folder", ["run_folder", "bundle_folder"])
@pytest.mark.parametrize("text", ["好 " * 350_000, "x y\0" * 260_000])
def test_a_megabyte_is_cut_and_said_so(textapp, request, folder, text):
    outcome = textapp("predict", request.getfixturevalue(folder), "--json", stdin=b"short \xc3\xa9\n" + text.encode())
    assert outcome.err == "note: text 2 was cut to its first 16 tokens\n"
    short, cut = outcome.json["predictions"]
    assert (short["truncated"], cut["truncated"]) == (False, True)
    assert len(cut["tokens"]) == 16


def test_people_read_a_line_a_text(textapp, bundle_folder):
    outcome = textapp("predict", bundle_folder, "很 好", "a\x1b[31mb\nc", "ж " * 40)
    lines = outcome.out.split("\n")
    assert [line.split("\t")[2] for line in lines[:3]] == ["很 好", "a [31mb c", " ".join("ж" * 16) + "…"]
    assert lines[3:] == [""]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("eins é\r\nzwei 二\n".encode(), ["eins é", "zwei 二"]),
        ("\ufeffmit BOM".encode(), ["mit BOM"]),
        (b"\n", [""]),
        ("a\n\nb\u2028c".encode(), ["a", "", "b\u2028c"]),
    ],
)
def test_texts_are_read_from_a_file_and_from_standard_input(textapp, bundle_folder, tmp_path, content, texts):
    (tmp_path / "тексты.txt").write_bytes(content)
    given = textapp("predict", bundle_folder, "--json", *texts)
    assert textapp("predict", bundle_folder, "--json", "--file", tmp_path / "тексты.txt").out == given.out
    assert textapp("predict", bundle_folder, "--json", stdin=content).out == given.out


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
@pytest.mark.parametrize(
    ("content", "rule"), [(b"", "no text in it"), (b"gut\n\xff\n", "2: byte 1 of the line is not UTF-8")]
)
def test_what_holds_no_text_is_refused(textapp, bundle_folder, tmp_path, json_flag, content, rule):
    path = tmp_path / "空.txt"
    path.write_bytes(content)
    for outcome, source in (
        (textapp("predict", bundle_folder, *json_flag, "--file", path), str(path)),
        (textapp("predict", bundle_folder, *json_flag, stdin=content), "standard input"),
    ):
        assert outcome.refusal.startswith(f"{source}:")
        assert rule in outcome.refusal


def test_a_file_that_is_not_there_is_refused(textapp, bundle_folder, tmp_path):
    assert textapp("predict", bundle_folder, "--file", tmp_path / "無").refusal.endswith(
        "無: No such file or directory"
    )
    assert textapp("predict", bundle_folder, "--file", tmp_path).refusal == f"{tmp_path}: Is a directory"
    assert "not both" in textapp("predict", bundle_folder, "text", "--file", tmp_path / "無").refusal


def test_attention_is_shown_by_red_on_a_terminal():
    tokens = (TokenWeight("好", 0, 1, 0.8), TokenWeight("片", 2, 3, 0.2), TokenWeight("x", 3, 4, 0.0))
    prediction = Prediction("neg\x1b", {"neg\x1b": 1.0}, tokens, truncated=False)
    assert marked("好\x07片x ", prediction, colours=True) == "\x1b[48;5;196m好\x1b[0m \x1b[48;5;52m片\x1b[0mx "
    assert marked("好\x07片x ", prediction, colours=False) == "好 片x "


def test_a_label_cannot_colour_the_terminal(textapp, copy, bundle_folder):
    folder = copy(bundle_folder)
    labels = "\x1b[31mплохо\nхорошо\n".encode()
    (folder / "labels.txt").write_bytes(labels)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    description["sha256"]["labels.txt"] = hashlib.sha256(labels).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(description))
    texts = [f"слово {number}" for number in range(20)]
    outcome = textapp("predict", folder, *texts, "bad awful terrible", "good great 好")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
