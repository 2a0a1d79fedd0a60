"""How a command with commands of its own lists them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from typer.core import TyperGroup


class Group(TyperGroup):
    """Lists its commands in the order in which one uses them, with whole sentences."""

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
