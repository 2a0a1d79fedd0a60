"""Converts the same Keras model for devices in other ways: with Keras' export, and to ONNX."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from onnxruntime.quantization import quantize_dynamic

STOCK_SIGNATURE, STOCK_OUTPUT = "serving_default", "output_0"


def convert_stock(model: keras.Model, length: int, int8: bool) -> bytes:
    """Converts a Keras 3 model with its SavedModel export and the converter, as the baseline of textapp's lowering.

    The batch is 1 and the length fixed, the best setting for the converter. LSTMs become WHILE loops.

    Args:
        model: The model, from `token_ids` `(B, T)` to logits.
        length: T.
        int8: Whether weights become int8 (dynamic range quantization).
    """
    with tempfile.TemporaryDirectory() as folder:
        signature = keras.InputSpec(shape=(1, length), dtype="int32", name="token_ids")
        model.export(folder, format="tf_saved_model", input_signature=[signature], verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def export_onnx(model: keras.Model, float32: Path, int8: Path) -> None:
    """Writes a model as ONNX, and with dynamically quantized int8 weights.

    It has no mask, because with a mask the LSTM becomes a loop, and no fixed length. So an LSTM is one op, and the file
    gives right scores for texts without padding.
    """
    signature = keras.InputSpec(shape=(None, None), dtype="int32", name="token_ids")
    unmasked(model).export(str(float32), format="onnx", input_signature=[signature], verbose=False)
    quantize_dynamic(float32, int8)


def unmasked(model: keras.Model) -> keras.Model:
    """A functional model with the same weights whose embedding makes no mask."""

    def rebuild(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Embedding):
            config["mask_zero"] = False
        return type(layer).from_config(config)

    def call(layer: Any, *arguments: Any, mask: Any = None, **options: Any) -> Any:
        del mask  # recorded when the original model was built
        return layer(*arguments, **options)

    clone = keras.models.clone_model(model, clone_function=rebuild, call_function=call)
    clone.set_weights(model.get_weights())
    return clone
