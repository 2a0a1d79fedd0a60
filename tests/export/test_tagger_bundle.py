"""A tagger's bundle: the file scores tokens as Keras does, and what stands beside it decodes them."""

import hashlib
import json

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from textapp.errors import InputError
from textapp.export import ExportError, export_tagger_bundle
from textapp.layers import CRF
from textapp.models.ner import entity_tagger, without_crf
from textapp.runtime import load
from textapp.tasks.tagging.scores import tag_scores
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


def tagger(
    characters: bool = True,
    crf: bool = True,
    tags: TagSet | None = None,
    cell: str = "lstm",
    bigram_rows: int | None = None,
    context_filters: int | None = None,
    shapes: int | None = None,
) -> keras.Model:
    """Wide enough for its tensors to be quantized, with weights that tell tokens apart."""
    tags = tag_set() if tags is None else tags
    model = entity_tagger(
        len(WORDS) + 2,
        len(tags),
        embedding_dim=80,
        units=24,
        cell=cell,
        character_vocabulary_size=len(LETTERS) + 2 if characters else None,
        character_dim=40,
        character_filters=16,
        bigram_rows=bigram_rows,
        context_filters=context_filters,
        features={"shape_ids": (shapes, 4)} if shapes else None,
        crf=crf,
        allowed=tags.allowed() if crf else None,
    )
    rng = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.4, size=variable.shape))
    return model


def export(folder, model: keras.Model | None = None, **changes):
    arguments = {
        "tokenizer": TOKENIZER,
        "encoder": encoder(),
        "tag_set": tag_set(),
        "lengths": [3, 8],
        "sentences": SENTENCES,
        **changes,
    }
    return export_tagger_bundle(tagger() if model is None else model, folder, **arguments)


def inputs(sentence, length: int, encode: TokenEncoder) -> dict[str, np.ndarray]:
    """One sentence as one row, by another road than the export's."""
    ids = encode.encode(sentence[:length])
    missing = length - len(ids["token_ids"])
    return {
        name: np.array([rows + [[0] * 6 if name == "char_ids" else 0] * missing], np.int32)
        for name, rows in ids.items()
    }


PARTS = {"plain": {}, "pairs": {"bigram_rows": 40}, "context": {"context_filters": 12}, "shapes": {"shapes": SHAPES}}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
@pytest.mark.parametrize("recipe", ["float32", "dynamic_wi8_afp32"])
def test_the_file_scores_tokens_as_keras_does(tmp_path, lowering, recipe, parts):
    model = tagger(**parts)
    encode = encoder(shapes="shapes" in parts)
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
            np.testing.assert_allclose(received, expected, atol=1e-5 if recipe == "float32" else 0.1)


def test_a_bundle_says_what_it_is(tmp_path):
    model = tagger()
    folder = export(tmp_path / "b", model, true_tags=TAGS)
    names = ["bundle.json", "characters.txt", "crf.json", "model.tflite", "tags.txt", "vocabulary.txt"]
    assert sorted(path.name for path in folder.iterdir()) == names
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names[1:]}
    assert description["sha256"] == hashes
    assert description["task"] == "tagging"
    assert description["word_form"] == {"lowercase": True, "zero_digits": False, "normalization": "nfkc"}
    assert (description["max_characters"], description["tag_scheme"], description["crf"]) == (6, "IOBES", True)
    assert (description["retokenize"], description["shapes"]) == (False, False)
    assert (folder / "tags.txt").read_text(encoding="utf-8").split() == list(tag_set().tags)
    assert Vocabulary.load(folder / "characters.txt") == encoder().characters
    metrics = description["metrics"]
    assert metrics["count"] == 5 + 2 + 1 + 8  # the longest is cut
    assert {"entity_f1", "precision", "recall", "types"} <= metrics["before"].keys() == metrics["after"].keys()


def test_the_recorded_scores_are_those_of_the_bundle(tmp_path):
    """Spans of types, or plain tags, that the model lacks count as missed."""
    true = [["B-PER", "O", "O", "B-RIVER", "O"], ["B-TEAM", "I-TEAM"], ["B-ORG"], ["O"] * 15]
    folder = export(tmp_path / "b", lengths=[3, 16], true_tags=true)
    metrics = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["metrics"]["after"]
    assert metrics == tag_scores(true, list(load(folder).tag(SENTENCES)), tag_set())
    assert (metrics["count"], metrics["types"]["RIVER"]["count"], metrics["types"]["TEAM"]["count"]) == (4, 1, 1)

    tags = tag_set(None)
    true = [["NEW"] * len(sentence) for sentence in SENTENCES]
    folder = export(tmp_path / "c", tagger(crf=False, tags=tags), tag_set=tags, lengths=[16], true_tags=true)
    metrics = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["metrics"]["after"]
    assert metrics == {"accuracy": 0.0, "count": 23}


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
    encode, model = encoder(False, shapes=True), tagger(False, shapes=SHAPES)
    model.get_layer("embedding").embeddings.assign(np.zeros((len(WORDS) + 2, 80)))
    bundle = load(export(tmp_path / "b", model, encoder=encode, recipe=recipe, lowering="unrolled"))
    assert bundle.encoder.encode(SENTENCES[0]) == encode.encode(SENTENCES[0])
    scoring, _ = without_crf(model)
    for sentence in SENTENCES[:3]:
        row = inputs(sentence, len(sentence), encode)
        np.testing.assert_allclose(bundle.logits(sentence), np.asarray(scoring(row))[0], atol=0.1)
    assert not np.allclose(bundle.logits(["ann"]), bundle.logits(["Ann"]), atol=0.2)


def test_shapes_want_a_row_each(tmp_path):
    with pytest.raises(InputError, match="layer 'shape_ids_embedding' has 32 rows for 33 shapes of words"):
        export(tmp_path / "b", tagger(shapes=SHAPES - 1), encoder=encoder(shapes=True))


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells(tmp_path, cell):
    assert export(tmp_path / "b", tagger(cell=cell), lengths=[4]).is_dir()


def test_without_crf_and_characters_and_scheme(tmp_path):
    """Parts of speech: tags that stand for themselves, each by itself."""
    tags = tag_set(None)
    truth = [["X"] * len(sentence) for sentence in SENTENCES]
    model = tagger(characters=False, crf=False, tags=tags)
    folder = export(tmp_path / "b", model, encoder=encoder(False), tag_set=tags, true_tags=truth)
    assert sorted(path.name for path in folder.iterdir()) == [
        "bundle.json", "model.tflite", "tags.txt", "vocabulary.txt",
    ]  # fmt: skip
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert (description["max_characters"], description["tag_scheme"], description["crf"]) == (None, None, False)
    ids = [np.asarray(model(inputs(s, 8, encoder(False))["token_ids"]))[0].argmax(1)[: len(s)] for s in SENTENCES]
    found = np.concatenate(ids) == tags.tags.index("X")
    assert description["metrics"]["before"] == {"accuracy": pytest.approx(found.mean()), "count": 16}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tag_set": tag_set(None)}, r"model: must give logits \(B, T, 3\), or end in a CRF of them, for 3 tags"),
        ({"encoder": encoder(False)}, "encoder: must have characters where the model takes char_ids"),
        ({"encoder": encoder(shapes=True)}, "encoder: must have shapes where the model takes shape_ids"),
        ({"sentences": []}, "sentences: at least one real sentence"),
        ({"sentences": [[]]}, "sentences: at least one real sentence"),
        ({"tokenizer": Tokenizer()}, "tokenizer: must keep capitals"),
        ({"true_tags": TAGS[:2]}, "true_tags: must be a tag for each token"),
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


def test_a_word_without_a_row_is_refused(tmp_path):
    more = encoder()
    more = TokenEncoder(more.form, Vocabulary([*more.vocabulary.tokens, "extra"]), more.characters, 6)
    with pytest.raises(InputError, match="words or characters, but layer 'embedding' has"):
        export(tmp_path / "b", encoder=more)


def test_a_failed_check_keeps_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise ExportError("model.tflite: no good")

    monkeypatch.setattr("textapp.export.bundle.check_file", fail)
    with pytest.raises(ExportError, match="no good"):
        export(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
