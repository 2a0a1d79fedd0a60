"""Test scores of classifiers and taggers on public data: Keras against the int8 bundle, over seeds.

    python -m benchmarks.accuracy --data ../shared/data [--models sst2 conll2003] [--seeds 0 1 2]

Each model is trained with a preset and settings that were chosen on validation data. The test split is read once for
each seed, by the last step of the run and by its bundles. The benchmark can be stopped at any time and resumes. It
writes one line for each model and seed to results/accuracy.json (classifiers) or results/tagging.json (entities, slots,
parts of speech and intents), and a table beside each file.
"""

import argparse
import dataclasses
import functools
import itertools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import textapp
from benchmarks.datasets import files
from benchmarks.models import bundle_latency, bundle_score, exported, main_score, model_bytes, read_test, trained
from benchmarks.own_vectors import own_vectors
from benchmarks.record import Record, spread
from benchmarks.tagging_baseline import train_feature_crf
from textapp.data.tagged import TaggedExamples
from textapp.runtime import Tagger
from textapp.task import task
from textapp.text.tag_schemes import read_spans

RESULTS = Path(__file__).parents[1] / "results"
WORK = Path("saved_models")
UNROLLED_TOKENS = 64  # unrolled, longer texts would make large files and slow conversions: they use fused
PLAIN = ("adversarial=0",)  # shows the gain of adversarial training
CONLL = ("repair=true",)  # a few of its tags break the rules of IOB1
CONLL_VECTORS = ("zero_digits=false", "word_dropout=0.2", "extra_words=20000", "embedding_rate=0.3", "epochs=12")


@dataclasses.dataclass(frozen=True)
class Table:
    """Models whose rows are in one file.

    Attributes:
        title: Title of the table.
        says: What the scores are.
        bundles: Name of a score -> recipe and lowering of its bundle. The table shows the first int8 bundle.
    """

    title: str
    says: str
    bundles: dict[str, tuple[str, str]]

    @property
    def int8(self) -> list[str]:
        """The names of the scores of int8 bundles."""
        return [name for name, (recipe, _) in self.bundles.items() if recipe != "float32"]


BOTH = ("fused", "unrolled")
TABLES = {
    "accuracy": Table(
        "Accuracy",
        "test accuracy in %, mean ± standard deviation over seeds.",
        {
            f"{recipe}_{lowering}": (recipe, lowering)
            for recipe, lowering in itertools.product(("float32", "dynamic_wi8_afp32"), BOTH)
        },
    ),
    "tagging": Table(
        "Tagging",
        "strict entity F1 on the test split, of parts of speech and intents accuracy, in %, mean ± standard deviation "
        "over seeds. On raw text: the tokens joined to texts, cut by the bundle, spans compared by characters.",
        {"int8": ("dynamic_wi8_afp32", "fused")},
    ),
}


@dataclasses.dataclass(frozen=True)
class Model:
    """A model and its data.

    Attributes:
        table: A key of `TABLES`.
        title: Title of the row.
        data: Name of the data set; see `benchmarks.datasets.files`.
        preset: Preset of the task; None for the CRF over features.
        settings: Settings that override the preset.
        target: Smallest test score that the project wants.
        vectors: The text of `benchmarks.own_vectors` on which the model's word vectors were trained.
        task: Name of the task.
    """

    table: str
    title: str
    data: str
    preset: str | None
    settings: tuple[str, ...] = ()
    target: float | None = None
    vectors: str | None = None
    task: str = "tagging"

    def config(self, seed: int) -> Any:
        """The settings of one seed."""
        config = task(self.task).preset(self.preset, vectors=self.vectors is not None)
        return config.override([*self.settings, f"seed={seed}"])


Texts = functools.partial(Model, "accuracy", task="classification")
Tokens = functools.partial(Model, "tagging")
Intents = functools.partial(Model, "tagging", preset="sentences", task="classification")
MODELS = {
    "sst2": Texts("SST-2, sentences only", "sst2", "sentences", target=0.815),
    "sst2_plain": Texts("SST-2, sentences only, not adversarially", "sst2", "sentences", PLAIN, 0.815),
    "sst2_vectors": Texts(
        "SST-2, sentences only, in-domain vectors",
        "sst2",
        "sentences",
        ("extra_words=20000", *PLAIN),
        0.83,
        vectors="english",
    ),
    "sst2_phrases": Texts("SST-2, with phrases", "sst2_phrases", "phrases", target=0.845),
    "sst2_phrases_plain": Texts("SST-2, with phrases, not adversarially", "sst2_phrases", "phrases", PLAIN, 0.845),
    "sst2_phrases_vectors": Texts(
        "SST-2, with phrases, in-domain vectors",
        "sst2_phrases",
        "phrases",
        ("extra_words=20000",),
        0.85,
        vectors="english",
    ),
    "imdb": Texts("IMDb", "imdb", "reviews", target=0.885),
    "imdb_plain": Texts("IMDb, not adversarially", "imdb", "reviews", (*PLAIN, "epochs=3"), 0.885),
    "imdb_vectors": Texts(
        "IMDb, in-domain vectors",
        "imdb",
        "reviews",
        ("vocabulary_size=30000", "word_dropout=0.2"),
        0.90,
        vectors="english",
    ),
    "online_shopping": Texts("online_shopping_10_cats (Chinese)", "online_shopping", "chinese", target=0.92),
    "conll2003": Tokens("CoNLL-2003", "conll2003", "english", CONLL, 0.845),
    "conll2003_vectors": Tokens(
        "CoNLL-2003, word vectors", "conll2003", "english", (*CONLL, *CONLL_VECTORS), 0.88, vectors="wiki_en"
    ),
    "conll2003_own_tokens": Tokens("CoNLL-2003, its own tokens", "conll2003", "english", (*CONLL, "retokenize=false")),
    "resume": Tokens("Resume (Chinese)", "resume_ner", "chinese", ("repair=true",), 0.945),
    "resume_no_context": Tokens(
        "Resume (Chinese), no context", "resume_ner", "chinese", ("repair=true", "context_filters=0")
    ),
    "resume_plain": Tokens(
        "Resume (Chinese), no context, not adversarially",
        "resume_ner",
        "chinese",
        ("repair=true", "context_filters=0", *PLAIN),
    ),
    "ncbi": Tokens("NCBI-disease", "ncbi_disease", "english", (), 0.81),
    "msra": Tokens(
        "MSRA (Chinese), character vectors", "msra_ner", "chinese_large", ("repair=true",), 0.895, vectors="wiki_zh"
    ),
    "msra_plain": Tokens(
        "MSRA (Chinese), neither pairs nor vectors",
        "msra_ner",
        "chinese_large",
        ("repair=true", "bigrams=0", "embedding_dropout=0.3", "dropout=0.3", "batch_size=32", "learning_rate=0.002"),
    ),
    "snips_slots": Tokens("Snips, slots", "snips", "english"),
    "atis_slots": Tokens("ATIS, slots", "atis", "english"),
    "ewt": Tokens("UD English EWT, parts of speech", "ud_english_ewt", "tags"),
    "snips_intents": Intents("Snips, intents", "snips_intents", settings=PLAIN),
    "atis_intents": Intents(
        "ATIS, intents",
        "atis_intents",
        settings=(*PLAIN, "word_dropout=0.1", "embedding_dropout=0.4", "dropout=0.4", "epochs=20"),
    ),
    "conll2003_softmax": Tokens(
        "CoNLL-2003, softmax, no characters", "conll2003", "english", (*CONLL, "crf=false", "characters=false")
    ),
    "conll2003_crf": Tokens("CoNLL-2003, CRF, no characters", "conll2003", "english", (*CONLL, "characters=false")),
    "conll2003_shapes": Tokens(
        "CoNLL-2003, CRF, word shapes", "conll2003", "english", (*CONLL, "characters=false", "shapes=true")
    ),
    "conll2003_gru": Tokens("CoNLL-2003, GRU", "conll2003", "english", (*CONLL, "cell=gru")),
    "conll2003_rnn": Tokens("CoNLL-2003, simple RNN", "conll2003", "english", (*CONLL, "cell=rnn")),
    "conll2003_features": Tokens("CoNLL-2003, CRF over features (CRFsuite)", "conll2003", None),
}


def measure(name: str, seed: int, data: Path, work: Path, more: Sequence[str] = ()) -> dict[str, Any]:
    """Trains, exports and scores one seed of a model; `more` are further settings, for trials."""
    model = MODELS[name]
    table, work = TABLES[model.table], work / model.table
    paths, run = files(model.data, data, work), work / name / f"seed_{seed}"
    row: dict[str, Any] = {"task": name, "seed": seed}
    if model.preset is None:
        return row | train_feature_crf(paths)
    config = model.config(seed).override(more)
    learned = {**paths, "test": None} if model.data.endswith("_intents") else paths  # ATIS tests unseen intents
    vectors = own_vectors(model.vectors, data) if model.vectors else None
    metrics = trained(model.task, config, run, **learned, vectors=vectors)
    test = read_test(run, paths["test"])
    row |= {"valid": main_score(metrics, "valid"), "count": len(test)}
    if "test" in metrics:
        row |= {"keras": main_score(metrics, "test"), "count": metrics["test"]["count"]}
    row |= {"parameters": metrics["parameters"], "epochs": metrics["epochs"], "minutes": metrics["seconds"] / 60}
    for kind, (recipe, lowering) in table.bundles.items():
        if lowering == "unrolled" and config.data.max_tokens > UNROLLED_TOKENS:
            continue
        bundle = exported(run, run.with_name(f"{run.name}_{recipe}_{lowering}"), recipe=recipe, lowering=lowering)
        predictor = textapp.load(bundle)
        row[f"{kind}_bytes"] = model_bytes(bundle)
        if kind in table.int8:
            row[kind] = bundle_score(predictor, test)
        if kind == table.int8[0]:
            row |= bundle_latency(predictor, test)
            if isinstance(predictor, Tagger) and predictor.tag_set.scheme is not None:
                row["raw_text"] = raw_text_f1(predictor, test)
    return row


def raw_text_f1(tagger: Tagger, test: TaggedExamples) -> float:
    """Strict entity F1 by character offsets. The sentences are given as texts, which the bundle cuts into tokens."""
    found = right = true = 0
    texts = task("tagging").texts(test, tagger.tokenizer)
    for text, tokens, tags in zip(texts, test.sentences, test.tags, strict=True):
        space = 0 if len(text) == sum(map(len, tokens)) else 1
        ends = list(itertools.accumulate(len(token) + space for token in tokens))
        spans = {
            (ends[span.start] - space - len(tokens[span.start]), ends[span.end - 1] - space, span.type)
            for span in read_spans(tags, "IOB2")
        }
        predicted = {(span.start, span.end, span.type) for span in tagger.predict([text])[0].spans}
        found, right, true = found + len(predicted), right + len(predicted & spans), true + len(spans)
    return 2 * right / max(found + true, 1)


def markdown(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The rows of a table as Markdown, one line for each model; columns without figures are left out."""
    table = TABLES[name]
    int8 = table.int8
    found = {
        key: [with_ratios(row, int8) for row in rows if row["task"] == key]
        for key, model in MODELS.items()
        if model.table == name
    }
    found = {key: of_one for key, of_one in found.items() if of_one}
    columns: list[tuple[str, str, Callable[[list[float]], str]]] = [
        ("Keras", "keras", percent),
        *((f"int8 {table.bundles[kind][1]}", kind, percent) for kind in int8),
        ("largest difference", "difference", lambda values: f"{100 * max(values):.2f}"),
        ("int8 on raw text", "raw_text", percent),
        ("validation", "valid", percent),
        ("parameters", "parameters", lambda values: f"{statistics.mean(values):,.0f}"),
        ("bytes int8", f"{int8[0]}_bytes", lambda values: f"{statistics.mean(values):,.0f}"),
        ("of float32", "share", lambda values: f"{statistics.mean(values):.1%}"),
        # Other work of the machine slows some rows.
        ("text to result, ms (p50, the least of the seeds)", "ms", lambda values: f"{min(values):.2f}"),
        ("seeds", "seed", lambda values: str(len(values))),
        ("minutes a run", "minutes", lambda values: f"{statistics.mean(values):.1f}"),
    ]
    columns = [column for column in columns if any(column[1] in row for of_one in found.values() for row in of_one)]
    lines = [
        f"# {table.title}",
        "",
        f"`python -m benchmarks.accuracy --data DATA`: {table.says}",
        "",
        f"| model (preset and settings) | target | {' | '.join(title for title, *_ in columns)} |",
        f"|---|{'--:|' * (len(columns) + 1)}",
    ]
    for key, of_one in found.items():
        model = MODELS[key]
        cells = [
            f"{model.title} (`{' '.join([model.preset, *model.settings])}`)" if model.preset else model.title,
            "–" if model.target is None else f"{100 * model.target:.1f}",
        ]
        for _, figure, show in columns:
            values = [row[figure] for row in of_one if figure in row]
            cells.append(show(values) if values else "–")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_ratios(row: dict[str, Any], int8: Sequence[str]) -> dict[str, Any]:
    """A row with three figures more: `difference`, `share`, and `ms`, the time under one name for every task."""
    ratios: dict[str, float] = {}
    if "keras" in row and int8[0] in row:
        ratios["difference"] = max(abs(row[kind] - row["keras"]) for kind in int8 if kind in row)
    if "float32_fused_bytes" in row:
        ratios["share"] = row[f"{int8[0]}_bytes"] / row["float32_fused_bytes"]
    for key, value in row.items():
        if key.startswith("text_to_"):
            ratios["ms"] = value
    return {**row, **ratios}


def percent(values: Sequence[float]) -> str:
    """Mean and spread of scores."""
    return spread([100 * value for value in values])


def main() -> None:
    """Measures the missing rows and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for runs and bundles")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the figures")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], dest="settings", help="further settings, to try things out")
    arguments = parser.parse_args()
    if arguments.settings and (arguments.results == RESULTS or arguments.work == WORK):
        parser.error("--set is for trials: give --results and --work of their own")
    records = {
        name: Record(
            arguments.results / f"{name}.json",
            functools.partial(markdown, name),
            order=lambda row: (list(MODELS).index(row["task"]), row["seed"]),
        )
        for name in TABLES
    }
    for seed in arguments.seeds:
        for name in arguments.models:
            record = records[MODELS[name].table]
            if not record.has(task=name, seed=seed):
                record.add(measure(name, seed, arguments.data, arguments.work, arguments.settings))
    for name, record in records.items():
        print(markdown(name, record.rows))


if __name__ == "__main__":
    main()
