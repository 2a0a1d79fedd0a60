"""The tables that `textapp vectors` prints."""

from typing import Any

from textapp.cli.output import say, say_table


def say_scores(
    title: str, score: str, baseline: str, baseline_name: str, rows: list[dict[str, Any]], name: str
) -> None:
    """Prints the scores of sets or sections, each with its baseline."""
    header = [title, score, baseline_name, "scored", "of", "coverage"]
    shared = "shared" in rows[0]
    if shared:
        header += ["both cover", "this file", "--baseline"]
    lines = []
    for row in rows:
        line = [row[name], _number(row[score]), _number(row[baseline]), f"{row['count']:,}", f"{row['total']:,}"]
        line.append(_percent(row["coverage"]))
        if shared:
            values = row["shared"]
            line += [f"{values['count']:,}", _number(values[score]), _number(values["baseline"])]
        lines.append(line)
    say_table(header, lines)


def say_translation(scores: dict[str, Any]) -> None:
    """Prints the precision of both retrieval methods."""
    say(
        f"test: {scores['known']:,} of {scores['source_words']:,} source words are in the vocabulary; scored are the "
        f"{scores['scored']:,} ({scores['coverage']:.1%}) with a translation in the target vocabulary"
    )
    rows = [
        (name, *(_percent(scores[name][key]) for key in ("precision_at_1", "precision_at_5", "of_all")))
        for name in ("cosine", "csls")
    ]
    rows.append(("same spelling", _percent(scores["same_spelling"]), "", ""))
    say_table(("", "precision@1", "precision@5", "@1 of all words"), rows)


def say_neighbors(title: str, pairs: list[tuple[str, float]]) -> None:
    """Prints words with their cosines."""
    say_table((title, "cosine"), [(word, f"{cosine:.4f}") for word, cosine in pairs])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
