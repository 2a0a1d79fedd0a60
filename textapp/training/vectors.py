"""The whole training of word vectors: raw text in, a vector file out."""

import ctypes
import hashlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from textapp import __version__
from textapp.dashboards.word_vectors import VectorsDashboard
from textapp.errors import InputError
from textapp.files import digest, leftovers, named_errors, write_json
from textapp.training import run
from textapp.training.checkpoint import Checkpoint
from textapp.training.progress import Progress
from textapp.vectors.blocks import TrainingBlocks, choose_shape, noise_ratios
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.formats import check_words, format_of_name, read_vectors, write_vectors
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.token_cache import TokenCache, build_cache
from textapp.vectors.word2vec import Word2Vec
from textapp.vectors.word_vectors import WordVectors

TASK, CACHE = "vectors", "cache"
DIM = 100
FEW_WORDS = 1_000_000  # in a corpus: below, neighbours are hardly more than chance
DIVERGED = 10.0  # times the loss before any training
UNLEARNED = 0.85  # of it: with text and steps enough it falls to a half
PROBES = 8  # words whose neighbours are shown, where none are asked for
_MALLOC = {-1: 1 << 28, -2: 1 << 26, -3: 1 << 25}  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD: bytes
KNOWN_ACCUMULATOR = 300.0  # of rows trained before, so that they move less than new ones


def train_vectors(
    config: VectorsConfig,
    out: str | os.PathLike[str],
    *,
    corpus: Sequence[str | os.PathLike[str]],
    init: str | os.PathLike[str] | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Learns word vectors; called again after a crash, it goes on where it was.

    Beside the vector file stands a folder of its name and `.training` with `config.json`, `metrics.json` and
    TensorBoard `logs/`; while the training runs, also the corpus as ids (4 bytes a word) and the checkpoint.

    Args:
        config: The settings.
        out: The vector file to make; its name tells its format (`textapp.vectors.formats`). `.npz` keeps all that
            further training wants.
        corpus: Text files, or folders of them.
        init: Vectors to go on from, all of whose words stay in the vocabulary.
        force: Whether vectors that are there already are replaced.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: `vocabulary`, `words` read, `history` of the loss, `seconds` and `words_per_second` of
        the process that finished it.

    Raises:
        InputError: A file or a setting is wrong, or `out` is there already.
    """
    out = Path(out)
    for source in [*corpus, *([] if init is None else [init])]:
        if out.resolve() == Path(source).resolve() or Path(source).resolve() in out.resolve().parents:
            raise InputError(f"{out}: is read by this training ({os.fspath(source)}); choose another --out")
    format_of_name(out)  # raises where the name tells none: now, not after hours
    if out.is_dir():
        raise InputError(f"{out}: is a folder; choose another --out")
    folder = out.with_name(f"{out.name}.training")
    command = {
        "task": TASK,
        "settings": config.to_dict(),
        "corpus": [os.fspath(path) for path in corpus],
        "init": None if init is None else os.fspath(init),
    }
    unfinished = (folder / run.CONFIG).exists() and not (folder / run.METRICS).exists()
    if out.exists() and not force and not unfinished:  # unfinished: killed behind its last step, or a `force` killed
        raise InputError(f"{out}: exists; use --force to train it anew, or another --out")
    with run.reserved(folder, command, force):
        for leftover in leftovers(out):  # of a process killed while it wrote the vectors
            leftover.unlink()
        return _train(config, out, folder, command, force, report)


def _train(
    config: VectorsConfig, out: Path, folder: Path, command: dict[str, Any], force: bool, report: Callable[[str], None]
) -> dict[str, Any]:
    """Trains in a folder that is this process's alone."""
    began = time.monotonic()
    threads = config.threads or (1 if tf.config.list_physical_devices("GPU") else os.cpu_count() or 1)
    _leave_cores_to_threads(threads)
    _keep_freed_memory()
    splitter = WordSplitter(config.tokenizer, config.lowercase, config.normalization)
    init = None if command["init"] is None else _read_init(command["init"], config, splitter, report)

    cache, probes = _prepare(config, out, folder, command, splitter, init, report)
    run.clear(folder, keep_progress=not force)
    _write_config(folder, command)
    subwords = Subwords(config.min_n, config.max_n, config.buckets) if config.subwords else None
    blocks = TrainingBlocks(cache, choose_shape(cache.counts, config.sample), config.sample, config.seed)
    model = Word2Vec(
        len(cache.words),
        init.dim if init else config.dim or DIM,
        kind=config.model,
        shape=blocks.shape,
        window=config.window,
        negatives=config.negatives,
        ngrams=subwords.flat_ids(cache.words) if subwords else None,
        buckets=subwords.buckets if subwords else 0,
        noise=noise_ratios(cache.counts, config.sample),
        threads=threads,
        seed=config.seed,
    )
    if init:
        _start_from(model, init, cache)
    model.compile(config.learning_rate, total_steps=config.epochs * blocks.steps_per_epoch)
    report(f"training {model.count_params():,} parameters with {threads} thread{'s' if threads > 1 else ''}")

    state = Checkpoint(folder / run.CHECKPOINT, blocks, None, _fingerprint(command, cache))
    steps_before = state.epoch * blocks.steps_per_epoch + state.step
    trained_from = time.monotonic()
    words_per_step = cache.num_words_read / blocks.steps_per_epoch
    callbacks = [
        Progress(config.epochs, blocks.steps_per_epoch, cache.num_words_read),
        VectorsDashboard(folder / run.LOGS, cache.words, probes, words_per_step),
    ]
    _fit(model, blocks, state, config.epochs, callbacks)
    _judge(state, config.negatives, report)
    seconds = time.monotonic() - trained_from
    share = 1 - steps_before / (config.epochs * blocks.steps_per_epoch)

    write_vectors(_result(model, cache, splitter, subwords, init), out)
    if subwords and format_of_name(out) != "npz":
        report(f"warning: {out} keeps no n-grams, as only .npz does: unseen words will have no vector")
    metrics = {
        "task": TASK,
        "vocabulary": len(cache.words),
        "dim": model.dim,
        "words": cache.num_words_read,
        "words_per_second": round(share * config.epochs * cache.num_words_read / seconds) if share else None,
    }
    with named_errors(folder):
        shutil.rmtree(folder / CACHE)
    return run.finish(folder, metrics, state.history, began)


def _prepare(
    config: VectorsConfig,
    out: Path,
    folder: Path,
    command: dict[str, Any],
    splitter: WordSplitter,
    init: WordVectors | None,
    report: Callable[[str], None],
) -> tuple[TokenCache, list[str]]:
    """Reads the corpus into the training's folder, and chooses the probes. Wrong input leaves no folder behind."""
    fresh = not (folder / run.CONFIG).exists()
    if fresh:
        _write_config(folder, command)  # first, so that a killed start is known for what it is
    try:
        if init is not None:
            check_words(init.words, out)
        cache = build_cache(
            command["corpus"],
            folder / CACHE,
            splitter=splitter,
            min_count=config.min_count,
            vocabulary_size=config.vocabulary_size,
            keep=() if init is None else init.words,
            report=report,
        )
        check_words(cache.words, out)
        if cache.num_words < FEW_WORDS:
            report(f"warning: {cache.num_words:,} words are few to learn vectors from; a million is a beginning")
        return cache, _probes(config, cache)
    except InputError:
        if fresh or (folder / run.METRICS).exists():  # what is left of a finished training stays as it was
            shutil.rmtree(folder if fresh else folder / CACHE, ignore_errors=True)
        raise


def _write_config(folder: Path, command: dict[str, Any]) -> None:
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})


def _leave_cores_to_threads(threads: int) -> None:
    """Keeps TensorFlow from splitting each operation over all cores, which the training's own threads fill."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # TensorFlow has run something already: slower, but right
        return


def _keep_freed_memory() -> None:
    """Keeps the buffers of one operation for the next.

    glibc gives blocks below TensorFlow's own pool (262,144 bytes: the rows of a step, where a vector has fewer than 64
    numbers) back to the system, page by page, and faults them in again a hundred microseconds later: half of all time.
    Other C libraries have no `mallopt`, and keep their own ways.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOC.items():
            mallopt(option, value)


def _read_init(path: str, config: VectorsConfig, splitter: WordSplitter, report: Callable[[str], None]) -> WordVectors:
    """Reads the vectors to go on from. Raises `InputError` where the settings contradict them."""
    init = read_vectors(path, report=report)
    if config.dim not in (None, init.dim):
        raise InputError(f"{path}: has vectors of {init.dim} dimensions; setting dim must be so too, or be left out")
    if init.tokenizer not in (None, splitter.to_dict()):
        raise InputError(f"{path}: its corpus was cut into words by other settings: {json.dumps(init.tokenizer)}")
    wanted = Subwords(config.min_n, config.max_n, config.buckets) if config.subwords else None
    found = init.subwords.subwords if init.subwords else None
    if wanted != found:
        raise InputError(
            f"{path}: has {found or 'no subwords'}; the settings subwords, min_n, max_n and buckets must say the same"
        )
    return init


def _start_from(model: Word2Vec, init: WordVectors, cache: TokenCache) -> None:
    """Puts known vectors into the model's tables, and remembers that their rows are trained."""
    rows = _rows_of(init, cache)
    known = np.flatnonzero(rows >= 0)
    own = init.subwords.own_rows(init.words, init.vectors) if init.subwords else init.vectors
    tables = [(model.inputs_table, own), (model.outputs_table, init.outputs)]
    for table, values in tables:
        if values is None:  # not kept in a text file: they are soon learned again from good input vectors
            continue
        vectors, accumulator = table.vectors.numpy(), table.accumulator.numpy()
        vectors[known], accumulator[known] = values[rows[known]], KNOWN_ACCUMULATOR
        if table is model.inputs_table and init.subwords:
            vectors[len(cache.words) :], accumulator[len(cache.words) :] = init.subwords.vectors, KNOWN_ACCUMULATOR
        table.vectors.assign(vectors)
        table.accumulator.assign(accumulator)


def _rows_of(init: WordVectors, cache: TokenCache) -> np.ndarray:
    """The row of each of the corpus' words in known vectors, int64 `(V,)`; -1 for new words."""
    return np.fromiter((init.index(word) if word in init else -1 for word in cache.words), np.int64, len(cache.words))


def _fit(model: Word2Vec, blocks: TrainingBlocks, state: Checkpoint, epochs: int, callbacks: list[Any]) -> None:
    """Keras' `fit`, from the checkpoint's place on."""

    def train(until: int, steps: int) -> None:
        model.fit(
            blocks.dataset,
            initial_epoch=state.epoch,
            epochs=until,
            steps_per_epoch=steps,
            callbacks=[state, *callbacks],
            shuffle=False,
            verbose=0,
        )

    if state.step:  # killed inside an epoch: first its rest
        train(until=state.epoch + 1, steps=blocks.steps_per_epoch - state.step)
    if state.epoch < epochs and not state.stopped:
        train(until=epochs, steps=blocks.steps_per_epoch)
    else:  # killed behind the last step: `fit`, which puts the tables back, is not called
        state.set_model(model)
        state.on_train_begin()


def _judge(state: Checkpoint, negatives: float, report: Callable[[str], None]) -> None:
    """Says where the loss has hardly fallen, or has risen. Raises `InputError` where the training diverged."""
    untrained = (1 + negatives) * math.log(2)
    if state.stopped or (loss := state.history[-1]["loss"]) > DIVERGED * untrained:
        raise InputError("training diverged: its loss grows instead of falling; lower learning_rate, and use --force")
    if loss > untrained / UNLEARNED:
        report(
            f"warning: the loss rose from {untrained:.2f} to {loss:.2f}: these vectors say nothing; lower learning_rate"
        )
    elif loss > UNLEARNED * untrained:
        report(
            f"warning: hardly anything was learned: the loss went from {untrained:.2f} to {loss:.2f}; give more text, "
            "more epochs, or a higher learning_rate (0.5 is usual: it is not word2vec's)"
        )


def _probes(config: VectorsConfig, cache: TokenCache) -> list[str]:
    """The words whose neighbours are shown: those asked for, or some of the more frequent."""
    if config.probes:
        known = set(cache.words)
        words = config.probes.split()
        missing = [word for word in words if word not in known]
        if missing:
            raise InputError(f"setting probes: not in the vocabulary: {', '.join(missing)}")
        return words
    frequent = [word for word in cache.words[100:2000] if word.isalpha()] or list(cache.words)
    return frequent[:: max(1, len(frequent) // PROBES)][:PROBES]


def _fingerprint(command: dict[str, Any], cache: TokenCache) -> str:
    """What tells a training from another: the command, and what its files hold."""
    content = hashlib.sha256("\n".join(cache.words).encode())
    content.update(cache.counts.tobytes())
    init = "" if command["init"] is None else digest(command["init"])
    return f"{json.dumps(command)} {cache.length} positions, {content.hexdigest()} {init}"


def _result(
    model: Word2Vec, cache: TokenCache, splitter: WordSplitter, subwords: Subwords | None, init: WordVectors | None
) -> WordVectors:
    """The trained vectors with all that further training wants, the most frequent words of all training first.

    Where the vectors that it began with know no counts, their words keep their order and new ones come behind.
    """
    words: Sequence[str] = cache.words
    vectors, outputs, counts = model.vectors(), model.outputs_table.vectors.numpy(), cache.counts
    if init is not None:
        rows = _rows_of(init, cache)
        if init.counts is None:
            order = np.argsort(np.where(rows >= 0, rows, len(init)), kind="stable")
        else:
            counts = counts + np.where(rows >= 0, init.counts[rows], 0)
            order = np.argsort(-counts, kind="stable")
        words = [words[row] for row in order.tolist()]
        vectors, outputs, counts = vectors[order], outputs[order], counts[order]
    return WordVectors(
        words,
        vectors,
        counts=counts,
        outputs=outputs,
        subwords=SubwordVectors(subwords, model.ngram_vectors()) if subwords else None,
        tokenizer=splitter.to_dict(),
    )
