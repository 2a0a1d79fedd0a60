"""What a client is made of."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textapp.runtime.bundle_format import SELFTEST
from textapp.task import Report

if TYPE_CHECKING:
    from textapp.training.run import Run


def no_report(line: str) -> None:
    """Takes a line that nobody wants to read."""


class Source(NamedTuple):
    """What a client is made of.

    Attributes:
        bundle: A bundle folder with exactly the files of a bundle. All its checks have passed.
        run: The run that the bundle was made of; None if the user named a bundle.
        report: Receives a line about what the user should know of a client.
    """

    bundle: Path
    run: "Run | None" = None
    report: Report = no_report

    def examples(self, count: int = 8) -> list[str]:
        """At most `count` texts to show what the model does.

        A run gives texts of its validation sample: what is made of them holds texts of the user's data. A bundle gives
        those of its selftest.json, which come from its vocabulary, and none if it has no such file.
        """
        if self.run is not None:
            texts = self.run.task.texts(self.run.sample(), self.run.tokenizer)
        elif (self.bundle / SELFTEST).exists():
            content = json.loads((self.bundle / SELFTEST).read_text(encoding="utf-8"))
            texts = [row["text"] for row in content["texts"]]
        else:
            texts = []
        different = list(dict.fromkeys(text for text in texts if text.strip()))
        return different[:: max(1, len(different) // count)][:count]  # samples are often sorted by label
