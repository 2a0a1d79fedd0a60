import json

import pytest

from textapp.config import LONGEST
from textapp.errors import InputError
from textapp.runtime import bundle_format
from textapp.settings import Config
from textapp.task import names, task
from textapp.tasks.classification.config import ClassificationConfig
from textapp.tasks.tagging.config import TaggingConfig

PRESETS = [(name, preset) for name in names() for preset in task(name).presets]


def refusal(*settings: str) -> str:
    with pytest.raises(InputError) as raised:
        ClassificationConfig().override(settings)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("units=32", "units", 32),
        (" dropout = 0 ", "dropout", 0.0),
        ("learning_rate=2e-3", "learning_rate", 0.002),
        ("lowercase=False", "lowercase", False),
        ("text_column=none", "text_column", None),
        ("text_column=评论=文本", "text_column", "评论=文本"),
        ("cell=gru", "cell", "gru"),
        ("embedding_dim=none", "embedding_dim", None),
    ],
)
def test_a_setting_is_read_as_its_type(setting, key, value):
    received = ClassificationConfig().override([setting]).get(key)
    assert (received, type(received)) == (value, type(value))


def test_the_last_of_two_settings_wins():
    assert ClassificationConfig().override(["units=8", "units=9"]).encoder.units == 9


@pytest.mark.parametrize(
    ("setting", "nearest"),
    [
        ("unit=3", "units"),
        ("learningrate=3", "learning_rate"),
        ("Dropout=0.1", "dropout"),
        ("max_token=9", "max_tokens"),
    ],
)
def test_an_unknown_key_names_the_nearest(setting, nearest):
    assert f"did you mean {nearest}?" in refusal(setting)


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("标签=1", "the option --help lists the settings"),
        ("crf=false", "it is one of `textapp train tagger`; the option --help lists the settings of this command"),
        ("alpha=0.5", "it is one of `textapp distill`; the option --help lists the settings of this command"),
    ],
)
def test_a_key_like_no_other_gets_a_way_on(setting, hint):
    assert refusal(setting) == f"--set: unknown setting {setting.partition('=')[0]}; {hint}"


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (["heads=2"], "setting heads: not used by encoder=recurrent, only by transformer"),
        (["encoder=none", "bidirectional=false"], "only by recurrent and light_recurrence"),
        (["encoder=none", "num_layers=2"], "setting num_layers: not used by encoder=none, only by recurrent, "),
        (["encoder=none", "units=32"], "setting units: not used by encoder=none"),
        (["encoder=convolution", "cell=gru"], "setting cell: not used by encoder=convolution, only by recurrent"),
        (["character_dim=9"], "setting character_dim: not used with characters=false"),
        (["context_width=5"], "setting context_width: not used with context_filters=0"),
        (["shape_dim=9"], "setting shape_dim: not used with shapes=false"),
        (["bigram_dropout=0.5"], "setting bigram_dropout: not used with bigrams=0"),
        (["tokenizer=bert", "normalization=nfc"], "setting normalization: not used with tokenizer=bert"),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(settings, rule):
    assert rule in refusal(*settings)


@pytest.mark.parametrize("setting", ["lowercase=false", "zero_digits=true", "characters=true", "shapes=true"])
def test_what_mediapipe_cannot_read_is_refused(setting):
    name, _, value = setting.partition("=")
    other = {"true": "false", "false": "true"}[value]
    assert refusal("tokenizer=bert", setting) == (
        f"setting {name}: must be {other} with tokenizer=bert, whose words are those that MediaPipe looks up; "
        f"received {value}"
    )


def test_a_tagger_keeps_capitals():
    config = task("tagging").config()
    with pytest.raises(InputError, match="tokenizer: must be word or char for a tagger, as bert drops capitals"):
        config.override(["tokenizer=bert", "characters=false"])


def test_a_student_has_no_baseline_to_set():
    for name in names():
        assert "baseline" not in task(name).student_config.settings()
        with pytest.raises(InputError, match="unknown setting baseline; it is one of `textapp train classifier`"):
            task(name).student_preset(None).override(["baseline=false"])


def test_a_setting_of_a_preset_may_be_without_effect():
    config = task("classification").preset("tiny").override(["encoder=none", "cell=lstm"])
    assert task("classification").config.from_dict(config.to_dict()) == config
    assert config.encoder.units == 32


@pytest.mark.parametrize("settings", [["distillation_loss=mse", "temperature=3"], ["mask_rate=0.5"], ["ngram_rate=0"]])
def test_a_setting_that_changes_nothing_for_a_student_is_refused(settings):
    with pytest.raises(InputError, match=r"not used with (distillation_loss=mse|augment=0)"):
        task("classification").student_preset(None).override(settings)


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("units", "--set units: must read KEY=VALUE"),
        ("=3", "--set =3: must read KEY=VALUE"),
        ("units=drei", "--set units=drei: must be a whole number"),
        ("units=1e3", "--set units=1e3: must be a whole number"),
        ("units=" + "9" * 5000, "must be a whole number"),
        ("units=", "--set units=: must be a whole number"),
        ("lowercase=да", "--set lowercase=да: must be true or false"),
        ("cell=GRU", "--set cell=GRU: must be lstm or gru or rnn"),
        ("dropout=много", "--set dropout=много: must be a number"),
        ("units=0", "setting units: must be from 1"),
        ("epochs=99999999999999999999", "setting epochs: must be from 1"),
        ("seed=99999999999", "setting seed: must be from 0"),
        ("seed=-1", "setting seed: must be from 0"),
        ("vocabulary_size=2", "setting vocabulary_size: must be from 3 to"),
        ("dropout=1", "setting dropout: must be at least 0 and below 1"),
        ("dropout=nan", "setting dropout: must be at least 0 and below 1"),
        ("valid_fraction=0", "setting valid_fraction: must be above 0"),
        ("learning_rate=1e999", "setting learning_rate: must be above 0"),
        ("learning_rate=nan", "setting learning_rate: must be above 0"),
        ("weight_decay=-1", "setting weight_decay: must be 0 or more"),
        ("jit_compile=true", "set static_shapes=true too"),
        ("embedding_dim=0", "setting embedding_dim: must be from 1"),
        ("extra_words=-1", "setting extra_words: must be from 0"),
        ("embedding_rate=nan", "setting embedding_rate: must be 0 or more"),
        ("adversarial=-0.1", "setting adversarial: must be 0 or more"),
        ("freeze_epochs=4", "setting freeze_epochs: with a patience of 3, training could stop before the word vectors"),
    ],
)
def test_a_wrong_value_is_refused_with_its_rule(setting, rule):
    assert rule in refusal(setting)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_presets_are_valid_and_come_back_from_json(name, preset):
    found = task(name)
    config = found.preset(preset)
    assert found.config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert {key: config.get(key) for key in found.presets[preset]} == found.presets[preset]


@pytest.mark.parametrize(
    ("settings", "frozen"),
    [
        ([], False),
        (["freeze_epochs=3"], False),
        (["freeze_epochs=10"], True),
        (["freeze_epochs=99"], True),
        (["embedding_rate=0"], True),
    ],
)
def test_embeddings_are_frozen_for_good_by_rate_or_by_epochs(settings, frozen):
    assert ClassificationConfig().override(settings).training.embedding_frozen is frozen


@pytest.mark.parametrize(("name", "preset"), [*PRESETS, *((name, None) for name in names())])
def test_the_dimension_is_left_to_given_vectors(name, preset):
    found = task(name)
    config = found.preset(preset, vectors=True)
    assert config.words.embedding_dim is None
    assert config.override(["embedding_dim=64", "units=64"]).words.embedding_dim == 64
    assert {**config.to_dict(), "embedding_dim": 0} == {**found.preset(preset).to_dict(), "embedding_dim": 0}


@pytest.mark.parametrize("name", names())
def test_each_preset_has_its_help(name):
    found = task(name)
    assert found.presets.keys() == found.presets_help.keys()
    assert found.preset(None) == found.config()


@pytest.mark.parametrize("name", names())
def test_an_unknown_preset_lists_the_presets(name):
    presets = ", ".join(task(name).presets)
    assert "tiny" in presets
    with pytest.raises(InputError, match=f"--preset 中文: unknown; presets: {presets}"):
        task(name).preset("中文")


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"unitz": 3}, "unknown setting unitz; did you mean units"),
        ({"units": "3"}, 'units must be a whole number; received "3"'),
        ({"units": True}, "units must be a whole number; received true"),
        ({"units": 2.0}, "units must be a whole number; received 2.0"),
        ({"cell": ["lstm"]}, r"cell must be lstm or gru or rnn; received \[.lstm.\]"),
        ({"text_column": 1}, "text_column must be text or none; received 1"),
        ({"units": -3}, "setting units: must be from 1"),
    ],
)
def test_json_is_read_strictly(values, rule):
    with pytest.raises(InputError, match=f"^läufe/config.json: {rule}"):
        ClassificationConfig.from_dict(values, "läufe/config.json")


def test_a_whole_number_fits_a_float():
    assert ClassificationConfig.from_dict({"clipnorm": 2}).training.clipnorm == 2


def test_configs_do_not_change():
    config = ClassificationConfig()
    config.override(["units=3"])
    assert config == ClassificationConfig()
    assert isinstance(config, Config)
    with pytest.raises(AttributeError):
        config.encoder.units = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("units=0", "setting units: must be from 1"),
        ("character_dim=0", "setting character_dim: must be from 1"),
        ("character_width=4", "setting character_width: must be odd; received 4"),
        ("context_width=2", "setting context_width: must be odd; received 2"),
        ("context_width=0", "setting context_width: must be from 1"),
        ("context_filters=-1", "setting context_filters: must be from 1 to"),
        ("character_vocabulary_size=2", "setting character_vocabulary_size: must be from 3 to"),
        ("max_characters=99999", "setting max_characters: must be from 1 to 4096"),
        ("bigrams=1", "setting bigrams: must be from 2 to 250000, or 0 for none; received 1"),
        ("bigrams=250001", "setting bigrams: must be from 2 to 250000"),
        ("bigram_dim=0", "setting bigram_dim: must be from 1"),
        ("bigram_dropout=1", "setting bigram_dropout: must be at least 0 and below 1"),
        ("character_dropout=1", "setting character_dropout: must be at least 0 and below 1"),
        ("dropout=1", "setting dropout: must be at least 0 and below 1"),
        ("freeze_epochs=6", "setting freeze_epochs: with a patience of 5"),
        (
            "scheme=IOB",
            "--set scheme=IOB: must be IOB1 or IOB2 or BIO or IOBES or BIOES or BMES or BILOU or IO or none",
        ),
        ("format=xml", "--set format=xml: must be columns or conllu or jsonl or parquet or slots or table or none"),
        ("tokeniser=char", "did you mean tokenizer?"),
    ],
)
def test_a_wrong_setting_of_a_tagger_is_refused(setting, rule):
    with pytest.raises(InputError) as raised:
        TaggingConfig().override([setting])
    assert rule in str(raised.value)
    assert "none or none" not in str(raised.value)


def test_a_choice_may_be_left_open_or_be_none():
    assert TaggingConfig().override(["format=conllu", "scheme=IOB1"]).scheme == "IOB1"
    assert TaggingConfig().override(["format=conllu", "format=none"]).format is None
    assert TaggingConfig().override(["scheme=none"]).scheme == "none"
    assert TaggingConfig().scheme is None


def test_a_bundle_is_as_long_as_a_training_at_most():
    assert bundle_format.LONGEST == LONGEST
