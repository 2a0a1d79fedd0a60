"""What the dashboards of a tagger share: the tags of the validation split."""

import os
from typing import ClassVar

from textapp.training.tensorboard.dashboard import Dashboard, Run
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.validation_tags import ValidationTags


class TagDashboard(Dashboard):
    """A dashboard of what the model says of the validation split.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: Tags the validation split; stands before this in the list of callbacks.
    """

    run: ClassVar[Run] = "validation"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: ValidationTags):
        super().__init__(log)
        self.scores = scores
