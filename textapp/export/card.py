"""The model card of a bundle: README.md, for people and for model hubs.

It says what bundle.json and the run say, and no more: no path, no name of a user, no text of the data. `bundle.json`
has its SHA-256 in `card_sha256`, not in `sha256`: no reader checks the card, so everybody may edit it, and an export
replaces only a card that is as it was written.

Reference: Mitchell et al. 2019, Model Cards for Model Reporting; the front matter is that of the Hugging Face Hub.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from textapp.runtime.clients import CORE
from textapp.task import Task
from textapp.text.characters import counted, printable

CARD = "README.md"
CARD_HASH = "card_sha256"
_MOST_NAMES = 30  # labels or tags that are listed
_COMMON_WORDS = {  # the ten commonest words of languages with spaces
    "en": "the of and to in a is that for it",
    "de": "der die und in den von zu das mit sich",
    "fr": "de la le et les des en un du une",
    "es": "de la que el en y a los se del",
    "pt": "de a o que e do da em um para",
    "it": "di e il la che in a per un del",
    "nl": "de van het een en in is dat op te",
    "ru": "и в не на я что с по как это",
}
_AMONG = 1000  # the commonest words of a vocabulary, where those of its language must be
_SCRIPTS = {"zh": (0x4E00, 0x9FFF), "ja": (0x3041, 0x30FF), "ko": (0xAC00, 0xD7A3)}
_LEAST_SHARE = 0.05  # of the words, in a script
_CLIENTS = {
    "C": "c",
    "web (WebAssembly)": "web",
    "Android (Kotlin)": "android",
    "iOS and macOS (Swift)": "ios",
    "Flutter": "flutter",
    "Rust": "rust",
}


def model_card(
    task: Task[Any, Any, Any],
    targets: Any,
    words: Sequence[str],
    description: Mapping[str, Any],
    sizes: Mapping[str, int],
    training: Mapping[str, Any],
) -> str:
    """The card as Markdown with front matter.

    Args:
        task: The task.
        targets: The labels or tags that the model chooses from.
        words: The vocabulary, the commonest words first.
        description: The content of bundle.json.
        sizes: The bytes of each file of the bundle.
        training: The content of the run's `metrics.json`; empty for a model without a run.
    """
    parts = [
        _front_matter(task, words),
        f"# {_capital(task.model_noun)}\n",
        _summary(task, targets, description),
        _usage(task),
        *_data(training),
        *_scores(task, description, training),
        _limits(task, words, description),
        _size(description, sizes),
    ]
    return "\n".join(parts)


def languages(words: Sequence[str]) -> list[str]:
    """The languages of a vocabulary, as far as it shows them: ISO 639-1 codes.

    A language with spaces is one whose ten commonest words are all among the first 1,000 words. Chinese, Japanese and
    Korean have their own scripts.

    Example:
        >>> languages(["the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "面", "很", "好"])
        ['en', 'zh']
    """
    common = {word.casefold() for word in words[:_AMONG]}
    found = [code for code, text in _COMMON_WORDS.items() if common.issuperset(text.split())]
    shares = {
        code: sum(any(first <= ord(letter) <= last for letter in word) for word in words) / max(len(words), 1)
        for code, (first, last) in _SCRIPTS.items()
    }
    if shares["ja"] >= _LEAST_SHARE:
        shares["zh"] = 0.0  # Japanese has Han characters too
    return [*found, *(code for code, share in shares.items() if share >= _LEAST_SHARE)]


def _front_matter(task: Task[Any, Any, Any], words: Sequence[str]) -> str:
    """What a model hub reads, as YAML."""
    tagging = task.unit == "token"
    lines = ["---"]
    if found := languages(words):
        lines += ["language:", *(f"- {code}" for code in found)]
    lines += [
        "library_name: textapp",
        f"pipeline_tag: {'token-classification' if tagging else 'text-classification'}",
        "tags:",
        *(f"- {tag}" for tag in ("textapp", "keras", "litert", "tflite", "on-device", task.name)),
        "metrics:",
        *(f"- {metric}" for metric in (("f1", "precision", "recall") if tagging else ("accuracy", "f1"))),
        "---\n",
    ]
    return "\n".join(lines)


def _summary(task: Task[Any, Any, Any], targets: Any, description: Mapping[str, Any]) -> str:
    """What the model does."""
    noun, names = task.listed_targets(targets)
    listed = ", ".join(f"`{_code(name)}`" for name in names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    lineage = description.get("lineage") or {}
    steps = []
    if lineage.get("parameters"):
        steps.append(f"{lineage['parameters']:,} parameters in Keras")
    if lineage.get("teachers"):
        steps.append(f"distilled from {counted(len(lineage['teachers']), 'teacher')}")
    if rounding := lineage.get("quantized"):
        how = "quantization-aware training" if rounding["trained"] else "rounding after training"
        steps.append(f"{rounding['bits']}-bit weights by {how}")
    steps.append(f"recipe `{description['recipe']}`")
    return (
        f"A small text model that {task.does}, on a device and without a network. Made with textapp "
        f"{description['textapp_version']}; {'; '.join(steps)}.\n\n"
        f"{_capital(noun)} ({len(names):,}): {listed}{more}.\n"
    )


def _usage(task: Task[Any, Any, Any]) -> str:
    """How to call the model."""
    shown = "prediction.spans" if task.unit == "token" else "prediction"
    rows = "\n".join(
        f"- {platform}: `textapp export BUNDLE --client {client} --out FOLDER`" for platform, client in _CLIENTS.items()
    )
    return (
        "## How to use it\n\n"
        "`BUNDLE` is this folder. Python needs the base install of textapp (NumPy and LiteRT, no TensorFlow):\n\n"
        "```python\n"
        "from textapp.runtime import load\n\n"
        'model = load("BUNDLE")\n'
        'for prediction in model.predict(["Not bad at all", "味道很好"]):\n'
        f"    print({shown})\n"
        "```\n\n"
        "In a shell:\n\n"
        '```sh\ntextapp predict BUNDLE "Not bad at all" "味道很好"\n```\n\n'
        f"In an app, each command makes what the app adds:\n\n{rows}\n"
    )


def _data(training: Mapping[str, Any]) -> list[str]:
    """What the model was trained on: sizes, never a path."""
    splits = training.get("data")
    if not splits:
        return []
    rows = [
        f"| {name} | {part['count']:,} | {part['tokens']:,} | {100 * part['oov_rate']:.1f} |"
        for name, part in splits.items()
    ]
    return [
        "## Data\n\n| split | examples | tokens | unknown tokens, % |\n| :- | -: | -: | -: |\n" + "\n".join(rows) + "\n"
    ]


def _scores(task: Task[Any, Any, Any], description: Mapping[str, Any], training: Mapping[str, Any]) -> list[str]:
    """The scores of the file, and of the Keras model before the export, with 95 % intervals."""
    metrics, rows = description["metrics"], []
    if "after" in metrics:
        rows += _score_rows(task, "this file", metrics["scored_on"], metrics["after"], metrics.get("intervals", {}))
    for name, words in (("test", "test split"), ("valid", "validation split")):
        if name in training:
            intervals = training.get("intervals", {}).get(name, {})
            rows += _score_rows(task, "Keras, before the export", words, training[name], intervals)
    if not rows:
        return []
    agreement = f"{100 * metrics['label_agreement']:.1f} % of {counted(metrics['count'], task.unit)}"
    sentences = [f"The file and Keras agree on {agreement}."]
    if "valid" in training:
        sentences.append("The validation split chose the best epoch, so its scores are a little too high.")
    table = "| model | data | score | % | 95 % interval | n |\n| :- | :- | :- | -: | -: | -: |\n" + "\n".join(rows)
    method = "Intervals: Wilson's method for shares of texts, the bootstrap over texts for F1 and shares of tokens."
    return [f"## Scores\n\n{table}\n\n{' '.join(sentences)} {method}\n"]


def _score_rows(
    task: Task[Any, Any, Any], model: str, data: str, scores: Mapping[str, Any], intervals: Mapping[str, Any]
) -> list[str]:
    """A row for each score that has a title."""
    rows = []
    for key, title in task.score_titles.items():
        if key in scores:
            found = intervals.get(key)
            ends = "" if found is None else f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"
            rows.append(f"| {model} | {data} | {title} | {100 * scores[key]:.1f} | {ends} | {scores['count']:,} |")
    return rows


def _limits(task: Task[Any, Any, Any], words: Sequence[str], description: Mapping[str, Any]) -> str:
    """What the model cannot do."""
    longest = description["lengths"][-1]
    reading = f"It reads the first {counted(longest, 'token')} of a text and cuts the rest off."
    if task.unit == "token":
        reading = f"It reads texts of any length, in windows of {counted(longest, 'token')}."
    lines = [
        reading,
        f"It knows {counted(len(words), 'word')}. Of other words it has only their context, and perhaps their letters.",
        "Scores hold for texts like those that it was trained on. Measure it on your own: `textapp evaluate BUNDLE "
        "--data FILE`.",
        "It learned from its examples, mistakes and one-sidedness included. Do not let it alone decide about people.",
    ]
    if task.unit == "text" and task.exclusive:
        lines.append(
            "It always chooses one of its labels, also where none fits; `min_confidence` lets it give no answer."
        )
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"


def _size(description: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """The files, their bytes and hashes, and where they run."""
    hashes = description["sha256"]
    rows = [f"| `{name}` | {size:,} | `{hashes[name]}` |" for name, size in sizes.items()]
    runtimes = ["textapp's core in C" if name == CORE else name for name in description["clients"]]
    versions = ", ".join(f"{name} {version}" for name, version in description["versions"].items())
    total = sum(sizes.values())
    return (
        "## Files\n\n"
        "| file | bytes | SHA-256 |\n| :- | -: | :- |\n" + "\n".join(rows) + "\n\n"
        f"{total:,} bytes in all, besides bundle.json and this card. `textapp bench BUNDLE --data FILE` measures the "
        f"time of a call on your machine. The model file runs in {', '.join(runtimes)}. Exported with {versions}.\n"
    )


def _code(text: str) -> str:
    """A name in a code span of Markdown."""
    return printable(text).replace("`", "'").replace("|", "¦")


def _capital(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]
