"""What the insides of teachers say: asked text by text the same, killed and asked again the same, mixed up never."""

import contextlib
import tracemalloc

import keras
import numpy as np
import pytest
from textapp.compress.attention_alignment import aligned
from textapp.compress.distillation_data import MatchedExamples, SoftExamples
from textapp.compress.soft_labels import key_of
from textapp.compress.teacher_states import Question, TeacherStates, ask_for_states, read_states, spans_of, write_states
from textapp.data.pipeline import EncodedExamples, evaluation_batches

from textapp.compress import teacher_states
from textapp.compress.teachers import RunTeacher
from textapp.errors import InputError
from textapp.text.tokenizer import Token, Tokenizer
from textapp.training.run import TEACHER_STATES, TEACHER_STATES_PART, Run

TEXTS = ["Le café était bon !", "", "很好吃 ½", "the hotel is awful , awful , awful and the staff is rude", " \n", "好"]
STUDENT = Tokenizer("word")


@pytest.fixture(scope="module", name="teachers")
def _teachers(tmp_path_factory, untrained_run):
    """Runs that cut texts in different ways, and read more or less of them than the student."""
    settings = {
        "слова": {"units": 3, "max_tokens": 16},
        "文字": {"units": 2, "max_tokens": 7, "tokenizer": "char", "normalization": "none"},
    }
    return [RunTeacher(untrained_run(tmp_path_factory.mktemp(name), TEXTS, **settings[name])) for name in settings]


def lengths_of(texts, max_tokens=8):
    return np.array([len(STUDENT.words(text)[:max_tokens]) for text in texts])


@pytest.fixture(name="question")
def _question(teachers):
    def question(max_tokens=8, tokenizer=STUDENT, given=None, attention=True, contexts=True):
        return Question(given or teachers, tokenizer, max_tokens, attention, contexts)

    return question


def test_like_each_text_by_itself(teachers, question):
    attention, contexts = question().answer(TEXTS)
    places = np.split(attention, np.cumsum(lengths_of(TEXTS))[:-1])
    for text, found, context in zip(TEXTS, places, contexts, strict=True):
        onto = spans_of(STUDENT.tokenize(text)[:8])
        assert len(found) == len(onto)
        targets, pooled = [], []
        for teacher in teachers:
            loaded = Run.load(teacher.name)
            tokens = loaded.tokenizer.tokenize(text)[: loaded.config.max_tokens]
            ids = np.array([[*loaded.vocabulary.encode([token.text for token in tokens]), 0]], np.int32)
            layer = loaded.model.get_layer("attention")
            encoded = keras.Model(loaded.model.input, loaded.model.get_layer("encoder").output)(ids)
            one, weights = layer(encoded, mask=ids != 0, return_attention_scores=True)
            pooled.append(np.asarray(one)[0])
            targets.append(aligned(np.asarray(weights)[0, :-1], spans_of(tokens), onto, len(text)))
        np.testing.assert_allclose(context, np.concatenate(pooled), atol=1e-6)
        np.testing.assert_allclose(found, np.mean(targets, axis=0), atol=1e-6)
        assert found.sum() == pytest.approx(1 if len(onto) else 0)
    assert np.ptp(places[3]) > 0.01


class Elsewhere:
    """A teacher that reads the second character alone."""

    context_width = 1

    def read(self, text):
        return [Token(text[1], 1, 2)]

    def states(self, texts):
        return [np.ones(1)] * len(texts), np.zeros((len(texts), 1))


def test_a_teacher_whose_tokens_the_student_does_not_read_has_no_say(teachers, question):
    texts = ["好吃", "ab 好"]
    alone = question(max_tokens=1, given=[Elsewhere()]).answer(texts)[0]
    assert alone.tolist() == [0.0, 1.0]
    together = question(max_tokens=1, given=[Elsewhere(), teachers[0], Elsewhere()]).answer(texts)[0]
    assert together == pytest.approx([1.0, 1.0])


def test_only_what_is_asked_for(question):
    attention, contexts = question(contexts=False).answer(TEXTS)
    assert (attention.shape, contexts.shape) == ((lengths_of(TEXTS).sum(),), (6, 0))
    attention, contexts = question(attention=False).answer(TEXTS)
    assert (attention.shape, contexts.shape) == ((0,), (6, 2 * (3 + 2)))


def test_the_key_is_of_all_that_answers_depend_on(teachers, question):
    keys = [key_of(text) for text in TEXTS]
    lengths = lengths_of(TEXTS)
    others = [
        question(max_tokens=9),
        question(tokenizer=Tokenizer("char")),
        question(given=teachers[::-1]),
        question(given=teachers[:1]),
        question(attention=False),
        question(contexts=False),
    ]
    found = [question().key(keys, lengths), *(other.key(keys, lengths) for other in others)]
    found += [question().key(keys[::-1], lengths), question().key(keys, lengths + 1)]
    assert len(set(found)) == len(found)
    assert question().key(keys, lengths) == found[0]


class Teachers:
    """Answers with numbers of the texts, and dies when it is asked too often."""

    def __init__(self, answers=99, width=3):
        self.left, self.width, self.asked = answers, width, []

    def __call__(self, texts):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.asked += texts
        attention = np.array([ord(character) / 1e5 for text in texts for character in text])
        return attention, np.array([[len(text) / (2 + column) for column in range(self.width)] for text in texts])


@pytest.fixture(name="write")
def _write(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher_states, "CHUNK", 2)

    def write(name, teachers, texts=("我爱", "Ōsaka", "", "a b", "c"), key=b"k" * 32):
        path, part = tmp_path / f"{name} 内.npz", tmp_path / f"{name}.part"
        tokens = np.array([len(text) for text in texts])
        write_states(path, part, key, iter(texts), teachers, tokens, teachers.width, lambda done: None)
        return path

    return write


def test_what_is_read_is_what_was_said(write):
    states = read_states(write("a", Teachers()), b"k" * 32)
    assert (states.attention.dtype, states.contexts.dtype) == (np.float16, np.float16)
    attention, contexts = Teachers()(["我爱", "Ōsaka", "", "a b", "c"])
    np.testing.assert_allclose(states.attention, attention, rtol=2**-11, atol=1e-7)
    np.testing.assert_allclose(states.contexts, contexts, rtol=2**-11)
    assert states.key == (b"k" * 32).hex()


@pytest.mark.parametrize("torn", [0, 3, 25, 36, 100])
def test_a_killed_call_goes_on_where_it_was(write, tmp_path, torn):
    whole = write("a", Teachers())
    with pytest.raises(KeyboardInterrupt):
        write("b", Teachers(answers=2))
    part = tmp_path / "b.part"
    content = part.read_bytes()
    part.write_bytes(content[: len(content) - torn])
    first = 32 + 2 * (2 + 5) + 2 * 2 * 3  # the key, seven tokens and two contexts
    kept = 4 if not torn else 2 if len(content) - torn >= first else 0
    rest = [Teachers(answers=1), Teachers()]
    with pytest.raises(KeyboardInterrupt) if kept < 4 else contextlib.nullcontext():
        write("b", rest[0])  # killed once more
    path = write("b", rest[1]) if kept < 4 else tmp_path / "b 内.npz"
    assert rest[0].asked + rest[1].asked == ["我爱", "Ōsaka", "", "a b", "c"][kept:]
    for name in ("key", "attention", "contexts"):
        np.testing.assert_array_equal(np.load(path)[name], np.load(whole)[name])


def test_what_is_of_other_texts_is_refused(write, tmp_path):
    path = write("a", Teachers())
    with pytest.raises(InputError, match=r"a 内\.npz: is of other texts; .*--force"):
        read_states(path, b"o" * 32)
    with pytest.raises(KeyboardInterrupt):
        write("b", Teachers(answers=1))
    with pytest.raises(InputError, match=r"b\.part: is of other texts than the transfer set has now.*--force"):
        write("b", Teachers(), key=b"o" * 32)
    with pytest.raises(InputError, match=r"c\.part: the texts have changed while they were read"):
        write("c", Short())


class Short(Teachers):
    """A file that has lost a character since its tokens were counted."""

    def __call__(self, texts):
        attention, contexts = super().__call__(texts)
        return attention[:-1], contexts


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04]", "ничего".encode()])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "битый.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"битый\.npz: not a file of attention and contexts.*--force"):
        read_states(path, b"k" * 32)
    np.savez(path.open("wb"), key=np.array([{}], object))
    with pytest.raises(InputError, match=r"битый\.npz: not a file of attention and contexts"):
        read_states(path, b"k" * 32)


def test_another_student_answers_the_same_question_only(question, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Question, "answer", lambda self, texts, ask=Question.answer: asked.append(1) or ask(self, texts)
    )

    def states(name, question, answers=None):
        lengths = lengths_of(TEXTS, question.max_tokens)
        keys = [key_of(text) for text in TEXTS]
        return ask_for_states(tmp_path / name, question, lambda: iter(TEXTS), keys, lengths, answers, print)

    first = states("a", question())
    assert len(asked) == 1
    assert [path.name for path in (tmp_path / "a").iterdir()] == [TEACHER_STATES]
    again = states("b", question(), answers=tmp_path / "a" / "soft_labels.jsonl.gz")
    assert len(asked) == 1
    np.testing.assert_array_equal(again.contexts, first.contexts)
    shorter = states("c", question(max_tokens=2), answers=tmp_path / "a" / "soft_labels.jsonl.gz")
    assert len(asked) == 2
    assert len(shorter.attention) < len(first.attention)
    states("d", question(), answers=tmp_path / "нет" / "soft_labels.jsonl.gz")
    assert len(asked) == 3
    (tmp_path / "d" / TEACHER_STATES_PART).write_bytes(b"left behind")
    states("d", question())
    assert [path.name for path in (tmp_path / "d").iterdir()] == [TEACHER_STATES]


def test_it_holds_little_more_than_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher_states, "CHUNK", 100)
    count, width, path = 20_000, 128, tmp_path / "много.npz"
    size = 2 * count * (width + 4)

    def answer(texts):
        return np.ones(4 * len(texts)), np.ones((len(texts), width))

    tracemalloc.start()
    write_states(path, tmp_path / "p", b"k" * 32, ("好" for _ in range(count)), answer, np.full(count, 4), width, print)
    read_states(path, b"k" * 32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < peak < 2.2 * size  # NumPy writes 16 MiB at a time, here all


def test_batches_bring_each_text_its_own():
    """Four texts, of which the second has no token."""
    lengths, rows = np.array([2, 3, 1]), np.array([0, 2, 3])
    attention = np.arange(6).astype(np.float16)
    contexts = np.arange(8).reshape(4, 2).astype(np.float16)
    encoded = EncodedExamples(np.arange(2, 8), np.concatenate([[0], np.cumsum(lengths)]), np.zeros(3), rows, 0.0, 0)
    taught = SoftExamples(encoded, np.arange(9).reshape(3, 3).astype(np.float32))
    [(ids, targets)] = evaluation_batches(MatchedExamples(taught, TeacherStates(attention, contexts, "k")), 8)
    assert ids.numpy().tolist() == [[7, 0, 0], [2, 3, 0], [4, 5, 6]]
    assert targets["attention"].numpy().tolist() == [[5, 0, 0], [0, 1, 0], [2, 3, 4]]
    assert targets["hidden"].numpy().tolist() == [[6, 7], [0, 1], [4, 5]]
    assert targets["said"].numpy().tolist() == [[6, 7, 8], [0, 1, 2], [3, 4, 5]]
    assert (targets["attention"].dtype, targets["hidden"].dtype) == ("float32", "float32")
    fixed = MatchedExamples(taught, TeacherStates(attention, contexts[:, :0], "k"))
    [(ids, targets, weights)] = evaluation_batches(fixed, 4, [5], static_shapes=True)
    assert ids.shape == targets["attention"].shape == (4, 5)
    assert set(targets) == {"said", "attention"}
    assert weights.numpy().tolist() == [1, 1, 1, 0]
