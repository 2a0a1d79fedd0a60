"""Bundles of numbers in the core: as Python decodes them, and refused by the same rules."""

import json

import numpy as np
import pytest

from clients.conformance.bundles import bundles as made_bundles
from textapp.errors import InputError
from textapp.runtime import load
from textapp.runtime.selftest import selftest

from .core_bundle import Core, CoreError, bundle_files, with_files

TEXTS = ["the café is cold 👎 , truly bad", "", "上海。Norco A B C", "x " * 60]
SELFTEST = 6


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One number, and two with intervals."""
    folder = tmp_path_factory.mktemp("числа")
    return {one.name: one.write(folder / one.name) for one in made_bundles() if one.fields["task"] == "regression"}


@pytest.mark.parametrize("name", ["table-number", "table-intervals"])
def test_numbers_are_those_of_python(native, folders, name):
    core, predictor = Core(native, bundle_files(folders[name])), load(folders[name], engine="litert")
    targets = predictor.targets
    for text, wanted in zip(TEXTS, predictor.predict(TEXTS), strict=True):
        found = core.predict(text.encode())
        assert (found["label"], found["chosen"]) == (-1, None)
        assert found["probs"] == targets.decode(found["logits"])  # to the last digit
        estimate = targets.estimate(found["probs"])
        assert estimate.values == pytest.approx(tuple(wanted.values.values()), abs=1e-5)
        if name == "table-intervals":
            for (low, high), *ends in zip(wanted.intervals.values(), estimate.lows, estimate.highs, strict=True):
                assert ends == pytest.approx([low, high], abs=1e-5)
                assert low <= high
        assert found["truncated"] == wanted.truncated
        assert [token[0].decode() for token in found["tokens"]] == [token.text for token in wanted.tokens]
    assert core.labels == list(targets.names)


def test_the_binding_gives_the_same_with_and_without_tokens(folders):
    by_core, by_litert = (load(folders["table-intervals"], engine=engine) for engine in ("native", "litert"))
    wanted = [one.to_dict() for one in by_litert.predict(TEXTS)]
    for found in (by_core.predict(TEXTS), by_core.predict(TEXTS, tokens=False)):
        for one, other in zip(found, wanted, strict=True):
            assert one.values == pytest.approx(other["values"], abs=1e-5)
            assert {name: list(ends) for name, ends in one.intervals.items()} == {
                name: pytest.approx(ends, abs=1e-5) for name, ends in other["intervals"].items()
            }
    columns = by_core.columns(TEXTS)
    assert columns.keys() == by_core.column_types().keys()
    assert columns["predicted_days_low"] == [one.intervals["days"][0] for one in by_core.predict(TEXTS)]
    [explained] = by_core.predict(["the café"], explain=True)
    for token, rest in zip(explained.tokens, ("café", "the"), strict=True):
        without = by_core.predict([rest])[0].values
        assert token.contributions == pytest.approx(
            {name: value - without[name] for name, value in explained.values.items()}, abs=1e-5
        )
    html = explained._repr_html_()
    assert "<b><bdi>цена ☕</bdi></b> " in html
    assert " to " in html


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("quantiles", [0.1], '"quantiles" must be null, or two numbers: one above 0 and below 0.5'),
        ("quantiles", [0.5, 0.9], '"quantiles" must be null, or two numbers: one above 0 and below 0.5'),
        ("quantiles", [0.1, 1], '"quantiles" must be null, or two numbers: one above 0 and below 0.5'),
        ("quantiles", "no", '"quantiles" must be null, or two numbers: one above 0 and below 0.5'),
        ("offsets", None, '"offsets" must be a list of numbers from -1e+30 to 1e+30'),
        ("offsets", [1e31] * 6, '"offsets" must be '),
        ("offsets", [1.0] * 5, ""),
        ("scales", [1.0] * 5 + [0.0], '"scales" must be '),
        ("scales", [1.0] * 5 + [-1.0], '"scales" must be '),
        ("scales", {}, '"scales" must be a list of numbers above 0'),
        ("scales", [1.0] * 7, ""),
    ],
)
def test_a_broken_field_is_refused_by_both(native, folders, tmp_path, field, value, rule):
    folder = with_files(folders["table-intervals"], tmp_path / "битый", fields={field: value})
    with pytest.raises(CoreError, match=r"^bundle\.json: ") as by_core:
        Core(native, bundle_files(folder))
    with pytest.raises(InputError) as by_python:
        load(folder, engine="litert")
    for error in (by_core, by_python):
        assert rule in str(error.value)
        assert "\n" not in str(error.value)


def test_outputs_that_are_no_threes_are_refused_by_both(native, folders, tmp_path):
    fields = {"quantiles": [0.1, 0.9]}
    folder = with_files(folders["table-number"], tmp_path / "битый", fields=fields)
    with pytest.raises(CoreError, match=r"labels\.txt: has 1 outputs; with \"quantiles\" there must be three"):
        Core(native, bundle_files(folder))
    with pytest.raises(InputError, match=r"do not fit the 1 outputs in labels\.txt"):
        load(folder, engine="litert")


def test_a_bundle_tests_itself(native, folders, tmp_path):
    source = folders["table-intervals"]
    content = selftest(load(source, engine="litert"), "float32")
    folder = with_files(source, tmp_path / "right", {"selftest.json": content}, fields={"selftest": True})
    Core(native, bundle_files(folder)).selftest()
    rows = json.loads(content)
    for number, change in enumerate((lambda one: one + 1e-3, lambda one: 2 * one)):
        changed = json.loads(content)
        changed["texts"][2]["numbers"][1] = change(rows["texts"][2]["numbers"][1])
        part = json.dumps(changed).encode()
        folder = with_files(source, tmp_path / str(number), {"selftest.json": part}, fields={"selftest": True})
        with pytest.raises(CoreError, match=r"selftest\.json: text 3: number 2 must be ") as error:
            Core(native, bundle_files(folder)).selftest()
        assert error.value.status == SELFTEST
    changed["texts"][0].pop("numbers")
    part = json.dumps(changed).encode()
    folder = with_files(source, tmp_path / "none", {"selftest.json": part}, fields={"selftest": True})
    with pytest.raises(CoreError, match=r"selftest\.json: text 1: numbers is malformed"):
        Core(native, bundle_files(folder)).selftest()


def test_three_outputs_are_sorted_for_each_order(native, folders):
    """Over the words of the vocabulary each of the six orders of the three outputs occurs."""
    core, predictor = Core(native, bundle_files(folders["table-intervals"])), load(folders["table-intervals"])
    targets, orders = predictor.targets, set()
    for word in predictor.encoder.vocabulary.tokens[2:]:
        found = core.predict(word.encode())
        plain = np.array(targets.offsets) + np.array(targets.scales) * found["logits"]
        orders.add(tuple(np.argsort(plain[::2]).tolist()))
        assert sorted(plain[::2]) == pytest.approx([found["probs"][place] for place in (2, 0, 4)])
    assert len(orders) == 6
