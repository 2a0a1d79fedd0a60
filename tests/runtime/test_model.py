import re
import threading
import time

import numpy as np
import pytest

from tests.runtime.conftest import TOKENS
from textapp.errors import InputError
from textapp.runtime.model import DeviceModel

SIGNATURES = {4: "tokens_4", 8: "tokens_8"}


@pytest.fixture
def model(model_content):
    return device_model(model_content)


def device_model(content, signatures=SIGNATURES, classes=3, **options):
    return DeviceModel(content, signatures, {"token_ids": ()}, lambda _: (1, classes), "modèle.tflite", **options)


def ids(*token_ids):
    """What the model reads of a text."""
    return {"token_ids": np.array(token_ids, np.int32)}


def load_error(content, signatures=SIGNATURES, classes=3):
    """The message of the error that a model file gives: always one line that begins with its name."""
    with pytest.raises(InputError) as caught:
        device_model(content, signatures, classes)
    message = str(caught.value)
    assert message.startswith("modèle.tflite: ")
    assert "\n" not in message
    return message


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.mark.parametrize("count", range(9))
def test_equals_numpy_at_every_length(model, tiny_model, count):
    tokens = ["好", "film", "!", "плохо", "café", "bad", "naïve", "坏"][:count]
    probs, weights = tiny_model.reference(tokens)
    outputs = model.run(ids(*map(TOKENS.index, tokens)))
    np.testing.assert_allclose(softmax(outputs.logits), probs, rtol=1e-5)
    np.testing.assert_allclose(outputs.attention_weights, weights, rtol=1e-5)


@pytest.mark.parametrize(("count", "length"), [(0, 4), (1, 4), (4, 4), (5, 8), (8, 8)])
def test_the_shortest_signature_that_fits_runs(model, count, length):
    weights = model._signatures.run(count, token_ids=[2] * count)["attention_weights"]
    assert weights.shape == (length,)
    assert not weights[count:].any()


def test_a_text_leaves_nothing_behind(model):
    before = model.run(ids(7))
    model.run(ids(2, 3, 4, 5))
    model.run(ids(2, 3, 4, 5, 6, 7, 8, 9))
    after = model.run(ids(7))
    np.testing.assert_array_equal(after.logits, before.logits)
    np.testing.assert_array_equal(after.attention_weights, before.attention_weights)


def test_results_are_copies(model):
    first = model.run(ids(2))
    kept = first.logits.copy()
    model.run(ids(3))
    np.testing.assert_array_equal(first.logits, kept)


def test_threads_take_turns(model, monkeypatch):
    """LiteRT releases the interpreter lock while it runs; two calls in one interpreter would mix their texts."""
    texts = [[2], [3, 4], [5, 6, 7, 8, 9], [10, 11]]
    expected = [model.run(ids(*text)).logits for text in texts]
    inside, most_inside, received = 0, 0, {}

    def slow(runner):
        def run(**inputs):
            nonlocal inside, most_inside
            inside += 1
            most_inside = max(most_inside, inside)
            time.sleep(0.01)  # lets the other threads run
            outputs = runner(**inputs)
            inside -= 1
            return outputs

        return run

    signatures = model._signatures
    monkeypatch.setattr(
        signatures, "_runners", {length: slow(runner) for length, runner in signatures._runners.items()}
    )

    def work(index):
        received[index] = model.run(ids(*texts[index])).logits

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(texts))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most_inside == 1
    for index, logits in enumerate(expected):
        np.testing.assert_array_equal(received[index], logits)


def test_more_ids_than_the_largest_length_are_refused(model):
    with pytest.raises(ValueError, match=r"`token_ids` must hold at most 8 ids\. Received: 9"):
        model.run(ids(*[2] * 9))


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "2"])
def test_threads_must_be_a_positive_integer(model_content, threads):
    with pytest.raises(ValueError, match=r"`threads` must be a positive integer\. Received: threads="):
        device_model(model_content, threads=threads)


def test_two_threads_give_the_same_scores(model, model_content):
    two = device_model(model_content, threads=2)
    np.testing.assert_allclose(two.run(ids(2, 7)).logits, model.run(ids(2, 7)).logits, rtol=1e-6)


class TestFiles:
    @pytest.mark.parametrize("content", [b"", b"TFL3", "<p>模型 nicht gefunden</p>".encode(), bytes(1000)])
    def test_foreign(self, content):
        assert re.search("bytes 4 to 8 must be TFL3|leads to byte .* the file was cut", load_error(content))

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
    def test_truncated(self, model_content, part):
        content = model_content[: int(len(model_content) * part)]
        assert "the file was cut or changed; export it again" in load_error(content)


class TestSignatures:
    def test_one_that_the_file_lacks(self, model_content):
        signatures = {4: "tokens_4", 8: "tokens_8", 16: "tokens_16"}
        assert load_error(model_content, signatures) == (
            "modèle.tflite: the model's signatures are tokens_4, tokens_8, "
            "but bundle.json names tokens_16, tokens_4, tokens_8"
        )

    def test_one_that_nobody_asks_for(self, model_content):
        assert "but bundle.json names tokens_4" in load_error(model_content, {4: "tokens_4"})

    def test_exchanged(self, model_content):
        assert load_error(model_content, {4: "tokens_8", 8: "tokens_4"}) == (
            'modèle.tflite: "token_ids" of signature "tokens_8" must be int32 (1, 4). Received: int32 (1, 8)'
        )

    def test_another_number_of_labels(self, model_content):
        assert load_error(model_content, classes=2) == (
            'modèle.tflite: "logits" of signature "tokens_4" must be float32 (1, 2). Received: float32 (1, 3)'
        )

    def test_other_names(self, tiny_model):
        message = load_error(tiny_model.convert(input_name="ids"))
        assert message.startswith('modèle.tflite: signature "tokens_4" must have the input "token_ids"')
        message = load_error(tiny_model.convert(logits_name="scores"))
        assert message.endswith("Received: token_ids; attention_weights, scores")

    def test_attention_in_one_length_only(self, tiny_model):
        message = load_error(tiny_model.convert(attention_lengths=(8,)))
        assert message == ('modèle.tflite: signature "tokens_4" lacks the output "attention_weights" that others have')


def test_a_model_without_attention(tiny_model):
    model = device_model(tiny_model.convert(attention_lengths=()))
    outputs = model.run(ids(7, 2))
    assert outputs.attention_weights is None
    np.testing.assert_allclose(softmax(outputs.logits), tiny_model.reference(["好", "good"])[0], rtol=1e-5)


def test_an_id_without_a_row_is_an_error(model):
    with pytest.raises(InputError, match=r"modèle\.tflite: LiteRT cannot run this file: .*index out of bounds"):
        model.run(ids(len(TOKENS)))


def test_scores_that_are_not_finite_are_an_error(tiny_model):
    model = device_model(tiny_model.convert(finite=False))
    assert np.isfinite(model.run(ids(2)).logits).all()
    with pytest.raises(InputError, match=r"modèle\.tflite: the model's scores are not finite: .*nan"):
        model.run(ids())
