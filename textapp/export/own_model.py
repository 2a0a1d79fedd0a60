"""A user's own classifier, made fit for a bundle: its logits, one for each label."""

from typing import Any

import keras
import numpy as np

from textapp.errors import InputError, quoted
from textapp.export.model_inputs import takes_names


def with_two_logits(model: keras.Model, count: int) -> keras.Model:
    """Gives a model of one sigmoid unit, for two labels, a logit for each label.

    The logits are 0 and z, where z is the unit before its sigmoid. Their softmax is (1 - p, p) exactly. Other models
    are returned as they are.

    Args:
        model: A functional or sequential Keras model. It is not changed; the new model shares its layers.
        count: The number of labels.

    Raises:
        InputError: The model has one unit, but the number of labels is not 2, or the unit comes from no Dense layer.
    """
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or outputs[0].shape[-1] != 1:
        return model
    if count != 2:
        raise InputError(
            f"model: has one unit, which tells two labels apart, but there are {count} labels; end it in {count} units"
        )
    tensor = outputs[0]
    last, before = _producer(tensor)
    while isinstance(last, keras.layers.Activation) and last.activation is keras.activations.linear:
        tensor = before
        last, before = _producer(tensor)
    if isinstance(last, keras.layers.Activation) and last.activation is keras.activations.sigmoid:
        tensor = before
        last, before = _producer(tensor)
    elif isinstance(last, keras.layers.Dense) and last.activation is keras.activations.sigmoid:
        unit = keras.layers.Dense.from_config(
            {**last.get_config(), "activation": "linear", "name": f"{last.name}_logit"}
        )
        tensor = unit(before)
        unit.set_weights(last.get_weights())
        last = unit
    if not (isinstance(last, keras.layers.Dense) and last.activation is keras.activations.linear):
        raise InputError(
            f"layer {quoted(last.name)} ({type(last).__name__}): one unit for two labels must come from a Dense layer, "
            "with the activation sigmoid or none; or end the model in two logits"
        )
    pair = keras.layers.Dense(2, use_bias=False, name="two_logits", dtype="float32")
    wide = pair(tensor)
    pair.set_weights([np.array([[0.0, 1.0]], np.float32)])
    return keras.Model(model.input if takes_names(model) else model.inputs[0], wide, name=model.name)


def _producer(tensor: Any) -> tuple[Any, Any]:
    """The layer or operation that a tensor of a model comes from, and its first input tensor (None for an input)."""
    operation, node, _ = tensor._keras_history
    return operation, next(iter(operation._inbound_nodes[node].input_tensors), None)
