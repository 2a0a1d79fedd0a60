"""Counts of each split of a training: its texts, its tokens, and how many of them are unknown."""

from typing import Any

import numpy as np

from textapp.config import ModelConfig
from textapp.data.rows import EncodedRows
from textapp.task import Report, Task
from textapp.text.characters import counted
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import UNKNOWN_ID
from textapp.training.pretrained import Pretrained
from textapp.training.vocabularies import Known

OOV_WARNING = 0.05  # share of unknown tokens above which there is a warning


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
    task: Task[Any, Any, Any],
    config: ModelConfig,
    counts: dict[str, dict[str, float]],
    encoder: TokenEncoder,
    pretrained: Pretrained | None,
    report: Report,
    known: Known | None = None,
) -> None:
    """Reports the size of the vocabulary, the share of unknown tokens and the number of cut texts."""
    total = len(encoder.vocabulary)
    of_split = total if pretrained is None else pretrained.num_train_words
    characters = "" if encoder.characters is None else f", {counted(len(encoder.characters), 'character')}"
    extra = f", {counted(total - of_split, 'extra word')} from the vectors" if total > of_split else ""
    source = "of the training split" if known is None else f"({total - len(known.encoder.vocabulary):,} of them new)"
    report(f"vocabulary: {counted(of_split, 'word')} {source}{characters}{extra}")
    noun, how = ("sentence", "more by cutting long ones") if task.unit == "token" else ("text", "cut")
    for name, part in counts.items():
        without = part.get("oov_rate_without_extra", part["oov_rate"])
        compared = f" ({without:.1%} without the extra words)" if without != part["oov_rate"] else ""
        cut = f", {part['cut']:,} {how}" if part["cut"] else ""
        report(f"{name}: {counted(int(part['count']), noun)}{cut}, {part['oov_rate']:.1%} of tokens unknown{compared}")
    unknown = [name for name, part in counts.items() if part["oov_rate"] > OOV_WARNING]
    if unknown and not encoder.characters:
        settings = ", ".join(_remedies(config, of_split, known))
        remedies = f"{settings}, or more training text" if settings else "more training text"
        report(
            f"warning: more than {OOV_WARNING:.0%} of the tokens of {' and '.join(unknown)} are unknown; try {remedies}"
        )


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
