"""Measures one contestant on one data set: trains it, and scores it on the test part."""

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.any_data.device import ngram_cost
from benchmarks.any_data.parts import ALL, Parts, fold_parts, sample_parts, whole_parts
from benchmarks.any_data.rivals import Answer, Answers, fit_fasttext, fit_majority, fit_svm, tune_fasttext
from benchmarks.any_data.sets import SETS
from benchmarks.datasets import files, known_alone
from benchmarks.models import main_score, metrics_of
from benchmarks.tagging_baseline import train_feature_crf
from textapp.data.readers import Examples, read_examples
from textapp.task import task
from textapp.tasks.classification.scores import answer_scores

MODELS = ("majority", "svm", "svm_all", "fasttext", "crf", "textapp", "textapp_vectors")
OF_TASK = {  # the cheap ones first
    "classification": ("majority", "svm", "svm_all", "textapp", "textapp_vectors", "fasttext"),
    "tagging": ("crf", "textapp", "textapp_vectors"),
}


class Usage:
    """The time that passes from now on, and the CPU time that this process (or its children) takes."""

    def __init__(self, who: int):
        self._who, self._began, self._cpu = who, time.monotonic(), self._cpu_now(who)

    def so_far(self) -> dict[str, float]:
        """`seconds` and `cpu_seconds`."""
        return {"seconds": time.monotonic() - self._began, "cpu_seconds": self._cpu_now(self._who) - self._cpu}

    @staticmethod
    def _cpu_now(who: int) -> float:
        used = resource.getrusage(who)
        return used.ru_utime + used.ru_stime


class Trial(NamedTuple):
    """What is measured: the key of a row.

    Attributes:
        set: Name of the data set.
        size: `all`, or the number of training texts.
        fold: From 1 to 5, a part of the training data as test part; 0: the published test part.
        seed: Seed of the sample and of the model.
        model: One of `MODELS`.
    """

    set: str
    size: str
    fold: int
    seed: int
    model: str

    def folder(self, work: Path) -> Path:
        """The folder of the files of all models."""
        name = f"fold_{self.fold}" if self.fold else self.size
        return work / self.set / name / f"seed_{self.seed}"


def measure(trial: Trial, data: Path, work: Path, tuned: dict[str, Any] | None, tuning_seconds: int) -> dict[str, Any]:
    """Trains and scores a contestant.

    Args:
        trial: What is measured.
        data: Folder of the data sets.
        work: Folder for parts and runs.
        tuned: Settings that fastText's search has found for this set and size; None to search.
        tuning_seconds: Time of that search.

    Returns:
        `valid` and `test`, the scores; `parameters`; `seconds` and `cpu_seconds` of training and scoring, unless a
        killed training was resumed; of texts out of scope `in_scope_accuracy` and `out_of_scope_recall`; of textapp's
        classifiers with all labels the figures of `ngram_cost`.
    """
    found, folder = SETS[trial.set], trial.folder(work)
    if found.task == "tagging":
        paths = files(trial.set, data, work)
        if trial.model == "crf":
            return measure_crf(paths)
        return run_textapp(trial, paths["train"], paths["valid"], paths["test"], folder, data)
    parts = parts_of(trial, data, work)
    if trial.model.startswith("textapp"):
        return measure_textapp(trial, parts, folder, data)
    figures: dict[str, Any] = {}
    if trial.model == "fasttext":
        figures["settings"] = tuned or tune_fasttext(parts, trial.seed, folder, tuning_seconds)
    usage, train, held_out = Usage(resource.RUSAGE_SELF), read_examples(parts.train), parts.held_out
    match trial.model:
        case "majority":
            fitted = fit_majority(train)
        case "svm":
            fitted = fit_svm(train, trial.seed)
        case "svm_all":
            valid = read_examples(parts.valid)
            both = Examples(train.texts + valid.texts, train.labels + valid.labels, train.source)
            fitted, held_out = fit_svm(both, trial.seed), {"test": parts.test}
        case _:
            fitted = fit_fasttext(parts, trial.seed, folder, figures["settings"])
    return {**scored(fitted.answer, held_out), "parameters": fitted.parameters, **usage.so_far(), **figures}


def parts_of(trial: Trial, data: Path, work: Path) -> Parts:
    """The parts of a classification set that all models of a trial get."""
    whole = whole_parts(trial.set, data, work)
    if trial.fold:
        return fold_parts(whole, trial.fold, trial.seed, trial.folder(work))
    if trial.size == ALL:
        return whole
    return sample_parts(whole, int(trial.size), trial.seed, trial.folder(work))


def scored(answer: Answer, held_out: dict[str, str], before: Answer | None = None) -> dict[str, float]:
    """Accuracy on the parts `valid` and `test`; with texts out of scope also in and out of scope, with a threshold.

    A text out of scope should get a confidence below the threshold. The threshold is that with the most right decisions
    on the validation texts of both kinds.

    Args:
        answer: The model.
        held_out: The files of the parts, by name.
        before: The model before it learned the validation texts; by default it has not learned them.

    Reference: Larson et al. 2019, An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction.
    """
    right, confidence = {}, {}
    for name, path in held_out.items():
        examples = read_examples(path)
        labels, confidences = (before or answer if "valid" in name else answer)(examples.texts)
        right[name] = np.array([one == other for one, other in zip(labels, examples.labels, strict=True)])
        confidence[name] = np.array(confidences)
    scores = {name: float(right[name].mean()) for name in held_out if not name.startswith("outside")}
    if "outside_test" in right:
        least = best_threshold(right["valid"], confidence["valid"], confidence["outside_valid"])
        found = answer_scores(right["test"], confidence["test"], confidence["outside_test"], least)
        scores |= {name: float(found[name] or 0) for name in ("in_scope_accuracy", "out_of_scope_recall")}
    return scores


def best_threshold(right: np.ndarray, confidence: np.ndarray, outside: np.ndarray) -> float:
    """The least confidence of an answer with the most right decisions.

    Args:
        right: Whether each label of a text in scope is right, `(N,)`.
        confidence: The confidence of each, `(N,)`.
        outside: The confidences of texts out of scope, `(M,)`, which should be less.
    """
    candidates = np.unique(np.concatenate([confidence, outside, [np.inf]]))
    answered = np.sort(confidence[right])  # a right label counts unless its confidence is less
    kept = len(answered) - np.searchsorted(answered, candidates)
    refused = np.searchsorted(np.sort(outside), candidates)
    return float(candidates[(kept + refused).argmax()])


def measure_crf(paths: dict[str, str]) -> dict[str, Any]:
    """The CRF over features; its scores are strict entity F1."""
    usage = Usage(resource.RUSAGE_SELF)
    found = train_feature_crf(paths)
    scores = {"valid": found["valid"], "test": found["keras"], "parameters": found["parameters"]}
    return {**scores, **usage.so_far()}


def measure_textapp(trial: Trial, parts: Parts, folder: Path, data: Path) -> dict[str, Any]:
    """A classifier of `textapp train`. It gets the test texts whose labels it knows; the others count as wrong."""
    known = known_alone(parts.train, parts.test, folder / "test_known.jsonl")
    row = run_textapp(trial, parts.train, parts.valid, known, folder, data)
    test = read_examples(parts.test)
    row["test"] *= len(read_examples(known)) / len(test)
    if trial.size == ALL and not trial.fold:
        row |= ngram_cost(folder / trial.model, test.texts, folder)
    if parts.outside_test is None:
        return row
    from textapp.cli.opened import Opened, open_model  # loads Keras

    def answer_of(opened: Opened) -> Answer:
        label = opened.predictor.targets.names[0]  # encoding needs a label

        def answer(texts: Sequence[str]) -> Answers:
            decisions = opened.decisions(Examples(list(texts), [label] * len(texts), str(folder)))
            return Answers([one.label for one in decisions], [one.confidence for one in decisions])

        return answer

    opened = open_model(folder / trial.model)
    before = answer_of(opened.unbiased(parts.valid, lambda _: None))  # the n-grams of the run know the validation texts
    return {**scored(answer_of(opened), parts.held_out, before), **row}


def run_textapp(trial: Trial, train: str, valid: str, test: str, folder: Path, data: Path) -> dict[str, Any]:
    """Runs the command of a user without a preset. Each setting that is given only reads the files or is the seed."""
    found, run = SETS[trial.set], folder / trial.model
    command = [str(Path(sys.executable).with_name("textapp")), "train", task(found.task).model_noun]
    command += ["--train", train, "--valid", valid, "--test", test, "--out", str(run)]
    for setting in (*found.settings, f"seed={trial.seed}"):
        command += ["--set", setting]
    if trial.model == "textapp_vectors":
        from benchmarks.own_vectors import own_vectors  # loads TensorFlow

        command += ["--vectors", str(own_vectors(str(found.vectors), data))]
    used: dict[str, float] = {}
    if not (run / "metrics.json").exists():
        resumed, usage, log = run.exists(), Usage(resource.RUSAGE_CHILDREN), folder / f"{trial.model}.log"
        folder.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            done = subprocess.run(command, stdout=file, stderr=file, check=False)
        if done.returncode:
            raise SystemExit(f"{log}: {log.read_text(encoding='utf-8').splitlines()[-1]}")
        used = {} if resumed else usage.so_far()
    metrics = metrics_of(run)
    scores = {part: main_score(metrics, part) for part in ("valid", "test")}
    return {**scores, "parameters": metrics["parameters"], "epochs": metrics["epochs"], **used}


def clear(trial: Trial, work: Path) -> None:
    """Deletes the run of a trial, so that it is trained again."""
    shutil.rmtree(trial.folder(work) / trial.model, ignore_errors=True)
