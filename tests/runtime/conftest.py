"""Tiny bundles of both tasks written by hand, with their references in NumPy; independent of textapp.export."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.runtime import Classifier, Tagger, load
from textapp.text.tag_schemes import allowed_transitions

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

        return to_tflite([serve_length(length) for length in lengths], lengths)


def to_tflite(functions: Sequence[Any], lengths: Sequence[int]) -> bytes:
    """A TFLite file of TensorFlow functions, one for each length N, with the signatures tokens_N."""
    import tensorflow as tf

    module = tf.Module()
    module.functions = functions
    names = [f"tokens_{length}" for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=dict(zip(names, functions, strict=True)))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return converter.convert()


def write_files(folder: Path, files: dict[str, bytes | None], changes: dict[str, Any]) -> Path:
    """Writes the files of a bundle but those that are None, and a bundle.json with right hashes but for `changes`."""
    folder.mkdir()
    contents = {name: content for name, content in files.items() if content is not None}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    description = {
        "format": "textapp-bundle",
        "format_version": 1,
        "textapp_version": "0.1.0",
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


def lines_of(names: Sequence[str]) -> bytes:
    """Names, one a line."""
    return "\n".join((*names, "")).encode()


def load_error(folder: Path) -> str:
    """The message of the error that loading a bundle gives: always one line."""
    with pytest.raises(InputError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture(scope="session")
def tiny_model() -> TinyModel:
    return TinyModel()


@pytest.fixture(scope="session")
def model_content(tiny_model: TinyModel) -> bytes:
    return tiny_model.convert()


@pytest.fixture
def write_bundle(tmp_path: Path, model_content: bytes) -> Callable[..., Path]:
    """Writes a classifier's bundle whose hashes are right, whatever its files hold."""

    def write(files: dict[str, bytes | None] | None = None, name: str = "bündel 模型", **changes: Any) -> Path:
        contents = {
            "model.tflite": model_content,
            "vocabulary.txt": lines_of(TOKENS),
            "labels.txt": lines_of(LABELS),
        } | (files or {})
        description = {
            "task": "classification",
            "tokenizer": {"kind": "word", "lowercase": True, "normalization": "nfkc"},
            "word_form": None,
            "max_characters": None,
            "shapes": False,
        }
        return write_files(tmp_path / name, contents, description | changes)

    return write


@pytest.fixture
def bundle_folder(write_bundle: Callable[..., Path]) -> Path:
    return write_bundle()


@pytest.fixture
def predictor(bundle_folder: Path) -> Classifier:
    return load(bundle_folder)


TAGS = ("O", "S-人", "B-人", "I-人", "E-人", "S-lieu", "B-lieu", "I-lieu", "E-lieu")
TAG_TOKENS = ("[PAD]", "[UNK]", "angela", "merkel", "besuchte", "北", "京", "café", ".", "0")
TAG_CHARACTERS = ("[PAD]", "[UNK]", "A", "M", "a", "e", "京", "北")
MAX_CHARACTERS = 5


class TinyTagger:
    """Scores a token's tags by its word, its characters and the word before it, as TFLite and in NumPy."""

    def __init__(self) -> None:
        rng = np.random.default_rng(4)
        self.words, self.befores = rng.normal(size=(2, len(TAG_TOKENS), len(TAGS))).astype(np.float32)
        self.letters = 0.5 * rng.normal(size=(len(TAG_CHARACTERS), len(TAGS))).astype(np.float32)
        self.befores[0] = self.letters[0] = 0
        allowed = allowed_transitions(TAGS, "IOBES")
        self.transitions, self.start, self.end = (
            np.where(np.array(part), rng.normal(size=np.shape(part)), -10000.0) for part in allowed
        )

    def reference(self, tokens: Sequence[str], characters: bool = True) -> np.ndarray:
        """Logits `(n, K)` of tokens, in float64, straight from words and their characters."""
        ids = [TAG_TOKENS.index(token.lower()) if token.lower() in TAG_TOKENS else 1 for token in tokens]
        logits = self.words[ids].astype(np.float64) + self.befores[[0, *ids][: len(ids)]]
        for row, token in zip(logits, tokens, strict=True):
            for letter in token[:MAX_CHARACTERS] if characters else "":
                row += self.letters[TAG_CHARACTERS.index(letter) if letter in TAG_CHARACTERS else 1]
        return logits

    def convert(self, lengths: Sequence[int] = LENGTHS, characters: bool = True, tags: int = len(TAGS)) -> bytes:
        """The model as a TFLite file with the signature tokens_N for each length N."""
        import tensorflow as tf

        def serve_length(length: int) -> Any:
            specs = [tf.TensorSpec((1, length), tf.int32, name="token_ids")]
            if characters:
                specs.append(tf.TensorSpec((1, length, MAX_CHARACTERS), tf.int32, name="char_ids"))

            @tf.function(input_signature=specs)
            def serve(token_ids: tf.Tensor, char_ids: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
                before = tf.pad(token_ids, [[0, 0], [1, 0]])[:, :-1]
                logits = tf.gather(self.words, token_ids) + tf.gather(self.befores, before)
                if char_ids is not None:
                    logits += tf.reduce_sum(tf.gather(self.letters, char_ids), axis=2)
                return {"logits": logits[:, :, :tags]}

            return serve.get_concrete_function()

        return to_tflite([serve_length(length) for length in lengths], lengths)


@pytest.fixture(scope="session")
def tiny_tagger() -> TinyTagger:
    return TinyTagger()


@pytest.fixture(scope="session")
def tagger_content(tiny_tagger: TinyTagger) -> bytes:
    return tiny_tagger.convert()


@pytest.fixture
def write_tagger_bundle(tmp_path: Path, tiny_tagger: TinyTagger, tagger_content: bytes) -> Callable[..., Path]:
    """Writes a tagger's bundle likewise; a file that is None is left out."""

    def write(files: dict[str, bytes | None] | None = None, **changes: Any) -> Path:
        scores = {name: getattr(tiny_tagger, name).tolist() for name in ("transitions", "start", "end")}
        contents = {
            "model.tflite": tagger_content,
            "vocabulary.txt": lines_of(TAG_TOKENS),
            "tags.txt": lines_of(TAGS),
            "characters.txt": lines_of(TAG_CHARACTERS),
            "crf.json": json.dumps(scores).encode(),
        } | (files or {})
        description = {
            "task": "tagging",
            "tokenizer": {"kind": "word", "lowercase": False, "normalization": "nfkc"},
            "word_form": {"lowercase": True, "zero_digits": True, "normalization": "nfkc"},
            "max_characters": MAX_CHARACTERS,
            "tag_scheme": "IOBES",
            "crf": True,
            "shapes": False,
            "retokenize": False,
        }
        return write_files(tmp_path / "метки 标注", contents, description | changes)

    return write


@pytest.fixture
def tagger_folder(write_tagger_bundle: Callable[..., Path]) -> Path:
    return write_tagger_bundle()


@pytest.fixture
def tagger(tagger_folder: Path) -> Tagger:
    return load(tagger_folder)


@pytest.fixture(params=["bundle_folder", "tagger_folder"], ids=["classification", "tagging"])
def folder(request: pytest.FixtureRequest) -> Path:
    """The bundle of each task."""
    return request.getfixturevalue(request.param)
