"""A tagger's bundle: the file scores tokens as Keras does, and what stands beside it decodes them."""

import itertools
import json

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.small_models import small_tagger
from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.errors import InputError
from textapp.export import export_model
from textapp.export.checks import LABEL_TOLERANCE
from textapp.layers import CRF
from textapp.runtime import load
from textapp.task import Compared, task
from textapp.tasks.tagging.config import TaggingConfig
from textapp.tasks.tagging.head import without_crf
from textapp.text.tag_set import TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.text.word_shape import SHAPES

SENTENCES = [["Ann", "lives", "in", "Łódź", "."], ["北京", "wins"], ["NASA"], ["the", "sky", "is"] * 5]
TAGS = [["B-PER", "O", "O", "B-LOC", "O"], ["B-LOC", "O"], ["B-ORG"], ["O"] * 15]
WORDS = sorted({word.lower() for sentence in SENTENCES for word in sentence})
LETTERS = sorted({letter for sentence in SENTENCES for word in sentence for letter in word})
TOKENIZER = Tokenizer(lowercase=False)


def encoder(characters: bool = True, shapes: bool = False) -> TokenEncoder:
    letters = Vocabulary(["[PAD]", "[UNK]", *LETTERS]) if characters else None
    return TokenEncoder(WordForm(), Vocabulary(["[PAD]", "[UNK]", *WORDS]), letters, 6, shapes)


def tag_set(scheme: str | None = "IOBES") -> TagSet:
    return TagSet.build(TAGS if scheme else [["NOUN", "VERB"], ["X"]], scheme)


def tagger(characters: bool = True, tags: TagSet | None = None, crf: bool = True, **settings) -> keras.Model:
    """Wide enough for its tensors to be quantized, with weights that tell tokens apart."""
    tags = tag_set() if tags is None else tags
    model = small_tagger(
        len(WORDS) + 2,
        len(tags),
        len(LETTERS) + 2 if characters else None,
        crf=crf,
        allowed=tags.allowed() if crf else None,
        **{"embedding_dim": 80, "units": 24, "character_dim": 40, "character_filters": 16, **settings},
    )
    rng = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.4, size=variable.shape))
    return model


def export(folder, model: keras.Model | None = None, tags=TAGS, sentences=SENTENCES, **changes):
    """`export_model` with good arguments but for those given."""
    examples = None if tags is None else TaggedExamples(sentences, tags, "sentences")
    arguments = {
        "config": TaggingConfig(retokenize=False),
        "tokenizer": TOKENIZER,
        "encoder": encoder(),
        "targets": tag_set(),
        "lengths": [3, 8],
        "compared": Compared([sentence[:8] for sentence in sentences], sentences, examples),
        **changes,
    }
    return export_model(task("tagging"), tagger() if model is None else model, folder, **arguments)


def inputs(sentence, length: int, encode: TokenEncoder) -> dict[str, np.ndarray]:
    """One sentence as one row, by another road than the export's."""
    ids = encode.encode(sentence[:length])
    missing = length - len(ids["token_ids"])
    return {
        name: np.array([rows + [[0] * 6 if name == "char_ids" else 0] * missing], np.int32)
        for name, rows in ids.items()
    }


PARTS = {
    "plain": {},
    "pairs, context and shapes": {
        **{"bigrams": 40, "bigram_dim": 32},
        "context_filters": 12,
        **{"shapes": True, "shape_dim": 4},
    },
    "shapes and vectors": {
        **{"shapes": True, "train_embedding": False},
        "vectors": np.random.default_rng(6).normal(size=(len(WORDS) + 2, 80)).astype("float32"),
    },
}


@pytest.mark.parametrize(
    ("part", "lowering", "recipe"),
    [
        *itertools.product(["plain"], ["fused", "unrolled"], ["float32", "dynamic_wi8_afp32"]),
        *((part, "fused", "dynamic_wi8_afp32") for part in PARTS if part != "plain"),
        *((part, "unrolled", "float32") for part in PARTS if part != "plain"),
    ],
)
def test_the_file_scores_tokens_as_keras_does(tmp_path, monkeypatch, part, lowering, recipe):
    monkeypatch.setitem(LABEL_TOLERANCE, "dynamic_wi8_afp32", 0.1)  # nothing is learned: tags are as good as equal
    parts = PARTS[part]
    model = tagger(**parts)
    encode = encoder(shapes="shapes" in parts)
    if "vectors" in parts:
        np.testing.assert_array_equal(model.get_layer("embedding").embeddings, parts["vectors"])
    folder = export(tmp_path / "包", model, encoder=encode, lowering=lowering, recipe=recipe)
    interpreter = Interpreter(model_content=(folder / "model.tflite").read_bytes())
    scoring, crf = without_crf(model)
    assert isinstance(crf, CRF)
    for sentence in SENTENCES:
        for length in (3, 8):
            row = inputs(sentence, length, encode)
            count = min(len(sentence), length)
            expected = np.asarray(scoring(row))[0, :count]
            received = interpreter.get_signature_runner(f"tokens_{length}")(**row)["logits"][0, :count]
            np.testing.assert_allclose(received, expected, atol=1e-5 if recipe == "float32" else 0.2)


def test_a_bundle_says_what_a_tagger_needs(tmp_path):
    folder = export(tmp_path / "b")
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert description["word_form"] == {"lowercase": True, "zero_digits": False, "normalization": "nfkc"}
    assert (description["max_characters"], description["tag_scheme"], description["crf"]) == (6, "IOBES", True)
    assert (description["retokenize"], description["shapes"]) == (False, False)
    assert (folder / "tags.txt").read_text(encoding="utf-8").split() == list(tag_set().tags)
    assert Vocabulary.load(folder / "characters.txt") == encoder().characters
    metrics = description["metrics"]
    assert metrics["count"] == 5 + 2 + 1 + 15  # the longest is read in windows
    assert {"entity_f1", "precision", "recall", "types"} <= metrics["before"].keys() == metrics["after"].keys()


def test_the_scores_of_the_crf_go_along(tmp_path):
    model = tagger()
    scores = json.loads((export(tmp_path / "b", model) / "crf.json").read_text(encoding="utf-8"))
    tags, crf = tag_set().tags, model.layers[-1]
    allowed = tag_set().allowed()
    for first in range(len(tags)):
        for second in range(len(tags)):
            expected = float(crf.transitions[first, second]) if allowed.matrix[first][second] else -1e4
            assert scores["transitions"][first][second] == expected
    for name, weight, ok in (("start", crf.start, allowed.start), ("end", crf.end, allowed.end)):
        assert scores[name] == np.where(ok, np.asarray(weight), np.float32(-1e4)).tolist()


@pytest.mark.parametrize("recipe", ["dynamic_wi8_afp32_emb4", "static_wi8_ai8"])
def test_a_bundle_of_shapes_predicts_what_keras_does(tmp_path, recipe):
    """In place of characters: capitals tell a name, and only they."""
    encode, model = encoder(False, shapes=True), tagger(False, shapes=True, shape_dim=4)
    model.get_layer("embedding").embeddings.assign(np.zeros((len(WORDS) + 2, 80)))
    bundle = load(export(tmp_path / "b", model, encoder=encode, recipe=recipe, lowering="unrolled"))
    assert bundle.encoder.encode(SENTENCES[0]) == encode.encode(SENTENCES[0])
    scoring, _ = without_crf(model)
    for sentence in SENTENCES[:3]:
        row = inputs(sentence, len(sentence), encode)
        np.testing.assert_allclose(bundle.logits(sentence), np.asarray(scoring(row))[0], atol=0.1)
    assert not np.allclose(bundle.logits(["ann"]), bundle.logits(["Ann"]), atol=0.2)


def test_shapes_want_a_row_each(tmp_path, monkeypatch):
    monkeypatch.setattr("textapp.models.words.SHAPES", SHAPES - 1)
    model = tagger(shapes=True)
    with pytest.raises(InputError, match="33 shapes of words, but layer 'shape_ids_embedding' has 32 rows"):
        export(tmp_path / "b", model, encoder=encoder(shapes=True))


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells(tmp_path, cell):
    assert export(tmp_path / "b", tagger(cell=cell), lengths=[4]).is_dir()


def test_without_crf_and_characters_and_scheme(tmp_path):
    """Parts of speech: plain tags, each by itself."""
    tags, sentences = tag_set(None), [sentence[:8] for sentence in SENTENCES]
    model = tagger(characters=False, crf=False, tags=tags)
    examples = TaggedExamples(sentences, [["X"] * len(sentence) for sentence in sentences], "sentences", PLAIN)
    compared = Compared(sentences, sentences, examples)
    folder = export(tmp_path / "b", model, encoder=encoder(False), targets=tags, compared=compared)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "bundle.json", "model.tflite", "selftest.json", "tags.txt", "vocabulary.txt",
    ]  # fmt: skip
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert (description["max_characters"], description["tag_scheme"], description["crf"]) == (None, None, False)
    ids = [np.asarray(model(inputs(s, 8, encoder(False))["token_ids"]))[0].argmax(1)[: len(s)] for s in SENTENCES]
    found = np.concatenate(ids) == tags.tags.index("X")
    assert description["metrics"]["before"] == {"accuracy": pytest.approx(found.mean()), "count": 16}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"targets": tag_set(None)},
            r"model: must have one output, logits \(B, T, 3\), for 3 targets. Received: \(None",
        ),
        ({"encoder": encoder(False)}, "encoder: must have characters where the model takes char_ids"),
        ({"encoder": encoder(shapes=True)}, "encoder: must have shapes where the model takes shape_ids"),
        ({"sentences": [], "tags": None}, "texts: at least one real text"),
        ({"sentences": [[]], "tags": None}, "texts: at least one real text"),
        ({"tokenizer": Tokenizer()}, "tokenizer: must keep capitals"),
        ({"lengths": [8, 8]}, "lengths .*: must be different positive numbers"),
        (
            {"encoder": TokenEncoder(WordForm(), Vocabulary(["[PAD]", "[UNK]", *"abcdefghijklmnop"]), None, 6)},
            "encoder: must have characters",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        export(tmp_path / "b", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "letters", "message"),
    [
        (["extra"], [], "14 tokens, but layer 'embedding' has 13 rows"),
        ([], ["ж"], r"\d+ characters, but layer 'characters' has \d+ rows"),
    ],
)
def test_a_word_or_a_character_without_a_row_is_refused(tmp_path, words, letters, message):
    known = encoder()
    more = [Vocabulary([*old.tokens, *new]) for old, new in ((known.vocabulary, words), (known.characters, letters))]
    with pytest.raises(InputError, match=message):
        export(tmp_path / "b", encoder=TokenEncoder(known.form, *more, 6))
