"""Training speed on IMDb: textapp's length buckets, and the same model in stock Keras 3 on padded arrays.

    python -m benchmarks.training_speed [--data ../shared/data]

Both train the model of the preset `reviews` with Keras' `fit`, with the same optimizer and batch size, on the same
reviews cut at the same length. Only their input differs: `TrainingBatches`, or arrays padded to this length. A round is
an epoch of each, in turn, without validation and callbacks. A first `fit` of two steps, in which TensorFlow traces the
step, is timed separately. Only real tokens are counted, not padding. It writes results/training_speed.json and the
table results/training_speed.md.
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

from benchmarks.environment import describe_environment, environment_line
from textapp.config import ModelConfig
from textapp.data.batches import TrainingBatches, shuffled_batches
from textapp.data.rows import EncodedRows, encode_rows
from textapp.files import write_json, write_text
from textapp.task import task
from textapp.text.labels import Labels
from textapp.text.token_encoder import TokenEncoder
from textapp.training.train import compile_model, model_of
from textapp.training.vocabularies import build_encoder

ROOT = Path(__file__).parents[1]
TASK = task("classification")
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
        positions: Number of steps of the recurrent layer in an epoch, with padding.
    """

    model: keras.Model
    trace: Callable[[], keras.callbacks.History]
    train: Callable[[], keras.callbacks.History]
    positions: int


@dataclasses.dataclass(frozen=True)
class Reviews:
    """The training data of both contestants.

    Attributes:
        rows: The encoded reviews.
        encoder: The encoder of the reviews.
        labels: Their labels.
    """

    rows: EncodedRows
    encoder: TokenEncoder
    labels: Labels


def read_reviews(archive: Path, config: ModelConfig, count: int) -> Reviews:
    """`count` random training reviews, encoded with the vocabulary of all training reviews."""
    examples = TASK.read(f"{archive}#train", config)
    tokenizer, labels = TASK.tokenizer(config), TASK.targets(config, examples, print)
    counts = TASK.rows(config, examples, labels, tokenizer).tokens.counts()
    encoder, _ = build_encoder(TASK, config, counts, None, print)
    chosen = np.random.default_rng(config.training.seed).permutation(len(examples))[:count].tolist()
    rows = TASK.rows(config, examples.select(chosen), labels, tokenizer)
    return Reviews(encode_rows(rows, encoder), encoder, labels)


def compiled_model(config: ModelConfig, reviews: Reviews, total_steps: int) -> keras.Model:
    """The preset's model and optimizer; both contestants start from the same weights."""
    keras.utils.set_random_seed(config.training.seed)
    model = model_of(TASK, config, reviews.encoder, reviews.labels)
    loss = TASK.loss(config, model, reviews.rows.target_counts(len(reviews.labels.names)))
    compile_model(model, TASK, config, total_steps, loss, model)
    return model


def bucketed(config: ModelConfig, rows: EncodedRows, model: keras.Model) -> Contestant:
    """Trains as `textapp train classifier` does."""
    training = config.training
    batches = TrainingBatches(rows, training.batch_size, training.seed)
    epochs = itertools.count()

    def fit(steps: int) -> keras.callbacks.History:
        batches.position = (next(epochs), 0)
        return model.fit(batches.dataset, steps_per_epoch=steps, shuffle=False, verbose=0)

    lengths = rows.lengths
    first = shuffled_batches(lengths, training.batch_size, (training.seed, 0))
    return Contestant(
        model,
        trace=lambda: fit(TRACED_STEPS),
        train=lambda: fit(batches.steps_per_epoch),
        positions=sum(len(numbers) * int(lengths[numbers].max()) for numbers in first),
    )


def padded(config: ModelConfig, rows: EncodedRows, model: keras.Model) -> Contestant:
    """Trains as the Keras guides do: all texts padded to one length, arrays given to `fit`."""
    longest, batch_size = config.data.max_tokens, config.training.batch_size
    texts = np.split(rows.token_ids(), rows.offsets[1:-1])
    token_ids = keras.utils.pad_sequences(texts, longest, padding="post", truncating="post")

    def fit(count: int) -> keras.callbacks.History:
        return model.fit(token_ids[:count], rows.targets[:count], batch_size=batch_size, verbose=0)

    return Contestant(
        model,
        trace=lambda: fit(TRACED_STEPS * batch_size),
        train=lambda: fit(len(rows)),
        positions=token_ids.size,
    )


def timed(fit: Callable[[], keras.callbacks.History]) -> dict[str, float]:
    """Wall seconds, CPU seconds of all threads, and loss of one `fit`."""
    wall, cpu = time.perf_counter(), time.process_time()
    history = fit()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_s": wall, "cpu_s": cpu, "loss": float(history.history["loss"][-1])}


def measure(config: ModelConfig, reviews: Reviews, rounds: int) -> dict[str, Any]:
    """Traces both, then trains both in turn; returns the figures for `table`."""
    rows = reviews.rows
    steps = rounds * -(-len(rows) // config.training.batch_size) + TRACED_STEPS
    contestants = {
        "textapp": bucketed(config, rows, compiled_model(config, reviews, steps)),
        "stock": padded(config, rows, compiled_model(config, reviews, steps)),
    }
    tracing = {name: timed(each.trace) for name, each in contestants.items()}
    timings: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, each in contestants.items():
            timings[name].append(timed(each.train))
            print(f"round {number + 1} of {rounds}: {name} {timings[name][-1]['wall_s']:.1f} s", file=sys.stderr)

    tokens = len(rows.index)
    result: dict[str, Any] = {"reviews": len(rows), "tokens": tokens, "contestants": {}, "ratios": {}}
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
    # Without the adversarial training of the preset, which stock Keras lacks.
    config = TASK.preset(PRESET).replaced(seed=arguments.seed)
    result: dict[str, Any] = {
        "command": "python -m benchmarks.training_speed --data DATA "
        f"--reviews {arguments.reviews} --rounds {arguments.rounds} --seed {arguments.seed}",
        "environment": describe_environment(PACKAGES),
        "settings": config.to_dict(),
        "rounds": arguments.rounds,
        **measure(config, read_reviews(archive, config, arguments.reviews), arguments.rounds),
    }
    write_json(arguments.out.with_suffix(".json"), result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
