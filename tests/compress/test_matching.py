"""The losses of matching against NumPy, and a student before, in and after it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from textapp.compress.distillation_loss import DistillationLoss, LabelAccuracy, targets
from textapp.compress.matching import AttentionLoss, MatchingStudent
from textapp.models.sentiment import sentiment_classifier

from textapp.layers import AttentionPooling, attention_states

IDS = np.array([[2, 3, 4, 5], [6, 7, 2, 0], [8, 0, 0, 0]], np.int32)
ATTENTION = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]], np.float32)
SAID = targets(np.array([0, 1, 1]), np.array([[0.7, 0.3], [0.2, 0.8], [0.4, 0.6]]))
WIDTH = 5


def student_of(seed=1, **settings):
    keras.utils.set_random_seed(seed)
    sizes = {"embedding_dim": 4, "units": 3, "attention_units": 4, "word_dropout": 0, "embedding_dropout": 0}
    student = sentiment_classifier(12, 2, **{**sizes, "dropout": 0, **settings})
    rng = np.random.default_rng(seed)
    for variable in student.trainable_variables:  # as a new model has them, all attention is alike
        variable.assign(rng.normal(scale=0.8, size=variable.shape))
    return student


def batch(hidden=None):
    hidden = np.random.default_rng(4).normal(size=(3, WIDTH)) if hidden is None else hidden
    return {"said": SAID, "attention": ATTENTION, "hidden": np.float32(hidden)}


def compiled(model, rate=1e-3):
    """As `compile_student` does it, but in eager steps, as tracing an LSTM takes longer than these tests."""
    loss, accuracy = DistillationLoss(alpha=0.1, reduction="mean_with_sample_weight"), LabelAccuracy("accuracy")
    model.compile(keras.optimizers.Adam(rate), loss, weighted_metrics=[accuracy], run_eagerly=True)
    return model


def matching(student, attention_weight=2.0, hidden_weight=0.5, width=WIDTH, rate=1e-3):
    return compiled(MatchingStudent(student, width, attention_weight, hidden_weight), rate)


def divergence(teacher, student):
    """KL of rows, a number at a time."""
    return np.array(
        [
            sum(p * np.log(p / q) for p, q in zip(one, other, strict=True) if p > 0)
            for one, other in zip(np.float64(teacher), np.float64(student), strict=True)
        ]
    )


def in_parts(student, ids):
    """Context and attention of a student, by the parts of its graph."""
    encoded = keras.Model(student.input, student.get_layer("encoder").output)(ids)
    pooling = student.get_layer("attention")
    return [np.asarray(part) for part in pooling(encoded, mask=ids != 0, return_attention_scores=True)]


def test_divergence_like_a_loop():
    student = np.random.default_rng(0).dirichlet(np.ones(4), 3).astype(np.float32)
    loss = AttentionLoss(reduction=None)
    np.testing.assert_allclose(loss(ATTENTION, student), divergence(ATTENTION, student), rtol=1e-5, atol=1e-7)
    assert float(loss(ATTENTION, student)[2]) == 0
    weighted = AttentionLoss(reduction="mean_with_sample_weight")(ATTENTION, student, np.array([1.0, 0.0, 3.0]))
    np.testing.assert_allclose(weighted, divergence(ATTENTION, student)[0] / 4, rtol=1e-5)
    assert AttentionLoss.from_config(loss.get_config()).reduction == loss.reduction


def test_a_student_that_looks_away_has_a_finite_loss_and_gradient():
    scores = tf.Variable([[100.0, 0.0], [0.0, 1000.0]])
    with tf.GradientTape() as tape:
        loss = AttentionLoss()(np.array([[0.0, 1.0], [1.0, 0.0]]), tf.nn.softmax(scores))
    assert 60 < float(loss) < 100
    assert np.isfinite(tape.gradient(loss, scores)).all()
    # As far off as float32 tells, the gradient is still that of the divergence: q - p, of two rows.
    scores.assign([[40.0, 0.0], [0.0, 60.0]])
    with tf.GradientTape() as tape:
        loss = AttentionLoss()(np.array([[0.0, 1.0], [1.0, 0.0]]), tf.nn.softmax(scores))
    np.testing.assert_allclose(tape.gradient(loss, scores), [[0.5, -0.5], [-0.5, 0.5]], rtol=1e-5)


@pytest.mark.parametrize(("attention", "hidden"), [(2.0, 0.5), (2.0, 0.0), (0.0, 0.5)])
def test_the_whole_loss_like_numpy(attention, hidden):
    student, y = student_of(), batch()
    model = matching(student, attention, hidden)
    seen = model(IDS, training=True)
    assert set(seen) == {"logits", *(["attention"] if attention else []), *(["hidden"] if hidden else [])}
    context, weights = in_parts(student, IDS)
    losses = [DistillationLoss(alpha=0.1, reduction=None)(SAID, student(IDS)).numpy()]
    if attention:
        losses.append(attention * divergence(ATTENTION, weights))
    if hidden:
        kernel, bias = (np.asarray(variable) for variable in model.projection.weights)
        losses.append(hidden * ((context @ kernel + bias - y["hidden"]) ** 2).mean(axis=1))
    for counted in (None, np.array([1.0, 1.0, 0.0])):
        rows = np.ones(3) if counted is None else counted
        expected = (np.sum(losses, axis=0) * rows).sum() / rows.sum()
        found = model.compute_loss(IDS, y, seen, None if counted is None else tf.constant(counted))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_copy_of_its_teacher_has_nothing_to_learn():
    teacher, student = student_of(seed=1), student_of(seed=2)
    student.set_weights(teacher.get_weights())
    _, context, weights = attention_states(teacher)(IDS)
    model = matching(student, width=6)
    model.projection.set_weights([np.eye(6), np.zeros(6)])
    seen = model(IDS, training=True)
    said = {"attention": np.float16(weights), "hidden": np.float16(context)}
    losses = {name: float(loss(said[name], seen[name])) for name, loss in model.distances.items()}
    assert losses == pytest.approx({"attention": 0, "hidden": 0}, abs=1e-4)
    other = matching(student_of(seed=3))(IDS, training=True)["attention"]
    assert float(model.distances["attention"](said["attention"], other)) > 1e-3


def test_the_gradient_of_each_loss_reaches_its_layers():
    student, y = student_of(), batch()
    for weights, names in (((1.0, 0.0), set()), ((0.0, 1.0), {"context_projection/kernel"})):
        model = matching(student, *weights)
        [name] = model.matched

        def distance(model=model, name=name):
            return model.distances[name](y[name], model(IDS, training=True)[name])

        with tf.GradientTape() as tape:
            loss = distance()
        gradients = dict(
            zip((v.path for v in model.weights), tape.gradient(loss, [v.value for v in model.weights]), strict=True)
        )
        assert gradients["logits/kernel"] is None
        reached = {path for path, gradient in gradients.items() if gradient is not None and np.any(gradient)}
        assert {*names, "attention/kernel", "attention/query"} <= reached
        assert sum(path.startswith("encoder/") for path in reached) == 6
        variable = model.get_layer("attention").query
        direction = np.random.default_rng(5).normal(size=variable.shape)
        values, before = [], variable.numpy()
        for step in (1e-2, -1e-2):
            variable.assign(before + step * direction)
            values.append(float(distance()))
        variable.assign(before)
        slope = float(np.sum(gradients["attention/query"] * direction))
        assert slope
        assert (values[0] - values[1]) / 2e-2 == pytest.approx(slope, rel=2e-2)


def test_it_learns_where_its_teachers_look():
    student = student_of()
    model = matching(student, attention_weight=10.0, rate=0.1)
    before = divergence(ATTENTION, in_parts(student, IDS)[1]).mean()
    history = model.fit(
        tf.data.Dataset.from_tensors((IDS, batch())).repeat(), steps_per_epoch=15, verbose=0, shuffle=False
    ).history
    after = divergence(ATTENTION, in_parts(student, IDS)[1]).mean()
    assert after < before / 2
    assert set(history) == {"loss", "accuracy", "attention_loss", "hidden_loss"}


def test_means_are_over_rows_that_count():
    student, y, rows = student_of(), batch(), np.array([1.0, 0.0, 1.0], np.float32)
    model = matching(student, rate=0.0)
    seen = {name: np.asarray(value) for name, value in model(IDS, training=True).items()}
    with_weights = tf.data.Dataset.from_tensors((IDS, y, rows))
    history = model.fit(with_weights, verbose=0, shuffle=False).history
    expected = divergence(ATTENTION, seen["attention"]) @ rows / 2
    assert history["attention_loss"] == pytest.approx([expected], rel=1e-5)
    expected = ((seen["hidden"] - y["hidden"]) ** 2).mean(axis=1) @ rows / 2
    assert history["hidden_loss"] == pytest.approx([expected], rel=1e-5)


def test_validation_is_that_of_the_student_alone():
    student = student_of(dropout=0.5)
    model, plain = matching(student), compiled(student)
    validation = tf.data.Dataset.from_tensors((IDS, SAID))
    expected = plain.evaluate(validation, verbose=0, return_dict=True)
    assert model.evaluate(validation, verbose=0, return_dict=True) == expected
    # With the targets of a training batch, too.
    with_all = tf.data.Dataset.from_tensors((IDS, batch()))
    assert model.evaluate(with_all, verbose=0, return_dict=True) == expected
    np.testing.assert_array_equal(model.predict(IDS, verbose=0), plain.predict(IDS, verbose=0))
    assert float(model.compute_loss(IDS, SAID, model(IDS), training=False)) == pytest.approx(expected["loss"])


def test_nothing_of_it_is_in_the_student(tmp_path):
    student = student_of()
    parameters, description = student.count_params(), student.to_json()
    model = matching(student)
    assert model.count_params() == parameters + 6 * WIDTH + WIDTH
    assert [layer.name for layer in model.layers] == [layer.name for layer in student.layers]
    assert sum(isinstance(layer, AttentionPooling) for layer in model.layers) == 1
    model.fit(tf.data.Dataset.from_tensors((IDS, batch())), verbose=0, shuffle=False)
    assert student.count_params() == parameters
    assert student.to_json() == description
    student.save(tmp_path / "学生.keras")
    loaded = keras.models.load_model(tmp_path / "学生.keras", compile=False)
    np.testing.assert_allclose(loaded(IDS), model(IDS), rtol=1e-6)
    assert not any("projection" in variable.path for variable in loaded.variables)


def test_half_precision_computes_its_losses_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = matching(student_of())
        seen = model(IDS, training=True)
        history = model.fit(tf.data.Dataset.from_tensors((IDS, batch())), verbose=0, shuffle=False).history
    finally:
        keras.config.set_dtype_policy(before)
    assert {value.dtype for value in seen.values()} == {tf.float32}
    assert all(np.isfinite(values).all() for values in history.values())


def test_a_model_without_attention_is_refused():
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(9, 2)(ids)))
    with pytest.raises(ValueError, match="the model has no `AttentionPooling` layer"):
        MatchingStudent(model, 3, 1.0, 1.0)
