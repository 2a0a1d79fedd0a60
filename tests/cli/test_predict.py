"""`textapp predict`, and any text at all."""

import gzip
import hashlib
import random
import re
import sys
from pathlib import Path

import pytest

from tests.cli.commands import change_json, read_json
from textapp.data.tagged import read_tagged
from textapp.runtime import Prediction, TaggedSpan, Tagging, TokenWeight
from textapp.task import task
from textapp.tasks.classification.terminal import contribution_lines, mark_tokens, prediction_lines
from textapp.tasks.tagging.terminal import mark_spans
from textapp.text.characters import terminal_width
from textapp.text.tag_set import TagSet
from textapp.text.terminal import PLAIN, Screen

TEXTS = [
    *(
        "",
        "\0",
        "🎉👩‍👩‍👧 Ms Anbe\u0301 sang",
        "很 好 film",
        "a\x1b[31mb\nc",
        "e\u0301 \u202e ½ 好",
        "\udcff ㍿",
        "￾ \ufeff",
    ),
    "then Mr Ｌusotä [x] \\ in Norço.",
]
GOOD = ["gut é", "二", "last"]


def with_targets(folder: Path, name: str, lines: list[str]) -> None:
    """Gives a bundle other labels or tags."""
    content = "".join(f"{line}\n" for line in lines).encode()
    (folder / name).write_bytes(content)
    sha256 = read_json(folder / "bundle.json")["sha256"]
    change_json(folder / "bundle.json", sha256={**sha256, name: hashlib.sha256(content).hexdigest()})


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_any_text_has_a_label(textapp, classifier, kind):
    outcome = textapp("predict", getattr(classifier, kind), "--json", *TEXTS)
    assert (outcome.code, outcome.err) == (0, "")
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


@pytest.mark.parametrize("kind", ["run", "bundle"])
@pytest.mark.parametrize("confidence", [[], ["--confidence"]])
def test_any_text_is_tagged(textapp, tagger, kind, confidence):
    outcome = textapp("predict", getattr(tagger, kind), "--json", *confidence, *TEXTS)
    assert (outcome.code, outcome.err) == (0, "")
    predictions = outcome.json["predictions"]
    assert len(predictions) == len(TEXTS)
    for text, prediction in zip(TEXTS, predictions, strict=True):
        assert list(prediction) == ["spans", "tokens"]
        text = text.replace("\udcff", "\ufffd")  # an argument that is no UTF-8
        for span in prediction["spans"]:
            assert span["text"] == text[span["start"] : span["end"]]
            assert span["type"] in ("PER", "LOC")
            assert ("confidence" in span) == bool(confidence)
    assert [token["text"] for token in predictions[-1]["tokens"][2:4]] == ["Lusotä", "["]
    assert any(prediction["spans"] for prediction in predictions)


def test_run_and_bundle_of_a_classifier_agree(textapp, classifier):
    lines = Path(classifier.files["test"]).read_text(encoding="utf-8").splitlines()[1:]
    texts = [line.split("\t")[0] for line in lines]
    of_run, of_bundle = (
        textapp("predict", folder, "--json", *texts).json["predictions"] for folder in classifier.folders
    )
    for one, other in zip(of_run, of_bundle, strict=True):
        assert one["probs"] == pytest.approx(other["probs"], abs=0.01)
        assert [token["start"] for token in one["tokens"]] == [token["start"] for token in other["tokens"]]


def test_run_and_bundle_of_a_tagger_agree(textapp, tagger):
    texts = [" ".join(tokens) for tokens in read_tagged(tagger.files["test"]).sentences]
    texts.append(" ".join(texts[:8]))  # longer than the model reads at once
    of_run, of_bundle = (
        textapp("predict", folder, "--json", "--confidence", *texts).json["predictions"] for folder in tagger.folders
    )
    for one, other in zip(of_run, of_bundle, strict=True):
        assert [token["tag"] for token in one["tokens"]] == [token["tag"] for token in other["tokens"]]
        assert [span["confidence"] for span in one["spans"]] == pytest.approx(
            [span["confidence"] for span in other["spans"]], abs=1e-4
        )
    assert len(of_run[-1]["tokens"]) > 32


@pytest.mark.parametrize("kind", ["run", "bundle"])
@pytest.mark.parametrize("text", ["好 " * 350_000, "x y\0" * 260_000])
def test_a_megabyte_is_cut_and_a_note_says_so(textapp, classifier, kind, text):
    outcome = textapp("predict", getattr(classifier, kind), "--json", stdin=b"short \xc3\xa9\n" + text.encode())
    assert outcome.err == "note: text 2 was cut to its first 16 tokens\n"
    short, cut = outcome.json["predictions"]
    assert (short["truncated"], cut["truncated"]) == (False, True)
    assert len(cut["tokens"]) == 16


def test_many_notes_become_one_line_and_json_has_all(textapp, classifier):
    content = "слово " * 17 + "\n"
    for count in (5, 9):
        outcome = textapp("predict", classifier.bundle, "--json", stdin=("short\n" + content * count).encode())
        lines = outcome.err.splitlines()
        assert lines[:5] == [f"note: text {number} was cut to its first 16 tokens" for number in range(2, 7)]
        assert lines[5:] == (["note: 4 more notes like these; --json marks each such text"] if count == 9 else [])
        assert sum(prediction["truncated"] for prediction in outcome.json["predictions"]) == count


@pytest.mark.parametrize("text", ["Mr 好 " * 4_000, "x y\0" * 4_000])
def test_a_long_text_is_tagged_to_its_end(textapp, tagger, text):
    outcome = textapp("predict", tagger.bundle, "--json", stdin=b"short \xc3\xa9\n" + text.encode())
    assert outcome.err == ""
    assert outcome.json["predictions"][1]["tokens"][-1]["end"] == len(text.rstrip(" \0"))


def test_people_read_a_label_a_line(textapp, classifier):
    outcome = textapp("predict", classifier.bundle, "很 好", "a\x1b[31mb\nc", "ж " * 40)
    lines = outcome.out.split("\n")
    assert [line.split("\t")[2] for line in lines[:3]] == ["很 好", "a [31mb c", " ".join("ж" * 16) + "…"]
    assert lines[3:] == [""]


def test_a_question_mark_stands_for_no_label(textapp, classifier):
    sure, unsure = (
        textapp("predict", classifier.bundle, "--min-confidence", least, "很 好").out for least in ("0", "1")
    )
    assert unsure == "?\t" + sure.split("\t", 1)[1]
    (prediction,) = textapp("predict", classifier.bundle, "--min-confidence", "1", "--json", "很 好").json[
        "predictions"
    ]
    assert (prediction["label"], prediction["guess"]) == (None, sure.split("\t")[0])


def test_people_read_a_line_with_marked_spans_a_text(textapp, tagger, monkeypatch):
    outcome = textapp("predict", tagger.bundle, *TEXTS)
    lines = outcome.out.split("\n")
    assert len(lines) == len(TEXTS) + 1
    assert lines[:2] == ["", " "]
    for text, line in zip(TEXTS, lines, strict=False):
        plain = re.sub(r"(?<!\\)\[((?:[^\\\]]|\\.)*) \w+\]", r"\1", line)  # marks away, then backslashes
        text = text.replace("\udcff", "\ufffd")  # an argument that is no UTF-8
        shown = "".join(character if character.isprintable() else " " for character in text)
        assert re.sub(r"\\([\[\]\\])", r"\1", plain) == shown
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    coloured = textapp("predict", tagger.bundle, *TEXTS).out
    assert "\x1b[38;5;16;48;5;" in coloured
    assert "\x1b[31m" not in coloured


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("eins é\r\nzwei 二\n".encode(), ["eins é", "zwei 二"]),
        ("\ufeffmit BOM".encode(), ["mit BOM"]),
        (b"\n", [""]),
        ("a\n\nb\u2028c".encode(), ["a", "", "b\u2028c"]),
    ],
)
def test_texts_are_read_from_a_file_and_from_standard_input(textapp, model, tmp_path, content, texts):
    (tmp_path / "тексты.txt").write_bytes(content)
    given = textapp("predict", model.bundle, "--json", *texts)
    assert textapp("predict", model.bundle, "--json", "--file", tmp_path / "тексты.txt").out == given.out
    assert textapp("predict", model.bundle, "--json", stdin=content).out == given.out


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
@pytest.mark.parametrize(
    ("content", "rule"), [(b"", "no text in it"), (b"\xff\n", "1: byte 1 of the line is not UTF-8")]
)
def test_what_holds_no_text_is_refused(textapp, model, tmp_path, json_flag, content, rule):
    path = tmp_path / "空.txt"
    path.write_bytes(content)
    for outcome, source in (
        (textapp("predict", model.bundle, *json_flag, "--file", path), str(path)),
        (textapp("predict", model.bundle, *json_flag, stdin=content), "standard input"),
    ):
        assert outcome.refusal.startswith(f"{source}:")
        assert rule in outcome.refusal


def test_a_gzipped_file_is_read_whatever_its_name(textapp, classifier, tmp_path):
    path = tmp_path / "тексты.txt"
    path.write_bytes(gzip.compress("\n".join(GOOD).encode()))
    given = textapp("predict", classifier.bundle, "--json", *GOOD)
    assert textapp("predict", classifier.bundle, "--json", "--file", path) == given


def test_the_whole_lines_of_a_gzipped_file_that_is_cut_off_are_predicted(textapp, classifier, tmp_path):
    path, rng = tmp_path / "тексты.gz", random.Random(1)
    lines = ["".join(rng.choices("abcdefghé", k=60)) for _ in range(100)]
    content = gzip.compress("\n".join(lines).encode())
    command = ["predict", classifier.bundle, "--file", path]
    path.write_bytes(content)
    whole = textapp(*command).out.splitlines()
    path.write_bytes(content[: len(content) // 2])
    cut = textapp(*command)
    assert cut.code == 2
    assert cut.err.startswith(f"textapp: {path}: the gzip data are cut off or damaged; fetch the file again")
    assert 40 < len(cut.out.splitlines()) < 60
    assert whole[: len(cut.out.splitlines())] == cut.out.splitlines()


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_lines_before_a_bad_one_are_predicted(textapp, model, tmp_path, json_flag):
    path = tmp_path / "строки.txt"
    path.write_bytes("gut é\n二\n".encode() + b"x\xff\nlast\n\xfe")
    before, all_good = (textapp("predict", model.bundle, *json_flag, *texts).out for texts in (GOOD[:2], GOOD))
    stopped = textapp("predict", model.bundle, *json_flag, "--file", path)
    assert (stopped.code, stopped.out) == (2, before)
    assert stopped.err == f"textapp: {path}:3: byte 2 of the line is not UTF-8; files must be UTF-8\n"
    skipped = textapp("predict", model.bundle, *json_flag, "--file", path, "--skip-bad")
    assert (skipped.code, skipped.out) == (0, all_good)
    assert skipped.err == f"note: skipped 2 lines of bytes that are not UTF-8; the first is {path}:3\n"
    path.write_bytes(b"\xff")
    nothing = textapp("predict", model.bundle, *json_flag, "--file", path, "--skip-bad")
    assert (nothing.code, nothing.out) == (0, '{"predictions": []}\n' if json_flag else "")


def test_a_file_that_is_not_there_is_refused(textapp, model, tmp_path):
    missing = tmp_path / "無"
    assert textapp("predict", model.bundle, "--file", missing).refusal == f"{missing}: No such file or directory"
    assert textapp("predict", model.bundle, "--file", tmp_path).refusal == f"{tmp_path}: Is a directory"
    assert "not both" in textapp("predict", model.bundle, "text", "--file", missing).refusal


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_classifier_is_not_asked_for_confidence(textapp, classifier, kind):
    refusal = textapp("predict", getattr(classifier, kind), "--confidence", "好").refusal
    assert refusal == "--confidence: is no option of a classifier, which always gives probabilities"


COLOURED = Screen(is_terminal=True, colours=True)


def tinted(text, *codes):
    """Black letters on a light colour, as a dark and a light terminal show alike."""
    return f"\x1b[38;5;16;48;5;{';'.join(map(str, codes))}m{text}\x1b[0m"


def test_attention_above_an_equal_share_has_a_tint_on_a_terminal():
    tokens = (TokenWeight("好", 0, 1, 0.8), TokenWeight("片", 2, 3, 0.5), TokenWeight("x", 3, 4, 0.0))
    prediction = Prediction("neg\x1b", {"neg\x1b": 1.0}, tokens, truncated=False)
    assert mark_tokens("好\x07片x ", prediction, COLOURED) == f"{tinted('好', 215, 1)} {tinted('片', 230)}x "
    assert mark_tokens("好\x07片x ", prediction, PLAIN) == "好 片x "


def test_equal_attention_has_no_tint():
    tokens = tuple(TokenWeight("好", at, at + 1, weight) for at, weight in enumerate((0.26, 0.25, 0.25, 0.24)))
    assert mark_tokens("好好好好", Prediction("a", {"a": 1.0}, tokens, truncated=False), COLOURED) == "好好好好"


@pytest.mark.parametrize(
    ("screen", "lines"),
    [
        (PLAIN, ["да\t0.750\t好", "нет ясно\t0.875\t好", "?\t0.750\t好"]),
        (
            Screen(is_terminal=True),
            ["да        ━━━━━━━━╌╌ 0.750  好", "нет ясно  ━━━━━━━━━╌ 0.875  好", "?         ━━━━━━━━╌╌ 0.750  好"],
        ),
        (
            COLOURED,
            [
                f"{tinted(' да ', 117)}        ━━━━━━━━\x1b[2m━━\x1b[0m 0.750  好",
                f"{tinted(' нет ясно ', 222)}  ━━━━━━━━━\x1b[2m━\x1b[0m 0.875  好",
                "?           ━━━━━━━━\x1b[2m━━\x1b[0m 0.750  好",
            ],
        ),
    ],
)
def test_a_terminal_shows_labels_in_colour_and_probabilities_as_bars(screen, lines):
    probs = [{"да": 0.75, "нет ясно": 0.25}, {"да": 0.125, "нет ясно": 0.875}, {"да": 0.75, "нет ясно": 0.25}]
    labels = ["да", "нет ясно", None]
    predictions = [Prediction(label, one, (), truncated=False) for label, one in zip(labels, probs, strict=True)]
    assert list(prediction_lines(["好"] * 3, predictions, screen)) == lines


def test_a_legend_says_what_colours_mean():
    tags = TagSet(("O", "B-人", "I-人", "B-地", "B-"), "IOB2")
    found, labels = task("tagging"), task("classification")
    assert found.prediction_legend(tags, COLOURED, explain=False) == " ".join(
        [tinted(" _ ", 117), tinted(" 人 ", 222), tinted(" 地 ", 157)]
    )
    assert labels.prediction_legend(None, COLOURED, explain=True) == (
        f"{tinted(' speaks for the label ', 157)}  {tinted(' speaks against it ', 217)}"
    )
    assert labels.prediction_legend(None, COLOURED, explain=False).endswith("little to much of the model's attention")
    without = Screen(is_terminal=True)
    assert found.prediction_legend(tags, without, False) == labels.prediction_legend(None, without, True) == ""


def test_the_legend_stands_once_above_all_predictions(textapp, model, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    outcome = textapp("predict", model.bundle, "gut", "好")
    with_legend = bool(model.task.prediction_legend(task_targets(model), COLOURED, explain=False))
    assert (len(outcome.out.splitlines()), len(outcome.err.splitlines())) == (2, with_legend)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in textapp("predict", model.bundle, "gut", "好").out


def task_targets(model):
    """The targets of the bundle of a model."""
    from textapp.runtime import load

    return load(model.bundle).targets


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
    assert mark_spans(text, Tagging((), (TaggedSpan(*span),))) == line


def test_a_terminal_shows_spans_by_colour():
    tagging = Tagging((), (TaggedSpan("LOC", "北\x1b京", 1, 4), TaggedSpan("PER", "张", 4, 5, 0.5)))
    assert mark_spans("去北\x1b京张[", tagging, ["LOC", "PER"], COLOURED) == (
        f"去{tinted('北 京 ', 117)}{tinted('LOC', 117, 1)}{tinted('张 ', 222)}{tinted('PER 0.50', 222, 1)}["
    )


def test_a_label_cannot_colour_the_terminal(textapp, copy, classifier):
    folder = copy(classifier.bundle)
    with_targets(folder, "labels.txt", ["\x1b[31mплохо", "хорошо"])
    texts = [f"слово {number}" for number in range(20)]
    outcome = textapp("predict", folder, *texts, "bad awful terrible", "good great 好")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out


def test_parts_of_speech_are_shown_after_their_tokens(textapp, copy, tagger, tmp_path):
    """The bundle of spans, with its tags given another meaning."""
    folder = copy(tagger.bundle)
    count = len((folder / "tags.txt").read_text(encoding="utf-8").splitlines())
    with_targets(folder, "tags.txt", [f"{'a/b' if number == 0 else '名 詞'}{number}" for number in range(count)])
    change_json(folder / "bundle.json", tag_scheme=None)
    line = textapp("predict", folder, "tä / \\好").out.rstrip("\n")
    fields = re.findall(r"((?:[^\\/ ]|\\.)+)/((?:[^\\/ ]|\\.)+)(?: |$)", line)
    assert [token for token, _ in fields] == ["tä", "\\/", "\\\\", "好"]
    assert {tag for _, tag in fields} <= {"a\\/b0", *(f"名\\ 詞{number}" for number in range(count))}
    assert re.search(r"/0\.\d\d$", textapp("predict", folder, "--confidence", "tä").out.rstrip("\n"))
    data = tmp_path / "名.txt"
    data.write_text("tä a/b0\n好 X\n", encoding="utf-8")
    outcome = textapp("evaluate", folder, "--data", data, "--json")
    assert set(outcome.json) == {"accuracy", "count"}
    assert "the model never predicts them: X" in outcome.err
    data.write_text("tä PRON\n", encoding="utf-8")
    assert textapp("evaluate", folder, "--data", data).refusal.startswith(
        f"{data}: the model knows none of the tags PRON"
    )


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_explain_shows_what_each_token_contributes(textapp, models, name):
    words = ["great", "好", "bad", "salé", "cheap"]
    bundle = models(name).bundle
    (explained,) = textapp("predict", bundle, "--explain", "--json", " ".join(words)).json["predictions"]
    without = [" ".join(words[:at] + words[at + 1 :]) for at in range(len(words))]
    others = textapp("predict", bundle, "--json", *without).json["predictions"]
    labels = explained.get("labels", [explained.get("label")]) or [max(explained["probs"], key=explained["probs"].get)]
    for token, other in zip(explained["tokens"], others, strict=True):
        assert token["contributions"] == pytest.approx(
            {label: explained["probs"][label] - other["probs"][label] for label in labels}, abs=1e-6
        )
    _, *lines = textapp("predict", bundle, "--explain", " ".join(words)).out.splitlines()
    for label, line in zip(labels, lines, strict=True):
        heaviest = max(explained["tokens"], key=lambda token: abs(token["contributions"][label]))
        assert line.startswith(f"  {label}: {heaviest['contributions'][label]:+.2f} {heaviest['text']}, ")


def test_a_tagger_is_not_asked_for_contributions(textapp, tagger):
    assert textapp("predict", tagger.bundle, "--explain", "好").refusal == (
        "--explain: is no option of a tagger, only of a model that labels whole texts"
    )


def test_contributions_are_green_or_red_and_fit_a_terminal():
    tokens = (
        TokenWeight("好", 0, 1, 0.1, {"neg": 0.4}),
        TokenWeight("片", 2, 3, 0.9, {"neg": -0.1}),
        *(TokenWeight("x" * 9, 3, 12, 0.0, {"neg": 0.0}) for _ in range(20)),
    )
    prediction = Prediction("neg", {"neg": 1.0}, tokens[:2], truncated=False)
    assert mark_tokens("好\x07片", prediction, COLOURED) == f"{tinted('好', 84, 1)} {tinted('片', 224)}"
    (whole,) = contribution_lines(tokens, PLAIN)
    assert whole.count("xxxxxxxxx") == 20
    (line,) = contribution_lines(tokens, COLOURED)
    assert line.startswith("  neg: +0.40 好, -0.10 片, +0.00 xxxxxxxxx, ")
    assert terminal_width(line) == 80
