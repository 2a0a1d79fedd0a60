"""`textapp predict` on tables, to files, and on many files."""

import csv
import gzip
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.cli.commands import COMMAND
from textapp.cli.line_predictor import Answer
from textapp.cli.shards import FileRequest, Shard, find_shards
from textapp.cli.workers import Workers
from textapp.runtime import load

SAMPLES = Path(__file__).parents[1] / "samples"
CLASSIFIER, TAGGER = SAMPLES / "classifier" / "bundle", SAMPLES / "tagger" / "bundle"
TEXTS = ["Ms Anbe\nsang 好", "", "then Mr Lusotä, in Norço.", 'une "belle" salle 🎉']
NAMES = {CLASSIFIER: "predicted_label", TAGGER: "predicted_spans"}


def write_table(path, texts=TEXTS):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text", "label"], *([n, text, "x"] for n, text in enumerate(texts))])
    return path


def write_shards(folder, count=4, rows=1500):
    folder.mkdir()
    for number in range(count):
        texts = [f"Mr Lusotä {number} {row} 好" for row in range(rows)]
        table = pyarrow.table({"text": texts, "n": range(rows)})
        pyarrow.parquet.write_table(table, folder / f"part-{number}.parquet")
    return folder


def expected(bundle, texts=TEXTS):
    return load(bundle).columns(texts)[NAMES[bundle]]


def rows_of(path):
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    if ".jsonl" in path.name:
        return list(map(json.loads, text.splitlines()))
    rows = list(csv.DictReader(text.splitlines(keepends=True), delimiter="\t" if ".tsv" in path.name else ","))
    for row in rows:
        for name in row.keys() & {"predicted_spans", "predicted_probs"}:
            row[name] = json.loads(row[name])
    return rows


@pytest.mark.parametrize("bundle", [CLASSIFIER, TAGGER], ids=["classifier", "tagger"])
@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.csv", "o.tsv", "o.parquet"])
def test_predictions_stand_beside_the_columns(textapp, tmp_path, bundle, name):
    out = tmp_path / name
    outcome = textapp("predict", bundle, "--file", write_table(tmp_path / "отзывы.csv"), "--out", out)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"{out}: 4 texts\n")
    rows = rows_of(out)
    assert [row["text"] for row in rows] == TEXTS
    assert [row["id"] for row in rows] == ["0", "1", "2", "3"]
    assert [row[NAMES[bundle]] for row in rows] == expected(bundle)
    if bundle == TAGGER:
        spans = [span for row in rows for span in row["predicted_spans"]]
        assert spans
        assert all(
            span["text"] == row["text"][span["start"] : span["end"]] for row in rows for span in row["predicted_spans"]
        )


@pytest.mark.parametrize("bundle", [CLASSIFIER, TAGGER], ids=["classifier", "tagger"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_printed_a_text_a_prediction(textapp, tmp_path, bundle, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".csv":
        write_table(path)
    else:
        pyarrow.parquet.write_table(pyarrow.table({"y": ["x"] * 4, "text": TEXTS}), path)
    from_table = textapp("predict", bundle, "--file", path, "--json")
    assert from_table == textapp("predict", bundle, "--json", *TEXTS)
    assert textapp("predict", bundle, "--file", path).out.count("\n") == 4
    assert textapp("predict", bundle, "--file", path, "--text-column", "z").refusal.endswith(
        "columns found: 'y', 'text'" if suffix == ".parquet" else "columns found: 'id', 'text', 'label'"
    )


def test_options_reach_the_file(textapp, tmp_path):
    table, out = write_table(tmp_path / "a.csv"), tmp_path / "o.jsonl"
    assert textapp("predict", CLASSIFIER, "--file", table, "--out", out, "--min-confidence", "1").code == 0
    assert {row["predicted_label"] for row in rows_of(out)} == {None}
    out = tmp_path / "o.parquet"
    assert textapp("predict", TAGGER, "--file", table, "--out", out, "--confidence").code == 0
    chances = [span["confidence"] for row in rows_of(out) for span in row["predicted_spans"]]
    assert chances
    assert all(0 < chance <= 1 for chance in chances)


def test_an_output_is_replaced_only_by_force(textapp, tmp_path):
    command = ["predict", CLASSIFIER, "--file", write_table(tmp_path / "a.csv"), "--out", tmp_path / "o.jsonl"]
    (tmp_path / "o.jsonl").write_text("mine")
    assert textapp(*command).refusal == f"{tmp_path / 'o.jsonl'}: exists; use --force to replace it, or another --out"
    assert textapp(*command, "--force").code == 0
    assert len(rows_of(tmp_path / "o.jsonl")) == 4


def test_an_error_leaves_no_file(textapp, tmp_path):
    table, out = tmp_path / "a.csv", tmp_path / "o.parquet"
    table.write_text("id,text\n" + "1,gut\n" * 3000 + "1,gut,?\n", encoding="utf-8")
    outcome = textapp("predict", CLASSIFIER, "--file", table, "--out", out)
    assert outcome.refusal == f"{table}:3002: each row must have 2 columns, as the first row has. Received: 3"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--out", "o.jsonl"], "needs --file"),
        (["--file", "a.csv", "--out", "o.xyz"], "its suffix must name the format"),
        (["--file", "a.csv", "--out", "o.json"], "its suffix must name the format"),
        (["--file", "a.csv", "--out", "o.jsonl", "--explain"], "--explain: has no meaning with --out"),
        (["--file", "a.csv", "--out", "o.jsonl", "--confidence"], "--confidence: is no option of a classifier"),
        (["--file", "a.csv", "--sort", "uncertainty"], "--sort: reads files of texts, one a line"),
        (["--file", "a.csv", "--skip-bad"], "--skip-bad: reads files of texts, one a line"),
        (["--file", "b.csv", "--out", "o.jsonl"], "column with the name of a prediction, 'predicted_label'"),
        (["--file", "no.csv", "--out", "o.jsonl"], "no.csv: No such file"),
        (["--file", "no-*.csv", "--out", "o"], "names no file"),
        (["--file", "a.txt", "--text-column", "x"], "--text-column is for tables"),
        (["--file", "a.xlsx"], "is a spreadsheet"),
        (["--force", "text"], "--force: needs --out"),
    ],
)
def test_wrong_usage_is_one_line(textapp, tmp_path, monkeypatch, options, rule):
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("text,predicted_label\na,b\n")
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    assert rule in textapp("predict", CLASSIFIER, *options).refusal
    assert not list(tmp_path.glob("o*"))


@pytest.mark.parametrize("bundle", [CLASSIFIER, TAGGER], ids=["classifier", "tagger"])
def test_each_shard_has_its_predictions_in_order(textapp, tmp_path, bundle):
    shards, out = write_shards(tmp_path / "осколки"), tmp_path / "out"
    (shards / "_SUCCESS").touch()
    outcome = textapp("predict", bundle, "--file", shards / "part-*.parquet", "--out", out, "--workers", 2, "--json")
    assert outcome.code == 0
    assert outcome.json == {"out": str(out), "files": 4, "texts": 6000, "skipped": 0, "failed": []}
    for number in range(4):
        rows = rows_of(out / f"part-{number}.parquet")
        texts = [f"Mr Lusotä {number} {row} 好" for row in range(1500)]
        assert [(row["n"], row["text"]) for row in rows] == list(enumerate(texts))
        assert [row[NAMES[bundle]] for row in rows] == expected(bundle, texts)
    assert sorted(path.name for path in out.iterdir()) == [*(f"part-{n}.parquet" for n in range(4)), "predict.json"]
    times = [path.stat().st_mtime_ns for path in sorted(out.iterdir())]
    (out / "part-2.parquet").unlink()
    again = textapp("predict", bundle, "--file", shards, "--out", out, "--json")
    assert again.json == {"out": str(out), "files": 1, "texts": 1500, "skipped": 3, "failed": []}
    assert "skipped 3 files whose predictions are in" in again.err
    assert [path.stat().st_mtime_ns == one for path, one in zip(sorted(out.iterdir()), times, strict=True)] == [
        *(True, True, False, True, True)
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_shard_is_named_and_the_others_are_done(textapp, tmp_path, workers):
    shards, out = write_shards(tmp_path / "in", rows=20), tmp_path / "out"
    whole = (shards / "part-1.parquet").read_bytes()
    (shards / "part-1.parquet").write_bytes(whole[:200])
    command = ["predict", CLASSIFIER, "--file", shards, "--out", out, "--workers", workers]
    outcome = textapp(*command)
    assert outcome.refusal.startswith("1 file of 4 could not be predicted: part-1.parquet; repair")
    assert f"failed: {shards / 'part-1.parquet'}: is cut off" in outcome.err
    assert sorted(path.name for path in out.glob("*.parquet")) == [f"part-{n}.parquet" for n in (0, 2, 3)]
    (shards / "part-1.parquet").write_bytes(whole)
    assert textapp(*command).code == 0
    assert len(list(out.glob("*.parquet"))) == 4


def test_another_model_or_other_options_do_not_mix(textapp, tmp_path):
    shards, out = write_shards(tmp_path / "in", 1, 5), tmp_path / "out"
    command = ["--file", shards, "--out", out]
    assert textapp("predict", CLASSIFIER, *command).code == 0
    refusal = textapp("predict", TAGGER, *command).refusal
    assert refusal == (
        f"{out / 'predict.json'}: the predictions here were made with another model or other options; "
        "they differ in model; choose another --out"
    )
    refusal = textapp("predict", CLASSIFIER, *command, "--min-confidence", "0.6", "--text-column", "text").refusal
    assert "they differ in options and text column" in refusal
    same = shutil.copytree(CLASSIFIER, tmp_path / "copy")
    (same / "README.md").write_text("Mein Modell")
    assert textapp("predict", same, *command).code == 0
    assert "is not empty, and no predict.json" in textapp("predict", CLASSIFIER, *command[:3], shards).refusal
    assert "--force: replaces one file" in textapp("predict", CLASSIFIER, *command, "--force").refusal


def test_places_of_files(tmp_path):
    names = ["a.csv.gz", "b.txt", "c.json", "d.parquet", "e.txt.gz", "f.tab", "g", "h.jsonl.zst"]
    for name in [*names, "_SUCCESS", ".hidden"]:
        (tmp_path / name).touch()
    found = [shard.out.name for shard in find_shards(tmp_path, Path("out"))]
    assert found == ["a.csv.gz", "b.jsonl", "c.jsonl", "d.parquet", "e.jsonl.gz", "f.tsv", "g.jsonl", "h.jsonl.gz"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.parquet").touch()
    with pytest.raises(Exception, match="have the same place"):
        find_shards(tmp_path / "**" / "*.parquet", Path("out"))


def test_processes_predict_files_too(tmp_path):
    shards = find_shards(write_shards(tmp_path / "in", 3, 5), tmp_path)
    (tmp_path / "in" / "part-1.parquet").write_bytes(b"")
    with Workers(2, FileRequest(CLASSIFIER, {}, None)) as workers:
        first, second, third = workers.answers(iter([Shard(one.file, one.out) for one in shards]))
    assert (first, third) == (Answer(rows=5), Answer(rows=5))
    assert "part-1.parquet: is cut off" in second.error


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_command_goes_on(textapp, tmp_path, number):
    shards, out = write_shards(tmp_path / "in", 6, 20_000), tmp_path / "out"
    options = ["predict", str(CLASSIFIER), "--file", str(shards), "--out", str(out), "--workers", "2"]
    with subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not list(out.glob("part-*")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == -number if number == signal.SIGKILL else 130, err
    if number == signal.SIGINT:
        assert not list(out.glob(".*"))
    done = {path.name for path in out.glob("part-*")}
    assert 0 < len(done) < 6
    outcome = textapp(*options, "--json")
    assert (outcome.code, outcome.json["skipped"], outcome.json["files"]) == (0, len(done), 6 - len(done))
    for path in sorted(shards.iterdir()):
        assert [row["text"] for row in rows_of(out / path.name)] == [row["text"] for row in rows_of(path)]
    assert sorted(path.name for path in out.iterdir()) == [
        *sorted(path.name for path in shards.iterdir()),
        "predict.json",
    ]
