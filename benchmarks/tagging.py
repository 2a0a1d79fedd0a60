"""Entities, slots, parts of speech and intents on public data: Keras against the int8 bundle, over seeds.

    python -m benchmarks.tagging --data ../shared/data [--tasks conll2003 resume] [--seeds 0 1 2]

Each task is trained with a preset and settings chosen on validation data; the test split is read once a seed, by the
run's own last step and by its bundle. The work can be stopped at any moment and goes on where it was. Writes
results/tagging.json, a line a task and seed, and the table results/tagging.md.
"""

import argparse
import dataclasses
import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textapp.runtime.bundle_tagger import BundleTagger
from textapp.training.ner import train_ner
from textapp.training.sentiment import train_sentiment

from benchmarks.own_vectors import own_vectors
from benchmarks.record import Record, spread
from benchmarks.tagging_baseline import train_feature_crf
from textapp.config import NerConfig, ner_preset, sentiment_preset
from textapp.data.readers import read_examples
from textapp.data.tagged import TaggedExamples, read_tagged
from textapp.export.run import export_run, export_tagger_run
from textapp.files import write_text
from textapp.runtime import load
from textapp.runtime.latency import measure_tag_latency
from textapp.runtime.predictor import Predictor
from textapp.tasks.tagging.scores import entity_scores, token_accuracy
from textapp.text.tag_schemes import read_spans

RESULTS = Path(__file__).parents[1] / "results"
RECIPE = "dynamic_wi8_afp32"
ENGLISH = "english"


@dataclasses.dataclass(frozen=True)
class Task:
    """What is trained on which data.

    Attributes:
        title: For people.
        data: Whose files; see `files`.
        preset: Of `textapp train ner`, or of `train sentiment` for intents; None for the feature CRF.
        settings: On top of the preset.
        promised: The least test score.
        vectors: The language of `benchmarks.own_vectors` whose vectors it starts from.
    """

    title: str
    data: str
    preset: str | None
    settings: tuple[str, ...] = ()
    promised: float | None = None
    vectors: str | None = None


CONLL = ("repair=true",)  # a few of its tags break the rules of IOB1
CONLL_VECTORS = ("zero_digits=false", "word_dropout=0.2", "extra_words=20000", "embedding_rate=0.3", "epochs=12")
TASKS = {
    "conll2003": Task("CoNLL-2003", "conll2003", ENGLISH, CONLL, 0.845),
    "conll2003_vectors": Task(
        "CoNLL-2003, own vectors", "conll2003", ENGLISH, (*CONLL, *CONLL_VECTORS), 0.88, vectors="wiki_en"
    ),
    "conll2003_own_tokens": Task("CoNLL-2003, its own tokens", "conll2003", ENGLISH, (*CONLL, "retokenize=false")),
    "resume": Task("Resume (Chinese)", "resume_ner", "chinese", ("repair=true",), 0.945),
    "resume_no_context": Task(
        "Resume (Chinese), no context", "resume_ner", "chinese", ("repair=true", "context_filters=0")
    ),
    "resume_plain": Task(
        "Resume (Chinese), no context, not adversarially",
        "resume_ner",
        "chinese",
        ("repair=true", "context_filters=0", "adversarial=0"),
    ),
    "ncbi": Task("NCBI-disease", "ncbi_disease", ENGLISH, (), 0.81),
    "msra": Task(
        "MSRA (Chinese), own vectors", "msra_ner", "chinese_large", ("repair=true",), 0.895, vectors="wiki_zh"
    ),
    "msra_plain": Task(
        "MSRA (Chinese), neither pairs nor vectors",
        "msra_ner",
        "chinese_large",
        ("repair=true", "bigrams=0", "embedding_dropout=0.3", "dropout=0.3", "batch_size=32", "learning_rate=0.002"),
    ),
    "snips_slots": Task("Snips, slots", "snips", ENGLISH),
    "atis_slots": Task("ATIS, slots", "atis", ENGLISH),
    "ewt": Task("UD English EWT, parts of speech", "ud_english_ewt", "tags"),
    "snips_intents": Task("Snips, intents", "snips", "sentences", ("adversarial=0",)),
    "atis_intents": Task(
        "ATIS, intents",
        "atis",
        "sentences",
        ("adversarial=0", "word_dropout=0.1", "embedding_dropout=0.4", "dropout=0.4", "epochs=20"),
    ),
    "conll2003_softmax": Task(
        "CoNLL-2003, softmax, no characters", "conll2003", ENGLISH, (*CONLL, "crf=false", "characters=false")
    ),
    "conll2003_crf": Task("CoNLL-2003, CRF, no characters", "conll2003", ENGLISH, (*CONLL, "characters=false")),
    "conll2003_shapes": Task(
        "CoNLL-2003, CRF, word shapes", "conll2003", ENGLISH, (*CONLL, "characters=false", "shapes=true")
    ),
    "conll2003_gru": Task("CoNLL-2003, GRU", "conll2003", ENGLISH, (*CONLL, "cell=gru")),
    "conll2003_rnn": Task("CoNLL-2003, simple RNN", "conll2003", ENGLISH, (*CONLL, "cell=rnn")),
    "conll2003_features": Task("CoNLL-2003, feature CRF (sklearn-crfsuite)", "conll2003", None),
}

PARTS = ("train", "valid", "test")
FILES = {  # as the sets name them; folders of slots are the splits themselves
    "conll2003": ("eng.train", "eng.testa", "eng.testb"),
    "resume_ner": ("train.char.bmes", "dev.char.bmes", "test.char.bmes"),
    "ncbi_disease": ("train.tsv", "devel.tsv", "test.tsv"),
    "ud_english_ewt": tuple(f"en_ewt-ud-{part}.conllu" for part in ("train", "dev", "test")),
}


def files(name: str, data: Path, work: Path) -> dict[str, str]:
    """The splits of a data set."""
    folder = data / name
    if name == "msra_ner":
        return {**hold_out_every_20th(folder / "train.txt", work / "msra"), "test": str(folder / "test.txt")}
    return {part: str(folder / file) for part, file in zip(PARTS, FILES.get(name, PARTS), strict=True)}


def hold_out_every_20th(path: Path, work: Path) -> dict[str, str]:
    """MSRA has no validation split: every 20th piece of the training split, as the data's README says."""
    pieces = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    parts = {
        "train": [piece for number, piece in enumerate(pieces, 1) if number % 20],
        "valid": pieces[19::20],
    }
    for name, of_part in parts.items():
        write_text(work / f"{name}.txt", "\n\n".join(of_part) + "\n")
    return {name: str(work / f"{name}.txt") for name in parts}


def measure(name: str, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Trains, exports and scores one seed of a task."""
    task, folder = TASKS[name], work / name / f"seed_{seed}"
    paths = files(task.data, data, work)
    if task.preset is None:
        return {"task": name, "seed": seed, **train_feature_crf(paths)}
    if name.endswith("_intents"):
        return {"task": name, "seed": seed, **measure_intents(task, seed, paths, folder)}
    vectors = own_vectors(task.vectors, data) if task.vectors else None
    config = ner_preset(task.preset, vectors=vectors is not None).override([*task.settings, f"seed={seed}"])
    if not (folder / "metrics.json").exists():
        train_ner(config, folder, **paths, vectors=vectors, report=print)  # type: ignore[arg-type]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    bundle = folder.with_name(f"seed_{seed}_{RECIPE}_fused")
    if not bundle.exists():
        export_tagger_run(folder, bundle, recipe=RECIPE)
    return {
        "task": name,
        "seed": seed,
        "valid": score_of(metrics["valid"]),
        "keras": score_of(metrics["test"]),
        "count": metrics["test"]["count"],
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "minutes": metrics["seconds"] / 60,
        **measure_bundle(bundle, read_test(config, paths["test"])),
    }


def read_test(config: NerConfig, path: str) -> TaggedExamples:
    """The test sentences as training reads them."""
    return read_tagged(path, config.token_column, config.tag_column, config.scheme, config.format, config.repair)


def measure_bundle(bundle: Path, test: TaggedExamples) -> dict[str, Any]:
    """Scores and times a bundle on the test sentences."""
    tagger = load(bundle)
    assert isinstance(tagger, BundleTagger)
    predicted = list(tagger.tag(test.sentences))
    spans = tagger.tag_set.scheme is not None
    space = " " if tagger.tokenizer.kind == "word" else ""
    latency = measure_tag_latency(tagger, [space.join(sentence) for sentence in test.sentences])
    return {
        **({"raw_text": raw_text_f1(tagger, test, space)} if spans else {}),
        "int8": entity_scores(test.tags, predicted).micro.f1 if spans else token_accuracy(test.tags, predicted),
        "int8_bytes": (bundle / "model.tflite").stat().st_size,
        "median_tokens": statistics.median(map(len, test.sentences)),
        "text_to_spans_ms_p50": latency.text_to_spans_ms_p50,
    }


def raw_text_f1(tagger: BundleTagger, test: TaggedExamples, space: str) -> float:
    """Strict entity F1 by character offsets where sentences come as texts, which the bundle cuts by itself."""
    found = right = true = 0
    for tokens, tags in zip(test.sentences, test.tags, strict=True):
        ends = list(itertools.accumulate(len(token) + len(space) for token in tokens))
        spans = {
            (ends[span.start] - len(space) - len(tokens[span.start]), ends[span.end - 1] - len(space), span.type)
            for span in read_spans(tags, "IOB2")
        }
        predicted = {(span.start, span.end, span.type) for span in tagger.predict([space.join(tokens)])[0].spans}
        found, right, true = found + len(predicted), right + len(predicted & spans), true + len(spans)
    return 2 * right / max(found + true, 1)


def score_of(scores: dict[str, Any]) -> float:
    """Strict entity F1, or the accuracy of tags that stand for themselves."""
    return float(scores["accuracy"] if "accuracy" in scores else scores["entity_f1"])


def measure_intents(task: Task, seed: int, paths: dict[str, str], folder: Path) -> dict[str, Any]:
    """Trains the classifier on the sentences' intents. What the training split lacks counts as wrong in testing."""
    assert task.preset is not None
    valid = known_alone(paths["train"], paths["valid"], folder.with_name("valid.jsonl"))
    config = sentiment_preset(task.preset).override([*task.settings, f"seed={seed}"])
    if not (folder / "metrics.json").exists():
        train_sentiment(config, folder, train=paths["train"], valid=valid, test=None, report=print)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    bundle = folder.with_name(f"seed_{seed}_{RECIPE}_fused")
    if not bundle.exists():
        export_run(folder, bundle, recipe=RECIPE)
    test, predictor = read_examples(paths["test"]), load(bundle)
    assert isinstance(predictor, Predictor)
    labels = [predictor.labels[index] for index in predictor.label_indices(test.texts)]
    right = sum(label == true for label, true in zip(labels, test.labels, strict=True))
    return {
        "valid": metrics["valid"]["accuracy"],
        "int8": right / len(test),
        "int8_bytes": (bundle / "model.tflite").stat().st_size,
        "count": len(test),
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "minutes": metrics["seconds"] / 60,
    }


def known_alone(train: str, valid: str, out: Path) -> str:
    """A validation file without the labels that training lacks, as one of ATIS; textapp takes these for a mistake."""
    known, examples = set(read_examples(train).labels), read_examples(valid)
    pairs = zip(examples.texts, examples.labels, strict=True)
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs if label in known]
    if len(lines) == len(examples):
        return valid
    write_text(out, "".join(lines))
    return str(out)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown, one line a task."""
    lines = [
        "# Tagging",
        "",
        "`python -m benchmarks.tagging --data DATA`: strict entity F1 on the test split, of parts of speech and "
        "intents accuracy, in %, mean ± standard deviation over seeds. On raw text: the tokens joined to texts, cut "
        "by the bundle, spans compared by characters.",
        "",
        "| task (preset and settings) | promised | Keras | int8 | difference at most | int8 on raw text | validation "
        "| parameters | bytes int8 | text to spans, ms (p50, the least of the seeds) | seeds | minutes a run |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, task in TASKS.items():
        of_task = [row for row in rows if row["task"] == name]
        if of_task:
            lines.append(_line(task, of_task))
    return "\n".join(lines) + "\n"


def _line(task: Task, rows: list[dict[str, Any]]) -> str:
    """The rows of one task as a line of the table."""

    def mean(key: str, show: str, factor: float = 1.0) -> str:
        values = [factor * row[key] for row in rows if key in row]
        return format(statistics.mean(values), show) if values else "–"

    def least(key: str, show: str) -> str:
        values = [row[key] for row in rows if key in row]
        return format(min(values), show) if values else "–"

    def percent(key: str) -> str:
        values = [100 * row[key] for row in rows if key in row]
        return spread(values) if values else "–"

    differences = [100 * abs(row["int8"] - row["keras"]) for row in rows if {"int8", "keras"} <= row.keys()]
    cells = [
        f"{task.title} (`{' '.join([task.preset, *task.settings])}`)" if task.preset else task.title,
        "–" if task.promised is None else f"{100 * task.promised:.1f}",
        percent("keras"),
        percent("int8"),
        f"{max(differences):.2f}" if differences else "–",
        mean("raw_text", ".2f", 100),
        mean("valid", ".2f", 100),
        mean("parameters", ",.0f"),
        mean("int8_bytes", ",.0f"),
        least("text_to_spans_ms_p50", ".2f"),  # rows are timed beside whatever else the machine does
        str(len(rows)),
        mean("minutes", ".1f"),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measures what is not measured yet and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=Path("saved_models/tagging"), help="folder for runs and bundles")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(RESULTS / "tagging.json", table, order=lambda row: (list(TASKS).index(row["task"]), row["seed"]))
    for seed in arguments.seeds:
        for name in arguments.tasks:
            if not record.has(task=name, seed=seed):
                record.add(measure(name, seed, arguments.data, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
