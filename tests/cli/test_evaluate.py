"""`textapp evaluate`: scores of a run and of its bundle; what data it and `textapp bench` refuse."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_scores_of_labels_are_those_of_the_predictions_by_scikit_learn(textapp, classifier, kind):
    folder, data = getattr(classifier, kind), classifier.files["test"]
    rows = [line.split("\t") for line in Path(data).read_text(encoding="utf-8").splitlines()[1:]]
    predictions = textapp("predict", folder, "--json", *(text for text, _ in rows)).json["predictions"]
    true, predicted = [label for _, label in rows], [prediction["label"] for prediction in predictions]
    probs = [max(prediction["probs"].values()) for prediction in predictions]
    outcome = textapp("evaluate", folder, "--data", data, "--json")
    assert outcome.json == {
        "accuracy": pytest.approx(accuracy_score(true, predicted)),
        "macro_f1": pytest.approx(f1_score(true, predicted, average="macro")),
        "ece": pytest.approx(
            calibration_error([one == other for one, other in zip(true, predicted, strict=True)], probs)
        ),
        "count": 40,
    }
    assert "on 40 texts" in outcome.err


def calibration_error(right, probs):
    """The expected calibration error, over NumPy's histograms."""
    edges = np.linspace(0, 1, 16)
    sums = [np.histogram(probs, edges, weights=weights)[0] for weights in (np.asarray(right, float), probs)]
    return np.abs(sums[0] - sums[1]).sum() / len(probs)


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_model_may_answer_only_where_it_is_sure(textapp, classifier, tmp_path, kind):
    """Some texts have a label that no training text has. They should get none, and count in no other score."""
    folder, data = getattr(classifier, kind), Path(classifier.files["test"])
    outside = ["北京 天气", "what is the time", "ж"]
    (tmp_path / "всё.tsv").write_text(
        data.read_text(encoding="utf-8") + "".join(f"{text}\tне то\n" for text in outside), encoding="utf-8"
    )
    texts = [line.split("\t")[0] for line in data.read_text(encoding="utf-8").splitlines()[1:]]
    true = [line.split("\t")[1] for line in data.read_text(encoding="utf-8").splitlines()[1:]]
    predictions = textapp("predict", folder, "--json", *texts, *outside).json["predictions"]
    probs = [max(prediction["probs"].values()) for prediction in predictions]
    least = sorted(probs)[20] + 1e-6
    silent = textapp("predict", folder, "--json", "--min-confidence", least, *texts, *outside).json["predictions"]
    labels = [prediction["label"] for prediction in silent]
    options = ["--min-confidence", least, "--min-confidence", "0", "--out-of-scope", "не то"]
    outcome = textapp("evaluate", folder, "--data", tmp_path / "всё.tsv", *options, "--json")
    scores = outcome.json
    first, second = scores.pop("answers")
    answered = [label is not None for label in labels[:40]]
    right = [one == other for one, other in zip(labels, true, strict=False)]
    assert first == {
        "min_confidence": least,
        "coverage": pytest.approx(sum(answered) / 40),
        "selective_accuracy": pytest.approx(sum(right) / sum(answered)),
        "in_scope_accuracy": pytest.approx(sum(right) / 40),
        "out_of_scope_recall": pytest.approx(labels[40:].count(None) / 3),
    }
    assert (second["coverage"], second["out_of_scope_recall"]) == (1, 0)
    assert second["selective_accuracy"] == second["in_scope_accuracy"] == scores["accuracy"]
    assert scores == textapp("evaluate", folder, "--data", data, "--json").json
    assert "3 texts out of scope" in outcome.err
    table = outcome.err.splitlines()[-4:]
    assert table[0].split("  ") == [
        *("min. confidence", "answered", "right of these", "answered right", "out-of-scope recall"),
    ]
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_answers_from_the_threshold_on_have_the_precision(textapp, classifier, tmp_path, kind):
    """As `predict` answers with it, among texts of which no label fits some."""
    folder, data = getattr(classifier, kind), Path(classifier.files["test"])
    path = tmp_path / "всё.tsv"
    path.write_text(data.read_text(encoding="utf-8") + "北京 天气\tне то\nж\tне то\n", encoding="utf-8")
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    command = ["evaluate", folder, "--data", path, "--out-of-scope", "не то"]
    outcome = textapp(*command, "--precision", "0.75", "--json")
    thresholds = outcome.json["thresholds"]
    overall, least = thresholds["overall"], thresholds["overall"]["min_confidence"]
    assert f"next:  textapp predict '{folder}' --min-confidence {least}" in outcome.err
    texts = [text for text, _ in rows]
    predictions = textapp("predict", folder, "--json", "--min-confidence", least, *texts).json["predictions"]
    answers = [(one["label"], label) for one, (_, label) in zip(predictions, rows, strict=True) if one["label"]]
    hits = sum(one == other for one, other in answers)
    assert overall["precision"] == pytest.approx(hits / len(answers))
    assert overall["precision"] >= 0.75
    assert (overall["recall"], overall["coverage"]) == (hits / 40, len(answers) / 42)
    assert thresholds["labels"].keys() == {"negative", "positive"}
    assert "all labels" in outcome.err
    assert max(map(len, outcome.err.splitlines()[-5:-1])) <= 80


def test_silence_where_it_makes_no_sense_is_refused(textapp, model, classifier, tmp_path):
    data = ["--data", model.files["test"]]
    if model.task.name != "classification":
        refusal = textapp("evaluate", model.bundle, *data, "--min-confidence", "0.5").refusal
        of_predict = textapp("predict", model.bundle, "--min-confidence", "0.5", "好").refusal
        noun = model.task.model_noun
        expected = f"--min-confidence: is no option of a {noun}, only of a classifier that gives one label"
        assert refusal == of_predict == expected
        refusal = textapp("evaluate", model.bundle, *data, "--precision", "0.9").refusal
        assert refusal == expected.replace("--min-confidence", "--precision")
        return
    for wrong in ("nan", "0", "1.5"):
        refusal = textapp("evaluate", model.bundle, *data, "--precision", wrong).refusal
        assert refusal == f"--precision {float(wrong):g}: must be a share, above 0 and at most 1"
    for wrong in ("nan", "-0.5", "1.5"):
        expected = f"--min-confidence {float(wrong):g}: must be a probability, from 0 to 1"
        assert textapp("evaluate", model.bundle, *data, "--min-confidence", wrong).refusal == expected
        assert textapp("predict", model.bundle, "--min-confidence", wrong, "好").refusal == expected
    scope = [*data, "--min-confidence", "0.5", "--out-of-scope"]
    refusal = textapp("evaluate", model.bundle, *scope, "positive").refusal
    assert refusal == "--out-of-scope positive: is a label of the model, so its texts are scored without this option"
    refusal = textapp("evaluate", model.bundle, *scope, "другое").refusal
    assert refusal == f"--out-of-scope другое: none of the labels in {model.files['test']} are this one"
    assert "needs --min-confidence" in textapp("evaluate", model.bundle, *data, "--out-of-scope", "другое").refusal
    (tmp_path / "d.tsv").write_text("text\tlabel\n好\tнет\n好\tdrei\n", encoding="utf-8")
    refusal = textapp("evaluate", model.bundle, "--data", tmp_path / "d.tsv", *scope[2:], "нет").refusal
    assert "the label 'drei' does not occur" in refusal


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_scores_are_those_of_the_training(textapp, model, kind):
    outcome = textapp("evaluate", getattr(model, kind), "--data", model.files["test"], "--json")
    expected = model.metrics["test"]
    expected.pop("loss", None)  # that of logits, which nobody keeps here
    if "ece" in expected and kind == "bundle":  # int8 weights move probabilities a little, and some to another bin
        expected["ece"] = pytest.approx(expected["ece"], abs=0.05)
    assert outcome.json == expected
    assert expected["count"] == 40
    assert "% of tokens unknown" in outcome.err
    assert textapp("evaluate", getattr(model, kind), "--data", model.files["test"]).out == ""


def test_each_type_of_span_has_its_line(textapp, tagger):
    outcome = textapp("evaluate", tagger.bundle, "--data", tagger.files["test"], "--json")
    assert outcome.json.keys() == {"entity_f1", "precision", "recall", "count", "token_accuracy", "types"}
    assert "type  precision  recall  entity F1  count" in outcome.err
    assert [line.split()[0] for line in outcome.err.splitlines()[-3:-1]] == ["LOC", "PER"]


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_texts_without_a_token_and_a_megabyte_long_are_scored(textapp, classifier, tmp_path, kind):
    rows = ["\u200b\tnegative", "\x01\tpositive", "好 film " * 130_000 + "\tnegative"]
    content = "\ufeff" + "text\tlabel\r\n" + "".join(f"{row}\r\n" for row in rows)
    (tmp_path / "отзывы.tsv.gz").write_bytes(gzip.compress(content.encode()))
    outcome = textapp("evaluate", getattr(classifier, kind), "--data", tmp_path / "отзывы.tsv.gz", "--json")
    assert outcome.json["count"] == 3


@pytest.mark.parametrize("kind", ["run", "bundle"])
@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_texts_with_labels_that_the_training_lacks_count_as_wrong(textapp, models, tmp_path, name, kind):
    """As scikit-learn counts them: each such label is a class of which nothing is found."""
    model, path = models(name), tmp_path / "проверка.tsv"
    known, *_ = (model.run / model.target_file).read_text(encoding="utf-8").splitlines()
    rows = [("好 film", known), ("très bon", "нет"), ("mauvais film", "ja"), ("bon", "ja"), ("好", known)]
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    folder = getattr(model, kind)
    outcome = textapp("evaluate", folder, "--data", path, "--json")
    assert f"{path} has labels that the training split lacks, so that the model is wrong about their" in outcome.err
    assert "texts: 'ja' 2, 'нет' 1; correct them" in outcome.err
    predictions = textapp("predict", folder, "--json", *(text for text, _ in rows)).json["predictions"]
    if name == "classification":
        true, predicted = [label for _, label in rows], [one["label"] for one in predictions]
        assert outcome.json["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    else:
        names = sorted({label for _, label in rows} | {label for one in predictions for label in one["labels"]})
        true = [[name == label for name in names] for _, label in rows]
        predicted = [[name in one["labels"] for name in names] for one in predictions]
        assert outcome.json["micro_f1"] == pytest.approx(f1_score(true, predicted, average="micro", zero_division=0))
        assert outcome.json["labels"]["ja"] == {"precision": 0, "recall": 0, "f1": 0, "count": 2}
    expected = f1_score(true, predicted, average="macro", zero_division=0)
    assert outcome.json["macro_f1"] == pytest.approx(expected)


LABELS = "text\tlabel\n"
BAD_DATA = [
    ("classification", None, [], ": No such file or directory"),
    ("classification", b"", [], ": there is no example to read; the file is empty"),
    ("classification", f"{LABELS}好\tпозитив\n".encode(), [], ":2: the label 'позитив' does not occur in the training"),
    (
        "classification",
        "текст\tlabel\n好\tnegative\n".encode(),
        [],
        ":1: no column has a known name for the text; give its name",
    ),
    (
        "classification",
        f"{LABELS}x\ty\n".encode(),
        ["--text-column", "列"],
        ":1: no column '列' for the text; columns found:",
    ),
    ("classification", f"{LABELS}gut\xff\tnegative\n".encode("latin-1"), [], ":2: byte 4 of the line is not UTF-8"),
    ("tagging", None, [], ": No such file or directory"),
    ("tagging", b"", [], ": there is no sentence to read"),
    ("tagging", b"Wien B-LOC\nist \xff\n", [], ":2: byte 5 of the line is not UTF-8"),
    ("tagging", b"Wien NOUN\nist VERB\n", [], ": holds plain tags, but the model gives spans"),
    (
        "tagging",
        b"Wien B-LOC\n",
        ["--tag-column", "abc"],
        ": tag_column must be a number, from 0, or from the end such as -1. Received: 'abc'",
    ),
]


@pytest.mark.parametrize(("name", "content", "arguments", "rule"), BAD_DATA)
@pytest.mark.parametrize("command", ["evaluate", "bench"])
def test_bad_data_are_refused(textapp, models, tmp_path, command, name, content, arguments, rule):
    if command == "bench" and ("позитив" in rule or "plain tags" in rule):
        pytest.skip("bench times texts of any label and any tags")
    path = tmp_path / "плохо é.tsv"
    if content is not None:
        path.write_bytes(content)
    refusal = textapp(command, models(name).bundle, "--data", path, "--json", *arguments).refusal
    assert refusal.startswith(f"{path}{rule}")


def test_an_empty_path_and_a_subset_of_nothing_are_refused(textapp, model, tmp_path):
    assert "is empty" in textapp("evaluate", model.bundle, "--data", "").refusal
    refusal = textapp("evaluate", model.bundle, "--data", f"{tmp_path / '無'}#train").refusal
    assert refusal == f"{tmp_path / '無'}: No such file or directory"


@pytest.mark.parametrize(
    ("name", "option"), [("classification", ["--tag-column", "1"]), ("tagging", ["--text-column", "text"])]
)
@pytest.mark.parametrize("command", ["evaluate", "bench", "export", "report"])
def test_options_of_another_task_are_refused(textapp, models, tmp_path, command, name, option):
    model = models(name)
    out = {"export": ["--out", tmp_path / "包"], "report": ["--out", tmp_path / "п.html"]}.get(command, [])
    folder = model.run if command == "export" else model.bundle
    refusal = textapp(command, folder, "--data", model.files["test"], *out, *option).refusal
    rule, _, others = refusal.partition(", which has ")
    assert rule == f"{option[0]}: is no option of a {model.task.model_noun}"
    assert all(f" {name} " in textapp(command, "--help").out for name in others.split(", "))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        (
            "classification",
            "отзыв\tоценка\nхорошо 好\tpositive\n",
            ["--text-column", "отзыв", "--label-column", "оценка"],
        ),
        ("tagging", "B-LOC x Wien\nO x ist\n", ["--token-column", "2", "--tag-column", "0"]),
    ],
)
@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_the_columns_can_be_named(textapp, models, tmp_path, kind, name, content, columns):
    (tmp_path / "d.tsv").write_text(content, encoding="utf-8")
    command = ["evaluate", getattr(models(name), kind), "--data", tmp_path / "d.tsv"]
    assert textapp(*command, *columns, "--json").json["count"] == 1
    assert textapp(*command).refusal.startswith(str(tmp_path / "d.tsv"))


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_types_that_a_tagger_does_not_know_are_named(textapp, tagger, tmp_path, kind):
    path = tmp_path / "т.jsonl"
    path.write_text('{"text": "Xyzzy", "spans": [{"start": 0, "end": 5, "type": "地"}]}\n', encoding="utf-8")
    outcome = textapp("evaluate", getattr(tagger, kind), "--data", path, "--json")
    assert outcome.json["count"] == 1
    assert f"{path}: 1 sentence" in outcome.err
    assert "the model never predicts them: 地" in outcome.err


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_scheme_can_be_given(textapp, tagger, kind, tmp_path):
    """Read as IOB2, what a guess takes for IOB1 is broken."""
    path = tmp_path / "ä.txt"
    path.write_text("Wien I-LOC\nGraz B-LOC\n", encoding="utf-8")
    command = ["evaluate", getattr(tagger, kind), "--data", path, "--json"]
    assert textapp(*command).json["count"] == 2
    assert textapp(*command, "--scheme", "IOB2").refusal.startswith(f"{path}:1: ")
    assert textapp(*command, "--scheme", "IOB2", "--repair").json["count"] == 2
    assert f"{path}: holds plain tags" in textapp(*command, "--scheme", "none").refusal
    assert "scheme` must be one of IOB2" in textapp(*command, "--scheme", "нет").refusal


def test_broken_tags_are_refused_or_repaired(textapp, tagger, tmp_path):
    broken = tmp_path / "gebrochen.conll"
    broken.write_text("Ms O\nAnbé B-PER\nsang O\nin B-LOC\nNorço I-PER\n", encoding="utf-8")
    for folder in tagger.folders:
        assert "I-PER cannot follow B-LOC in IOB2" in textapp("evaluate", folder, "--data", broken).refusal
        assert textapp("evaluate", folder, "--data", broken, "--repair", "--json").json["count"] == 3


def test_tokens_are_scored_as_texts_are_cut(textapp, tagger, tmp_path):
    """A corpus may keep together what a text's tokenizer cuts apart."""
    whole = tmp_path / "ganz.conll"
    whole.write_text("Ms O\nAnbé-Norço B-PER\nsang O\n", encoding="utf-8")
    of_run, of_bundle = (textapp("evaluate", folder, "--data", whole, "--json").json for folder in tagger.folders)
    assert of_run == of_bundle
