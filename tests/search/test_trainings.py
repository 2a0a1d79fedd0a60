"""The trainings of a search are those of `textapp train`, on data that they share."""

import json

import pytest

from textapp.data.samples import write_samples
from textapp.search.space import Interval, search_space
from textapp.search.trainings import OF_DATA, TrainingEnded, Trainings
from textapp.task import Files, names, task
from textapp.training import train as train_module
from textapp.training.prepare import prepare
from textapp.training.train import train

pytestmark = pytest.mark.usefixtures("undrawn")
SETTINGS = ("epochs=2", "encoder=convolution", "units=4", "embedding_dim=8", "max_tokens=16", "batch_size=16")
COUNTS = {"train": 80, "valid": 20, "test": 10}


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory, tagged_corpus, topic_corpus):
    folder = tmp_path_factory.mktemp("Körper 语料")
    made = {
        "classification": write_samples(folder, COUNTS, seed=2),
        "tagging": {split: tagged_corpus(folder / split, "english", count, 1) for split, count in COUNTS.items()},
        "multilabel": {split: topic_corpus(folder / f"{split}.jsonl", count, 1) for split, count in COUNTS.items()},
    }
    return {name: Files(files["train"], files["valid"], files["test"]) for name, files in made.items()}


def test_a_training_has_the_score_that_train_gives_also_after_a_kill(files, tmp_path):
    found, of_task = task("classification"), files["classification"]
    config = found.preset("tiny").override(SETTINGS)
    lines, scores = [], []
    trainings = Trainings(found, of_task, lines.append)

    def end_at_once(epoch, score):
        scores.append(score)
        raise TrainingEnded("too slow")

    with pytest.raises(TrainingEnded, match="too slow"):
        trainings.train(config, tmp_path / "checkpoint.npz", end_at_once)
    trained = trainings.train(config, tmp_path / "checkpoint.npz", lambda epoch, score: scores.append(score))
    assert trained == (max(scores), 2)
    assert len(scores) == 2  # the first epoch was not trained again

    metrics = train(found.name, config, tmp_path / "run", **of_task._asdict(), report=lines.append)
    assert trained.score == metrics["valid"]["accuracy"]


@pytest.mark.parametrize("name", names())
def test_the_start_point_is_what_train_chooses(name, files, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "fit_model", stop)
    config = task(name).config().override(["units=9", "baseline=false"])
    with pytest.raises(KeyboardInterrupt):
        train(name, config, tmp_path / "run", **files[name]._asdict(), fixed=["units"], report=lambda _: None)
    chosen = json.loads((tmp_path / "run/config.json").read_text(encoding="utf-8"))["settings"]
    trainings = Trainings(task(name), files[name], lambda _: None)
    start = trainings.choose(config, ["units"])
    assert start.to_dict() == chosen != config.to_dict()
    assert start.encoder.units == 9
    assert trainings.data(start).ngrams is None or start.get("ngram_rows") > 0


def test_no_training_learns_from_a_text_of_the_test_file(files, tmp_path):
    found, of_task = task("classification"), files["classification"]
    first = found.read(of_task.train).select([0])
    path = tmp_path / "тест.tsv"
    path.write_text(f"text\tlabel\n{first.texts[0]}\t{first.labels[0]}\n", encoding="utf-8")
    config = found.preset("tiny").override(SETTINGS)
    data = Trainings(found, of_task._replace(test=path), lambda _: None).data(config)
    other = prepare(found, config, of_task._replace(test=path), lambda _: None)
    assert data.counts["train"] == other.counts["train"]
    assert other.counts["train"]["count"] < prepare(found, config, of_task, lambda _: None).counts["train"]["count"]
    assert data.held_out.keys() == {"valid"}


@pytest.mark.parametrize("name", names())
def test_the_files_are_read_once_and_each_training_gets_its_batches(name, files):
    config = task(name).preset("tiny").override(SETTINGS)
    lines = []
    trainings = Trainings(task(name), files[name], lines.append)
    rows, read = trainings.data(config).batches.rows, len(lines)
    assert trainings.data(config.replaced(batch_size=8)).batches.batch_size == 8
    assert trainings.data(config.replaced(batch_size=8)).batches.rows is rows
    assert trainings.data(config.replaced(seed=1)).batches.seed == 1
    fewer = trainings.data(config.replaced(min_count=3)).encoder.vocabulary
    assert len(fewer) < len(trainings.data(config.replaced(min_count=1)).encoder.vocabulary)
    assert len(lines) == read > 0  # the lines about the data come once


@pytest.mark.parametrize("name", names())
def test_other_settings_of_a_search_do_not_change_the_data(name, files):
    found = task(name)
    start = found.preset("tiny").override(SETTINGS)
    trained_on = files[name]._replace(test=None)
    data = prepare(found, start, trained_on, lambda _: None).fingerprint
    for setting, kind in search_space(start).items():
        values = (kind.low, kind.high) if isinstance(kind, Interval) else kind.values
        other = next(value for value in values if value != start.get(setting))
        if setting not in (*OF_DATA, "batch_size"):
            changed = prepare(
                found, start.replaced(**{setting: other}), files[name]._replace(test=None), lambda _: None
            )
            assert changed.fingerprint == data, setting
