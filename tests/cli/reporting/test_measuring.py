"""What is measured: the scores of `evaluate`, the parts of the file, times of bundles alone."""

import json
import shutil

import pytest

from textapp.cli.reporting import measuring
from textapp.cli.reporting.measuring import Data, measure
from textapp.compress.lineage import Lineage, Quantized
from textapp.config import ner_preset
from textapp.errors import InputError

OPTIONS = {"count": 3, "rounds": 2, "threads": 1, "say": lambda line: None}


@pytest.fixture(scope="module")
def tag_data(tmp_path_factory, tagged_corpus):
    folder = tmp_path_factory.mktemp("данные 数据")
    return [str(tagged_corpus(folder / f"{count}.txt", "english", count, 5)) for count in (80, 20)]


@pytest.fixture(scope="module")
def tag_run(tmp_path_factory, tag_data):
    """A tagger with the weights that it began with."""
    from textapp.training import ner

    folder = tmp_path_factory.mktemp("Läufe") / "метки 好"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])
        config = ner_preset("tiny").override(["max_tokens=16", "min_count=1"])
        ner.train_ner(config, folder, train=tag_data[0], test=tag_data[1], report=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def tag_bundle(tag_run):
    from textapp.export.run import export_tagger_run

    export_tagger_run(tag_run, tag_run.with_name("bündel"), lengths=[8, 16], recipe="float32")
    return tag_run.with_name("bündel")


def test_a_bundle_and_a_run_side_by_side(textapp, bundle_folder, run_folder, corpus):
    report = measure([run_folder, bundle_folder], Data(corpus["test"]), **OPTIONS)
    run, bundle = report.variants
    for variant, folder in ((run, run_folder), (bundle, bundle_folder)):
        scores = textapp("evaluate", folder, "--data", corpus["test"], "--json").json
        assert variant.scores == scores
        assert variant.score == scores["accuracy"]
    assert run.device is None
    assert run.model_bytes == (run_folder / "model.keras").stat().st_size
    metrics = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))
    assert run.lineage == Lineage(metrics["parameters"])

    assert bundle.device.parts.total == bundle.model_bytes == (bundle_folder / "model.tflite").stat().st_size
    files = sum(path.stat().st_size for path in bundle_folder.iterdir())
    assert bundle.device.beside_bytes == files - bundle.model_bytes
    assert bundle.device.lengths == (8, 16)
    timing = bundle.device.timing
    assert 0 < min(timing.rounds) <= timing.ms_p50 <= max(timing.rounds)
    assert len(timing.rounds) == 2
    assert (report.timed, report.threads) == (3, 1)


def test_bundles_are_timed_in_turn_and_before_any_run(bundle_folder, run_folder, copy, corpus, monkeypatch):
    steps = []
    measure_latency, open_model = measuring.measure_latency, measuring.open_model
    monkeypatch.setattr(
        measuring, "measure_latency", lambda bundle, texts: steps.append(bundle) or measure_latency(bundle, texts)
    )
    monkeypatch.setattr(measuring, "open_model", lambda path: steps.append(path) or open_model(path))
    measure([run_folder, bundle_folder, copy(bundle_folder)], Data(corpus["test"]), **OPTIONS)
    first, second, *again, run = steps
    assert first is not second
    assert again == [first, second]
    assert run == run_folder


def test_a_bundle_tells_what_its_run_was(bundle_folder, copy, corpus):
    folder = copy(bundle_folder)
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    lineage = Lineage(99, ("учитель",), 4, Quantized(8, 4, trained=True))
    write = (folder / "bundle.json").write_text
    write(json.dumps({**description, "lineage": lineage.to_dict()}), encoding="utf-8")
    assert measure([folder], Data(corpus["test"]), **OPTIONS).variants[0].lineage == lineage
    write(json.dumps({**description, "lineage": None}), encoding="utf-8")
    assert measure([folder], Data(corpus["test"]), **OPTIONS).variants[0].lineage is None
    write(json.dumps({**description, "lineage": {"parameters": "many"}}), encoding="utf-8")
    with pytest.raises(InputError, match=r'bundle\.json: "lineage": not a lineage'):
        measure([folder], Data(corpus["test"]), **OPTIONS)


def test_taggers_are_compared_by_entities(textapp, tag_run, tag_bundle, tag_data):
    report = measure([tag_bundle, tag_run], Data(tag_data[1]), **OPTIONS)
    for variant, folder in zip(report.variants, (tag_bundle, tag_run), strict=True):
        assert variant.scores == textapp("evaluate", folder, "--data", tag_data[1], "--json").json
        assert variant.score == variant.scores["entity_f1"]
    assert report.task.title == "strict entity F1"
    assert report.variants[0].device.timing.ms_p50 > 0


def test_types_that_a_tagger_cannot_give_are_named(tag_bundle, tag_run, tmp_path):
    data = tmp_path / "новые.txt"
    data.write_text("Ms O\nAnbe B-PER\n乌鲁木齐 B-地名\n", encoding="utf-8")
    said = []
    measure([tag_bundle, tag_run], Data(str(data)), **OPTIONS | {"say": said.append})
    assert sum(line.startswith("warning: ") and line.endswith(": 地名") for line in said) == 2


def test_a_bundle_needs_no_run(tag_bundle, tag_data, tmp_path):
    alone = shutil.copytree(tag_bundle, tmp_path / "один")
    assert measure([alone], Data(tag_data[1]), **OPTIONS).variants[0].name == "один"


def test_tasks_are_not_mixed(bundle_folder, run_folder, tag_bundle, tag_run, corpus):
    for labels in (bundle_folder, run_folder):
        for spans in (tag_bundle, tag_run):
            with pytest.raises(InputError) as refused:
                measure([labels, spans], Data(corpus["test"]), **OPTIONS)
            assert str(refused.value) == (
                f"{spans}: finds spans, but {labels} gives texts labels; only models of one task can be compared"
            )


def test_labels_that_a_bundle_does_not_know_are_refused_before_the_work(bundle_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "measure_latency", None)
    data = tmp_path / "другие.tsv"
    data.write_text("text\tlabel\n好\tdrei\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"другие\.tsv:2: the label 'drei'"):
        measure([bundle_folder], Data(str(data)), **OPTIONS)
