"""Runs the cases of users' files and models, and says which of them textapp gets right.

    python -m benchmarks.cases ../shared/cases [--only 1 9]

Each folder of the cases has a README that says what is right. Here is one check for each, on behaviour: what a reader
returns, what a command prints, how it exits. It exits with 1 if a case is wrong.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from textapp.data.readers import read_examples
from textapp.data.tagged import TaggedExamples, read_tagged
from textapp.errors import InputError
from textapp.tasks.classification.config import ClassificationConfig
from textapp.tasks.classification.data import text_tokenizer
from textapp.text.tag_schemes import read_spans
from textapp.text.tokenizer import Tokenizer
from textapp.vectors.formats import read_vectors

PROJECT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-c", "from textapp.cli.main import main; main()")
SECONDS = 120  # a command that takes longer is wrong
APART = 1e-4  # between a probability of the device and one of Keras, in float32


class Wrong(Exception):
    """A case is not as its README says is right; the message says what was found."""


class Output(NamedTuple):
    """What a process gave: its exit code, and its standard output and error."""

    code: int
    shown: str
    errors: str

    @property
    def text(self) -> str:
        """Standard output and error together."""
        return self.shown + self.errors


class Place(NamedTuple):
    """A case's folder, and an empty folder for what is made from it."""

    case: Path
    work: Path

    def process(self, *arguments: str) -> Output:
        """Runs a program in the case's folder, with this project's code."""
        path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(self.work), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(
            arguments, cwd=self.case, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return Output(done.returncode, done.stdout, done.stderr)

    def textapp(self, *arguments: str) -> Output:
        """Runs a command of textapp, which may refuse its input in one line."""
        output = self.process(*COMMAND, *arguments)
        if "Traceback" in output.text:
            raise Wrong(f"a traceback of {' '.join(arguments[:2])}")
        return output

    def train(self, kind: str, file: str, *more: str) -> Output:
        """Trains the smallest model for one epoch, unless `more` says otherwise."""
        small = ("--preset", "tiny", "--set", "epochs=1")
        return self.textapp("train", kind, "--train", file, *small, *more, "--out", str(self.run))

    @property
    def run(self) -> Path:
        """The folder of the trained run."""
        return self.work / "run"

    def repro(self) -> Output:
        """Runs the case's own script."""
        output = self.process(sys.executable, str(self.case / "repro.py"))
        _check(output.code == 0, f"repro.py exits with {output.code}: {_last(output)}")
        return output


def main() -> None:
    """Checks the cases, and prints a table of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("--only", type=int, nargs="*", default=sorted(CHECKS), choices=sorted(CHECKS), metavar="NUMBER")
    arguments = parser.parse_args()
    folders = {int(path.name[:2]): path for path in arguments.cases.resolve().glob("[0-9][0-9]-*")}
    if lacking := set(arguments.only) - folders.keys():
        parser.error(f"{arguments.cases}: has no case {min(lacking)}")
    if new := folders.keys() - CHECKS.keys():
        parser.error(f"{arguments.cases}: case {min(new)} has no check here")
    print("| case | what is right | result | seconds |\n|---|---|---|--:|", flush=True)
    wrong = 0
    for number in arguments.only:
        start = time.perf_counter()
        found = check(number, folders[number])
        wrong += found is not None
        result = "right" if found is None else f"wrong: {found}"
        print(
            f"| {folders[number].name} | {RIGHT[number]} | {result} | {time.perf_counter() - start:.0f} |", flush=True
        )
    print(f"\n{len(arguments.only) - wrong} of {len(arguments.only)} cases are right")
    sys.exit(wrong > 0)


def check(number: int, folder: Path) -> str | None:
    """What is wrong in a case, in one line; None if it is right."""
    with tempfile.TemporaryDirectory() as work:
        try:
            CHECKS[number](Place(folder, Path(work)))
        except (Wrong, InputError) as error:
            return " ".join(str(error).split()).replace("|", "/")
        except subprocess.TimeoutExpired:
            return f"takes more than {SECONDS} seconds"
    return None


def _check(fits: bool, otherwise: str) -> None:
    """Raises `Wrong` unless something is as it must be."""
    if not fits:
        raise Wrong(otherwise)


def _last(output: Output) -> str:
    """The last line that a process printed."""
    return (output.text.strip().splitlines() or ["nothing"])[-1][:200]


def _spans(examples: TaggedExamples, number: int = 0) -> list[tuple[str, str]]:
    """The tokens and the type of each span of a sentence."""
    tokens = examples.sentences[number]
    return [(" ".join(tokens[span.start : span.end]), span.type) for span in read_spans(examples.tags[number], "IOB2")]


def _refused(place: Place, kind: str, file: str, *wanted: str) -> None:
    """Checks that a training refuses a file with exit code 2, in one line that has all these words."""
    output = place.train(kind, file)
    _check(output.code == 2, f"{file}: exit code {output.code}")
    lacking = [word for word in wanted if not re.search(word, _last(output))]
    _check(not lacking, f"{file}: the message does not say {lacking}: {_last(output)}")


def _trained(output: Output) -> Output:
    """Checks that a training has ended well."""
    _check(output.code == 0, f"the training exits with {output.code}: {_last(output)}")
    return output


def _padding(place: Place) -> None:
    import keras
    import numpy as np
    from keras import layers

    from textapp.export import export_bundle
    from textapp.runtime import load
    from textapp.text.vocabulary import Vocabulary

    keras.utils.set_random_seed(0)
    vocabulary, tokenizer = Vocabulary(["[PAD]", "[UNK]", *"abcdefgh"]), Tokenizer()
    texts = ["a b c", "d", "e f g h a", "h g", "b b b b b b b"]
    rows = [vocabulary.encode(tokenizer.words(text)) for text in texts]
    for side in ("before", "behind"):
        for mask in (False, True):
            tokens = keras.Input((None,), dtype="int32", name="token_ids")
            embedded = layers.Embedding(10, 8, mask_zero=mask, embeddings_initializer="normal")(tokens)
            encoder = layers.LSTM(8) if side == "before" else layers.GlobalAveragePooling1D()
            # Large weights, so that padding changes the scores as it does after a training.
            model = keras.Model(tokens, layers.Dense(2, kernel_initializer="random_normal")(encoder(embedded)))
            model.set_weights([weight * 4 for weight in model.get_weights()])
            pads = [[0] * (64 - len(row)) for row in rows]
            ids = [pad + row if side == "before" else row + pad for row, pad in zip(rows, pads, strict=True)]
            expected = np.asarray(keras.ops.softmax(model.predict(np.array(ids, np.int32), verbose=0)))
            try:
                bundle = export_bundle(
                    model,
                    place.work / f"{side}{mask}",
                    tokenizer=tokenizer,
                    vocabulary=vocabulary,
                    labels=["no", "yes"],
                    lengths=[16, 32, 64],
                    texts=texts,
                    recipe="float32",
                )
            except InputError as error:
                _check(not mask and "padding" in str(error), f"padded {side}, mask {mask}: {error}")
                continue
            device = np.array([list(prediction.probs.values()) for prediction in load(bundle).predict(texts)])
            apart = float(np.abs(device - expected).max())
            _check(apart < APART, f"padded {side}, mask {mask}: exported, and {apart:.3f} apart")


def _possessives(place: Place) -> None:
    more = ("--test", "test.conll", "--set", "epochs=6")
    _trained(place.train("ner", "train.conll", *more))
    exported = place.textapp("export", str(place.run), "--out", str(place.work / "bundle"))
    _check(exported.code == 0, f"export: {_last(exported)}")
    scored = place.process(sys.executable, "score_raw.py", str(place.work / "bundle"))
    found = re.search(r"strict F1 ([\d.]+)", scored.shown)
    _check(found is not None, f"score_raw.py: {_last(scored)}")
    predicted = place.textapp("predict", str(place.work / "bundle"), "Ada Mill's book was good.", "--json")
    spans = [
        (span["start"], span["end"], span["type"]) for span in json.loads(predicted.shown)["predictions"][0]["spans"]
    ]
    score = float(found[1]) if found else 0.0
    _check((0, 8, "PER") in spans and score >= 0.95, f"spans {spans}; F1 on raw text {score}, on tokens 1.000")


def _span_inside_a_token(place: Place) -> None:
    for name in ("1.jsonl", "2.jsonl", "3.jsonl", "4.jsonl"):
        examples = read_tagged(place.case / name)
        _check(bool(_spans(examples)), f"{name}: no span is left")
        _check(bool(examples.changes), f"{name}: what was changed is not reported")


def _averages(place: Place) -> None:
    _apart(place.repro())


def _apart(output: Output) -> None:
    """Checks how far the device and Keras are apart, as a script prints it."""
    found = re.search(r"^apart by ([\d.e+-]+)$", output.shown, re.MULTILINE)
    _check(found is not None, _last(output))
    _check(found is not None and float(found[1]) < APART, _last(output))


def _several_labels(place: Place) -> None:
    with contextlib.suppress(InputError):
        examples = read_examples(place.case / "multi.txt")
        left = [text for text in examples.texts if "__label__" in text]
        raise Wrong(f"{len(examples)} lines are read, {len(left)} with a label in the text")
    _refused(place, "classifier", "multi.txt", r"multi\.txt:\d+", "label")
    comma = place.work / "comma.txt"
    comma.write_text("__label__a , one text\n__label__b , another\n", encoding="utf-8")
    _check(read_examples(comma).texts[0] == "one text", f"a comma is left: {read_examples(comma).texts[0]!r}")


def _softmax_inside(place: Place) -> None:
    models = (
        "nested model",
        "keras.ops.softmax",
        "average of two",
        "float32 Activation behind",
        "control: Dense softmax",
    )
    shown = place.repro().shown
    for model in models:
        line = next((line for line in shown.splitlines() if line.startswith(f"{model}:")), "")
        apart = re.search(r"up to ([\d.]+) apart", line)
        equal = apart is not None and float(apart[1]) < 1e-3
        _check(equal or ("REFUSED" in line and "end the model at its logits" in line), f"{model}: {line}")


def _normalized_vectors(place: Place) -> None:
    for language, tokenizer in (("ko", "word"), ("zh", "char")):
        settings = ("--set", f"tokenizer={tokenizer}", "--set", "embedding_dim=none")
        run = str(place.work / language)
        output = _trained(
            place.textapp(
                *("train", "classifier", "--train", f"{language}.tsv", "--vectors", f"{language}.vec"),
                *("--preset", "tiny", "--set", "epochs=1", *settings, "--out", run),
            )
        ).text
        share = re.search(r"vectors: .*\(([\d.]+) %\)", output)
        _check(share is not None, f"{language}: no line tells the coverage")
        fits = (share is not None and float(share[1]) == 100) or "normalization=nfc" in output
        _check(
            fits,
            f"{language}: {share[1] if share else '?'} % of the words have a vector, without a hint",
        )


def _line_breaks(place: Place) -> None:
    raw = json.loads((place.case / "review.jsonl").read_text(encoding="utf-8").splitlines()[0])["text"]
    tokenizer = text_tokenizer(ClassificationConfig())
    trained, device = tokenizer.words(read_examples(place.case / "review.jsonl").texts[0]), tokenizer.words(raw)
    _check(trained == device, f"training reads {len(trained)} tokens, a device {len(device)}")


def _predict_of_a_table(place: Place) -> None:
    _trained(place.train("classifier", "train.tsv"))
    output = place.textapp("predict", str(place.run), "--file", "reviews.csv", "--json")
    if output.code == 2:
        _check(
            "reviews.csv" in _last(output) and "table" in _last(output), f"refused without a reason: {_last(output)}"
        )
        return
    count = len(json.loads(output.shown)["predictions"])
    _check(count == 2, f"{count} predictions for 2 texts")


def _kaggle(place: Place) -> None:
    examples = read_tagged(place.case / "ner.csv")
    _check(_spans(examples) == [("Ada Mill", "PER"), ("Oslo", "LOC")], f"ner.csv: {_spans(examples)}")
    _check(_spans(examples, 1) == [("Bergen", "LOC")], f"ner.csv: {_spans(examples, 1)}")
    _refused(place, "tagger", "ner_latin1.csv", "UTF-8", "iconv")


def _annotation_tools(place: Place) -> None:
    for name in ("doccano.jsonl", "doccano_ent.jsonl", "doccano_labels.jsonl", "spacy.json"):
        spans = _spans(read_tagged(place.case / name))
        _check(spans[:1] == [("Ada", "PER")], f"{name}: {spans}")
    _refused(place, "tagger", "hf.json", "ner_tags", "names")


def _io_tags(place: Place) -> None:
    examples = read_tagged(place.case / "io.conll", scheme="IO")
    _check(_spans(examples) == [("Olga", "PER"), ("Graz", "LOC")], f"scheme IO: {_spans(examples)}")
    _refused(place, "tagger", "io.conll", r"\bIO\b")


def _comments(place: Place) -> None:
    for name in ("klue.tsv", "klue_without_comments.tsv"):
        examples = read_tagged(place.case / name)
        _check(_spans(examples)[0] == ("오 슬 로", "LC"), f"{name}: {_spans(examples)}")
        _check(all(token.strip() for token in examples.sentences[0]), f"{name}: a token of spaces is left")
    examples = read_tagged(place.case / "germeval.tsv", token_column=1, tag_column=2)
    _check(_spans(examples) == [("Lena", "PER"), ("Graz", "LOC")], f"germeval.tsv: {_spans(examples)}")


def _last_line(place: Place) -> None:
    examples = read_tagged(place.case / "wnut.conll")
    marks = [token for sentence in examples.sentences for token in sentence if "\ufeff" in token]
    _check(len(examples) > 0 and not marks, f"{len(examples)} sentences, tokens with a mark: {marks}")


def _no_header(place: Place) -> None:
    news = read_examples(place.case / "agnews.csv", "2", "0")
    _check((news.texts[0], news.labels[0]) == ("a fine tale, well told", "1"), f"agnews.csv: {news.texts[0]!r}")
    messages = read_examples(place.case / "sms.txt", "1", "0")
    _check(
        (messages.texts[0], messages.labels[0]) == ("a fine tale, well told", "ham"), f"sms.txt: {messages.texts[0]!r}"
    )
    _refused(place, "classifier", "agnews.csv", "no header", "number")


def _quotes(place: Place) -> None:
    texts = read_examples(place.case / "pandas.tsv").texts
    _check(texts == ['He said "stop" and left', "plain words here"], f"{texts}")


def _broken_word(place: Place) -> None:
    for name in ("cut.bin", "cut.vec"):
        lines: list[str] = []
        announced = int((place.case / name).read_bytes().split()[0])
        count = len(read_vectors(place.case / name, report=lines.append))
        _check(count == announced - 1 and bool(lines), f"{name}: {count} words are read, reported: {lines}")


def _wrong_count(place: Place) -> None:
    for name in ("one_less.vec", "one_more.vec"):
        words = [line.split()[0] for line in (place.case / name).read_text(encoding="utf-8").splitlines()[1:]]
        lines: list[str] = []
        try:
            found = read_vectors(place.case / name, report=lines.append)
        except InputError as error:
            _check("header" in str(error) and "correct" in str(error), f"{name}: {error}")
            continue
        _check(
            len(found) == len(words) and bool(lines), f"{name}: {len(found)} of {len(words)} words, reported: {lines}"
        )


def _one_unit(place: Place) -> None:
    _apart(place.repro())


def _tracebacks(place: Place) -> None:
    lines = re.findall(r"^(.*?): (InputError|TRACEBACK|exported)\b(.*)$", place.repro().shown, re.MULTILINE)
    _check(len(lines) == 6, f"{len(lines)} of 6 models are told")
    for model, kind, message in lines:
        _check(kind == "InputError", f"{model}: {kind}{message}")
        _check(
            bool(re.match(r" (layer '|length \d|model: its input ')", message)),
            f"{model}: does not name the place:{message}",
        )


def _messages(place: Place) -> None:
    _refused(place, "classifier", "imdb.csv.zip", "zip|unpack")
    _refused(place, "classifier", "train.parquet", "[Pp]arquet", "CSV")
    _refused(place, "classifier", "reviews.xlsx", "Excel|workbook|spreadsheet", "CSV")
    try:
        words = read_tagged(place.case / "ud.txt").sentences
        _check(words == read_tagged(place.case / "ud.txt", format="conllu").sentences, f"ud.txt: read as {words}")
    except InputError as error:
        _check("conllu" in str(error), f"ud.txt: {error}")
    with contextlib.suppress(InputError):  # read, as the semicolon shows between the names of the columns
        _check(len(read_examples(place.case / "semicolon.csv")) > 0, "semicolon.csv: nothing is read")
        return
    _refused(place, "classifier", "semicolon.csv", "semicolon|comma")


def _tags_as_words(place: Place) -> None:
    _refused(place, "tagger", "mit.bio", "token_column=1 tag_column=0")
    examples = read_tagged(place.case / "mit.bio", token_column=1, tag_column=0)
    _check(_spans(examples)[0] == ("Olga", "ACTOR"), f"with the columns: {_spans(examples)}")
    lower = read_tagged(place.case / "lower.conll")
    _check([word for word, _ in _spans(lower)] == ["Olga", "Graz"], f"lower.conll: {lower}")


def _stray_classes(place: Place) -> None:
    for name in ("case.csv", "one_and_one_point_zero.csv"):
        output = place.textapp(
            "train",
            "classifier",
            "--train",
            name,
            "--preset",
            "tiny",
            "--set",
            "epochs=1",
            "--out",
            str(place.work / name),
        ).text
        _check(bool(re.search(r"warning: .*(case|same|alike|equal|header|\.0)", output)), f"{name}: no warning")


def _label_only_in_test(place: Place) -> None:
    output = _trained(place.train("classifier", "train.tsv", "--test", "test.tsv"))
    _check("mixed" in output.text, "the label that training lacks is not reported")
    found = place.textapp("evaluate", str(place.run), "--data", "test.tsv")
    _check(found.code == 0, f"evaluate: {_last(found)}")


def _imbalance(place: Place) -> None:
    plain = _trained(place.train("classifier", "imbalanced.csv", "--set", "epochs=2")).text
    warned = bool(re.search(r"(warning|note): .*(never|rare|imbalance|class_weight|balance)", plain))
    setting = place.textapp(
        "train",
        "classifier",
        "--train",
        "imbalanced.csv",
        "--preset",
        "tiny",
        "--set",
        "epochs=1",
        "--set",
        "class_weights=balanced",
        "--out",
        str(place.work / "balanced"),
    )
    _check(warned or setting.code == 0, f"no warning; class_weights=balanced: {_last(setting)}")


RIGHT = {
    1: "the device equals Keras on its padding, or the export is refused",
    2: "spans end before 's; F1 on raw text is near that on tokens",
    3: "the file is read, what was changed is reported",
    4: "the device equals Keras, and is finite on the empty text",
    5: "a second label in a line is refused; no comma is left",
    6: "equal probabilities, or the refusal that says where to end the model",
    7: "all words have a vector, or a hint names normalization=nfc",
    8: "training and device read the same tokens",
    9: "the text column is read, or the table is refused",
    10: "CSV is read by its columns; latin-1 names iconv",
    11: "annotation tools' JSON is read; numbers as tags: the mapping",
    12: "scheme IO, and the message names it",
    13: "comments and tokens of spaces are left out",
    14: "a line of nothing but a mark is blank",
    15: "columns by number; the message says so",
    16: "quotes are taken off",
    17: "the broken word is left out and reported",
    18: "the words there are, with a warning",
    19: "the device gives (1 - p, p)",
    20: "InputError that names the layer, length or input",
    21: "the message names what the file is, and the remedy",
    22: "tags as tokens are refused; lower-case tags are spans",
    23: "a warning of labels that are almost equal",
    24: "the test is scored, and the label reported",
    25: "class weights, or a warning",
}
CHECKS: dict[int, Callable[[Place], None]] = dict(
    enumerate(
        (
            *(
                _padding,
                _possessives,
                _span_inside_a_token,
                _averages,
                _several_labels,
                _softmax_inside,
                _normalized_vectors,
            ),
            *(
                _line_breaks,
                _predict_of_a_table,
                _kaggle,
                _annotation_tools,
                _io_tags,
                _comments,
                _last_line,
                _no_header,
            ),
            *(_quotes, _broken_word, _wrong_count, _one_unit, _tracebacks, _messages, _tags_as_words, _stray_classes),
            *(_label_only_in_test, _imbalance),
        ),
        start=1,
    )
)


if __name__ == "__main__":
    main()
