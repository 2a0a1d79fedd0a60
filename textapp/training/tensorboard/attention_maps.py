"""Which tokens of sample texts the attention listens to."""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from textapp import fonts
from textapp.layers import attention_scores
from textapp.training.tensorboard import attention_figure, attention_page
from textapp.training.tensorboard.compiled import compiled
from textapp.training.tensorboard.dashboard import Dashboard
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.images import write_figure
from textapp.training.tensorboard.validation_scores import class_probabilities

_IMAGE = "The darker a token, the larger its weight in the attention layer."


class AttentionMaps(Dashboard):
    """Draws the attention weights of sample texts.

    Each text is an image (`sample_texts/attention_map_N`) in which its tokens are shaded by weight, and on the page
    "Text" a table of the weights (`sample_texts/attention_table_N`). The browser draws the table in any script; an
    image whose characters are in no font of the training machine would show empty boxes and is left out. (Debian's
    package fonts-noto-cjk has Chinese, Japanese and Korean.)

    Args:
        log: An `EventLog`, or the path of a folder.
        texts: The tokens of each text.
        token_ids: Their ids, the model's input.
        label_names: Name of each class, in the order of the outputs.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.
        layer: Name of the `AttentionPooling` layer. By default the model's first.
        most_tokens: Tokens of a text that are drawn and read by the model.
    """

    run = "validation"

    def __init__(
        self,
        log: EventLog | str | os.PathLike[str],
        texts: Sequence[Sequence[str]],
        token_ids: Sequence[Sequence[int]],
        label_names: Sequence[str] | None = None,
        from_logits: bool = True,
        layer: str | None = None,
        most_tokens: int = 100,
    ):
        super().__init__(log)
        if [len(tokens) for tokens in texts] != [len(ids) for ids in token_ids]:
            raise ValueError("`texts` and `token_ids` must have the same number of tokens, text by text")
        # A text without tokens has nothing to draw, and cuDNN takes no empty row.
        self.samples = [
            (tuple(tokens[:most_tokens]), tuple(ids[:most_tokens]))
            for tokens, ids in zip(texts, token_ids, strict=True)
            if len(tokens)
        ]
        self.label_names = label_names
        self.from_logits = from_logits
        self.layer = layer

    def prepare(self) -> None:
        """Cuts the model open at its attention layer."""
        scores = attention_scores(self.model, self.layer)
        self._length = self.model.inputs[0].shape[1]
        self._forward = compiled(self.model, scores, [tf.TensorSpec((1, self._length), "int32")])

    def write(self) -> None:
        """Draws every text."""
        for number, (tokens, token_ids) in enumerate(self.samples, start=1):
            weights, probs = self.attend(token_ids)
            if not np.isfinite(weights).all() or not np.isfinite(probs).all():
                continue
            predicted = int(probs.argmax())
            share = f"({probs[predicted]:.0%})"
            label = self.label_names[predicted] if self.label_names else f"class {predicted}"
            title = f"predicted: {label} {share}"
            tokens = tokens[: len(weights)]
            tf.summary.text(f"sample_texts/attention_table_{number}", attention_page.markdown(tokens, weights, title))
            if fonts.families(label) is None:
                title = f"predicted: class {predicted} {share}"
            figure = attention_figure.draw(tokens, weights, title)
            if figure is not None:
                write_figure(f"sample_texts/attention_map_{number}", figure, _IMAGE)

    def attend(self, token_ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Attention weights `(T,)` and class probabilities `(C,)` of one text."""
        # One text at a time needs no padding; a model of fixed length does, and may cut the text.
        length = self._length or len(token_ids)
        row = np.zeros((1, length), np.int32)
        row[0, : len(token_ids)] = token_ids[:length]
        outputs, weights = self._forward(tf.constant(row))
        return np.asarray(weights)[0, : len(token_ids)], class_probabilities(outputs, self.from_logits)[0]
