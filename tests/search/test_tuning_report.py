"""What a search shows of its result."""

import unicodedata

import pytest
from matplotlib.image import imread

from textapp.cli.output import say_table
from textapp.search.space import search_space
from textapp.search.tuning_report import draw, markdown, table
from textapp.task import names, task


def result_of(name, importances=True):
    """The longest values and names that there are."""
    start = task(name).config()
    space = search_space(start)
    settings = {setting: start.get(setting) for setting in space} | {"learning_rate": 0.00031, "word_dropout": 0.123}
    numbers = (0, 108, 109, 110)
    trials = [
        {
            **{"trial": number, "start": not number, "finished": number != 110, "epochs": 9, "seconds": 70.2},
            **{"why": "worse than most others so far" if number == 110 else None},
            **{"score": 0.8 + number / 1000, "settings": {**settings, "learning_rate": 0.00031 * (number + 1)}},
        }
        for number in numbers
    ]
    shares = {setting: 1 / len(space) for setting in space} | {"cell": 0.5}
    return {
        **{"score": {"key": "entity_f1", "title": "entity F1"}, "seconds": 700, "trials": trials, "chosen": 109},
        **{"space": {setting: str(kind) for setting, kind in space.items()}, "run": {"valid": 0.9, "test": 0.8765}},
        "importances": dict(sorted(shares.items(), key=lambda item: -item[1])) if importances else {},
        "finalists": [{"trial": number, "scores": [0.81234, 0.82, 0.83], "mean": 0.8208} for number in (0, 109, 108)],
    }


@pytest.mark.parametrize("name", names())
def test_the_table_fits_a_terminal(name, capfd):
    result = result_of(name)
    say_table(*table(result))
    lines = capfd.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["setting", "mattered", "searched", "start", "trial", "109*", "trial", "108"]
    assert lines[2].split()[:2] == ["cell", "50%"]
    assert lines[-2].split()[-3:] == ["0.8208"] * 3
    assert lines[-1].split()[-3:] == [".812-.830"] * 3


def test_markdown_lists_all_trials_the_best_first():
    text = markdown(result_of("tagging"))
    assert "Chosen: trial 109. Its run: entity F1 0.9000 on valid, entity F1 0.8765 on test." in text
    rows = [line.split(" | ")[0] for line in text.split("## Trials")[1].splitlines()[4:]]
    assert rows == ["| 109", "| 108", "| 0", "| 110"]
    widths = {line.count("|") for line in text.split("## Trials")[1].splitlines() if line}
    assert len(widths) == 1
    assert all(unicodedata.category(character) != "Cc" for character in text.replace("\n", ""))


@pytest.mark.parametrize("importances", [True, False])
def test_the_picture_is_light_and_shows_what_mattered(importances, tmp_path):
    draw(result_of("classification", importances), tmp_path / "t.png")
    pixels = imread(tmp_path / "t.png")
    assert (pixels[:5, :5] == 1).all()
    assert (pixels.shape[0] > 1000) == importances
