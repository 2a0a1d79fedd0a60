"""Settings that are chosen from the training data: what is measured, what the rules say, and what stays as given."""

import dataclasses
import random
from collections import Counter

import pytest

from textapp.data import profile as profiles
from textapp.data.profile import Profile, sample_numbers, sample_of_stream
from textapp.errors import InputError
from textapp.settings import as_text
from textapp.task import Files, names, task
from textapp.training.automatic import choose_settings

TEXTS = Profile(
    count=5_000,
    per_token=False,
    targets=6,
    largest=0.2,
    spans=False,
    unspaced=0.0,
    tokens=11.0,
    characters=60.0,
    long=22,
    long_characters=90,
    words=8_000,
    once=0.6,
    vectors=False,
)
SENTENCES = dataclasses.replace(TEXTS, per_token=True, spans=True, targets=4)
OF_TASK = {"classification": TEXTS, "multilabel": TEXTS, "tagging": SENTENCES}

each_task = pytest.mark.parametrize("name", names())


def chosen(name, *settings, **properties):
    """The settings that are chosen for data with some properties, and the reasons."""
    found = task(name)
    config = found.preset(None, vectors=properties.get("vectors", False)).override(settings)
    data = dataclasses.replace(OF_TASK[name], **properties)
    fixed = [setting.partition("=")[0] for setting in settings]
    return choose_settings(data, config, fixed, lambda line: None)


def profile_of(name, path, *settings, valid=None):
    found, files = task(name), Files(path, valid)
    config = found.config().override(settings)
    train, held_out = found.read_splits(config, files, 0, lambda line: None)
    return found.profile(config, files, train, held_out)


def test_more_cycles_are_for_short_texts_whose_epochs_are_not_given():
    assert chosen("classification")[0].training.cycles == 3
    assert chosen("classification", "epochs=7")[0].training.cycles == 1
    assert chosen("classification", "epochs=7", "cycles=2")[0].training.cycles == 2
    assert chosen("classification", tokens=300.0)[0].training.cycles == chosen("tagging")[0].training.cycles == 1


def test_texts_are_measured(tmp_path):
    path = tmp_path / "文.tsv"
    lines = ["好 看 Wien\tja", "Wien wien zwei\tnein", "drei vier fünf sechs\tja"]
    path.write_text("text\tlabel\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("text\tlabel\nneu\tja\n", encoding="utf-8")
    data = profile_of("classification", path, valid=tmp_path / "valid.tsv")
    assert (data.count, data.targets, data.largest) == (3, 2, pytest.approx(2 / 3))
    assert (data.unspaced, data.tokens, data.long) == (pytest.approx(2 / 10), pytest.approx(10 / 3), 4)
    assert (data.words, data.once) == (8, pytest.approx(7 / 8))  # "wien" occurs three times
    assert not data.per_token
    line = "3 texts of 3 tokens (98 % have at most 4), 2 labels (the most frequent has 67% of the texts)"
    assert str(data).startswith(line)


def test_the_most_frequent_of_several_labels_has_a_share_of_the_texts(tmp_path):
    path = tmp_path / "标签.tsv"
    path.write_text("text\tlabels\nun\tété,hiver\ndeux\tété\ntrois\tété,好\nquatre\thiver\n", encoding="utf-8")
    valid = tmp_path / "valid.tsv"
    valid.write_text("text\tlabels\nneu\tété\n", encoding="utf-8")
    data = profile_of("multilabel", path, valid=valid)
    assert data.largest == 0.75


def test_text_without_spaces_is_counted_in_characters_everywhere():
    data = dataclasses.replace(TEXTS, unspaced=0.9, characters=31.0, long_characters=77)
    assert str(data).startswith("5,000 texts of 31 characters (98 % have at most 77)")
    assert data.length(["文", "Wien"]) == 5
    _, reasons = choose_settings(data, task("classification").config(), (), lambda line: None)
    assert reasons["max_tokens"] == "98 % of the texts have at most 77 tokens"


def test_sentences_are_measured(tmp_path):
    path = tmp_path / "句.txt"
    path.write_text("U.S. B-LOC\n. O\n\nAnna B-PER\nLin I-PER\n\n北 B-LOC\n京 I-LOC\n", encoding="utf-8")
    data = profile_of("tagging", path, valid=path)
    assert (data.count, data.targets, data.largest, data.spans) == (3, 2, pytest.approx(2 / 3), True)
    assert data.tokens == 3  # "U.S." is cut to four tokens, as a device will cut it
    assert data.unspaced == pytest.approx(2 / 9)
    plain = tmp_path / "词性.txt"
    plain.write_text("Anna NOUN\nsingt VERB\n\nWien NOUN\n", encoding="utf-8")
    data = profile_of("tagging", plain, valid=plain)
    assert (data.targets, data.largest, data.spans) == (2, pytest.approx(2 / 3), False)


def test_a_stream_is_measured_like_texts_in_memory(tmp_path):
    rng = random.Random(1)
    path, valid = tmp_path / "текст.tsv", tmp_path / "valid.tsv"
    lines = [f"{' '.join(rng.choices('абвгд好', k=rng.randint(1, 9)))} {i}\t{i % 3}\n" for i in range(60)]
    path.write_text("text\tlabel\n" + "".join(lines), encoding="utf-8")
    valid.write_text("text\tlabel\nневиданное\t0\n", encoding="utf-8")
    wanted = profile_of("classification", path, valid=valid)
    assert profile_of("classification", path, "stream=true", valid=valid) == wanted


def test_a_sample_is_bounded_random_and_the_same_each_time(monkeypatch):
    monkeypatch.setattr(profiles, "SAMPLE_ROWS", 50)
    kept, count = sample_of_stream(iter(range(1_000)))
    assert (len(kept), len(set(kept)), count) == (50, 50, 1_000)
    assert sample_of_stream(iter(range(1_000)))[0] == kept
    assert 350 < sum(kept) / 50 < 650  # not the start of the stream
    numbers = sample_numbers(1_000)
    assert (len(set(numbers)), numbers) == (50, sample_numbers(1_000))
    assert numbers != sorted(numbers)  # a part of them is a sample too


def test_measuring_stops_at_the_most_tokens(monkeypatch):
    monkeypatch.setattr(profiles, "SAMPLE_TOKENS", 10)
    data = Profile.measure(
        (["a"] * 5 for _ in range(100)), count=100, targets=Counter(a=3), per_token=False, spans=False, vectors=False
    )
    assert (data.count, data.tokens, data.words) == (100, 5, 1)


PROFILES = [
    {"count": count, "unspaced": unspaced, "tokens": tokens, "long": long, "long_characters": 4 * long, **more}
    for count in (30, 900, 5_000, 15_000, 100_000)
    for unspaced in (0.0, 0.9)
    for tokens, long in ((5.0, 9), (270.0, 900))
    for more in ({"targets": 2}, {"targets": 150, "vectors": True}, {"spans": False})
]


@each_task
@pytest.mark.parametrize("encoder", ["recurrent", "light_recurrence", "convolution", "transformer", "none"])
def test_all_data_give_settings_that_are_allowed(name, encoder):
    for properties in PROFILES:
        settings, reasons = chosen(name, f"encoder={encoder}", **properties)
        assert settings == type(settings).from_dict(settings.to_dict())  # in range, without contradictions
        assert not reasons.keys() & settings.unused().keys()
        assert all(reason and "\n" not in reason for reason in reasons.values())


VECTORS = ("zero_digits=false", "word_dropout=0.2", "extra_words=20000", "embedding_rate=0.3", "epochs=12")


@pytest.mark.parametrize(
    ("preset", "settings", "properties"),
    [
        ("english", (), {"count": 14_000}),
        ("english", VECTORS, {"count": 14_000, "vectors": True}),
        ("chinese", (), {"count": 3_800, "unspaced": 0.8}),
        ("chinese_large", (), {"count": 50_000, "unspaced": 0.9}),
        ("tags", ("scheme=none",), {"count": 12_500, "spans": False}),
    ],
)
def test_taggers_of_measured_sizes_get_the_settings_with_the_published_figures(preset, settings, properties):
    """The results of these presets are recorded in results/tagging.md."""
    wanted = task("tagging").preset(preset, vectors=properties.get("vectors", False)).override(settings)
    fixed = [setting for setting in settings if setting.startswith("scheme")]
    assert chosen("tagging", *fixed, **properties)[0].to_dict() == wanted.to_dict()


@each_task
def test_script_decides_what_a_token_is(name):
    assert chosen(name)[0].data.tokenizer == "word"
    assert chosen(name, unspaced=0.9)[0].data.tokenizer == "char"
    settings, reasons = chosen(name, "tokenizer=word", unspaced=0.9)  # whose rules of words then hold
    assert settings.data.tokenizer == "word"
    assert "tokenizer" not in reasons
    assert settings.words.vocabulary_size == chosen(name)[0].words.vocabulary_size


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_a_model_for_mediapipe_has_no_ngrams(name):
    for unspaced in (0.0, 0.9):
        settings, reasons = chosen(name, "tokenizer=bert", unspaced=unspaced)
        assert (settings.data.tokenizer, settings.beside, settings.words.read_characters) == ("bert", None, False)
        assert "computes no n-grams" in reasons["ngram_rows"]
    assert chosen(name, "tokenizer=bert", "ngram_rows=512")[0].beside.ngram_rows == 512


@each_task
def test_what_is_given_stays_and_is_no_choice(name):
    free, reasons = chosen(name)
    for setting in reasons:
        value = free.get(setting)
        other = (
            {"word": "char"}[value] if isinstance(value, str) else not value if isinstance(value, bool) else value / 2
        )
        if isinstance(value, int) and not isinstance(value, bool):
            other = value * 2
        settings, others = chosen(name, f"{setting}={as_text(other)}")
        assert settings.get(setting) == other
        assert setting not in others


def test_a_setting_of_a_part_keeps_the_part():
    """`character_filters` says that characters are read, also where text has no spaces."""
    assert not chosen("tagging", unspaced=0.9)[0].words.characters
    assert chosen("tagging", "character_filters=9", unspaced=0.9)[0].words.characters


@pytest.mark.parametrize(
    ("name", "setting", "properties", "rule"),
    [
        ("classification", "ngram_characters=3", {}, None),  # the rules choose the rows
        ("tagging", "bigram_dim=9", {"unspaced": 0.9, "count": 20_000}, None),
        ("tagging", "bigram_dim=9", {}, "setting bigram_dim: not used with bigrams=0"),
        ("classification", "heads=2", {}, "setting heads: not used by encoder=recurrent"),
    ],
)
def test_a_given_setting_is_refused_only_if_the_choices_do_not_use_it(name, setting, properties, rule):
    config, data = task(name).config().override([setting], automatic=True), OF_TASK[name]
    data, fixed = dataclasses.replace(data, **properties), [setting.partition("=")[0]]
    if rule is not None:
        with pytest.raises(InputError, match=rule):
            choose_settings(data, config, fixed, lambda line: None)
    else:
        settings, _ = choose_settings(data, config, fixed, lambda line: None)
        assert as_text(settings.get(fixed[0])) == setting.partition("=")[2]


@each_task
def test_given_settings_change_the_choice_of_others(name):
    assert chosen(name, "encoder=transformer")[0].training.learning_rate <= 1e-3
    assert chosen(name, "encoder=none")[1].keys().isdisjoint({"units"})


def test_patience_is_not_below_the_epochs_with_frozen_vectors():
    settings, _ = chosen("tagging", "freeze_epochs=5", spans=False, vectors=True)
    assert settings.training.patience == 5
    assert chosen("tagging", spans=False, vectors=True)[0].training.patience < 5


@each_task
def test_fewer_examples_get_smaller_batches_and_no_fewer_passes(name):
    few, many = chosen(name, count=200)[0].training, chosen(name, count=60_000)[0].training
    assert few.batch_size < many.batch_size
    assert few.epochs >= many.epochs


@each_task
def test_vectors_give_their_dimension_and_more_words(name):
    settings, reasons = chosen(name, vectors=True)
    assert settings.words.embedding_dim is None
    assert settings.words.extra_words > 0
    assert "embedding_dim" in reasons
    assert chosen(name, "embedding_dim=7", vectors=True)[0].words.embedding_dim == 7


def test_texts_are_read_as_far_as_most_go():
    lengths = [chosen("classification", long=long, tokens=float(long))[0].data.max_tokens for long in (9, 90, 5_000)]
    assert lengths == [64, 96, 600]
    assert chosen("classification", unspaced=0.9, long=100, long_characters=190)[0].data.max_tokens == 192


def test_the_lines_name_each_choice_with_its_reason():
    lines: list[str] = []
    config, reasons = choose_settings(TEXTS, task("classification").config(), (), lines.append)
    assert lines[0] == f"training data: {TEXTS}"
    assert [line.split()[1].partition("=")[0] for line in lines[1:]] == list(reasons)
    assert f"chosen: batch_size={config.training.batch_size}" in " ".join(lines)


def test_a_contradiction_is_named():
    with pytest.raises(InputError, match="setting units: must be a multiple of twice the heads, 10; received 128"):
        choose_settings(
            TEXTS,
            task("classification").config().override(["encoder=transformer", "heads=5", "units=20"]),
            ("encoder", "heads"),
            lambda line: None,
        )
