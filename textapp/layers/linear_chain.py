"""Sums and maxima over all tag sequences of a linear chain, in time linear in its length.

A sequence of tags y scores `sum_t potentials[t, y_t] + sum_t transitions[y_t, y_t+1]`. There are K^T sequences. But the
forward scores of a token, the log-sum (or the maximum) over all ways to reach each of its tags, follow from those of
the token before it; the backward scores, over all ways to continue after a tag, from those of the token after it.

All arguments are float32: `potentials (B, T, K)`, 0 on padding; `transitions (K, K)`, from the row's tag to the
column's; `real (B, T)`, 1 on real tokens and 0 on padding, which is on the right.

Reference:
    Lafferty et al. 2001, Conditional Random Fields; Rabiner 1989, A Tutorial on Hidden Markov Models, section III.
"""

from collections.abc import Callable
from typing import Any

from keras import ops


def shift_max_to_zero(potentials: Any) -> Any:
    """Subtracts from the potentials of each token their maximum.

    All sequences lose the same score, so probabilities do not change. But float32 sums over a long text no longer grow
    with the scores, and their rounding errors do not grow either.
    """
    return potentials - ops.stop_gradient(ops.max(potentials, axis=-1, keepdims=True))


def log_partition(potentials: Any, transitions: Any, real: Any) -> Any:
    """The logarithm of the sum of `exp(score)` over all sequences.

    Its gradient is the expected count of each tag and of each pair of tags, which the backward algorithm gives exactly.
    The gradient is written out here for two reasons: XLA cannot differentiate a loop of unknown length, and the steps
    of the loop need not be stored.

    Returns:
        float32 `(B,)`; 0 for a row of padding only.
    """

    @ops.custom_gradient
    def partition(potentials: Any, transitions: Any, real: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any, Any]]]:
        forward = _forward_scores(potentials, transitions, real, ops.logsumexp)

        def gradient(upstream: Any) -> tuple[Any, Any, Any]:
            backward = _backward_scores(potentials, transitions, real)
            tags = _probabilities(forward, backward, real)
            pairs = _pair_probabilities(forward, backward, potentials, transitions, real)
            expected = ops.sum(_over(upstream, pairs) * pairs, axis=(0, 1))
            return _over(upstream, tags) * tags, expected, ops.zeros_like(real)

        return ops.logsumexp(forward[:, -1], axis=-1), gradient

    return partition(potentials, transitions, real) * real[:, 0]


def tag_probabilities(potentials: Any, transitions: Any, real: Any) -> Any:
    """The share of each tag at each token among all sequences, weighted by `exp(score)`: forward-backward.

    Returns:
        float32 `(B, T, K)`; the tags of a real token sum to 1, those of padding to 0.
    """
    forward = _forward_scores(potentials, transitions, real, ops.logsumexp)
    return _probabilities(forward, _backward_scores(potentials, transitions, real), real)


def tag_log_probabilities(potentials: Any, transitions: Any, real: Any) -> Any:
    """The logarithms of `tag_probabilities`, for a loss.

    The gradient is written out here too, for the same reasons as in `log_partition`. Let `upstream[s, i]` be the
    gradient of tag i at token s, and `total` the sum of all:

        d / d potentials[t, k] = sum_s,i upstream[s, i] * P(k at t | i at s) - total * P(k at t)

    and in the same way for a pair of tags. Given a tag, the chain splits into two Markov chains. So one pass to the
    right and one pass to the left propagate the weights `upstream` from token to token: the first by the probabilities
    of the next tag given this one, the second by those of the previous tag.

    Returns:
        float32 `(B, T, K)`, at most 0; 0 on padding.

    Reference:
        Li and Eisner 2009, First- and Second-Order Expectation Semirings (second-order quantities).
    """

    @ops.custom_gradient
    def log_probabilities(potentials: Any, transitions: Any, real: Any) -> tuple[Any, Callable[[Any], Any]]:
        forward = _forward_scores(potentials, transitions, real, ops.logsumexp)
        backward = _backward_scores(potentials, transitions, real)

        def gradient(upstream: Any) -> tuple[Any, Any, Any]:
            weights = upstream * _over(real, upstream)
            total = ops.sum(weights, axis=(1, 2))
            # For each pair of neighbours, (B, T - 1, K, K): P(column's tag | row's tag), and the reverse.
            both = ops.expand_dims(real[:, 1:], (2, 3))
            onward = ops.softmax(transitions + ops.expand_dims((potentials + backward)[:, 1:], 2), axis=3) * both
            back = ops.softmax(ops.expand_dims(forward[:, :-1], 3) + transitions, axis=2) * both
            none = ops.zeros_like(ops.expand_dims(weights[:, :1], 3) + transitions)
            from_left = weights + _propagate(weights, ops.concatenate([onward, none], axis=1), reverse=False)
            from_right = weights + _propagate(
                weights, ops.concatenate([none, ops.swapaxes(back, 2, 3)], axis=1), reverse=True
            )
            tags = _probabilities(forward, backward, real)
            expected_tags = from_left + from_right - weights - _over(total, tags) * tags
            pairs = _pair_probabilities(forward, backward, potentials, transitions, real)
            expected_pairs = ops.expand_dims(from_left[:, :-1], 3) * onward - _over(total, pairs) * pairs
            expected_pairs += ops.expand_dims(from_right[:, 1:], 2) * back
            return expected_tags, ops.sum(expected_pairs, axis=(0, 1)), ops.zeros_like(real)

        return ops.log_softmax(forward + backward, axis=-1) * _over(real, forward), gradient

    return log_probabilities(potentials, transitions, real)


def viterbi(potentials: Any, transitions: Any, real: Any) -> tuple[Any, Any]:
    """The sequence with the highest score (Viterbi 1967).

    Returns:
        Tags, int32 `(B, T)`, on padding without meaning; and the score, float32 `(B,)`, 0 for a row of padding only.
    """
    forward = _forward_scores(potentials, transitions, real, ops.max)
    into = ops.transpose(transitions)

    def step(following: Any, inputs: Any) -> tuple[Any, Any]:
        # No table of back pointers: the same sums, computed again, give the best tag before the following one.
        scores = inputs[:, :-1] + inputs[:, -1:] * ops.take(into, following, axis=0)
        tag = ops.cast(ops.argmax(scores, axis=-1), "int32")
        return tag, tag

    inputs = ops.concatenate([forward, ops.expand_dims(_shifted_left(real), 2)], axis=-1)
    nothing = ops.cast(ops.zeros_like(real[:, 0]), "int32")
    _, tags = ops.scan(step, nothing, ops.swapaxes(inputs, 0, 1), reverse=True)
    return ops.swapaxes(tags, 0, 1), ops.max(forward[:, -1], axis=-1) * real[:, 0]


def _forward_scores(potentials: Any, transitions: Any, real: Any, reduce: Callable[..., Any]) -> Any:
    """All sequences up to a token that end in a tag, reduced to a score `(B, T, K)`; on padding the last token's."""

    def step(scores: Any, inputs: Any) -> tuple[Any, Any]:
        longer = reduce(ops.expand_dims(scores, 2) + transitions, axis=1) + inputs[:, :-1]
        scores = ops.where(inputs[:, -1:] > 0, longer, scores)
        return scores, scores

    # One tensor to scan: with several, keras.ops.scan on TensorFlow must know their length. The first token is scanned
    # too, without changing the scores, since a scan of no step fails.
    has_previous = ops.concatenate([ops.zeros_like(real[:, :1]), real[:, 1:]], axis=1)
    inputs = ops.concatenate([potentials, ops.expand_dims(has_previous, 2)], axis=-1)
    _, scores = ops.scan(step, potentials[:, 0], ops.swapaxes(inputs, 0, 1))
    return ops.swapaxes(scores, 0, 1)


def _backward_scores(potentials: Any, transitions: Any, real: Any) -> Any:
    """The log-sum over all sequences after a tag at a token, without the tag itself, `(B, T, K)`; 0 where none is."""

    def step(scores: Any, inputs: Any) -> tuple[Any, Any]:
        longer = ops.logsumexp(transitions + ops.expand_dims(inputs[:, :-1] + scores, 1), axis=2)
        scores = ops.where(inputs[:, -1:] > 0, longer, scores)
        return scores, scores

    following = ops.concatenate([potentials, ops.expand_dims(real, 2)], axis=-1)
    _, scores = ops.scan(
        step, ops.zeros_like(potentials[:, 0]), ops.swapaxes(_shifted_left(following), 0, 1), reverse=True
    )
    return ops.swapaxes(scores, 0, 1)


def _probabilities(forward: Any, backward: Any, real: Any) -> Any:
    """The probability of each tag at each token, `(B, T, K)`; 0 on padding."""
    # Up to rounding, the log-sum over the tags is the same at every token. The softmax takes that of the token itself.
    return ops.softmax(forward + backward, axis=-1) * _over(real, forward)


def _pair_probabilities(forward: Any, backward: Any, potentials: Any, transitions: Any, real: Any) -> Any:
    """The probability of the row's tag at t and the column's at t + 1, `(B, T - 1, K, K)`; 0 where t + 1 is padding."""
    pairs = ops.expand_dims(forward[:, :-1], 3) + transitions
    pairs += ops.expand_dims((potentials + backward)[:, 1:], 2)
    # The log-sum over the pairs at t equals that over the tags at t.
    pairs -= _over(ops.logsumexp(forward + backward, axis=-1)[:, :-1], pairs)
    return ops.exp(ops.where(_over(real[:, 1:], pairs) > 0, pairs, -float("inf")))


def _propagate(weights: Any, steps: Any, reverse: bool) -> Any:
    """Moves the weights of all tags along the chain; returns what arrives at each tag from other tokens, `(B, T, K)`.

    `steps (B, T, K, K)` lead from the row's tag at a token to the column's at the next token, or at the previous one.
    """
    tags = weights.shape[-1]

    def step(arrived: Any, inputs: Any) -> tuple[Any, Any]:
        leaving = ops.expand_dims(arrived + inputs[:, :tags], 1)
        arrived = ops.matmul(leaving, ops.reshape(inputs[:, tags:], (-1, tags, tags)))[:, 0]
        return arrived, arrived

    flat = ops.reshape(steps, (-1, ops.shape(steps)[1], tags * tags))
    inputs = ops.swapaxes(ops.concatenate([weights, flat], axis=2), 0, 1)
    _, left = ops.scan(step, ops.zeros_like(weights[:, 0]), inputs, reverse=reverse)
    left = ops.swapaxes(left, 0, 1)
    if reverse:
        return _shifted_left(left)
    return ops.concatenate([ops.zeros_like(left[:, :1]), left[:, :-1]], axis=1)


def _shifted_left(steps: Any) -> Any:
    """`(B, T, ...)` moved one token to the left; 0 on the last token."""
    return ops.concatenate([steps[:, 1:], ops.zeros_like(steps[:, :1])], axis=1)


def _over(values: Any, other: Any) -> Any:
    """`values` with axes of length 1 on the right, so that it broadcasts against `other`."""
    return ops.expand_dims(values, tuple(range(len(values.shape), len(other.shape))))
