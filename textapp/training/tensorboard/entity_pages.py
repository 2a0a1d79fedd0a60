"""Sample sentences with their entities marked, in any script."""

import os
from collections.abc import Sequence

import tensorflow as tf

from textapp.text.tag_schemes import read_spans
from textapp.text.tag_set import FILE_SCHEME
from textapp.training.tensorboard.attention_page import escape
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.tag_dashboard import TagDashboard
from textapp.training.validation_tags import ValidationTags

_SENTENCES = 10
_DESCRIPTION = "Sentences of the validation split: what is true, and below it what is predicted where it differs."


class EntityPages(TagDashboard):
    """Writes some validation sentences with their entities (page "Text", `sample_sentences`).

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: Tags the validation split; stands before this in the list of callbacks.
    """

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: ValidationTags):
        super().__init__(log, scores)
        tags = scores.examples.tags
        with_entities = [index for index in range(len(tags)) if set(tags[index]) != {"O"}] or list(range(len(tags)))
        self.chosen = with_entities[:: max(1, len(with_entities) // _SENTENCES)][:_SENTENCES]

    def write(self) -> None:
        """Writes one page."""
        tf.summary.text("sample_sentences", self.markdown(), description=_DESCRIPTION)

    def markdown(self) -> str:
        """The page."""
        parts = []
        for index in self.chosen:
            tokens, true = self.scores.examples.sentences[index], self.scores.examples.tags[index]
            predicted = self.scores.predicted[index]
            parts.append(marked(tokens, true))
            parts.append("✓" if predicted == true else f"✗ {marked(tokens, predicted)}")
        return "\n\n".join(parts)


def marked(tokens: Sequence[str], tags: Sequence[str]) -> str:
    """A sentence as markdown, its entities in bold with their type behind.

    Args:
        tokens: The tokens; there are spaces between them unless all are of one character, as in Chinese.
        tags: Their tags in IOB2, sound ones.
    """
    space = "" if all(len(token) == 1 for token in tokens) else " "
    parts: list[str] = []
    end = 0
    for span in read_spans(tags, FILE_SCHEME):
        parts += map(escape, tokens[end : span.start])
        parts.append(f"**{escape(space.join(tokens[span.start : span.end]))}** ({escape(span.type or '_')})")
        end = span.end
    return space.join([*parts, *map(escape, tokens[end:])])
