"""The settings to search, for each task, encoder and start point."""

import pytest

from textapp.errors import InputError
from textapp.search.space import OF_VECTORS, SPACE, Choice, Interval, Steps, search_space
from textapp.task import names, task


@pytest.mark.parametrize("name", names())
def test_the_values_of_each_start_point_are_among_those_to_try(name):
    found = task(name)
    for preset in (None, *found.presets):
        start = found.preset(preset)
        for setting, kind in search_space(start).items():
            value = start.get(setting)
            assert kind.low <= value <= kind.high if isinstance(kind, Interval) else value in kind.values
            for tried in (kind.low, kind.high) if isinstance(kind, Interval) else kind.values:
                start.replaced(**{setting: tried})  # raises if it may not have this value


def test_values_stay_in_order():
    start = task("classification").config().override(["units=100", "epochs=3", "learning_rate=0.05"])
    space = search_space(start)
    assert space["units"] == Steps((32, 64, 100, 128, 256))
    assert space["epochs"] == Steps((2, 3, 4, 6))
    assert space["learning_rate"] == Interval(3e-4, 0.05, log=True)
    assert space["cell"] == Choice(("lstm", "gru"))


def test_only_settings_that_change_the_model_are_searched():
    start = task("classification").config()
    assert {"cell", "units"} < search_space(start).keys()
    assert not {"kernel_width", "character_filters", "embedding_rate"} & search_space(start).keys()
    convolution = search_space(start.override(["encoder=convolution", "characters=true"]))
    assert {"kernel_width", "character_filters"} < convolution.keys()
    assert "cell" not in convolution
    vectors = search_space(task("classification").preset(None, vectors=True), vectors=True)
    assert "embedding_rate" in vectors
    assert "embedding_dim" not in vectors  # it is that of the vectors


def test_values_that_other_settings_exclude_are_not_tried():
    start = task("classification").config()
    transformer = search_space(start.override(["encoder=transformer", "heads=32"]))
    assert transformer["units"] == Steps((64, 128, 256))
    assert search_space(start.override(["embedding_rank=60"]))["embedding_dim"] == Steps((64, 128, 256))


def test_fixed_settings_are_not_searched():
    start = task("tagging").config()
    assert search_space(start, ["units", "crf"]).keys() == search_space(start).keys() - {"units"}
    with pytest.raises(InputError, match="no setting is left to search"):
        search_space(start, [*SPACE, *OF_VECTORS])
