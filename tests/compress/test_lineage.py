"""The lineage of runs, from their files alone."""

import json

import pytest

from textapp.compress.lineage import Lineage, Quantized
from textapp.errors import InputError


@pytest.fixture
def write_run(tmp_path):
    """Writes what a run says of itself."""

    def write(name, metrics=None, **command):
        folder = tmp_path / name
        folder.mkdir()
        texts = {"config.json": {"settings": {}} | command, "metrics.json": {"parameters": 1234} | (metrics or {})}
        for file, content in texts.items():
            (folder / file).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return folder

    return write


def quantization(kept="quantization_aware"):
    return {"quantization": {"bits": 8, "embedding_bits": 4, "kept": kept, "weights": []}}


def test_a_plain_run_has_no_steps(write_run):
    lineage = Lineage.of_run(write_run("прогон"))
    assert lineage == Lineage(parameters=1234)
    assert lineage.steps() == []


def test_a_quantized_student_tells_its_whole_way_without_the_run_that_it_was_quantized_from(write_run, tmp_path):
    teachers = [{"path": "учитель 师", "sha256": "0"}, {"path": "/home/я/a/soft.jsonl.gz", "sha256": "1"}]
    metrics = {"distillation": {"teachers": teachers, "kept": 0.99}, **quantization()}
    settings = {"embedding_rank": 12}
    lineage = Lineage.of_run(write_run("сжатый", metrics, settings=settings, quantized_from=str(tmp_path / "нет")))
    assert lineage == Lineage(1234, ("учитель 师", "a/soft.jsonl.gz"), 12, Quantized(8, 4, trained=True))
    assert lineage.steps() == [
        "distilled from учитель 师, a/soft.jsonl.gz",
        "embedding table factorized, rank 12",
        "trained quantization-aware: 4-bit embedding rows, 8-bit matrices",
    ]


def test_weights_may_have_been_rounded_without_training(write_run):
    folder = write_run("p", quantization("post_training"))
    assert Lineage.of_run(folder).steps() == ["rounded after training: 4-bit embedding rows, 8-bit matrices"]


def test_bits_are_those_of_the_largest_table(write_run):
    def weight(name, shape, bits):
        return {"weight": name, "shape": shape, "bits": bits}

    tables = [weight("embeddings", [21, 32], 32), weight("kernel", [900, 900], 8)]
    small = quantization("post_training") | {"parameters": 7}
    small["quantization"]["weights"] = tables
    assert Lineage.of_run(write_run("малая", small)).steps() == [
        "rounded after training: float embedding rows, 8-bit matrices"
    ]
    small["quantization"]["weights"] = [*tables, weight("embeddings", [2100, 32], 4)]
    assert Lineage.of_run(write_run("большая", small)).quantized == Quantized(8, 4, trained=False)


@pytest.mark.parametrize(
    "lineage",
    [Lineage(), Lineage(7, ("учитель",), 3, Quantized(8, 2, trained=False))],
)
def test_it_goes_through_json(lineage):
    assert Lineage.from_dict(json.loads(json.dumps(lineage.to_dict()))) == lineage


WHOLE = Lineage(7, ("a",), 3, Quantized(8, 2, trained=False)).to_dict()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {**WHOLE, "parameters": "7"},
        {**WHOLE, "embedding_rank": True},
        {**WHOLE, "teachers": [1]},
        {**WHOLE, "teachers": None},
        {**WHOLE, "teachers": "ab"},
        {**WHOLE, "quantized": 1},
        {**WHOLE, "quantized": {"bits": 8}},
        {**WHOLE, "quantized": {"bits": 8, "embedding_bits": [], "trained": True}},
        {**WHOLE, "quantized": {"bits": 8, "embedding_bits": 4, "trained": "no"}},
        [],
    ],
)
def test_what_is_no_lineage_is_refused(value):
    with pytest.raises(ValueError, match="not a lineage"):
        Lineage.from_dict(value)


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"distillation": {"teachers": [{}]}}},
        {"metrics": {"distillation": {"teachers": [{"path": 1}]}}},
        {"metrics": {"distillation": {"teachers": 3}}},
        {"metrics": {"distillation": "yes"}},
        {"settings": []},
        {"metrics": {"quantization": {"bits": 8}}},
        {"metrics": {"quantization": "yes"}},
        {"metrics": {"parameters": "many"}},
    ],
)
def test_what_is_no_run_is_refused(write_run, changes):
    folder = write_run("p", **changes)
    with pytest.raises(InputError, match=r"are not those of a run of textapp"):
        Lineage.of_run(folder)
    (folder / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json: must hold a JSON object"):
        Lineage.of_run(folder)
