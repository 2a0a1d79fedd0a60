"""The parts of a file's bytes: those of the weights that went into it."""

import keras
import numpy as np
import pytest

from tests.small_models import small_classifier, small_tagger
from textapp.export import convert, lower
from textapp.runtime.size_breakdown import size_breakdown

LENGTHS = [2, 5]
WIDTH = 32  # enough for tensors to be quantized: the converter leaves those below 1,024 numbers in float


def random_weights(model: keras.Model) -> keras.Model:
    """No two equal tensors: a file holds equal ones once."""
    rng = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    return model


def classifier(cell: str = "lstm", **settings) -> keras.Model:
    sizes = {"embedding_dim": WIDTH, "units": WIDTH, "attention_units": WIDTH}
    return random_weights(small_classifier(50, 3, cell=cell, **sizes, **settings))


def count(model: keras.Model, *names: str) -> int:
    """The numbers in some layers' weights."""
    return sum(model.get_layer(name).count_params() for name in names)


@pytest.mark.parametrize(
    ("cell", "recipe", "bytes_each"), [("lstm", "float32", 4), ("gru", "float16", 2), ("rnn", "float32", 4)]
)
def test_unrolled_layers_are_told_from_dense_ones(cell, recipe, bytes_each):
    model = classifier(cell)
    content = convert(lower(model, "unrolled"), LENGTHS, recipe)
    parts = size_breakdown(content)
    assert parts.total == sum(parts.to_dict().values()) == len(content)
    assert parts.embeddings == 50 * WIDTH * bytes_each
    assert parts.recurrent == count(model, "encoder") * bytes_each
    assert parts.dense == count(model, "attention", "logits") * bytes_each
    assert parts.rest > 0


def test_layers_upon_layers_are_all_recurrent():
    model = classifier(num_layers=2)
    parts = size_breakdown(convert(lower(model, "unrolled"), LENGTHS, "float32"))
    assert parts.recurrent == 4 * count(model, "encoder_0", "encoder_1")


def test_steps_that_read_their_inputs_as_a_bias_are_recurrent(monkeypatch):
    monkeypatch.setattr("textapp.export.rewriting.COPIES_LIMIT", 0)
    model = classifier()
    parts = size_breakdown(convert(lower(model, "unrolled"), LENGTHS, "float32"))
    assert parts.recurrent == 4 * count(model, "encoder")


def test_fused_layers_hold_their_reset_rows_besides():
    model = classifier()
    parts = size_breakdown(convert(lower(model, "fused"), LENGTHS, "float32"))
    reset_rows = 2 * 4 * (4 * WIDTH)  # of two directions; one, filled up to a multiple of 4
    assert parts.recurrent == 4 * (count(model, "encoder") + reset_rows)
    assert parts.embeddings == 4 * 50 * WIDTH


@pytest.mark.parametrize(("recipe", "bits"), [("dynamic_wi8_afp32", 8), ("dynamic_wi8_afp32_emb4", 4)])
def test_packed_rows_come_with_their_scales(recipe, bits):
    parts = size_breakdown(convert(lower(classifier(), "fused"), LENGTHS, recipe))
    assert parts.embeddings == 50 * WIDTH * bits // 8 + 4 * 50
    kernels = 2 * (WIDTH + 4 + WIDTH) * 4 * WIDTH
    biases = 2 * 4 * WIDTH * 4
    assert parts.recurrent == kernels + biases


def test_of_a_factorized_table_the_second_factor_is_dense():
    model = classifier(embedding_rank=8)
    parts = size_breakdown(convert(lower(model, "unrolled"), LENGTHS, "float32"))
    assert parts.embeddings == 4 * 50 * 8
    assert parts.recurrent == 4 * count(model, "encoder")
    assert parts.dense == 4 * (8 * WIDTH + count(model, "attention", "logits"))


def test_a_tagger_has_a_table_of_characters_and_a_convolution():
    characters = {"character_vocabulary_size": 40, "character_dim": 6, "character_filters": 7}
    model = random_weights(small_tagger(60, 5, embedding_dim=WIDTH, units=WIDTH, crf=False, **characters))
    content = convert(lower(model, "fused"), LENGTHS, "float32", 10)
    parts = size_breakdown(content)
    assert parts.total == len(content)
    assert parts.embeddings == 4 * (60 * WIDTH + 40 * 6)
    assert parts.dense >= 4 * 3 * 6 * 7


def test_a_file_of_others_is_divided_as_well(model_content, tiny_model):
    parts = size_breakdown(model_content)
    assert parts.total == len(model_content)
    assert parts.embeddings == tiny_model.table.nbytes
    assert parts.recurrent == 0
    assert parts.dense >= tiny_model.kernel.nbytes + tiny_model.query.nbytes
