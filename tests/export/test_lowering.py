"""A lowered model equals the stock Keras model, in Keras, before anything is converted."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.small_models import small_classifier
from textapp.errors import InputError
from textapp.export import lower
from textapp.export.lowering import PLAIN, in_float32
from textapp.export.lowerings.recurrent_fused import FusedLSTM
from textapp.export.lowerings.recurrent_unrolled import UnrolledGRU, UnrolledLSTM, UnrolledSimpleRNN
from textapp.layers import AttentionPooling
from textapp.layers.leaves import leaves

V, T, H = 30, 6, 5
LAYERS = {
    "LSTM": lambda **settings: layers.LSTM(H, **settings),
    "LSTM without bias": lambda **settings: layers.LSTM(H, use_bias=False, **settings),
    "LSTM, relu and hard_sigmoid": lambda **settings: layers.LSTM(
        H, activation="relu", recurrent_activation="hard_sigmoid", **settings
    ),
    "GRU": lambda **settings: layers.GRU(H, **settings),
    "GRU, reset before": lambda **settings: layers.GRU(H, reset_after=False, **settings),
    "GRU without bias": lambda **settings: layers.GRU(H, use_bias=False, **settings),
    "SimpleRNN": lambda **settings: layers.SimpleRNN(H, **settings),
    "SimpleRNN, relu": lambda **settings: layers.SimpleRNN(H, activation="relu", use_bias=False, **settings),
}
FORMS = [("LSTM", "fused"), ("LSTM", "unrolled"), ("GRU", "unrolled"), ("SimpleRNN", "unrolled")]
WRAPPINGS = {
    "forwards": lambda make, **settings: make(**settings),
    "backwards": lambda make, **settings: make(go_backwards=True, **settings),
    "zeros on padding": lambda make, **settings: make(zero_output_for_mask=True, **settings),
    "bidirectional": lambda make, **settings: layers.Bidirectional(make(**settings)),
}


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(7)


def randomized(model: keras.Model) -> keras.Model:
    """The model with weights that a wrong order of gates or a lost bias would betray."""
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.6, size=variable.shape))
    return model


def texts(padding: str = "right") -> np.ndarray:
    """Token ids `(5, T)`: empty, one token, some, all but one, all."""
    rows = np.zeros((5, T), "int32")
    rng = np.random.default_rng(4)
    for row, length in zip(rows, [0, 1, 3, T - 1, T], strict=True):
        row[slice(length) if padding == "right" else slice(T - length, T)] = rng.integers(1, V, length)
    return rows


def two_inputs(first: str = "token_ids", as_list: bool = False) -> keras.Model:
    """A model of two inputs, in one form or another."""
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in (first, "shapes")}
    joined = layers.Concatenate()([layers.Embedding(V, H)(tensor) for tensor in inputs.values()])
    return keras.Model(list(inputs.values()) if as_list else inputs, layers.Dense(2)(joined))


def around(*encoders: layers.Layer, mask: str = "embedding") -> keras.Model:
    """A model that shows each number the last encoder gives, on padding too: the sequence itself is an output."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    encoded = layers.Embedding(V, 6, mask_zero=mask == "embedding")(ids)
    given = {"mask": ops.not_equal(ids, 0)} if mask == "explicit" else {}
    for encoder in encoders:
        encoded = encoder(encoded, **given)
    return randomized(keras.Model(ids, encoded))


def assert_equal(model: keras.Model, lowering: str, rows: np.ndarray) -> keras.Model:
    lowered = lower(model, lowering)
    np.testing.assert_allclose(lowered(rows)["logits"], model(rows), atol=2e-6, rtol=2e-6)
    return lowered


@pytest.mark.parametrize("return_sequences", [True, False], ids=["sequence", "last"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(("layer", "lowering"), FORMS)
def test_wrappings(layer, lowering, wrapping, return_sequences):
    model = around(WRAPPINGS[wrapping](LAYERS[layer], return_sequences=return_sequences))
    assert_equal(model, lowering, texts())


@pytest.mark.parametrize("merge_mode", ["sum", "mul", "ave"])
def test_merge_modes(merge_mode):
    assert_equal(around(layers.Bidirectional(layers.GRU(H), merge_mode=merge_mode)), "unrolled", texts())


@pytest.mark.parametrize("layer", LAYERS)
def test_settings(layer):
    for lowering in ["fused", "unrolled"] if layer.startswith("LSTM") else ["unrolled"]:
        assert_equal(around(layers.Bidirectional(LAYERS[layer](return_sequences=True))), lowering, texts())


@pytest.mark.parametrize(("padding", "mask"), [("right", "explicit"), ("left", "embedding"), ("right", "none")])
@pytest.mark.parametrize(("layer", "lowering"), FORMS)
def test_masks(layer, lowering, padding, mask):
    encoders = (layers.Bidirectional(LAYERS[layer](return_sequences=True)), LAYERS[layer]())
    assert_equal(around(*encoders, mask=mask), lowering, texts(padding))


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_cell_states_may_grow(lowering):
    model = around(layers.LSTM(H, return_sequences=True))
    for variable in model.trainable_variables:
        variable.assign(3 * np.abs(variable.numpy()) + 1)  # all gates open: the state counts the tokens
    assert_equal(model, lowering, np.ones((1, 40), "int32"))


def test_a_gate_without_weights_still_closes():
    model = around(layers.LSTM(H, return_sequences=True))
    kernel = model.layers[-1].cell.kernel
    kernel.assign(kernel * np.repeat([0.0, 1.0, 1.0, 1e-4], H))
    assert_equal(model, "fused", texts("left"))


@pytest.mark.parametrize(
    ("lowering", "layer", "kind"),
    [
        ("fused", "LSTM", FusedLSTM),
        ("fused", "LSTM, relu and hard_sigmoid", UnrolledLSTM),  # the op knows no other activations
        ("fused", "GRU", UnrolledGRU),
        ("fused", "SimpleRNN", UnrolledSimpleRNN),
        ("unrolled", "LSTM", UnrolledLSTM),
    ],
)
def test_each_layer_gets_its_form(lowering, layer, kind):
    lowered = lower(around(layers.Bidirectional(LAYERS[layer]())), lowering)
    assert [type(leaf) for _, leaf in leaves(lowered) if isinstance(leaf, layers.RNN)] == [kind, kind]


def test_layers_that_stay_as_they_are():
    """One model through every stock layer of the list, so that none is there unproven."""
    ids = keras.Input((T,), dtype="int32")
    x = layers.Masking()(layers.Embedding(V, 6)(ids))
    for layer in (
        layers.SpatialDropout1D(0.3),
        layers.GaussianDropout(0.3),
        layers.GaussianNoise(0.3),
        layers.Conv1D(6, 3, padding="causal"),
        layers.DepthwiseConv1D(3, padding="same"),
        layers.SeparableConv1D(6, 3, padding="same"),
        layers.LayerNormalization(),
        layers.BatchNormalization(),
        layers.Dense(6),
        layers.Activation("gelu"),
        layers.ReLU(),
        layers.LeakyReLU(),
        layers.PReLU(shared_axes=[1]),
        layers.ELU(),
        layers.Softmax(),
        layers.Identity(),
        layers.Dropout(0.3),
    ):
        x = layer(x)
    x, y = layers.MaxPooling1D(2)(x), layers.AveragePooling1D(2)(x)
    x = layers.Add()([x, layers.Multiply()([x, y]), layers.Subtract()([x, y]), layers.Average()([x, y])])
    y = layers.Dot(axes=1)([layers.Maximum()([x, y]), layers.Minimum()([x, y])])
    y = layers.Reshape((4, 9))(layers.Permute((2, 1))(y))
    z = layers.RepeatVector(2)(layers.GlobalMaxPooling1D()(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.Flatten()(y), layers.Flatten()(z)])
    model = randomized(keras.Model(ids, layers.Dense(3)(x)))
    assert {type(layer).__name__ for layer in model.layers} >= set(PLAIN)
    for variable in model.non_trainable_variables:
        if "moving_variance" in variable.path:
            variable.assign(variable + 0.5)
    assert_equal(model, "fused", texts())


def test_attention_weights_come_out_once_computed():
    model = randomized(small_classifier(V, 3, embedding_dim=6, units=H))
    weights = lower(model, "unrolled")(texts())["attention_weights"].numpy()
    stock = AttentionPooling(64)
    encoded = keras.Model(model.inputs[0], model.get_layer("encoder").output)(texts())
    stock.build(encoded.shape)
    stock.set_weights(model.get_layer("attention").get_weights())
    _, expected = stock(encoded, mask=texts() != 0, return_attention_scores=True)
    np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_two_attention_layers_give_no_weights():
    ids = keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(V, 6, mask_zero=True)(ids)
    both = layers.Concatenate()([AttentionPooling(4)(embedded), AttentionPooling(3)(embedded)])
    assert set(assert_equal(randomized(keras.Model(ids, both)), "fused", texts()).output) == {"logits"}


def test_an_attention_layer_called_twice_gives_no_weights():
    ids = keras.Input((None,), dtype="int32")
    pool = AttentionPooling(4)
    embedded = layers.Embedding(V, 6, mask_zero=True)(ids)
    both = layers.Concatenate()([pool(embedded), pool(layers.LSTM(6, return_sequences=True)(embedded))])
    assert set(assert_equal(randomized(keras.Model(ids, both)), "fused", texts()).output) == {"logits"}


class Doubled(AttentionPooling):
    """A user's variant of the layer: stays what it is."""

    def call(self, encoded, mask=None, return_attention_scores=False):
        return 2 * super().call(encoded, mask)


def test_a_variant_of_attention_stays_itself():
    ids = keras.Input((None,), dtype="int32")
    pooled = Doubled(4)(layers.Embedding(V, 6, mask_zero=True)(ids))
    assert_equal(randomized(keras.Model(ids, pooled)), "fused", texts())


def test_nested_sequential_and_shared_layers():
    inner = keras.Sequential([keras.Input((None, 6)), layers.LSTM(H, return_sequences=True), layers.Dropout(0.5)])
    shared = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
    ids = keras.Input((None,), dtype="int32")
    encoded = shared(inner(layers.Embedding(V, 6)(ids)))
    model = randomized(keras.Model(ids, shared(layers.Dense(H)(encoded))))
    lowered = assert_equal(model, "fused", texts())
    assert sum(isinstance(layer, FusedLSTM) for _, layer in leaves(lowered)) == 3

    sequential = keras.Sequential([keras.Input((None,)), layers.Embedding(V, 6), layers.GRU(H), layers.Dense(2)])
    assert_equal(randomized(sequential), "unrolled", texts())


def test_outputs_keep_their_names():
    ids = keras.Input((None,), dtype="int32")
    encoded = layers.LSTM(H)(layers.Embedding(V, 6)(ids))
    heads = [layers.Dense(2, name="intent")(encoded), layers.Dense(3, name="情感")(encoded)]
    assert list(lower(keras.Model(ids, heads)).output) == ["intent", "情感"]
    assert set(lower(keras.Model(ids, {"a": heads[0], "b": heads[1]})).output) == {"a", "b"}
    with pytest.raises(InputError, match="two outputs have one name"):
        lower(keras.Model(ids, [heads[0], heads[0]]))


def test_mixed_precision_is_lowered_to_float32():
    full = randomized(small_classifier(V, 2, embedding_dim=6, units=H))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = small_classifier(V, 2, embedding_dim=6, units=H)
    finally:
        keras.config.set_dtype_policy(before)
    half.set_weights(full.get_weights())
    for lowering in ("fused", "unrolled"):
        np.testing.assert_allclose(lower(half, lowering)(texts())["logits"], full(texts()), atol=2e-6)
    np.testing.assert_array_equal(in_float32(half)(texts()), full(texts()))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_no_cudnn_where_a_gpu_is_visible(cell):
    """Keras would call it in place of the lowered layer, and the converter knows no such op."""
    model = small_classifier(V, 2, embedding_dim=6, units=H, cell=cell)
    for made in (in_float32(model), lower(model, "fused"), lower(model, "unrolled")):
        assert [leaf.use_cudnn for _, leaf in leaves(made) if isinstance(leaf, layers.RNN)] == [False, False]


def test_the_original_is_left_alone():
    model = small_classifier(V, 2, embedding_dim=6, units=H)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    weights, expected = model.get_weights(), model(texts())
    lowered = lower(model, "fused")
    for variable in lowered.variables:
        variable.assign(variable * 0)
    np.testing.assert_array_equal(model(texts()), expected)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    assert model.get_layer("encoder").output is not None  # raises once a layer has been called twice


class Gap(layers.Layer):
    """A user's layer that cannot say its arguments."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def call(self, x):
        return x


def stacked(layer: layers.Layer) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, layers.Dense(2)(layer(layers.Embedding(V, 6)(ids))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: stacked(layers.RNN(layers.LSTMCell(3), name="编码")),
            "layer '编码' \\(RNN\\): has no device lowering; supp",
        ),
        (lambda: stacked(layers.Bidirectional(layers.RNN(layers.GRUCell(3), name="r"))), "'forward_r' \\(RNN\\)"),
        (lambda: stacked(layers.Lambda(lambda x: x, name="f")), "layer 'f' \\(Lambda\\): has no device lowering"),
        (lambda: stacked(layers.LSTM(3, recurrent_activation="tanh")), "`recurrent_activation` must be sigmoid"),
        (lambda: stacked(Gap(object())), "\\(Gap\\): needs a get_config"),
        (lambda: around(layers.LSTM(3, return_state=True)), "`return_state=True` has no device lowering"),
        (lambda: "model.keras", "must be a functional Keras model"),
        (lambda: keras.Sequential([layers.Dense(2)]), "is not built"),
        (
            lambda: keras.Sequential([keras.Input((None, 4)), layers.LSTM(2)]),
            r"must take token_ids \(B, T\), and others",
        ),
    ],
)
def test_what_has_no_lowering_is_named(make, message):
    with pytest.raises(InputError, match=message):
        lower(make())


def test_several_inputs_keep_their_names():
    model = randomized(two_inputs())
    rows = {"token_ids": texts(), "shapes": texts()[::-1]}
    np.testing.assert_allclose(lower(model)(rows)["logits"], model(rows), atol=1e-5)


def test_an_initial_state_has_no_lowering():
    ids = keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(V, H)(ids)
    state = layers.GlobalAveragePooling1D()(embedded)
    with pytest.raises(InputError, match="`initial_state` has no device lowering"):
        lower(keras.Model(ids, layers.GRU(H, name="gru")(embedded, initial_state=state)))


def test_a_quantized_layer_is_refused():
    model = stacked(layers.LSTM(3))
    model.layers[-1].quantize("int8")
    with pytest.raises(InputError, match="has other weights in float32"):
        lower(model)


def test_the_lowering_is_named():
    with pytest.raises(InputError, match="lowering 'fast': must be one of fused, unrolled"):
        lower(around(layers.LSTM(2)), "fast")
