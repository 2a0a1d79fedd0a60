"""A linear-chain conditional random field: tags are chosen together, not one by one."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from textapp.layers.linear_chain import (
    log_partition,
    shift_max_to_zero,
    tag_log_probabilities,
    tag_probabilities,
    viterbi,
)

NO_TAG = -1
"""The tag id of padding."""

FORBIDDEN = -1e4
"""Score of forbidden tags and transitions: far below any logits, but finite, so that no gradient becomes NaN."""


@keras.saving.register_keras_serializable("textapp")
class CRF(keras.layers.Layer):
    """Scores whole sequences of tags, each pair of neighbours included.

    A sequence y over the real tokens scores

        score(y) = start[y_1] + sum_t logits[t, y_t] + sum_t transitions[y_t, y_t+1] + end[y_T]
        p(y) = exp(score(y)) / sum over all sequences z of exp(score(z))

    Called as a layer, it adds `start` to the first token and `end` to the last one. The results are `potentials`: the
    score of a sequence is the sum of its potentials and its transitions. They are the output of a model, the same for
    training, for export and for every decoder. The methods take them as input: `log_likelihood` (used by `CRFLoss`),
    `decode`, `marginals`, `log_marginals`. A decoder outside of the model, as on a device, also needs
    `transition_scores()`.

    Everything is float32, because sums over a text are too large for half precision. All scores start at 0, so that at
    first each token is tagged independently. Padding must be on the right.

    Args:
        allowed_transitions: Optional booleans `(K, K)`: whether the column's tag may follow the row's tag.
        allowed_starts: Optional booleans `(K,)`: whether a sequence may start with a tag.
        allowed_ends: Optional booleans `(K,)`: whether a sequence may end with a tag.
            Forbidden tags and transitions score -10,000 and are not trained. Their probability is 0, and they are never
            decoded if at least one whole sequence is allowed.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        logits: Float tensor `(B, T, K)`.
        mask: Boolean tensor `(B, T)`, True on real tokens. By default the Keras mask that `logits` carries.

    Returns:
        `potentials`, float32 `(B, T, K)`, 0 on padding. They carry no mask, because Keras would weight the loss by the
        mask of each token, but this loss is one number for each sequence.

    Example:
        >>> import numpy as np
        >>> crf = CRF(allowed_transitions=[[True, True], [False, True]])  # once 1, always 1
        >>> potentials = crf(np.array([[[0.0, 2.0], [3.0, 0.0], [0.0, 1.0]]]))
        >>> tag_ids, score = crf.decode(potentials)
        >>> tag_ids.numpy().tolist(), score.numpy().tolist()
        ([[0, 0, 1]], [4.0])

    Reference:
        Lafferty et al. 2001, Conditional Random Fields; Lample et al. 2016, Neural Architectures for Named Entity
        Recognition, section 2.2.
    """

    def __init__(
        self,
        allowed_transitions: ArrayLike | None = None,
        allowed_starts: ArrayLike | None = None,
        allowed_ends: ArrayLike | None = None,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        self.allowed_transitions = _booleans("allowed_transitions", allowed_transitions, rank=2)
        self.allowed_starts = _booleans("allowed_starts", allowed_starts, rank=1)
        self.allowed_ends = _booleans("allowed_ends", allowed_ends, rank=1)
        self.supports_masking = True

    def build(self, logits_shape: tuple[int | None, ...]) -> None:
        """Creates `transitions (K, K)`, `start (K,)` and `end (K,)`."""
        if len(logits_shape) != 3 or logits_shape[-1] is None:
            raise ValueError(f"`logits` must have shape (B, T, K) with K known. Received: shape={logits_shape}")
        tags = logits_shape[-1]
        for name, rank in (("allowed_transitions", 2), ("allowed_starts", 1), ("allowed_ends", 1)):
            allowed = getattr(self, name)
            if allowed is not None and allowed.shape != (tags,) * rank:
                raise ValueError(f"`{name}` must have shape {(tags,) * rank}. Received: shape={allowed.shape}")
        self.transitions = self.add_weight(name="transitions", shape=(tags, tags), initializer="zeros")
        self.start = self.add_weight(name="start", shape=(tags,), initializer="zeros")
        self.end = self.add_weight(name="end", shape=(tags,), initializer="zeros")

    def call(self, logits: Any, mask: Any = None) -> Any:
        """Adds `start` to the first token and `end` to the last; see the class."""
        logits = ops.cast(logits, "float32")
        if mask is None:
            mask = ops.ones_like(logits[..., 0], "bool")
        real = ops.expand_dims(ops.cast(mask, "float32"), 2)
        edge = ops.zeros_like(real[:, :1])
        first = real * (1.0 - ops.concatenate([edge, real[:, :-1]], axis=1))
        last = real * (1.0 - ops.concatenate([real[:, 1:], edge], axis=1))
        return real * logits + first * self.start_scores() + last * self.end_scores()

    def transition_scores(self) -> Any:
        """The score of each tag (column) after each tag (row), -10,000 where it is not allowed; float32 `(K, K)`."""
        return _scores(self.transitions, self.allowed_transitions)

    def start_scores(self) -> Any:
        """The score of each tag as the first of a sequence, -10,000 where it is not allowed; float32 `(K,)`."""
        return _scores(self.start, self.allowed_starts)

    def end_scores(self) -> Any:
        """The score of each tag as the last of a sequence, -10,000 where it is not allowed; float32 `(K,)`."""
        return _scores(self.end, self.allowed_ends)

    def log_likelihood(self, potentials: Any, tag_ids: Any, mask: Any = None) -> Any:
        """The logarithm of the probability of given tags.

        Its gradient with respect to `potentials` is 1 for the given tags minus `marginals`.

        Args:
            potentials: The output of the layer, float `(B, T, K)`.
            tag_ids: Integers `(B, T)`, from 0 to K - 1 on real tokens.
            mask: Booleans `(B, T)`, True on real tokens, which come first; by default all are real.

        Returns:
            float32 `(B,)`, at most 0; 0 for a row with only padding. About -10,000 for each step that is not allowed.
        """
        potentials, real = _on_real_tokens(potentials, mask)
        potentials, transitions = shift_max_to_zero(potentials), self.transition_scores()
        tag_ids = ops.where(real > 0, ops.cast(tag_ids, "int32"), 0)
        chosen = ops.take_along_axis(potentials, ops.expand_dims(tag_ids, 2), axis=2)[..., 0]
        pairs = ops.take(ops.reshape(transitions, (-1,)), tag_ids[:, :-1] * transitions.shape[0] + tag_ids[:, 1:])
        score = ops.sum(chosen, axis=1) + ops.sum(real[:, 1:] * pairs, axis=1)
        return score - log_partition(potentials, transitions, real)

    def decode(self, potentials: Any, mask: Any = None) -> tuple[Any, Any]:
        """The most probable tags (Viterbi 1967).

        Args:
            potentials: The output of the layer, float `(B, T, K)`.
            mask: Booleans `(B, T)`, True on real tokens, which come first; by default all are real.

        Returns:
            `tag_ids`, int32 `(B, T)`, -1 on padding; and their scores, float32 `(B,)`. A score minus `log_partition` is
            a log-probability.
        """
        potentials, real = _on_real_tokens(potentials, mask)
        tag_ids, scores = viterbi(potentials, self.transition_scores(), real)
        return ops.where(real > 0, tag_ids, NO_TAG), scores

    def marginals(self, potentials: Any, mask: Any = None) -> Any:
        """The probability of each tag at each token, summed over the tags of all other tokens.

        Args:
            potentials: The output of the layer, float `(B, T, K)`.
            mask: Booleans `(B, T)`, True on real tokens, which come first; by default all are real.

        Returns:
            float32 `(B, T, K)`; the tags of a real token sum to 1, those of padding to 0.
        """
        potentials, real = _on_real_tokens(potentials, mask)
        return tag_probabilities(shift_max_to_zero(potentials), self.transition_scores(), real)

    def log_marginals(self, potentials: Any, mask: Any = None) -> Any:
        """The logarithms of `marginals`, for a loss: they are exact where a probability is too small for float32.

        Args:
            potentials: The output of the layer, float `(B, T, K)`.
            mask: Booleans `(B, T)`, True on real tokens, which come first; by default all are real.

        Returns:
            float32 `(B, T, K)`, at most 0; 0 on padding. About -10,000 for a tag that no allowed sequence has at the
            token.
        """
        potentials, real = _on_real_tokens(potentials, mask)
        return tag_log_probabilities(shift_max_to_zero(potentials), self.transition_scores(), real)

    def log_partition(self, potentials: Any, mask: Any = None) -> Any:
        """The log-sum of the scores of all sequences, float32 `(B,)`; a score minus it is a log-probability."""
        potentials, real = _on_real_tokens(potentials, mask)
        return log_partition(potentials, self.transition_scores(), real)

    def compute_mask(self, logits: Any, mask: Any = None) -> None:
        """The potentials carry no mask; see the class."""
        del logits, mask

    def compute_output_spec(self, logits: Any, mask: Any = None) -> Any:
        """Shape and type of what `call` returns."""
        del mask
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, arrays as lists."""
        arrays = {name: getattr(self, name) for name in ("allowed_transitions", "allowed_starts", "allowed_ends")}
        lists = {name: None if array is None else array.tolist() for name, array in arrays.items()}
        return {**super().get_config(), **lists}


def _booleans(name: str, values: ArrayLike | None, rank: int) -> np.ndarray | None:
    """`values` as a boolean array, or None."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.dtype != bool or array.ndim != rank:
        raise ValueError(f"`{name}` must be booleans of rank {rank}. Received: {array.dtype} of shape {array.shape}")
    return array


def _scores(weight: Any, allowed: np.ndarray | None) -> Any:
    """A weight in float32, `FORBIDDEN` and without a gradient where it is not allowed."""
    scores = ops.cast(weight, "float32")
    return scores if allowed is None else ops.where(allowed, scores, FORBIDDEN)


def _on_real_tokens(potentials: Any, mask: Any) -> tuple[Any, Any]:
    """float32 potentials, 0 on padding, and the mask as float32."""
    potentials = ops.cast(potentials, "float32")
    if mask is None:
        return potentials, ops.ones_like(potentials[..., 0])
    mask = ops.cast(mask, "bool")
    return ops.where(ops.expand_dims(mask, 2), potentials, 0.0), ops.cast(mask, "float32")
