"""`textapp report`: examines one model or compares several, as a page and as Markdown."""

from pathlib import Path
from typing import Annotated, Any

import typer

from textapp.cli.arguments import READ_OPTIONS, check_readable, reads_examples
from textapp.cli.opened import check_model
from textapp.cli.output import print_json, say, say_table
from textapp.cli.reporting import MARK
from textapp.errors import InputError
from textapp.files import check_writable, read_bytes
from textapp.output_files import check_output, link_target, write_output


@reads_examples(*READ_OPTIONS)
def report(
    models: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE_OR_RUN...", help="Bundles and runs of one task, in the order shown.")
    ],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences to score all of them on.")],
    columns: dict[str, Any],
    out: Annotated[Path, typer.Option(help="Page to make (.html); an earlier report is replaced.")],
    markdown: Annotated[
        Path | None, typer.Option(help="Markdown file to make too (.md); an earlier report is replaced.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Largest number of texts to time.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="How often each bundle is timed; the median counts.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a call may use.")] = 1,
    mistakes: Annotated[
        int,
        typer.Option(
            min=0,
            help="Largest number of mistakes, and of texts that the model is least sure of, on the page of one model; "
            "with 0 the page holds no text of the data.",
        ),
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Examine one model: scores, curves, confusions, mistakes, data, bytes. Or compare several side by side.

    For example: textapp report run --data test.tsv --out report.html
    """
    check_readable(data)
    _check_files(data, out, markdown)
    for path in models:
        check_model(path)
    from textapp.cli.reporting.markdown import markdown as as_markdown
    from textapp.cli.reporting.measuring import measure
    from textapp.cli.reporting.tables import tables

    compared = measure(models, data, columns, count=count, rounds=rounds, threads=threads, mistakes=mistakes, say=say)
    texts = {out: compared.html()} | ({} if markdown is None else {markdown: as_markdown(compared)})
    for path, text in texts.items():
        write_output(path, text, _is_report)
    results = tables(compared)[0]
    say_table(results.header[1:6], [row[1:6] for row in results.rows])  # as many columns as a terminal has room for
    say(f"report: {' and '.join(map(str, texts))}")
    if as_json:
        print_json(compared.to_dict())


def _check_files(data: str, out: Path, markdown: Path | None) -> None:
    """Raises `InputError` before the work if an output has a wrong name, is the --data file or is not a report."""
    for option, path, suffix in (("--out", out, ".html"), ("--markdown", markdown, ".md")):
        if path is None:
            continue
        if path.suffix != suffix:
            raise InputError(f"{option} {path}: must end in {suffix}")
        if path.is_dir():
            raise InputError(f"{option} {path}: is a folder")
        check_writable(link_target(path).parent)
        if path.resolve() == Path(data).resolve():
            raise InputError(f"{option} {path}: is the --data, which is only read")
        check_output(path, _is_report)


def _is_report(path: Path) -> bool:
    """Whether a file is a page or a Markdown file of an earlier report."""
    return MARK.encode() in read_bytes(path)
