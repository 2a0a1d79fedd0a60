"""Device lowering: a Keras model becomes an equal Keras model of layers that convert to builtin device ops.

Each layer is rebuilt from its own config and given its own weights; a few stock layers are rebuilt as a subclass that
overrides `call` alone. So weights, masks, shapes and merge modes stay Keras' own, the lowered model can be compared with
the original before anything is converted, and there is no second definition of any model.
"""

from typing import Any, Literal, get_args

import keras
from keras import layers

from textapp.errors import InputError
from textapp.export.attention import ScoredAttentionPooling
from textapp.export.embedding import EmbeddingLookup
from textapp.export.recurrent_fused import FusedLSTM
from textapp.export.recurrent_unrolled import UnrolledLSTM
from textapp.layers import AttentionPooling

Lowering = Literal["fused", "unrolled"]

# Stock layers that convert as they are. Layers and operations from elsewhere pass too: the converter judges them.
PLAIN = (
    "Dense Dropout SpatialDropout1D GaussianDropout GaussianNoise Masking Activation ReLU LeakyReLU PReLU ELU Softmax Identity "
    "LayerNormalization BatchNormalization Conv1D SeparableConv1D DepthwiseConv1D MaxPooling1D AveragePooling1D "
    "GlobalMaxPooling1D GlobalAveragePooling1D Concatenate Add Subtract Multiply Average Maximum Minimum Dot "
    "Flatten Reshape Permute RepeatVector"
).split()
LOWERED = "Embedding LSTM GRU SimpleRNN Bidirectional".split()


def lower(model: keras.Model, lowering: Lowering = "fused") -> keras.Model:
    """Rebuilds a model for devices.

    Embeddings become lookups that stay packed, LSTMs fused ops or unrolled steps, GRUs and simple RNNs unrolled steps.
    Computation is in float32 whatever the model was trained in. Padding must be on the right (or left) of a text: the
    real tokens are one run.

    Args:
        model: A built functional (or sequential) Keras model with one input, token ids `(B, T)`. Not changed.
        lowering: `fused`, one op for an LSTM layer, or `unrolled`, some ops for a step: faster, larger files, no state.

    Returns:
        A functional model from the same input to a dictionary: `logits`, or the output names of a model with several
        outputs; and `attention_weights` `(B, T)` where the model has exactly one `AttentionPooling`.

    Raises:
        InputError: The model or one of its layers cannot be lowered.

    Example:
        >>> from textapp.models.sentiment import sentiment_classifier
        >>> sorted(lower(sentiment_classifier(vocabulary_size=100, num_classes=2)).output)
        ['attention_weights', 'logits']
    """
    if lowering not in get_args(Lowering):
        raise InputError(f"lowering {lowering!r}: must be one of {', '.join(get_args(Lowering))}")
    _check_model(model)
    pooling = [layer for layer in model.layers if isinstance(layer, AttentionPooling)]
    pairs: list[tuple[layers.Layer, layers.Layer]] = []
    attention_weights = []

    def clone(layer: Any) -> Any:
        if not isinstance(layer, layers.Layer):  # an operation of keras.ops: no weights
            return type(layer).from_config(layer.get_config())
        lowered = _rebuilt(layer, lowering, exposed=pooling == [layer])
        pairs.append((layer, lowered))
        return lowered

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, ScoredAttentionPooling):
            outputs, weights = outputs
            attention_weights.append(weights)
        return outputs

    # A view over the same layers, so that a compiled model's losses and optimizer are not cloned too.
    view = keras.Model(model.inputs[0], model.output)
    cloned = keras.models.clone_model(view, clone_function=clone, call_function=call, recursive=True)
    for layer, lowered in pairs:
        lowered.set_weights(layer.get_weights())
    outputs = _named_outputs(model, cloned)
    if attention_weights:
        outputs["attention_weights"] = attention_weights[0]
    return keras.Model(cloned.inputs[0], outputs, name=model.name)


def _check_model(model: Any) -> None:
    """Raises `InputError` unless the model is functional, built and has one input of token ids."""
    if not isinstance(model, keras.Model):
        raise InputError(f"model: must be a Keras model. Received: {type(model).__name__}")
    if not hasattr(model, "output_names") and not isinstance(model, keras.Sequential):
        raise InputError(
            f"model {model.name!r} ({type(model).__name__}): must be a functional Keras model, as "
            "keras.Model(inputs, outputs) makes"
        )
    if not model.built or not model.inputs:
        raise InputError(f"model {model.name!r}: is not built; give it a keras.Input((None,), dtype='int32')")
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 2:
        shapes = ", ".join(str(tensor.shape) for tensor in model.inputs)
        raise InputError(f"model {model.name!r}: must have one input, token ids (B, T). Received: {shapes}")


def _named_outputs(model: keras.Model, cloned: keras.Model) -> dict[str, Any]:
    """The cloned model's outputs by name."""
    if isinstance(cloned.output, dict):
        return dict(cloned.output)
    if len(cloned.outputs) == 1:
        return {"logits": cloned.outputs[0]}
    if len(set(model.output_names)) < len(cloned.outputs):
        raise InputError(f"model {model.name!r}: outputs must come from different layers: {', '.join(model.output_names)}")
    return dict(zip(model.output_names, cloned.outputs, strict=True))


def _rebuilt(layer: layers.Layer, lowering: Lowering, exposed: bool) -> layers.Layer:
    """A layer of the same config, in float32, of the class that runs on devices."""
    config = _in_float32(layer.get_config())
    kind: Any = type(layer)
    if kind is layers.Bidirectional:
        directions = [_rebuilt(direction, lowering, exposed) for direction in (layer.forward_layer, layer.backward_layer)]
        return layers.Bidirectional(
            directions[0], layer.merge_mode, backward_layer=directions[1], name=layer.name, dtype="float32"
        )
    if isinstance(layer, layers.RNN):
        _check_recurrent(layer)
        return _recurrent_class(layer, lowering).from_config(config)
    if kind is layers.Embedding:
        return EmbeddingLookup.from_config(config)
    if exposed:
        return ScoredAttentionPooling.from_config(config)
    if kind.__module__.partition(".")[0] == "keras" and kind.__name__ not in PLAIN:
        raise _unsupported(layer)
    return kind.from_config(config)


def _recurrent_class(layer: layers.RNN, lowering: Lowering) -> Any:
    """The lowered class of a recurrent layer."""
    fusable = layer.activation is keras.activations.tanh and layer.recurrent_activation is keras.activations.sigmoid
    return FusedLSTM if lowering == "fused" and fusable else UnrolledLSTM


def _check_recurrent(layer: layers.RNN) -> None:
    """Raises `InputError` on a recurrent layer, or a setting of one, that has no lowering."""
    if type(layer) not in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        raise _unsupported(layer)


def _unsupported(layer: layers.Layer) -> InputError:
    """The error for a layer without a lowering."""
    supported = ", ".join([*LOWERED, *PLAIN])
    return InputError(f"layer {layer.name!r} ({type(layer).__name__}): has no device lowering; supported are {supported}")


def _in_float32(config: dict[str, Any]) -> dict[str, Any]:
    """A layer's config with every dtype policy float32: devices get no mixed precision."""
    return {key: "float32" if key == "dtype" else value for key, value in config.items()}


def recurrent_layers(model: keras.Model) -> list[layers.RNN]:
    """The recurrent layers of a model, each direction by itself."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += recurrent_layers(layer)
        elif isinstance(layer, layers.Bidirectional):
            found += [layer.forward_layer, layer.backward_layer]
        elif isinstance(layer, layers.RNN):
            found.append(layer)
    return found
