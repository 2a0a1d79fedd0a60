"""Conversion: a lowered model becomes one TFLite file with a signature for each text length."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import keras
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from textapp.errors import InputError
from textapp.export.flatbuffer import join
from textapp.export.model_inputs import (
    TOKENS,
    InputBatch,
    Inputs,
    named_inputs,
    pack_to_length,
    padded_rows,
    select,
    takes_names,
)
from textapp.export.packing import pack_rows
from textapp.export.rewriting import rewrite
from textapp.files import temporary_folder
from textapp.layers.leaves import leaves

Recipe = Literal[
    "float32", "float16", "dynamic_wi8_afp32", "dynamic_wi8_afp32_emb4", "dynamic_wi8_afp32_emb2", "static_wi8_ai8"
]
ROW_BITS: dict[Recipe, int] = {"dynamic_wi8_afp32_emb4": 4, "dynamic_wi8_afp32_emb2": 2}
"""The recipes that pack embedding rows, and the bits of each number."""
STATIC: Recipe = "static_wi8_ai8"
"""The recipe of int8 activations."""


def signature_name(length: int) -> str:
    """The signature for texts of `length` tokens."""
    return f"tokens_{length}"


def convert(
    lowered: keras.Model,
    lengths: Sequence[int],
    recipe: Recipe = "float32",
    max_characters: int | None = None,
    calibration: Sequence[Inputs] = (),
) -> bytes:
    """Converts a model that `lower` made.

    Args:
        lowered: The model, with a dictionary of outputs.
        lengths: Input lengths in tokens. Each becomes a signature `tokens_N` from `token_ids`, int32 `(1, N)`, and the
            model's other inputs by name, to its outputs.
        recipe: How weights are stored: `float32`; `float16`; or `dynamic_wi8_afp32`, int8 with a float32 scale for each
            output channel, embedding row or fused gate; activations stay float32. With `_emb4` or `_emb2` each number
            of an embedding row takes 4 or 2 bits. `static_wi8_ai8` computes everything in int8, with one scale for
            each table and each activation; ids stay int32, outputs float32. It is for hardware without floats: on
            x86 an unrolled model is as fast as with int8 weights only, a fused model 7 to 10 times slower, and both
            are less exact.
        max_characters: The size L of an input `(B, T, L)`, if the model leaves it open.
        calibration: For `static_wi8_ai8`: a hundred or more real texts, on which the converter measures the range of
            each activation. It cannot use other ranges, such as those of quantization-aware training. The model must be
            lowered with `integer=True`.

    Returns:
        The file's content. All signatures share the weights.

    Raises:
        InputError: A length does not fit the model, one of its operations has no builtin device op, or
            `calibration` or the lowering does not fit the recipe.
    """
    if recipe not in get_args(Recipe):
        raise InputError(f"recipe {recipe!r}: must be one of {', '.join(get_args(Recipe))}")
    if recipe == STATIC and not any(len(text[TOKENS]) for text in calibration):
        raise InputError(f"recipe {recipe}: needs real texts to measure ranges on; give `calibration`")
    if recipe == STATIC and not all(getattr(layer, "integer", True) for _, layer in leaves(lowered)):
        raise InputError(f"recipe {recipe}: needs a model for int8 activations: lower(model, lowering, integer=True)")
    fixed = named_inputs(lowered)[TOKENS].shape[1]
    if fixed is not None and list(lengths) != [fixed]:
        raise InputError(
            f"lengths {list(lengths)}: the model takes {fixed} tokens; use [{fixed}], or keras.Input((None,))"
        )
    # Traced on a GPU, the model would get cuDNN ops.
    with tf.device("/CPU:0"):
        signatures = {length: _traced(lowered, length, max_characters) for length in lengths}
        if recipe == STATIC:  # one by one: the converter's calibration fails on fused LSTMs of several signatures
            content = join(
                [
                    _converted({length: function}, recipe, _calibration_rows(calibration, length))
                    for length, function in signatures.items()
                ]
            )
        else:
            content = _converted(signatures, recipe)
    if recipe in ROW_BITS:
        content = pack_rows(content, lowered, ROW_BITS[recipe])
    return rewrite(content)


def _converted(functions: Mapping[int, Any], recipe: Recipe, calibration: InputBatch | None = None) -> bytes:
    """The file as the converter writes it, with a signature for the function of each length."""
    signatures = {signature_name(length): function for length, function in functions.items()}
    with temporary_folder() as path:
        folder = str(path)
        module = tf.Module()
        module.functions = signatures  # saving finds functions through attributes; their weights are constants
        try:
            tf.saved_model.save(module, folder, signatures=signatures)
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0].rpartition("; ")[2]
            raise InputError(f"{folder}: temporary files of the conversion cannot be written: {reason}") from error
        # from_concrete_functions would lose the attributes that make fused ops.
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if recipe != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if calibration is not None:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: (
                select(calibration, slice(number, number + 1)) for number in range(len(calibration[TOKENS]))
            )
        try:
            content: bytes = converter.convert()
        except (ConverterError, RuntimeError) as error:
            raise _unsupported(error) from error
    return content


def _calibration_rows(texts: Sequence[Inputs], length: int) -> InputBatch:
    """The texts as they are (mostly short), and at most as many texts of exactly `length` tokens."""
    full = pack_to_length(texts, length)
    return padded_rows([*texts, *full[: len(texts)]], length)


def _traced(lowered: keras.Model, length: int, max_characters: int | None) -> Any:
    """The concrete function of one signature, all variables replaced by constants."""
    trainable = [tf.constant(variable.value) for variable in lowered.trainable_variables]
    others = [tf.constant(variable.value) for variable in lowered.non_trainable_variables]
    inputs = named_inputs(lowered)
    specs = {}
    for name, tensor in inputs.items():
        deeper = [max_characters if size is None else size for size in tensor.shape[2:]]
        if None in deeper:
            raise InputError(f"input {name!r} {tensor.shape}: its last size is open; give `max_characters`")
        specs[name] = tf.TensorSpec((1, length, *deeper), tf.int32, name=name)

    @tf.function(autograph=False)
    def predict(**ids: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = {name: tf.cast(ids[name], tensor.dtype) for name, tensor in inputs.items()}
        given = ids if takes_names(lowered) else ids[TOKENS]
        outputs, _ = lowered.stateless_call(trainable, others, given, training=False)
        return dict(outputs)

    return predict.get_concrete_function(**specs)


def _unsupported(error: Exception) -> InputError:
    """The converter's long error in one line: which operation of which layer is not supported."""
    found = re.search(r"\"([^\"@]+)@[^\"]*\".*?: '(?:tf\.)?(\w+)' op is neither a custom op nor a flex op", str(error))
    if found is None:
        return InputError(f"model: the converter refuses it: {str(error).strip().splitlines()[0]}")
    return InputError(
        f"model: {found[1]} uses {found[2]}, which has no builtin device op; leave it out or write it otherwise"
    )
