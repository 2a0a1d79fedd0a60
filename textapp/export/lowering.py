"""Device lowering: a Keras model becomes an equal Keras model of layers that convert to builtin device ops.

Each layer is rebuilt from its own config and given its own weights; a few stock layers are rebuilt as a subclass that
overrides `call` alone. So weights, masks, shapes and merge modes stay Keras' own, the lowered model can be compared
with the original before anything is converted, and no model is defined twice.
"""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import keras
from keras import activations, layers

from textapp.compress.groups import Lowering, check_functional
from textapp.errors import InputError
from textapp.export.attention import BoundedAttentionPooling, ScoredAttentionPooling
from textapp.export.bigrams import BigramLookup
from textapp.export.characters import CharacterLookupCNN
from textapp.export.embedding import EmbeddingLookup
from textapp.export.model_inputs import TOKENS, named_inputs, takes_names
from textapp.export.recurrent_fused import FusedLSTM
from textapp.export.recurrent_unrolled import UnrolledGRU, UnrolledLSTM, UnrolledSimpleRNN
from textapp.layers import AttentionPooling, BigramEmbedding, CharacterCNN

# Stock layers that convert as they are. Layers from elsewhere and `keras.ops` pass too: the converter judges them.
PLAIN = """
    Dense Dropout SpatialDropout1D GaussianDropout GaussianNoise Masking Activation ReLU LeakyReLU PReLU ELU Softmax
    Identity LayerNormalization BatchNormalization Conv1D DepthwiseConv1D SeparableConv1D MaxPooling1D AveragePooling1D
    GlobalMaxPooling1D GlobalAveragePooling1D Concatenate Add Subtract Multiply Average Maximum Minimum Dot Flatten
    Reshape Permute RepeatVector
""".split()  # noqa: SIM905 - a list of names reads better as text
LOWERED = ("Embedding", "LSTM", "GRU", "SimpleRNN", "Bidirectional")


def lower(model: keras.Model, lowering: Lowering = "fused", integer: bool = False) -> keras.Model:
    """Rebuilds a model for devices.

    Embeddings become lookups that stay packed, LSTMs fused ops or unrolled steps, GRUs and simple RNNs unrolled steps
    (and LSTMs with other activations than tanh and sigmoid, which the op lacks). Everything computes in float32,
    whatever the model was trained in. The real tokens of a text must be one run: padding on the right, or on the left.

    Args:
        model: A functional or sequential Keras model. Its input is token ids `(B, T)`, or a dictionary of `token_ids`
            and of what else is known of each token, `(B, T)` or `(B, T, L)`. It is not changed.
        lowering: `fused`, one op for an LSTM: small files. `unrolled`, a dozen ops for a step: faster, no variable
            tensors (which LiteRT's CompiledModel and LiteRT.js refuse), half a kilobyte of file a step and direction.
        integer: Whether activations will be int8 too. What closes gates and masks attention is then of the size of the
            numbers that it is added to: exact in int8, and within 0.1 % in float.

    Returns:
        A functional model from the same inputs to a dictionary: `logits`, or the output names of a model with several
        outputs; and `attention_weights` `(B, T)` where the model calls exactly one `AttentionPooling`, once.

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
    pooling = [layer for layer in model.layers if type(layer) is AttentionPooling]
    attention_weights = []

    def rebuild(layer: layers.Layer) -> layers.Layer:
        if pooling == [layer]:
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
    for layer in leaves(lowered):  # at the end, as a Bidirectional copies its layers by their configs
        if hasattr(layer, "integer"):
            layer.integer = integer
    return lowered


def in_float32(model: keras.Model) -> keras.Model:
    """The same model computing in float32 and without cuDNN: what a device has to agree with.

    Mixed precision, and the reduced precision of matrix products on GPUs, are further from float32 than a device is.
    """
    return _clone(
        model, lambda layer: _rebuilt(layer, type(layer)), lambda layer, *args, **kwargs: layer(*args, **kwargs)
    )


def leaves(model: keras.Model) -> Iterator[layers.Layer]:
    """The layers of a model, those of nested models and each direction of a `Bidirectional` among them."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield from directions(layer)


def directions(layer: layers.Layer) -> tuple[layers.Layer, ...]:
    """The two layers of a `Bidirectional`, or the layer itself."""
    return (layer.forward_layer, layer.backward_layer) if isinstance(layer, layers.Bidirectional) else (layer,)


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

    # A view of the same layers, as a compiled model's optimizer and losses would be cloned too.
    inputs = model.input if takes_names(model) else model.inputs[0]
    view = keras.Model(inputs, model.outputs[0] if isinstance(model, keras.Sequential) else model.output)
    cloned = keras.models.clone_model(view, clone_function=clone, call_function=call, recursive=True)
    for layer, rebuilt in pairs:
        if len(layer.weights) != len(rebuilt.weights):
            raise InputError(f"{_title(layer)}: has other weights in float32; export the model from before `quantize`")
        rebuilt.set_weights(layer.get_weights())
    return cloned


def _for_devices(layer: layers.Layer, lowering: Lowering) -> layers.Layer:
    """The layer that takes a layer's place on devices."""
    if type(layer) is layers.Bidirectional:
        forward, backward = (_for_devices(direction, lowering) for direction in directions(layer))
        return layers.Bidirectional(
            forward, layer.merge_mode, backward_layer=backward, name=layer.name, dtype="float32"
        )
    kind: Any = type(layer)
    if kind is layers.Embedding:
        kind = EmbeddingLookup
    elif kind is CharacterCNN:
        kind = CharacterLookupCNN
    elif kind is BigramEmbedding:
        kind = BigramLookup
    elif kind is AttentionPooling:
        kind = BoundedAttentionPooling
    elif isinstance(layer, layers.RNN):
        kind = _recurrent_class(layer, lowering)
    elif kind.__module__.partition(".")[0] == "keras" and kind.__name__ not in PLAIN:
        raise _unsupported(layer)
    return _rebuilt(layer, kind)


def _rebuilt(layer: layers.Layer, kind: Any) -> layers.Layer:
    """A layer of the same config, in float32, of another class."""
    try:
        rebuilt = kind.from_config(_float32(layer.get_config()))
    except NotImplementedError as error:
        raise InputError(f"{_title(layer)}: needs a get_config() that gives its arguments, as for saving it") from error
    for direction in directions(rebuilt):
        if hasattr(direction, "use_cudnn"):
            direction.use_cudnn = False  # not in the config; where a GPU is visible, Keras would not run `call`
    return rebuilt


def _recurrent_class(layer: layers.RNN, lowering: Lowering) -> Any:
    """The class that a recurrent layer is lowered to. Raises `InputError` on a setting that has no lowering."""
    if type(layer) not in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        raise _unsupported(layer)
    for setting in ("stateful", "return_state"):
        if getattr(layer, setting):
            raise InputError(f"{_title(layer)}: `{setting}=True` has no device lowering")
    if isinstance(layer, layers.SimpleRNN):
        return UnrolledSimpleRNN
    if layer.recurrent_activation not in (activations.sigmoid, activations.hard_sigmoid):
        raise InputError(
            f"{_title(layer)}: `recurrent_activation` must be sigmoid or hard_sigmoid, to close on padding"
        )
    if isinstance(layer, layers.GRU):
        return UnrolledGRU
    fusable = layer.activation is activations.tanh and layer.recurrent_activation is activations.sigmoid
    return FusedLSTM if fusable and lowering == "fused" else UnrolledLSTM


def _float32(config: Any) -> Any:
    """A layer's config with the dtype policy float32, for the layers inside it too."""
    if not isinstance(config, dict):
        return config
    return {key: "float32" if key == "dtype" else _float32(value) for key, value in config.items()}


def _check_model(model: Any) -> None:
    """Raises `InputError` unless a model is functional, built and has one input of token ids."""
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


def _unsupported(layer: layers.Layer) -> InputError:
    """The error for a stock layer without a lowering."""
    return InputError(f"{_title(layer)}: has no device lowering; supported are {', '.join([*LOWERED, *PLAIN])}")
