"""Device lowering: a Keras model becomes an equal Keras model whose layers convert to builtin device ops.

Each layer is rebuilt from its config and gets its weights back; a few stock layers are rebuilt as a subclass that
only overrides `call`. So Keras still handles weights, masks, shapes and merge modes, the lowered model can be compared
with the original before it is converted, and no model is defined twice.
"""

from collections.abc import Callable
from typing import Any, get_args

import keras
from keras import activations, layers

from textapp.compress.granularity import Lowering, check_functional, fusable
from textapp.errors import InputError, excerpt
from textapp.export.lowerings import (
    attention,
    embedding,
    light_recurrence,
    pooling,
    recurrent_fused,
    recurrent_unrolled,
)
from textapp.export.lowerings.attention import ScoredAttentionPooling
from textapp.export.model_inputs import TOKENS, named_inputs, takes_names
from textapp.layers import AttentionPooling, SelfAttention
from textapp.layers.leaves import inner_layers, leaves

LOWERED: dict[type, type] = {
    **embedding.LOWERED,
    **attention.LOWERED,
    **recurrent_unrolled.LOWERED,
    **light_recurrence.LOWERED,
    **pooling.LOWERED,
}
"""Layer class -> the class that replaces it on devices."""
FUSED: dict[type, type] = recurrent_fused.LOWERED
"""The same for layers that can become one op, if their settings allow it."""
FLOAT_ONLY = (SelfAttention,)
"""Layers without a form for int8 activations: scores of padding and a softmax over all tokens have no common scale."""

# Stock layers that convert as they are. Layers from elsewhere and `keras.ops` pass too: the converter judges them.
PLAIN = """
    Dense Dropout SpatialDropout1D GaussianDropout GaussianNoise Masking Activation ReLU LeakyReLU PReLU ELU Softmax
    Identity LayerNormalization BatchNormalization Conv1D DepthwiseConv1D SeparableConv1D MaxPooling1D AveragePooling1D
    GlobalMaxPooling1D GlobalAveragePooling1D Concatenate Add Subtract Multiply Average Maximum Minimum Dot Flatten
    Reshape Permute RepeatVector
""".split()  # noqa: SIM905 - a list of names reads better as text


def lower(model: keras.Model, lowering: Lowering = "fused", integer: bool = False) -> keras.Model:
    """Rebuilds a model for devices.

    Embeddings become lookups that stay packed. LSTMs become fused ops or unrolled steps. GRUs and simple RNNs become
    unrolled steps, and so do LSTMs with other activations than tanh and sigmoid, which the fused op lacks. The lowered
    model computes in float32, also after training in another dtype. The real tokens of a text must be one run: padding
    is on the right or on the left.

    Args:
        model: A functional or sequential Keras model. Its input is token ids `(B, T)`, or a dictionary of `token_ids`
            and other inputs for each token, `(B, T)` or `(B, T, L)`. It is not changed.
        lowering: `fused`: one op for an LSTM, small files. `unrolled`: a dozen ops for each step; faster, no variable
            tensors (which LiteRT's CompiledModel and LiteRT.js refuse), half a kilobyte of file a step and direction.
        integer: Whether activations will be int8 too. The constants that close gates and mask attention are then about
            as large as the numbers that they are added to: exact in int8, and within 0.1 % in float.

    Returns:
        A functional model from the same inputs to a dictionary: `logits`, or the output names of a model with several
        outputs; and `attention_weights` `(B, T)` if the model calls exactly one `AttentionPooling`, once.

    Raises:
        InputError: The model or one of its layers cannot be lowered.

    Example:
        >>> from textapp.config import Encoder, Words
        >>> from textapp.models.model import text_model
        >>> from textapp.tasks.classification.head import classification_head
        >>> model = text_model(Words(), Encoder(), classification_head(2), vocabulary_size=100)
        >>> sorted(lower(model).output)
        ['attention_weights', 'logits']
    """
    if lowering not in get_args(Lowering):
        raise InputError(f"lowering {lowering!r}: must be one of {', '.join(get_args(Lowering))}")
    _check_model(model)
    for _, layer in leaves(model):
        if integer and isinstance(layer, FLOAT_ONLY):
            raise InputError(f"{_title(layer)}: has no form for int8 activations; use the recipe dynamic_wi8_afp32")
    attention_layers = [layer for layer in model.layers if type(layer) is AttentionPooling]
    attention_weights = []

    def rebuild(layer: layers.Layer) -> layers.Layer:
        if attention_layers == [layer]:
            return _rebuilt(layer, ScoredAttentionPooling)
        return _for_devices(layer, lowering)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, layers.RNN | layers.Bidirectional) and (len(args) > 1 or "initial_state" in kwargs):
            raise InputError(f"{_title(layer)}: `initial_state` has no device lowering")
        outputs = layer(*args, **kwargs)
        if isinstance(layer, ScoredAttentionPooling):
            outputs, weights = outputs
            attention_weights.append(weights)
        return outputs

    cloned = _clone(model, rebuild, call)
    outputs = _named_outputs(model, cloned)
    if len(attention_weights) == 1:
        outputs["attention_weights"] = attention_weights[0]
    lowered = keras.Model(cloned.input if takes_names(cloned) else cloned.inputs[0], outputs, name=model.name)
    for _, layer in leaves(lowered):  # at the end, as a Bidirectional copies its layers by their configs
        if hasattr(layer, "integer"):
            layer.integer = integer
    return lowered


def in_float32(model: keras.Model) -> keras.Model:
    """The same model in float32 and without cuDNN: the reference that a device must agree with.

    An average over tokens is finite on the empty text, as on a device. Mixed precision and the reduced precision of
    GPUs' matrix products differ more from float32 than a device does.
    """
    return _clone(
        model,
        lambda layer: _rebuilt(layer, pooling.LOWERED.get(type(layer), type(layer))),
        lambda layer, *args, **kwargs: layer(*args, **kwargs),
    )


def _clone(
    model: keras.Model, rebuild: Callable[[layers.Layer], layers.Layer], call: Callable[..., Any]
) -> keras.Model:
    """A model of rebuilt layers with the weights of the original ones."""
    pairs = []

    def clone(layer: Any) -> Any:
        if not isinstance(layer, layers.Layer):  # an operation of keras.ops, without weights
            return type(layer).from_config(layer.get_config())
        pairs.append((layer, rebuild(layer)))
        return pairs[-1][1]

    # A new model of the same layers: from a compiled model, the optimizer and losses would be cloned too.
    inputs = model.input if takes_names(model) else model.inputs[0]
    view = keras.Model(inputs, model.outputs[0] if isinstance(model, keras.Sequential) else model.output)
    cloned = keras.models.clone_model(view, clone_function=clone, call_function=call, recursive=True)
    for layer, rebuilt in pairs:
        if len(layer.weights) != len(rebuilt.weights):
            raise InputError(f"{_title(layer)}: has other weights in float32; export the model from before `quantize`")
        rebuilt.set_weights(layer.get_weights())
    return cloned


def _for_devices(layer: layers.Layer, lowering: Lowering) -> layers.Layer:
    """The layer that replaces a layer on devices."""
    if type(layer) is layers.Bidirectional:
        forward, backward = (_for_devices(direction, lowering) for direction in inner_layers(layer).values())
        return layers.Bidirectional(
            forward, layer.merge_mode, backward_layer=backward, name=layer.name, dtype="float32"
        )
    kind = type(layer)
    if isinstance(layer, layers.RNN):
        _check_recurrent(layer)
    if kind in FUSED and lowering == "fused" and fusable(layer):
        return _rebuilt(layer, FUSED[kind])
    if kind in LOWERED:
        return _rebuilt(layer, LOWERED[kind])
    if isinstance(layer, layers.RNN) or (kind.__module__.partition(".")[0] == "keras" and kind.__name__ not in PLAIN):
        known = [kind.__name__ for kind in LOWERED if kind.__module__.partition(".")[0] == "keras"]
        supported = ", ".join([*known, "Bidirectional", *PLAIN])
        raise InputError(f"{_title(layer)}: has no device lowering; supported are {supported}")
    return _rebuilt(layer, kind)


def _rebuilt(layer: layers.Layer, kind: Any) -> layers.Layer:
    """A layer of the same config, in float32, of another class."""
    try:
        rebuilt = kind.from_config(_float32(layer.get_config()))
    except NotImplementedError as error:
        raise InputError(f"{_title(layer)}: needs a get_config() that gives its arguments, as for saving it") from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{_title(layer)}: cannot be made again from its get_config(), which must give all arguments of __init__, "
            "with **kwargs for those of Layer; activations must be named, as in activation='relu', and other functions "
            f"be registered (keras.saving.register_keras_serializable): {excerpt(str(error))}"
        ) from error
    for part in (rebuilt, *inner_layers(rebuilt).values()):
        if hasattr(part, "use_cudnn"):
            part.use_cudnn = False  # not in the config; if a GPU is visible, Keras would not run `call`
    return rebuilt


def _check_recurrent(layer: layers.RNN) -> None:
    """Raises `InputError` on a setting of a recurrent layer that has no lowering."""
    for setting in ("stateful", "return_state"):
        if getattr(layer, setting):
            raise InputError(f"{_title(layer)}: `{setting}=True` has no device lowering")
    gated = isinstance(layer, layers.LSTM | layers.GRU)
    if gated and layer.recurrent_activation not in (activations.sigmoid, activations.hard_sigmoid):
        raise InputError(
            f"{_title(layer)}: `recurrent_activation` must be sigmoid or hard_sigmoid, to close on padding"
        )


def _float32(config: Any) -> Any:
    """A layer's config with the dtype policy float32, for the layers inside it too."""
    if not isinstance(config, dict):
        return config
    return {key: "float32" if key == "dtype" else _float32(value) for key, value in config.items()}


def _check_model(model: Any) -> None:
    """Raises `InputError` unless a model is functional, built and has exactly one input of token ids."""
    check_functional(model)
    name = f"model {model.name!r}"
    if not model.built or not model.inputs:
        raise InputError(f"{name}: is not built; give it a keras.Input((None,), dtype='int32')")
    names = ", ".join(tensor.name for tensor in model.inputs)
    if len(model.inputs) > 1 and not takes_names(model):
        raise InputError(f"{name}: must take several inputs as a dictionary. Received: {names}")
    inputs = named_inputs(model)
    shapes = ", ".join(f"{key} {tensor.shape}" for key, tensor in inputs.items())
    if (
        TOKENS not in inputs
        or len(inputs[TOKENS].shape) != 2
        or any(len(t.shape) not in (2, 3) for t in inputs.values())
    ):
        raise InputError(f"{name}: must take {TOKENS} (B, T), and others (B, T) or (B, T, L) only. Received: {shapes}")


def _named_outputs(model: keras.Model, cloned: keras.Model) -> dict[str, Any]:
    """The outputs of the clone by name."""
    if isinstance(cloned.output, dict):
        return dict(cloned.output)
    if len(cloned.outputs) == 1:
        return {"logits": cloned.outputs[0]}
    names = model.output_names
    if len(set(names)) < len(names):
        raise InputError(
            f"model {model.name!r}: two outputs have one name: {', '.join(names)}; make the outputs a dictionary"
        )
    return dict(zip(names, cloned.outputs, strict=True))


def _title(layer: layers.Layer) -> str:
    """A layer in an error message."""
    return f"layer {layer.name!r} ({type(layer).__name__})"
