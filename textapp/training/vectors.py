"""Training of word vectors, from text files to a vector file."""

import contextlib
import ctypes
import dataclasses
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.dashboards.word_vectors import VectorsDashboard
from textapp.errors import InputError, list_some
from textapp.files import delete_leftovers, digest, named_errors
from textapp.output_files import check_output, delete_empty_folders, locked, real_path
from textapp.text.characters import agreeing, counted
from textapp.training import run, run_folder
from textapp.training.checkpoint import Checkpoint
from textapp.training.known_vectors import read_init, result_of, start_from
from textapp.training.progress import Meter, Progress
from textapp.training.vector_round import ShardRound
from textapp.vectors.blocks import TrainingBlocks, choose_shape, noise_ratios
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import Part, WordSplitter
from textapp.vectors.counts import check_tokenizer, read_vocabulary
from textapp.vectors.formats import check_words, format_of_name, holds_vectors, read_vectors, write_vectors
from textapp.vectors.subwords import Subwords
from textapp.vectors.token_cache import TokenCache, build_cache, delete_cache
from textapp.vectors.word2vec import Word2Vec
from textapp.vectors.word_vectors import WordVectors

TASK, CACHE = "vectors", "cache"
DIM = 100
FEW_WORDS = 1_000_000  # in a corpus; with fewer, neighbours are nearly random
DIVERGED = 10.0  # times the loss before training
UNLEARNED = 0.85  # of the loss before training; with enough text and steps it falls to a half
PROBES = 8  # words with neighbours in TensorBoard, by default
_MALLOC = {-1: 1 << 28, -2: 1 << 26, -3: 1 << 25}  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD: bytes


def train_vectors(
    config: VectorsConfig,
    out: str | os.PathLike[str],
    *,
    corpus: Sequence[str | os.PathLike[str]],
    init: str | os.PathLike[str] | None = None,
    counts: Sequence[str | os.PathLike[str]] = (),
    shard: Part | None = None,
    rounds: int = 1,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Learns word vectors. The same call resumes a training that was killed.

    The folder `OUT.training` gets `config.json`, `metrics.json` and TensorBoard `logs/`. During the training it also
    has the corpus as ids (4 bytes a word) and the checkpoint.

    Args:
        config: The settings.
        out: The vector file to make. Its name gives the format (`textapp.vectors.formats`); `.npz` keeps everything
            that further training needs.
        corpus: Text files, folders or patterns of them.
        init: Vectors to start from; all their words stay in the vocabulary. With `shard`, the average of the round
            before, from `textapp.vectors.averaging.average_vectors`; None in the first round.
        counts: Files of word counts (`textapp.vectors.counts`), from which the vocabulary is chosen; by default it is
            chosen from the corpus.
        shard: The part of the corpus to train one round on, see `ShardRound`; needs `counts` of the whole corpus. A
            result of an earlier round at `out` is replaced; if that of this round is there, nothing is done. By default
            the whole training.
        rounds: With `shard`, the number of rounds of the whole training.
        force: Whether existing vectors are replaced.
        report: Receives each line of progress.

    Returns:
        The content of `metrics.json`: `vocabulary`, `words` read, `history` of the loss, and `seconds` and
        `words_per_second` of the process that finished the training. With `shard` also `round`; the file is written
        after the last round.

    Raises:
        InputError: A file or a setting is wrong, or `out` exists.
    """
    out = Path(out)
    for source in [*corpus, *counts, *([] if init is None else [init])]:
        if out.resolve() == Path(source).resolve() or Path(source).resolve() in out.resolve().parents:
            raise InputError(f"{out}: is read by this training ({os.fspath(source)}); choose another --out")
    format_of_name(out)  # raises for an unknown suffix: now, not after hours
    folder = out.with_name(f"{out.name}.training")
    command: dict[str, Any] = {
        "task": TASK,
        "settings": config.to_dict(),
        "corpus": [os.fspath(path) for path in corpus],
        "init": None if init is None or shard else os.fspath(init),
    }
    if counts:
        command["counts"] = [os.fspath(path) for path in counts]
    part = None
    if shard is not None:
        if not counts:
            raise InputError("--shard: needs --counts of the whole corpus, so that all shards have one vocabulary")
        if format_of_name(out) != "npz" or out.suffix != ".npz":
            raise InputError(f"--out {out}: the result of a shard must be an .npz, which keeps all that a round needs")
        command |= {"shard": str(shard), "rounds": rounds}
        part = ShardRound.after(init, shard, rounds, config)
        if not force and part.is_done(out):
            report(f"{out}: round {part.number} of {rounds} of shard {shard} is there already")
            done = read_vectors(out)
            return {"task": TASK, "vocabulary": len(done), "dim": done.dim, "round": part.number, "rounds": rounds}
    job = _Job(config, out, folder, command, None if init is None else os.fspath(init), part, force, report)
    with _reserved(job) as overwrite:
        return _train(job, overwrite)


@dataclasses.dataclass(frozen=True)
class _Job:
    """A call of `train_vectors`."""

    config: VectorsConfig
    out: Path
    folder: Path
    command: dict[str, Any]
    init: str | None
    round: ShardRound | None
    force: bool
    report: Callable[[str], None]

    def may_replace(self, overwrite: bool) -> Callable[[Path], bool]:
        """Which file at `out` the result may replace."""
        if self.round is None or overwrite:
            return holds_vectors if overwrite else (lambda _: False)
        return self.round.may_replace


@contextlib.contextmanager
def _reserved(job: _Job) -> Iterator[bool]:
    """Locks and checks the training's folder, and deletes what a killed training left there.

    Yields:
        Whether vectors that are already at `out` may be replaced: with `force`, or if the training began with it.
    """
    folder, out = job.folder, job.out
    run_folder.check_place(folder, job.command)
    with locked(folder):
        delete_leftovers(real_path(out))  # of a process that was killed while it wrote the vectors
        before = run_folder.read_command(folder) if (folder / run_folder.CONFIG).exists() else {}
        unfinished = bool(before) and not (folder / run_folder.METRICS).exists()
        overwrite = job.force or (unfinished and before.get("forced") is True)
        run_folder.clear_abandoned(folder)
        if before and not unfinished:
            delete_cache(folder / CACHE)
        if job.round is not None:
            if before.get(run_folder.ROUND) != job.round.number:  # a checkpoint would be of another round
                with named_errors(folder):
                    (folder / run_folder.CHECKPOINT).unlink(missing_ok=True)
            check_output(out, holds_vectors if overwrite else job.round.may_replace)
        else:
            # A training that has a checkpoint may have been killed after it wrote the vectors. One that has none wrote
            # no vectors: those that are there are older.
            may_have_written = unfinished and (folder / run_folder.CHECKPOINT).exists()
            check_output(out, holds_vectors if overwrite or may_have_written else False)
        run_folder.check_folder(folder, job.command, job.force)
        yield overwrite


def _train(job: _Job, overwrite: bool) -> dict[str, Any]:
    """Trains in a folder that no other process uses."""
    began = time.monotonic()
    config, folder, report = job.config, job.folder, job.report
    threads = config.threads or (1 if tf.config.list_physical_devices("GPU") else os.cpu_count() or 1)
    _leave_cores_to_threads(threads)
    _keep_freed_memory()
    splitter = WordSplitter(config.tokenizer, config.lowercase, config.normalization)
    init = None if job.init is None else read_init(job.init, config, splitter, report)

    more: dict[str, Any] = {"forced": True} if overwrite else {}
    if job.round is not None:
        more[run_folder.ROUND] = job.round.number
    cache, counts, probes = _prepare(job, more, splitter, init)
    run_folder.begin(folder, job.command, job.force, **more)
    subwords = Subwords(config.min_n, config.max_n, config.buckets) if config.subwords else None
    blocks = TrainingBlocks(cache, choose_shape(counts, config.sample), config.sample, config.seed, counts=counts)
    total = config.epochs * blocks.steps_per_epoch
    first, last = (0, total) if job.round is None else job.round.steps(total)
    model = Word2Vec(
        len(cache.words),
        init.dim if init else config.dim or DIM,
        kind=config.model,
        shape=blocks.shape,
        window=config.window,
        negatives=config.negatives,
        ngrams=subwords.flat_ids(cache.words) if subwords else None,
        buckets=subwords.buckets if subwords else 0,
        noise=noise_ratios(counts, config.sample),
        threads=threads,
        seed=config.seed,
    )
    if init and job.round is not None:
        job.round.start(model, init, cache.words, str(job.init))
    elif init:
        start_from(model, init, cache)
    model.steps_done.assign(first)
    model.compile(config.learning_rate, total_steps=total)
    report(f"training {model.count_params():,} parameters with {counted(threads, 'thread')}")

    state = Checkpoint(folder / run_folder.CHECKPOINT, blocks, None, _fingerprint(job, cache, counts))
    state.begin_at(first)
    steps_before = state.epoch * blocks.steps_per_epoch + state.step
    trained_from = time.monotonic()
    words_per_step = cache.num_words_read / blocks.steps_per_epoch
    callbacks = [
        Progress(config.epochs, blocks.steps_per_epoch, cache.num_words_read),
        VectorsDashboard(folder / run_folder.LOGS, cache.words, probes, words_per_step),
    ]
    _fit(model, blocks, state, last, callbacks)
    _judge(state, config.negatives, report, is_end=last == total)
    seconds = time.monotonic() - trained_from
    words = max(last - steps_before, 0) * words_per_step

    # Never `False`: a file that appeared meanwhile can be moved away, then the same command ends this training.
    result = result_of(model, cache, splitter, subwords, init if job.round is None else None)
    if job.round is not None:
        result.training = job.round.state(model, int(counts.sum()), state.history[-1]["loss"])
    write_vectors(result, job.out, overwrite=job.may_replace(overwrite))
    if subwords and format_of_name(job.out) != "npz":
        report(f"warning: {job.out} cannot hold n-grams, only .npz can: unseen words will have no vector")
    metrics = {
        "task": TASK,
        "vocabulary": len(cache.words),
        "dim": model.dim,
        "words": cache.num_words_read,
        "words_per_second": round(words / seconds) if words else None,
    }
    if job.round is not None:
        metrics |= {"round": job.round.number, "rounds": job.round.rounds, "epochs": config.epochs}
        if not job.round.is_last:  # the next round needs the corpus too
            with named_errors(folder):
                (folder / run_folder.CHECKPOINT).unlink(missing_ok=True)
            return metrics
    delete_cache(folder / CACHE)
    return run.finish(folder, metrics, state.history, began)


def _prepare(
    job: _Job, more: dict[str, Any], splitter: WordSplitter, init: WordVectors | None
) -> tuple[TokenCache, np.ndarray, list[str]]:
    """Reads the corpus into the training's folder and chooses the probes. Wrong input leaves no new folder.

    Returns:
        The corpus, the counts of its words that subsampling and noise depend on, int64 `(V,)`, and the probes.
    """
    folder, config, command, report = job.folder, job.config, job.command, job.report
    fresh = not (folder / run_folder.CONFIG).exists()
    if fresh:  # first, so that a folder of a killed start is recognized
        run_folder.begin(folder, command, force=False, **more)
    try:
        keep = () if init is None else init.words
        check_words(keep, job.out)
        vocabulary = totals = None
        if command.get("counts"):
            vocabulary, totals = read_vocabulary(
                command["counts"], config.min_count, config.vocabulary_size, () if job.round else keep, folder
            )
            check_tokenizer(vocabulary, splitter, command["counts"][0])
        with contextlib.closing(Meter("of the corpus read")) as meter:
            cache = build_cache(
                command["corpus"],
                folder / CACHE,
                splitter=splitter,
                min_count=config.min_count,
                vocabulary_size=config.vocabulary_size,
                keep=keep if vocabulary is None else (),
                vocabulary=vocabulary,
                part=None if job.round is None else job.round.part,
                report=meter.above(report),
                progress=meter,
            )
        counts = cache.counts if totals is None else totals
        check_words(cache.words, job.out)
        if counts.sum() < FEW_WORDS:
            words, verb = counted(int(counts.sum()), "word"), agreeing(int(counts.sum()), "is", "are")
            report(f"warning: {words} {verb} few to learn vectors from; use a million or more")
        if totals is not None and job.round is None and (absent := int(np.count_nonzero(cache.counts < (totals > 0)))):
            report(f"warning: {counted(absent, 'word')} of the counts do not occur in the corpus: they learn nothing")
        return cache, counts, _probes(config, cache)
    except InputError:
        if fresh or (folder / run_folder.METRICS).exists():  # a finished training stays as it was
            delete_cache(folder / CACHE)
        if fresh:
            with named_errors(folder):
                for path in run_folder.files_of_run(folder):
                    path.unlink()
                delete_empty_folders(folder)
        raise


def _leave_cores_to_threads(threads: int) -> None:
    """Sets one thread for each TensorFlow operation, because the training's threads occupy all cores."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # TensorFlow is initialized already: the training is slower, but correct
        return


def _keep_freed_memory() -> None:
    """Keeps freed memory in the process for the next operation.

    TensorFlow's pool holds blocks of 262,144 bytes or more. Smaller ones, such as the rows of a step for vectors of
    fewer than 64 numbers, glibc returns to the system page by page and requests them again a hundred microseconds
    later, which took half of all time. Other C libraries have no `mallopt` and are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOC.items():
            mallopt(option, value)


def _fit(model: Word2Vec, blocks: TrainingBlocks, state: Checkpoint, last: int, callbacks: list[Any]) -> None:
    """Calls Keras' `fit` from the checkpoint's position on, until `last` steps are done."""

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

    size = blocks.steps_per_epoch
    if state.epoch * size + state.step >= last:  # killed after the last step: the tables are restored here
        state.set_model(model)
        state.on_train_begin()
        return
    if state.step:  # it starts within an epoch: first the rest of it
        train(until=state.epoch + 1, steps=min(size, last - state.epoch * size) - state.step)
    if (whole := last // size) > state.epoch and not state.stopped:
        train(until=whole, steps=size)
    if last > state.epoch * size and not state.stopped:  # a round that ends within an epoch
        train(until=state.epoch + 1, steps=last - state.epoch * size)


def _judge(state: Checkpoint, negatives: float, report: Callable[[str], None], is_end: bool) -> None:
    """Warns at the end if the loss has hardly fallen or has risen. Raises `InputError` if the training diverged."""
    untrained = (1 + negatives) * math.log(2)
    loss = state.history[-1]["loss"]
    if state.stopped or (is_end and loss > DIVERGED * untrained):
        raise InputError("training diverged: the loss grows; use a lower learning_rate and --force")
    if not is_end:
        return
    if loss > untrained / UNLEARNED:
        report(
            f"warning: the loss rose from {untrained:.2f} to {loss:.2f}: these vectors are useless; lower learning_rate"
        )
    elif loss > UNLEARNED * untrained:
        report(
            f"warning: almost nothing was learned: the loss went from {untrained:.2f} to {loss:.2f}; use more text, "
            "more epochs or a higher learning_rate (usual: 0.5; word2vec's 0.025 is too low here)"
        )


def _probes(config: VectorsConfig, cache: TokenCache) -> list[str]:
    """The words whose neighbours are shown: those of the setting, or some frequent words."""
    if config.probes:
        known = set(cache.words)
        words = config.probes.split()
        missing = [word for word in words if word not in known]
        if missing:
            raise InputError(f"setting probes: not in the vocabulary: {list_some(missing)}")
        return words
    frequent = [word for word in cache.words[100:2000] if word.isalpha()] or list(cache.words)
    return frequent[:: max(1, len(frequent) // PROBES)][:PROBES]


def _fingerprint(job: _Job, cache: TokenCache, counts: np.ndarray) -> str:
    """Identifies a training by its command and the content of its files."""
    content = hashlib.sha256("\n".join(cache.words).encode())
    content.update(cache.counts.tobytes())
    if counts is not cache.counts:
        content.update(counts.tobytes())
    init = "" if job.init is None else digest(job.init)
    return f"{json.dumps(job.command)} {cache.length} positions, {content.hexdigest()} {init}"
