"""Conversion: a lowered model becomes one TFLite file with a signature for each text length."""

import tempfile
from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
import tensorflow as tf

from textapp.errors import InputError

Recipe = Literal["float32", "float16", "dynamic_wi8_afp32"]


def signature_name(length: int) -> str:
    """The signature for texts of `length` tokens."""
    return f"tokens_{length}"


def convert(lowered: keras.Model, lengths: Sequence[int], recipe: Recipe = "float32") -> bytes:
    """Converts a model that `lower` made.

    Args:
        lowered: The model.
        lengths: Text lengths in tokens. Each becomes a signature `tokens_N` from `token_ids`, int32 `(1, N)`, to the
            model's outputs.
        recipe: How weights are stored: `float32`; `float16`; or `dynamic_wi8_afp32`, int8 with a float32 scale for each
            output channel, embedding row or fused gate, and float32 arithmetic around them.

    Returns:
        The file's content, with builtin ops only.

    Raises:
        InputError: A length does not suit the model, or one of its operations has no builtin device op.
    """
    if recipe not in get_args(Recipe):
        raise InputError(f"recipe {recipe!r}: must be one of {', '.join(get_args(Recipe))}")
    fixed = lowered.inputs[0].shape[1]
    if fixed is not None and list(lengths) != [fixed]:
        raise InputError(f"lengths {list(lengths)}: the model's input has a fixed length; must be [{fixed}], or keras.Input((None,))")
    module = tf.Module()
    with tf.device("/CPU:0"), tempfile.TemporaryDirectory() as folder:
        # A module keeps functions alive only as attributes; the weights are constants inside them.
        module.functions = {signature_name(length): _traced(lowered, length) for length in lengths}
        tf.saved_model.save(module, folder, signatures=dict(module.functions))
        # from_saved_model matters: from_concrete_functions drops the attributes that make fused ops.
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(module.functions))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if recipe != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe == "float16":
            converter.target_spec.supported_types = [tf.float16]
        content: bytes = converter.convert()
    return content


def _traced(lowered: keras.Model, length: int) -> Any:
    """The concrete function of one signature, all variables replaced by constants."""
    trainable = [tf.constant(variable.value) for variable in lowered.trainable_variables]
    fixed = [tf.constant(variable.value) for variable in lowered.non_trainable_variables]
    dtype = lowered.inputs[0].dtype

    @tf.function(input_signature=[tf.TensorSpec((1, length), tf.int32, name="token_ids")], autograph=False)
    def predict(token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs, _ = lowered.stateless_call(trainable, fixed, tf.cast(token_ids, dtype), training=False)
        return dict(outputs)

    return predict.get_concrete_function()
