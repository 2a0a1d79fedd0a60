"""Counts of each split of a training: its texts, its tokens, and how many of them are unknown."""

from collections.abc import Mapping

import numpy as np

from textapp.config import ModelConfig
from textapp.data.rows import EncodedRows
from textapp.task import Report
from textapp.text.characters import counted, printable, shortened, terminal_width
from textapp.text.terminal import COLUMNS, table
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import UNKNOWN_ID
from textapp.training.pretrained import Pretrained
from textapp.training.vocabularies import Known

OOV_WARNING = 0.05  # share of unknown tokens above which there is a warning
_LONGEST_NAME = 24  # columns of a target in the table of the data
_MOST_NAMES = 10  # targets below each other in that table


def row_counts(part: EncodedRows, pretrained: Pretrained | None) -> dict[str, float]:
    """The counts of one split. Sentences that were cut into several rows count once."""
    count = len(part) - (part.cut if part.per_token else 0)
    return {"count": count, "tokens": len(part.index), "cut": part.cut, **unknown_rates(part.token_ids(), pretrained)}


def unknown_rates(ids: np.ndarray, pretrained: Pretrained | None, times: np.ndarray | None = None) -> dict[str, float]:
    """The share of unknown tokens, and with extra words also the share without them."""
    rates = {"oov_rate": float(np.average(ids == UNKNOWN_ID, weights=times))}
    if pretrained is not None:
        unknown = (ids == UNKNOWN_ID) | (ids >= pretrained.num_train_words)
        rates["oov_rate_without_extra"] = float(np.average(unknown, weights=times))
    return rates


def report_counts(
    config: ModelConfig,
    counts: dict[str, dict[str, float]],
    encoder: TokenEncoder,
    pretrained: Pretrained | None,
    report: Report,
    known: Known | None = None,
) -> None:
    """Reports the size of the vocabulary, and warns of many unknown tokens."""
    total = len(encoder.vocabulary)
    of_split = total if pretrained is None else pretrained.num_train_words
    characters = "" if encoder.characters is None else f", {counted(len(encoder.characters), 'character')}"
    extra = f", {counted(total - of_split, 'extra word')} from the vectors" if total > of_split else ""
    source = "of the training split" if known is None else f"({total - len(known.encoder.vocabulary):,} of them new)"
    report(f"vocabulary: {counted(of_split, 'word')} {source}{characters}{extra}")
    unknown = [name for name, part in counts.items() if part["oov_rate"] > OOV_WARNING]
    if unknown and not encoder.characters:
        settings = ", ".join(_remedies(config, of_split, known))
        remedies = f"{settings}, or more training text" if settings else "more training text"
        report(
            f"warning: more than {OOV_WARNING:.0%} of the tokens of {' and '.join(unknown)} are unknown; try {remedies}"
        )


def data_table(
    noun: str, counts: Mapping[str, Mapping[str, float]], shown: Mapping[str, Mapping[str, int]], columns: int = COLUMNS
) -> list[str]:
    r"""The lines of a table of the splits: examples, those of each target, how many were cut, unknown tokens.

    Where the targets do not fit beside each other, they have a second table below, the most frequent first.

    Args:
        noun: What an example is, in the plural.
        counts: From `row_counts`, for each split.
        shown: From `Task.shown_counts`, for each split.
        columns: The most columns of a line.

    Example:
        >>> counts = {"train": {"count": 1498, "cut": 3, "oov_rate": 0.116}}
        >>> print("\n".join(data_table("texts", counts, {"train": {"好": 717, "坏": 781}})))
        data   texts   好   坏  cut  unknown
        -----  -----  ---  ---  ---  -------
        train  1,498  717  781    3    11.6%
    """
    names = [shortened(printable(name), _LONGEST_NAME) for name in next(iter(shown.values()))]
    extra = any("oov_rate_without_extra" in part for part in counts.values())

    def lines(with_targets: bool) -> list[str]:
        header = ["data", noun, *(names if with_targets else ()), "cut", "unknown", *(["without extra"] * extra)]
        rows = [
            [
                name,
                f"{int(part['count']):,}",
                *(f"{count:,}" for count in (shown[name].values() if with_targets else ())),
                f"{int(part['cut']):,}",
                f"{part['oov_rate']:.1%}",
                *([f"{part.get('oov_rate_without_extra', part['oov_rate']):.1%}"] * extra),
            ]
            for name, part in counts.items()
        ]
        return table(header, rows)

    beside = lines(with_targets=True)
    if terminal_width(beside[1]) <= columns:
        return beside
    per_split = [list(part.values()) for part in shown.values()]
    order = sorted(range(len(names)), key=lambda number: -per_split[0][number])
    listed = order if len(order) <= _MOST_NAMES + 1 else order[:_MOST_NAMES]
    rows = [[names[number], *(f"{part[number]:,}" for part in per_split)] for number in listed]
    if rest := order[len(listed) :]:
        rows.append([f"{len(rest):,} others", *(f"{sum(part[number] for number in rest):,}" for part in per_split)])
    return [*lines(with_targets=False), "", *table(["", *shown], rows)]


def _remedies(config: ModelConfig, vocabulary_size: int, known: Known | None) -> list[str]:
    """What makes fewer tokens unknown, as far as the settings have not done so, whoever chose them.

    Args:
        config: The settings.
        vocabulary_size: The number of words that come from the training split.
        known: The run that the training starts from, whose words and tokens stay; None for none.
    """
    words, found = config.words, []
    if vocabulary_size >= words.vocabulary_size:
        found.append(f"--set vocabulary_size={2 * words.vocabulary_size}")
    if words.min_count > 1:
        found.append("--set min_count=1")
    if known is None and config.data.tokenizer != "bert":
        found.append("--set characters=true")
        found += ["--set tokenizer=char"] if config.data.tokenizer == "word" else []
    return found
