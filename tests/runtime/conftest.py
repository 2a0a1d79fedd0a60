"""A tiny bundle written by hand, with its reference in NumPy; independent of textapp.export."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textapp.runtime import Predictor, load

LENGTHS = (4, 8)
LABELS = ("négatif", "neutre", "积极")
TOKENS = ("[PAD]", "[UNK]", "good", "bad", "film", "café", "naïve", "好", "坏", "плохо", "!", "don't", "3.14")


class TinyModel:
    """Attends to words by their own score and classifies their weighted mean, as TFLite and in NumPy.

    `weights = softmax(table @ query)` over the tokens, `logits = (weights @ table) @ kernel + bias`.
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(20)
        width = 6
        self.table = rng.normal(size=(len(TOKENS), width)).astype(np.float32)
        self.query = rng.normal(size=(width, 1)).astype(np.float32)
        self.kernel = rng.normal(size=(width, len(LABELS))).astype(np.float32)
        self.bias = (0.1 * rng.normal(size=len(LABELS))).astype(np.float32)

    def reference(self, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities `(C,)` and attention weights `(N,)` of tokens, without padding, in float64."""
        ids = [TOKENS.index(token) if token in TOKENS else 1 for token in tokens]
        rows = self.table[ids].astype(np.float64)
        scores = np.exp(rows @ self.query[:, 0])
        weights = scores / scores.sum() if tokens else scores
        logits = np.exp(weights @ rows @ self.kernel + self.bias)
        return logits / logits.sum(), weights

    def convert(
        self,
        lengths: Sequence[int] = LENGTHS,
        attention_lengths: Sequence[int] = LENGTHS,
        input_name: str = "token_ids",
        logits_name: str = "logits",
        finite: bool = True,
    ) -> bytes:
        """The model as a TFLite file with the signature tokens_N for each length N."""
        import tensorflow as tf

        def serve_length(length: int) -> Any:
            @tf.function(input_signature=[tf.TensorSpec((1, length), tf.int32, name=input_name)])
            def serve(ids: tf.Tensor) -> dict[str, tf.Tensor]:
                mask = tf.cast(tf.not_equal(ids, 0), tf.float32)
                rows = tf.gather(tf.constant(self.table), tf.reshape(ids, [-1]))
                scores = tf.exp(tf.reshape(tf.matmul(rows, self.query), [1, length])) * mask
                total = tf.reduce_sum(scores, axis=-1, keepdims=True)
                weights = scores / (tf.maximum(total, 1e-9) if finite else total)  # 0 / 0 on a row of padding
                outputs = {logits_name: tf.matmul(tf.matmul(weights, rows), self.kernel) + self.bias}
                return outputs | ({"attention_weights": weights} if length in attention_lengths else {})

            return serve.get_concrete_function()

        functions = [serve_length(length) for length in lengths]
        module = tf.Module()
        module.functions = functions
        names = [f"tokens_{length}" for length in lengths]
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(module, folder, signatures=dict(zip(names, functions, strict=True)))
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            return converter.convert()


@pytest.fixture(scope="session")
def tiny_model() -> TinyModel:
    return TinyModel()


@pytest.fixture(scope="session")
def model_content(tiny_model: TinyModel) -> bytes:
    return tiny_model.convert()


@pytest.fixture
def write_bundle(tmp_path: Path, model_content: bytes) -> Callable[..., Path]:
    """Writes a bundle whose hashes are right, whatever its files hold."""

    def write(
        model: bytes = model_content,
        tokens: Sequence[str] = TOKENS,
        labels: bytes = "\n".join((*LABELS, "")).encode(),
        **changes: Any,
    ) -> Path:
        folder = tmp_path / "bündel 模型"
        folder.mkdir()
        contents = {
            "model.tflite": model,
            "vocabulary.txt": "\n".join((*tokens, "")).encode(),
            "labels.txt": labels,
        }
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        description = {
            "format": "textapp-bundle",
            "format_version": 1,
            "task": "classification",
            "textapp_version": "0.1.0",
            "tokenizer": {"kind": "word", "lowercase": True, "normalization": "nfkc"},
            "lengths": list(LENGTHS),
            "lowering": "fused",
            "recipe": "float32",
            "signatures": {str(length): f"tokens_{length}" for length in LENGTHS},
            "metrics": {"accuracy": 0.5},
            "checks": {},
            "versions": {"tensorflow": "2.21.0", "keras": "3.15.1", "ai_edge_litert": "2.3.0"},
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        }
        text = json.dumps(description | changes, ensure_ascii=False)
        (folder / "bundle.json").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def bundle_folder(write_bundle: Callable[..., Path]) -> Path:
    return write_bundle()


@pytest.fixture
def predictor(bundle_folder: Path) -> Predictor:
    return load(bundle_folder)
