"""What is measured: the scores of `evaluate`, the parts of the file, times of bundles alone."""

import shutil

import pytest

from tests.cli.commands import change_json
from tests.test_samples import SAMPLES
from textapp.cli.reporting import measuring
from textapp.cli.reporting.measuring import measure
from textapp.compress.lineage import Lineage, Quantized
from textapp.errors import InputError

OPTIONS = {"options": {}, "count": 3, "rounds": 2, "threads": 1, "mistakes": 2, "say": lambda line: None}
TITLES = {"classification": "accuracy", "tagging": "strict entity F1", "multilabel": "micro F1"}


def test_a_bundle_and_a_run_side_by_side(textapp, model):
    data = model.files["test"]
    report = measure([model.run, model.bundle], data, **OPTIONS)
    run, bundle = report.variants
    for variant, folder in ((run, model.run), (bundle, model.bundle)):
        assert variant.scores == textapp("evaluate", folder, "--data", data, "--json").json
        assert variant.score == variant.scores[model.main_score]
    assert report.comparison.title == TITLES[model.task.name]
    assert run.device is None
    assert run.model_bytes == (model.run / "model.keras").stat().st_size
    assert run.lineage == bundle.lineage == Lineage(model.metrics["parameters"])

    assert bundle.device.parts.total == bundle.model_bytes == (model.bundle / "model.tflite").stat().st_size
    files = sum(
        path.stat().st_size for path in model.bundle.iterdir() if path.name != "README.md"
    )  # a device needs all
    assert bundle.device.beside_bytes == files - bundle.model_bytes
    assert bundle.device.lengths == (8, 16)
    timing = bundle.device.timing
    assert 0 < min(timing.rounds) <= timing.ms_p50 <= max(timing.rounds)
    assert len(timing.rounds) == 2
    assert (report.timed, report.threads) == (3, 1)


def test_bundles_are_timed_in_turn_and_before_any_run(classifier, copy, monkeypatch):
    steps = []
    measure_latency, open_model = measuring.measure_latency, measuring.open_model
    monkeypatch.setattr(
        measuring, "measure_latency", lambda bundle, texts: steps.append(bundle) or measure_latency(bundle, texts)
    )
    monkeypatch.setattr(measuring, "open_model", lambda path, *rest: steps.append(path) or open_model(path, *rest))
    bundles = [classifier.bundle, copy(classifier.bundle)]
    measure([classifier.run, *bundles], classifier.files["test"], **OPTIONS)
    assert steps[:2] == bundles
    first, second, *again, run = steps[2:]
    assert first is not second
    assert again == [first, second]
    assert run == classifier.run


def test_a_bundle_tells_what_its_run_was(classifier, copy):
    folder = copy(classifier.bundle)
    lineage = Lineage(99, ("учитель",), 4, Quantized(8, 4, trained=True))
    change_json(folder / "bundle.json", lineage=lineage.to_dict())
    assert measure([folder], classifier.files["test"], **OPTIONS).variants[0].lineage == lineage
    change_json(folder / "bundle.json", lineage=None)
    assert measure([folder], classifier.files["test"], **OPTIONS).variants[0].lineage is None
    change_json(folder / "bundle.json", lineage={"parameters": "many"})
    with pytest.raises(InputError, match=r'bundle\.json: "lineage": not a lineage'):
        measure([folder], classifier.files["test"], **OPTIONS)


def test_one_model_is_examined(model):
    """A run also tells its training; metrics.json of an earlier version knows less."""
    data, key = model.files["test"], model.main_score
    bundle = measure([model.bundle], data, **OPTIONS)
    assert bundle.training is None
    run = measure([model.run], data, **OPTIONS)
    for report in (bundle, run):
        found, [variant] = report.examination, report.variants
        assert found.scores[0].value == variant.score
        assert found.scores[0].interval == variant.interval == variant.intervals[key]
        assert len(found.unsure) == 2
        assert len(found.mistakes) == min(2, found.wrong)
        assert found.wrong <= report.examples
        assert "</html>" in report.html()
    training = run.training
    assert len(training.history) == model.metrics["epochs"]
    assert training.target_counts == model.metrics["target_counts"]
    assert [split.examples for split in training.splits] == [
        model.metrics["data"][name]["count"] for name in ("train", "valid", "test")
    ]
    assert measure([model.bundle], data, **OPTIONS | {"mistakes": 0}).examination.unsure == ()


def test_a_run_of_an_earlier_version_tells_what_it_knows():
    sample = SAMPLES / "classifier"
    training = measure([sample / "run"], str(sample / "test.tsv"), **OPTIONS).training
    assert training.target_counts == {}
    assert training.monitor == "val_accuracy"
    assert training.best == 1  # the first of four epochs with the accuracy 1.0
    assert training.course()[2] == "It stopped before epoch 8, because later epochs were no better."


def test_scores_of_a_training_have_intervals(model):
    for split, found in model.metrics["intervals"].items():
        score = model.metrics[split][model.main_score]
        assert found[model.main_score]["low"] <= score <= found[model.main_score]["high"]
    assert set(model.metrics["intervals"]) == {"valid", "test"}


def test_models_are_compared_on_the_same_examples(model):
    report = measure([model.bundle, model.run], model.files["test"], **OPTIONS)
    first, second = report.variants
    [difference] = report.differences
    assert difference.value == pytest.approx(second.score - first.score)
    assert (report.examination, report.training) == (None, None)


def test_a_run_tells_its_baseline(model, copy):
    folder, key = copy(model.run), model.main_score
    assert measure([folder], model.files["test"], **OPTIONS).variants[0].baseline is None
    scores = {split: {key: 0.25} for split in ("valid", "test")}
    change_json(folder / "metrics.json", baseline={"model": "linear", "fitted_to": "1 text", **scores})
    found = measure([folder], model.files["test"], **OPTIONS).variants[0].baseline
    assert found.splits == {split: (model.metrics[split][key], 0.25) for split in scores}
    change_json(folder / "metrics.json", baseline={"model": "linear", "valid": {key: None}})
    with pytest.raises(InputError, match=r'metrics\.json: "baseline": not a baseline'):
        measure([folder], model.files["test"], **OPTIONS)


def test_types_that_a_tagger_cannot_give_are_named(tagger, tmp_path):
    data = tmp_path / "новые.txt"
    data.write_text("Ms O\nAnbe B-PER\n乌鲁木齐 B-地名\n", encoding="utf-8")
    said = []
    measure([tagger.bundle, tagger.run], str(data), **OPTIONS | {"say": said.append})
    assert sum(line.startswith("warning: ") and line.endswith(": 地名") for line in said) == 2


def test_a_bundle_needs_no_run(tagger, tmp_path):
    alone = shutil.copytree(tagger.bundle, tmp_path / "один")
    assert measure([alone], tagger.files["test"], **OPTIONS).variants[0].name == "один"


def test_tasks_are_not_mixed(classifier, tagger):
    for labels in (classifier.bundle, classifier.run):
        for spans in (tagger.bundle, tagger.run):
            with pytest.raises(InputError) as refused:
                measure([labels, spans], classifier.files["test"], **OPTIONS)
            assert str(refused.value) == (
                f"{spans}: a tagger (text to spans), but {labels} is a classifier (text to label); only models of one "
                "task can be compared"
            )


def test_labels_that_a_bundle_does_not_know_are_refused_before_the_work(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "measure_latency", None)
    data = tmp_path / "другие.tsv"
    data.write_text("text\tlabel\n好\tdrei\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"другие\.tsv:2: the label 'drei'"):
        measure([classifier.bundle], str(data), **OPTIONS)
