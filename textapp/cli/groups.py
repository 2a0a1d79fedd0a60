"""How a command with commands of its own lists them, and how it tells a wrong use."""

import contextlib
import difflib
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from textapp.errors import InputError

_LONGEST = 200  # characters of a message, which may quote an argument
_UsageError: type[Any] = typer.BadParameter.__bases__[0]  # its module has another name in each version of typer


class Group(TyperGroup):
    """Lists its commands in the order in which one uses them, with whole sentences.

    A wrong use of any command below it is an `InputError`: one line, as for other wrong input.
    """

    order: ClassVar[Sequence[str]] = (
        *("demo", "settings", "data", "train", "tune", "evaluate", "distill", "quantize", "compress", "export"),
        *("predict", "serve", "bench", "report", "vectors"),
    )
    """The commands of `textapp`. Those of a command stay in the order in which they were added."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in order; those that are not in `order` come last."""
        del ctx
        return sorted(self.commands, key=lambda name: self.order.index(name) if name in self.order else len(self.order))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list. A command is described by the first paragraph of its help, which is not cut."""
        for command in self.commands.values():
            command.short_help = command.short_help or " ".join((command.help or "").partition("\n\n")[0].split())
        super().format_commands(ctx, formatter)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Reads the options of the group."""
        with _usage_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Reads the options of the command that was given, and runs it."""
        with _usage_in_one_line():
            return super().invoke(ctx)


@contextlib.contextmanager
def _usage_in_one_line() -> Iterator[None]:
    """Raises `InputError` for an error of use. A command that only lists commands shows its help instead."""
    try:
        yield
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        message = " ".join(error.format_message().split()).rstrip(".").replace(". Did you", "; did you")
        near = difflib.get_close_matches(
            getattr(error, "option_name", ""), getattr(error, "possibilities", ()) or (), 1, 0.7
        )
        message = message.partition(" (Possible options: ")[0] + (f"; did you mean {near[0]}?" if near else "")
        if len(message) > _LONGEST:
            message = f"{message[:_LONGEST]}…"
        see = " See" if message.endswith("?") else "; see"
        command = "textapp" if error.ctx is None else error.ctx.command_path
        raise InputError(f"{message[:1].lower()}{message[1:]}{see} {command} --help") from error
