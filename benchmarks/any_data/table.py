"""The table of the comparison."""

import statistics
from collections.abc import Sequence

from benchmarks.any_data.contestants import MODELS
from benchmarks.any_data.parts import ALL, FOLDS, SIZES
from benchmarks.any_data.sets import SETS
from benchmarks.environment import environment_line
from benchmarks.record import Row, spread
from textapp.text.characters import counted

TITLES = {
    "majority": "most frequent class",
    "svm": "TF-IDF + LinearSVC",
    "svm_all": "SVM, also of validation texts",
    "fasttext": "fastText, autotuned",
    "crf": "feature CRF",
    "textapp": "textapp",
    "textapp_vectors": "textapp, own vectors",
}
OURS = "textapp"
ENGINES = {"native": "the core in C", "litert": "LiteRT"}
RIVALS = ("svm", "fasttext", "crf")
ALL_TEXTS = "svm_all"  # the rival that learns from the validation texts too, as the n-grams of textapp do in the end


def order(row: Row) -> tuple[int, ...]:
    """Sort key of the rows."""
    sizes, models = (ALL, *reversed(SIZES[:-1])), list(MODELS)
    return list(SETS).index(row["set"]), sizes.index(row["size"]), row["fold"], row["seed"], models.index(row["model"])


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    published = [row for row in rows if not row["fold"]]
    lines = [
        "# On data that no setting was chosen for",
        "",
        "`python -m benchmarks.any_data --data DATA --folds`: test scores in %, mean ± standard deviation over seeds, "
        "of `textapp train` without a preset, and of quick rivals. With 1,000 and 200 labels each seed draws its own "
        "sample, and a quarter as many validation texts beside it. All models are fitted to the training texts. "
        "Validation texts choose the settings of fastText, and of textapp the epoch, the weights of encoder and "
        "n-grams, and the temperature; after that the n-grams of textapp learn from them too. An SVM has nothing to "
        "choose on them, so it can learn from them at once: `SVM, also of validation texts` has as many labels to "
        "learn from as textapp. `lead` is that over the best rival that learns from training texts alone, in points; "
        "`lead, same labels` is that over the best of all rivals.",
        "",
        *sorted({environment_line(row["environment"]) for row in rows}),
    ]
    lines += comparison("Classifiers: accuracy on the published test part", "classification", published)
    lines += comparison("Taggers: strict entity F1 on the published test part", "tagging", published)
    folds = [row for row in rows if row["fold"]]
    lines += comparison(f"Classifiers: {FOLDS} folds of the training part, mean ± deviation over folds", None, folds)
    parts = (wanted, scope, device, cost)
    return "\n".join([*lines, *(line for part in parts for line in part(published))]) + "\n"


def groups(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Set and size -> model -> its rows, in the order of the rows."""
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in sorted(rows, key=order):
        found.setdefault((row["set"], row["size"]), {}).setdefault(row["model"], []).append(row)
    return found


def comparison(title: str, task: str | None, rows: Sequence[Row]) -> list[str]:
    """A line for each set and size, a column for each model that has rows, and the leader."""
    chosen = groups([row for row in rows if task is None or SETS[row["set"]].task == task])
    if not chosen:
        return []
    models = [model for model in MODELS if any(model in of_models for of_models in chosen.values())]
    lines = []
    leads: list[tuple[float, float]] = []
    for (name, size), of_models in chosen.items():
        cells = [SETS[name].title, labels_of(size), *(percent(of_models.get(model, [])) for model in models)]
        lead, lead_of_all = lead_of(of_models), lead_of(of_models, (*RIVALS, ALL_TEXTS))
        leads += [] if lead is None or lead_of_all is None else [(lead, lead_of_all)]
        means = {model: mean(of_models[model]) for model in (*RIVALS, ALL_TEXTS, OURS) if model in of_models}
        best = TITLES[max(means, key=means.__getitem__)] if len(means) > 1 else "–"
        seeds = max(len(found) for found in of_models.values())
        cells += [best, *("–" if one is None else f"{one:+.2f}" for one in (lead, lead_of_all))]
        cells += [str(seeds), SETS[name].published]
        lines.append(f"| {' | '.join(cells)} |")
    head = [
        "set",
        "labels",
        *(TITLES[model] for model in models),
        "best",
        "lead",
        "lead, same labels",
        "runs",
        "published",
    ]
    even, even_of_all = (sum(lead >= 0 for lead in column) for column in zip(*leads, strict=True)) if leads else (0, 0)
    lines_of = counted(len(leads), "line")
    said = f"textapp is at or above each rival that learns from training texts in {even} of {lines_of}"
    if ALL_TEXTS in models:
        said += f", and at or above each rival, also the SVM with as many labels, in {even_of_all}"
    return [
        "",
        f"## {title}",
        "",
        *([f"{said}.", ""] if leads else []),
        f"| {' | '.join(head)} |",
        f"|---|--:|{'--:|' * len(models)}---|--:|--:|--:|---|",
        *lines,
    ]


def wanted(rows: Sequence[Row]) -> list[str]:
    """The scores that the project wants, with all labels."""
    chosen = groups([row for row in rows if row["size"] == ALL])
    lines = []
    for name, one in SETS.items():
        for model, (least, aim) in one.wanted.items():
            found = chosen.get((name, ALL), {}).get(model, [])
            reached = round(mean(found), 2) if found else 0.0
            met = "–" if not found else "aim" if reached >= aim else "least" if reached >= least else "no"
            lines.append(f"| {one.title} | {TITLES[model]} | {least:g} | {aim:g} | {percent(found)} | {met} |")
    head = ["", "## Wanted, with all labels", "", "| set | model | least | aim | measured | met |"]
    return [*head, "|---|---|--:|--:|--:|---|", *lines]


def scope(rows: Sequence[Row]) -> list[str]:
    """In-scope accuracy and out-of-scope recall, below a confidence chosen on validation texts."""
    lines = []
    for (name, _), of_models in groups([row for row in rows if "out_of_scope_recall" in row]).items():
        for model, found in of_models.items():
            cells = [percent(found, key) for key in ("in_scope_accuracy", "out_of_scope_recall")]
            lines.append(f"| {SETS[name].title} | {TITLES[model]} | {' | '.join(cells)} |")
    if not lines:
        return []
    head = [
        "",
        "## Out of scope",
        "",
        "A text whose confidence is below a threshold gets no label. The threshold is that with the most right "
        "decisions on the validation texts in and out of scope (Larson et al. 2019).",
        "",
        "| set | model | in scope, answered right | out of scope, recall |",
    ]
    return [*head, "|---|---|--:|--:|", *lines]


def device(rows: Sequence[Row]) -> list[str]:
    """Bytes of the n-grams, and the time from text to label with and without them."""
    lines = []
    for (name, _), of_models in groups([row for row in rows if "ngram_bytes" in row]).items():
        for model, found in of_models.items():
            sizes = [f"{statistics.mean(row[key] for row in found):,.0f}" for key in ("model_bytes", "ngram_bytes")]
            times = [f"{1000 * statistics.mean(row[key] for row in found):,.0f}" for key in ("ms", "ms_without")]
            engines = ", ".join(sorted({ENGINES[row["engine"]] for row in found}))
            lines.append(f"| {SETS[name].title} | {TITLES[model]} | {' | '.join([*sizes, *times])} | {engines} |")
    if not lines:
        return []
    head = [
        "",
        "## N-grams on a device",
        "",
        "Bytes of the int8 bundle's model and of its n-grams, and the median time from text to label over test texts, "
        "in microseconds, on one thread of this machine: the least of five medians, with the n-grams and without them.",
        "",
        "| set | model | bytes of the model | bytes of the n-grams | time | time without n-grams | runs in |",
    ]
    return [*head, "|---|---|--:|--:|--:|--:|---|", *lines]


def cost(rows: Sequence[Row]) -> list[str]:
    """Parameters, and seconds of training and scoring; fastText's search, once a set and size, is left out."""
    lines = []
    for (name, size), of_models in groups(rows).items():
        for model, found in of_models.items():
            cells = [f"{statistics.mean(row['parameters'] for row in found):,.0f}"]
            for key in ("seconds", "cpu_seconds"):
                values = [row[key] for row in found if key in row]
                cells.append(f"{statistics.mean(values):,.1f}" if values else "–")
            lines.append(f"| {SETS[name].title} | {labels_of(size)} | {TITLES[model]} | {' | '.join(cells)} |")
    head = [
        "",
        "## Cost",
        "",
        "Seconds of training and scoring, mean of the seeds, without the search of fastText. textapp's include the "
        "start of its command and its own baseline.",
        "",
        "| set | labels | model | parameters | seconds | CPU seconds |",
    ]
    return [*head, "|---|--:|---|--:|--:|--:|", *lines]


def lead_of(of_models: dict[str, list[Row]], rivals: Sequence[str] = RIVALS) -> float | None:
    """Points by which textapp is above the best rival, rounded as in the table; None without one of the two.

    Where rivals have more seeds than textapp, only those of textapp count: other seeds have other texts. A rival
    without randomness has one row, which stands for each seed.
    """
    if OURS not in of_models:
        return None
    seeds = {row["seed"] for row in of_models[OURS]}
    shared = ([row for row in of_models[name] if row["seed"] in seeds] for name in rivals if name in of_models)
    means = [mean(rows) for rows in shared if rows]
    return round(mean(of_models[OURS]) - max(means), 2) if means else None


def mean(rows: Sequence[Row]) -> float:
    """The mean test score in %."""
    return statistics.mean(100 * row["test"] for row in rows)


def percent(rows: Sequence[Row], key: str = "test") -> str:
    """Mean and spread of a score."""
    return spread([100 * row[key] for row in rows]) if rows else "–"


def labels_of(size: str) -> str:
    """The number of labels, for a cell."""
    return size if size == ALL else f"{int(size):,}"
