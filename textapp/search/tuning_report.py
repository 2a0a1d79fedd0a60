"""Shows the result of a search: a table of settings, Markdown, and a picture of what mattered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from textapp.figures import new_figure
from textapp.search.space import OF_VECTORS, SPACE, Interval
from textapp.settings import as_text

_SHOWN = 3  # settings in the picture, the most important ones
_GREY, _BLUE, _ORANGE = "#9aa0a6", "#1f5fa8", "#d9730d"


def table(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The searched settings of the finalists: a header and rows, at most 80 columns wide in a terminal.

    Args:
        result: The content of `tune.json`.
    """
    finalists = [_trial(result, one["trial"]) for one in result["finalists"]]
    header = ["setting", "mattered", "searched", *(_name(result, one) for one in finalists)]
    importances = result["importances"]
    rows = [
        [
            name,
            f"{importances[name]:.0%}" if name in importances else "-",
            searched,
            *(as_text(one["settings"][name]) for one in finalists),
        ]
        for name, searched in sorted(result["space"].items(), key=lambda item: -importances.get(item[0], 0))
    ]
    means = ["failed" if one["mean"] is None else f"{one['mean']:.4f}" for one in result["finalists"]]
    spreads = [_spread(one["scores"]) for one in result["finalists"]]
    seeds = len(result["finalists"][0]["scores"])
    return header, [
        *rows,
        [f"{result['score']['key']}, {seeds} seed{'s' if seeds > 1 else ''}", "", "", *means],
        *([["lowest to highest", "", "", *spreads]] if seeds > 1 else []),
    ]


def markdown(result: Mapping[str, Any]) -> str:
    """The result as Markdown: the finalists, then all trials."""
    title = result["score"]["title"]
    finished = [trial for trial in result["trials"] if trial["finished"]]
    scores = ", ".join(f"{title} {score:.4f} on {name}" for name, score in result["run"].items())
    lines = [
        "# Search for settings",
        "",
        f"{len(result['trials'])} trials, {len(finished)} of them trained to the end, in "
        f"{result['seconds'] / 60:.1f} minutes. Chosen: trial {result['chosen']}. Its run: {scores}.",
        "",
        "## Finalists",
        "",
        "How much a setting mattered is its share in the differences between the scores of finished trials (fANOVA).",
        "",
        *_lines(*table(result)),
        "",
        "## Trials",
        "",
    ]
    settings = list(result["space"])
    rows = []
    for trial in sorted(result["trials"], key=lambda trial: (not trial["finished"], -(trial["score"] or 0.0))):
        score = "-" if trial["score"] is None else f"{trial['score']:.4f}"
        seconds = "-" if trial["seconds"] is None else f"{trial['seconds']:.0f}"
        values = [as_text(trial["settings"][name]) if trial["settings"] else "-" for name in settings]
        rows.append([str(trial["trial"]), score, seconds, trial["why"] or "finished", *values])
    return "\n".join([*lines, *_lines(["trial", title, "seconds", "end", *settings], rows)]) + "\n"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draws the scores in the order of the trials, how much each setting mattered, and the scores by value.

    Args:
        result: The content of `tune.json`.
        path: The PNG file to write.
    """
    finished = [trial for trial in result["trials"] if trial["finished"]]
    importances = result["importances"]
    numbers, scores = [trial["trial"] for trial in finished], [trial["score"] for trial in finished]
    title = f"validation {result['score']['title']}"
    figure = new_figure(11, 8 if importances else 4)
    grid = figure.add_gridspec(2 if importances else 1, 2 * _SHOWN)

    axis = figure.add_subplot(grid[0, : _SHOWN if importances else 2 * _SHOWN])
    best = [max(scores[: place + 1]) for place in range(len(scores))]
    axis.step(numbers, best, where="post", color=_GREY, zorder=1, label="best so far")
    _scatter(axis, numbers, scores, finished, result["chosen"])
    axis.set(xlabel="trial", ylabel=title, title="finished trials")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper left", ncols=4, frameon=False)
    if importances:
        names = list(importances)[::-1]
        axis = figure.add_subplot(grid[0, _SHOWN:])
        axis.barh(names, [100 * importances[name] for name in names], color=_BLUE)
        axis.set(xlabel="share in the differences of scores, %", title="what mattered")
    for place, name in enumerate(list(importances)[:_SHOWN]):
        axis = figure.add_subplot(grid[1, 2 * place : 2 * place + 2])
        values = [trial["settings"][name] for trial in finished]
        if _is_logarithmic(name, values):
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
        _scatter(axis, values, scores, finished, result["chosen"])
        axis.set(xlabel=name, ylabel=title if not place else "", title=f"{importances[name]:.0%} of the differences")
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")


def _is_logarithmic(name: str, values: list[Any]) -> bool:
    """Whether values of a setting differ in their ratio: sizes, and settings that are searched so."""
    kind = {**SPACE, **OF_VECTORS}[name]
    if isinstance(kind, Interval):
        return kind.log
    return all(not isinstance(value, str) and value > 0 for value in values) and max(values) >= 8 * min(values)


def _scatter(axis: Any, values: list[Any], scores: list[float], trials: list[Any], chosen: int) -> None:
    """Draws a point for each trial. The start point and the chosen trial have a colour and a shape of their own."""
    for label, colour, marker, wanted in (
        (None, _BLUE, "o", [not trial["start"] and trial["trial"] != chosen for trial in trials]),
        ("start point", _GREY, "s", [trial["start"] for trial in trials]),
        ("chosen", _ORANGE, "D", [trial["trial"] == chosen for trial in trials]),
    ):
        points = [(value, score) for value, score, is_one in zip(values, scores, wanted, strict=True) if is_one]
        if points:
            in_legend = label if axis is axis.figure.axes[0] else None  # once for all
            axis.scatter(*zip(*points, strict=True), color=colour, marker=marker, label=in_legend, zorder=2)


def _lines(header: list[str], rows: list[list[str]]) -> list[str]:
    """A table as lines of Markdown."""
    rule = [":-", *["-:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def _trial(result: Mapping[str, Any], number: int) -> Any:
    """The entry of a trial."""
    return next(trial for trial in result["trials"] if trial["trial"] == number)


def _name(result: Mapping[str, Any], trial: Mapping[str, Any]) -> str:
    """The title of a finalist's column; a star marks the chosen one."""
    name = "start" if trial["start"] else f"trial {trial['trial']}"
    return f"{name}*" if trial["trial"] == result["chosen"] else name


def _spread(scores: list[Any]) -> str:
    """The lowest and the highest score of several seeds, in the digits that differ between models."""
    known = [score for score in scores if score is not None]
    return f"{min(known):.3f}-{max(known):.3f}".replace("0.", ".")
