"""The core in C beside Python's runtime on LiteRT: are tokens, offsets, logits and answers equal?

    python -m benchmarks.native_equality [--data ../shared/data] [--parts strings models trained]

- `strings`: the golden files of `clients/conformance` with 100,000 strings, on this processor, on those that QEMU
  emulates, and as WebAssembly in Node.
- `models`: 2,000 texts with each encoder, lowering and recipe (random weights), as a classifier and as a tagger with a
  CRF, on all kernels of this processor.
- `trained`: accuracy or entity F1 on a test set, of bundles in all recipes, with the core and with LiteRT.

Each step is kept in results/native_equality.json and is not measured again, so the run can be stopped. A text is unsure
if the answer changes when each logit changes by the tolerance (1e-5, or 0.02 with int8): only there may answers differ.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, environment_line
from benchmarks.native import kernel_sets
from clients.conformance import golden, make
from clients.conformance.bundles import DESCRIPTION, FLOAT, INT8, Made, crf_file, lines_file
from native import library
from native.check import CROSS, Skipped, needed
from textapp.errors import InputError
from textapp.files import read_object, write_json, write_text
from textapp.runtime import load
from textapp.text.tag_set import TagSet
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS

ROOT = Path(__file__).parents[1]
PACKAGES = ["tensorflow", "keras", "ai-edge-litert", "numpy"]
PARTS = ("strings", "models", "trained")
COUNT, TEXTS = 100_000, 2_000
WASM = "WebAssembly"
RECURRENT = ("lstm", "gru", "rnn")  # other encoders have one lowering
ENCODERS = (*RECURRENT, "convolution x 3", "gated convolution", "transformer x 2", "light recurrence x 2", "none")
RECIPES = (
    *("dynamic_wi8_afp32", "float32", "static_wi8_ai8"),
    *("float16", "dynamic_wi8_afp32_emb4", "dynamic_wi8_afp32_emb2"),
)
_CRF_SIZE = 0.1  # smaller than the logits of random weights, so that texts have spans
OPTIONS = ["-std=c99", "-O2", "-ffp-contract=off"]
LINE = re.compile(
    r"(?P<file>\S+): (?P<lines>\d+) lines, (?P<different>\d+) different"
    r"(?:; (?P<unsure>\d+) unsure, of which (?P<others>\d+) have another answer; logits within (?P<logits>\S+))?"
)


class Results:
    """The results so far, in a file."""

    def __init__(self, out: Path):
        self.out = out
        path = out.with_suffix(".json")
        self.content: dict[str, Any] = read_object(path) if path.exists() else {}

    def rows(self, part: str) -> dict[str, Any]:
        """The steps of a part that are done."""
        return self.content.setdefault(part, {})

    def keep(self, part: str, name: str, row: Any) -> None:
        """Keeps a step."""
        self.rows(part)[name] = row
        self.content["command"] = "python -m benchmarks.native_equality --data DATA"
        self.content["environment"] = describe_environment(PACKAGES)
        write_json(self.out.with_suffix(".json"), self.content)
        write_text(self.out.with_suffix(".md"), table(self.content))
        print(f"{part}, {name}: {json.dumps(row)[:300]}", file=sys.stderr, flush=True)


def build_check(work: Path, processor: str = "") -> list[str]:
    """Compiles clients/conformance/check.c with the core; returns the command.

    Raises:
        Skipped: A tool for another processor is missing.
    """
    compiler, run, link = library.compiler(), [], []
    if processor:
        tool, emulator = map(needed, CROSS[processor])
        compiler, run, link = [tool], [emulator], ["-static"]
    program = work / f"check-{processor or 'here'}"
    sources = [ROOT / f"clients/conformance/{name}.c" for name in ("check", "golden")]
    library.build(program, compiler, processor=processor, options=OPTIONS, link=link, more=sources)
    return [*run, str(program)]


def checked(command: Sequence[str], folder: Path, features: int | None = None) -> dict[str, Any]:
    """Runs check.c over golden files; file -> its numbers."""
    extra = [] if features is None else [str(features)]
    done = subprocess.run([*command, str(folder), *extra], capture_output=True, text=True, check=False)
    rows = {}
    for line in done.stdout.splitlines():
        found = LINE.fullmatch(line)
        if not found:
            raise RuntimeError(f"{folder}: {line}")
        numbers = {name: value for name, value in found.groupdict().items() if name != "file" and value is not None}
        rows[found["file"]] = {k: float(v) if k == "logits" else int(v) for k, v in numbers.items()}
    if done.returncode not in (0, 1) or not rows:
        raise RuntimeError(f"{folder}: {done.stderr[-1000:]}")
    if done.stderr:
        print(done.stderr[-2000:], file=sys.stderr)
    return rows


def measure_strings(results: Results, work: Path, count: int) -> None:
    """The golden files on each processor."""
    folder = work / f"golden-{count}"
    processors = {library.machine(): "", **{name: name for name in CROSS}}
    missing = {*processors, WASM} - results.rows("strings").keys()
    if missing and not folder.exists():
        make.make(folder, count)
    for name, processor in processors.items():
        if name not in missing:
            continue
        try:
            command = build_check(work, processor)
        except Skipped as reason:
            print(f"strings, {name}: skipped: {reason}", file=sys.stderr)
            continue
        results.keep("strings", name, {"count": count, "files": checked(command, folder)})
    if WASM in missing:
        try:
            results.keep("strings", WASM, {"count": count, "files": checked_in_node(work, folder)})
        except Skipped as reason:
            print(f"strings, {WASM}: skipped: {reason}", file=sys.stderr)


def checked_in_node(work: Path, folder: Path) -> dict[str, Any]:
    """Runs the test of clients/web over golden files; file -> its numbers. A file ends with its first difference.

    Raises:
        Skipped: Node is missing, or a compiler for WebAssembly.
    """
    from clients.web import build

    node, web = needed("node"), work / "web"
    try:
        build.build(web, ["simd"])
    except build.BuildError as error:
        raise Skipped(str(error)) from error
    for module in (ROOT / "clients/web").glob("*.js"):
        shutil.copy(module, web)
    variables = {"TEXTAPP_CONFORMANCE": str(folder), "TEXTAPP_WEB": str(web), "TEXTAPP_KIND": "simd"}
    test = ROOT / "clients/web/tests/conformance.test.mjs"
    done = subprocess.run(
        [node, "--test-reporter=tap", test],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(not ok|ok) \d+ - (\d+) lines of (\S+)", done.stdout, re.MULTILINE)
    if not found:
        raise RuntimeError(f"{test}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return {file: {"lines": int(lines), "different": int(result != "ok")} for result, lines, file in found}


def models() -> Iterator[tuple[str, str, str, str]]:
    """Yields words, encoder, head and lowering of each model."""
    heads = ("classifier", "tagger")
    for encoder, head in itertools.product(ENCODERS, heads):
        yield "words", encoder, head, "fused"
    for words, head in itertools.product(("factorized, context, pairs", "characters, shapes"), heads):
        yield words, "lstm", head, "fused"
    for encoder, head in itertools.product(RECURRENT, heads):
        yield "words", encoder, head, "unrolled"


def measure_models(results: Results, work: Path, count: int) -> None:
    """Texts with each model, on all kernels."""
    from tests.native.engine_models import build, files

    command: list[str] = []
    kernels = kernel_sets()
    for recipe, (words, encoder, head, lowering) in itertools.product(RECIPES, models()):
        name = f"{words}; {encoder}; {head}; {lowering}; {recipe}"
        if name in results.rows("models"):
            continue
        command = command or build_check(work)
        folder = work / "models" / re.sub(r"\W+", "-", name)
        if not (folder / "index.txt").exists():
            try:
                [(_, _, content)] = files(build(words, encoder, head), [lowering], [recipe])
            except InputError as reason:  # an encoder without a form for int8 activations
                print(f"models, {name}: no such export: {reason}", file=sys.stderr)
                continue
            shutil.rmtree(folder, ignore_errors=True)
            write_golden(small_bundle(content, words, head, recipe), folder, golden.texts(count))
        row = {kernel: checked(command, folder, bits)["predictions.txt"] for kernel, bits in kernels.items()}
        results.keep("models", name, row)


def write_golden(made: Made, folder: Path, texts: Sequence[str]) -> None:
    """Writes a bundle with its golden predictions."""
    predictor = load(made.write(folder / "bundle"), engine="litert")
    lines = list(golden.prediction_lines(predictor, texts, made.tolerance[0]))
    (folder / "predictions.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    logits, others = map("{:g}".format, made.tolerance)
    fields = ["predictions", "predictions.txt", str(len(lines)), "bundle", predictor.task, logits, others]
    write_text(folder / "index.txt", "\t".join(fields) + "\n")


def small_bundle(content: bytes, words: str, head: str, recipe: str) -> Made:
    """A bundle of a model of tests/native/engine_models.py."""
    from tests.native.engine_models import CHARACTERS, LENGTHS, V

    tokenizer = Tokenizer(lowercase=False)
    texts = golden.texts(200)
    tokens = dict.fromkeys(token for text in texts for token in tokenizer.words(text))
    entries = [*SPECIALS, *tokens][:V]
    characters = [*SPECIALS, *dict.fromkeys("".join(tokens))][:V]
    reads_characters = words.startswith("characters")
    files = {"model.tflite": content, "vocabulary.txt": lines_file(entries)}
    fields: dict[str, Any] = {
        **DESCRIPTION,
        "recipe": recipe,
        "tokenizer": tokenizer.to_dict(),
        "lengths": LENGTHS,
        "signatures": {str(length): f"tokens_{length}" for length in LENGTHS},
    }
    if reads_characters:
        files["characters.txt"] = lines_file(characters)
        form = {"lowercase": False, "zero_digits": False, "normalization": "nfkc"}
        fields |= {"word_form": form, "max_characters": CHARACTERS, "shapes": True}
    if head == "tagger":
        tags = TagSet.build([["B-A", "I-A", "B-B", "I-B", "O"]], "IOB2")
        files |= {"tags.txt": lines_file(tags.tags), "crf.json": crf_file(tags, _CRF_SIZE)}
        fields |= {"task": "tagging", "retokenize": False, "tag_scheme": "IOB2", "crf": True}
    else:
        files["labels.txt"] = lines_file(["one", "two", "three"])
        fields["task"] = "classification"
    return Made("model", files, fields, FLOAT if recipe.startswith("float") else INT8)


def measure_trained(results: Results, runs: Path, data: Path) -> None:
    """Scores on a test set, with the core and with LiteRT."""
    from benchmarks.models import bundle_score, exported, read_test, trained
    from textapp.task import task

    for name, (kind, preset, settings, files, test) in trainings(data).items():
        if all(f"{name}, {recipe}" in results.rows("trained") for recipe in RECIPES):
            continue
        if not all(Path(path).exists() for path in (*files.values(), test)):
            print(f"trained, {name}: skipped: {data} does not have its files", file=sys.stderr)
            continue
        run = runs / name
        trained(kind, task(kind).preset(preset).override(settings), run, **files)
        examples = read_test(run, test)
        for recipe in RECIPES:
            if f"{name}, {recipe}" in results.rows("trained"):
                continue
            bundle = exported(run, runs / f"{name}-{recipe}", recipe=recipe)
            scores = {engine: bundle_score(load(bundle, engine=engine), examples) for engine in ("native", "litert")}
            results.keep("trained", f"{name}, {recipe}", {"texts": len(examples), **scores})


def trainings(data: Path) -> dict[str, tuple[str, str | None, list[str], dict[str, str], str]]:
    """Name -> task, preset, settings, files of the training, and the test file."""
    trec, atis = data / "trec", data / "atis"
    return {
        "TREC": (
            "classification",
            None,
            ["epochs=5"],
            {"train": str(trec / "train.txt")},
            str(trec / "test.txt"),
        ),
        "ATIS": ("tagging", None, ["epochs=3"], {"train": str(atis / "train")}, str(atis / "test")),
    }


def table(content: dict[str, Any]) -> str:
    """The results in Markdown."""
    lines = ["# The core in C equals Python's runtime", "", f"`{content['command']}`", ""]
    lines += [environment_line(content["environment"])]
    if processors := content.get("strings"):
        names = list(processors)
        counts = {row["count"] for row in processors.values()}
        lines += ["", "## Generated strings", ""]
        number = ", ".join(f"{count:,}" for count in counts)
        emulated = ", ".join(name for name in names if name in CROSS)
        lines += [f"{number} strings in each setting; {emulated} in QEMU, WebAssembly (SIMD) in Node.", ""]
        lines += [f"| golden file | lines | different: {' | '.join(names)} |", f"|---|--:|{'--:|' * len(names)}"]
        for file, row in next(iter(processors.values()))["files"].items():
            found = [processors[name]["files"].get(file) for name in names]
            different = [f"{one['different']:,}" if one else "" for one in found]
            lines.append(f"| {file.removesuffix('.txt')} | {row['lines']:,} | {' | '.join(different)} |")
    if rows := content.get("models"):
        lines += ["", "## Models of all encoders, lowerings and recipes", ""]
        lines += [
            "Different texts: a logit, label, tag or span differs. Each number is the largest of those of the kernels "
            "of this processor. An unsure text has its two best answers within 2e-5, or 0.04 with int8.",
            "",
            "| words; encoder; task; lowering; recipe | texts | different | unsure | of them with another answer | "
            "largest difference of a logit |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        for name, kernels in sorted(rows.items()):
            largest = {key: max(row[key] for row in kernels.values()) for key in next(iter(kernels.values()))}
            lines.append(
                f"| {name} | {largest['lines']:,} | {largest['different']:,} | {largest['unsure']:,} | "
                f"{largest['others']:,} | {largest['logits']:.1e} |"
            )
    if rows := content.get("trained"):
        lines += ["", "## Accuracy (TREC) or entity F1 (ATIS) on the test set", ""]
        lines += ["| data, recipe | texts | core | LiteRT | difference |", "|---|--:|--:|--:|--:|"]
        lines += [
            f"| {name} | {row['texts']:,} | {100 * row['native']:.2f} | {100 * row['litert']:.2f} | "
            f"{100 * (row['native'] - row['litert']):+.2f} |"
            for name, row in rows.items()
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures what is missing in the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=ROOT / "saved_models/native_equality", help="runs, bundles, files")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "results/native_equality", help="results, without the suffix"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--count", type=int, default=COUNT, help="strings")
    parser.add_argument("--texts", type=int, default=TEXTS, help="texts of a model")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    results = Results(arguments.out)
    if "strings" in arguments.parts:
        measure_strings(results, arguments.work, arguments.count)
    if "models" in arguments.parts:
        measure_models(results, arguments.work, arguments.texts)
    if "trained" in arguments.parts:
        measure_trained(results, arguments.work, arguments.data)
    print(table(results.content))


if __name__ == "__main__":
    main()
