"""Training speed on IMDb: textapp's length buckets beside the same model in stock Keras 3 on padded arrays.

    python -m benchmarks.training_speed [--data ../shared/data]

Both train the model of the preset `reviews` with the same optimizer and batch size through Keras' `fit`, on the same
reviews cut at the same length; they differ in what feeds them: `TrainingBatches`, or arrays padded to that length.
A round is an epoch of one and an epoch of the other, in turn, without validation and callbacks. A first `fit` of two
steps, in which TensorFlow traces the step, is timed apart. Counts real tokens, never padding. Writes
results/training_speed.json and the table results/training_speed.md.
"""

import argparse
import dataclasses
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from textapp.data.pipeline import EncodedExamples, TokenizedTexts, TrainingBatches, encode_examples, shuffled_batches
from textapp.training.sentiment import build_model, compile_model

from benchmarks.environment import describe_environment, environment_line
from textapp.config import SentimentConfig, sentiment_preset
from textapp.data.readers import label_names, read_examples
from textapp.files import write_json, write_text
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]
PACKAGES = ["tensorflow", "keras", "numpy"]
PRESET = "reviews"
PROMISE = 2.0  # times the stock tokens per second, by the wall clock
TRACED_STEPS = 2


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A compiled model and how it trains.

    Attributes:
        model: The compiled model.
        trace: Runs the first `TRACED_STEPS` steps.
        train: Runs an epoch.
        positions: Steps of the recurrent layer an epoch computes, padding included.
    """

    model: keras.Model
    trace: Callable[[], keras.callbacks.History]
    train: Callable[[], keras.callbacks.History]
    positions: int


def read_reviews(archive: Path, config: SentimentConfig, count: int) -> tuple[EncodedExamples, int]:
    """`count` random training reviews, encoded by the vocabulary of all, and the vocabulary's size."""
    examples = read_examples(f"{archive}#train")
    tokenizer = Tokenizer(config.tokenizer, config.lowercase, config.normalization)
    counts = TokenizedTexts.read(examples.texts, tokenizer, config.max_tokens).counts()
    vocabulary = Vocabulary.build(counts, config.vocabulary_size, config.min_count)
    subset = examples.select(np.random.default_rng(config.seed).permutation(len(examples))[:count].tolist())
    tokenized = TokenizedTexts.read(subset.texts, tokenizer, config.max_tokens)
    labels = label_names(examples.labels, examples.source)
    return encode_examples(subset, tokenized, vocabulary, labels), len(vocabulary)


def compiled_model(config: SentimentConfig, vocabulary_size: int, total_steps: int) -> keras.Model:
    """The preset's model and optimizer; both contestants start from the same weights."""
    keras.utils.set_random_seed(config.seed)
    model = build_model(config, vocabulary_size, num_classes=2)
    compile_model(model, config, total_steps)
    return model


def bucketed(config: SentimentConfig, examples: EncodedExamples, model: keras.Model) -> Contestant:
    """Trains as `textapp train sentiment` does."""
    batches = TrainingBatches(examples, config.batch_size, config.seed)
    epochs = itertools.count()

    def fit(steps: int) -> keras.callbacks.History:
        batches.position = (next(epochs), 0)
        return model.fit(batches.dataset, steps_per_epoch=steps, shuffle=False, verbose=0)

    lengths = examples.lengths
    first = shuffled_batches(lengths, config.batch_size, (config.seed, 0))
    return Contestant(
        model,
        trace=lambda: fit(TRACED_STEPS),
        train=lambda: fit(batches.steps_per_epoch),
        positions=sum(len(rows) * int(lengths[rows].max()) for rows in first),
    )


def padded(config: SentimentConfig, examples: EncodedExamples, model: keras.Model) -> Contestant:
    """Trains as the Keras guides do: all texts padded to one length, arrays given to `fit`."""
    texts = np.split(examples.token_ids, examples.offsets[1:-1])
    token_ids = keras.utils.pad_sequences(texts, config.max_tokens, padding="post", truncating="post")

    def fit(rows: int) -> keras.callbacks.History:
        return model.fit(token_ids[:rows], examples.labels[:rows], batch_size=config.batch_size, verbose=0)

    return Contestant(
        model,
        trace=lambda: fit(TRACED_STEPS * config.batch_size),
        train=lambda: fit(len(examples)),
        positions=token_ids.size,
    )


def timed(fit: Callable[[], keras.callbacks.History]) -> dict[str, float]:
    """Wall seconds, CPU seconds of all threads, and the loss of one `fit`."""
    wall, cpu = time.perf_counter(), time.process_time()
    history = fit()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_s": wall, "cpu_s": cpu, "loss": float(history.history["loss"][-1])}


def measure(config: SentimentConfig, examples: EncodedExamples, vocabulary_size: int, rounds: int) -> dict[str, Any]:
    """Traces both, then trains both in turn; what `table` shows."""
    steps = rounds * -(-len(examples) // config.batch_size) + TRACED_STEPS
    contestants = {
        "textapp": bucketed(config, examples, compiled_model(config, vocabulary_size, steps)),
        "stock": padded(config, examples, compiled_model(config, vocabulary_size, steps)),
    }
    tracing = {name: timed(each.trace) for name, each in contestants.items()}
    timings: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, each in contestants.items():
            timings[name].append(timed(each.train))
            print(f"round {number + 1} of {rounds}: {name} {timings[name][-1]['wall_s']:.1f} s", file=sys.stderr)

    tokens = len(examples.token_ids)
    result: dict[str, Any] = {"reviews": len(examples), "tokens": tokens, "contestants": {}, "ratios": {}}
    for name, each in contestants.items():
        result["contestants"][name] = {
            "tokens_per_wall_s": [tokens / timing["wall_s"] for timing in timings[name]],
            "tokens_per_cpu_s": [tokens / timing["cpu_s"] for timing in timings[name]],
            "positions_per_token": each.positions / tokens,
            "loss": [timing["loss"] for timing in timings[name]],
            "first_steps_wall_s": tracing[name]["wall_s"],
            "tokens_per_wall_s_with_tracing": rounds
            * tokens
            / sum(timing["wall_s"] for timing in [tracing[name], *timings[name]]),
            "jit_compile": each.model.jit_compile,
        }
    textapp, stock = result["contestants"]["textapp"], result["contestants"]["stock"]
    for key in ("tokens_per_wall_s", "tokens_per_cpu_s"):
        ratios = [ours / theirs for ours, theirs in zip(textapp[key], stock[key], strict=True)]
        result["ratios"][key] = {"median": statistics.median(ratios), "rounds": ratios}
    result["ratios"]["tokens_per_wall_s_with_tracing"] = (
        textapp["tokens_per_wall_s_with_tracing"] / stock["tokens_per_wall_s_with_tracing"]
    )
    result["promised"], result["kept"] = PROMISE, result["ratios"]["tokens_per_wall_s"]["median"] >= PROMISE
    return result


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    config = result["settings"]
    lines = [
        "# Training speed",
        "",
        f"`{result['command']}`: {result['reviews']:,} reviews of IMDb, {result['tokens']:,} tokens, preset `{PRESET}` "
        f"(BiLSTM of {config['units']} units, at most {config['max_tokens']} tokens, {config['batch_size']} a batch). "
        f"Real tokens per second of Keras' `fit`, an epoch a round, in turn; median of {result['rounds']} rounds "
        "(smallest to largest).",
        "",
        environment_line(result["environment"]),
        "",
        "| | tokens per wall second | tokens per CPU second | with tracing, per wall second | first 2 steps, s "
        "| positions a token |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    titles = {"textapp": "textapp, length buckets", "stock": f"stock Keras 3, padded to {config['max_tokens']}"}
    for name, each in result["contestants"].items():
        lines.append(
            f"| {titles[name]} | {_spread(each['tokens_per_wall_s'], ',.0f')} "
            f"| {_spread(each['tokens_per_cpu_s'], ',.0f')} | {each['tokens_per_wall_s_with_tracing']:,.0f} "
            f"| {each['first_steps_wall_s']:.1f} | {each['positions_per_token']:.2f} |"
        )
    ratios = result["ratios"]
    lines += [
        f"| times stock | {_spread(ratios['tokens_per_wall_s']['rounds'], '.2f')} "
        f"| {_spread(ratios['tokens_per_cpu_s']['rounds'], '.2f')} "
        f"| {ratios['tokens_per_wall_s_with_tracing']:.2f} | | |",
        "",
        f"Promised: at least {result['promised']} times by the wall clock, {'kept' if result['kept'] else 'missed'}.",
    ]
    return "\n".join(lines) + "\n"


def _spread(values: list[float], form: str) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=ROOT / "results/training_speed", help="results, without the suffix")
    parser.add_argument("--reviews", type=int, default=1600, help="how many reviews are an epoch")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each contestant")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    archive = arguments.data / "imdb/aclImdb_labelled.tar.gz"
    if not archive.exists():
        print(f"{archive}: is not there; nothing is measured", file=sys.stderr)
        return
    config = dataclasses.replace(sentiment_preset(PRESET), seed=arguments.seed)
    examples, vocabulary_size = read_reviews(archive, config, arguments.reviews)
    result: dict[str, Any] = {
        "command": "python -m benchmarks.training_speed --data DATA "
        f"--reviews {arguments.reviews} --rounds {arguments.rounds} --seed {arguments.seed}",
        "environment": describe_environment(PACKAGES),
        "settings": config.to_dict(),
        "rounds": arguments.rounds,
        **measure(config, examples, vocabulary_size, arguments.rounds),
    }
    write_json(arguments.out.with_suffix(".json"), result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
