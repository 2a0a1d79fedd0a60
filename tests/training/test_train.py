"""The whole training of each task: it survives being killed, and leaves a run that says the same."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import softmax

from tests.dashboards.events import read
from tests.training.killed import KillAt, Killed
from textapp.cli.main import main
from textapp.data.samples import write_samples
from textapp.errors import InputError
from textapp.task import names, task
from textapp.tasks.classification.temperature import best_temperature
from textapp.text.word_shape import SHAPES
from textapp.training.adversarial import AdversarialTraining
from textapp.training.predictor import run_decisions, run_predictor
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT, check_folder
from textapp.training.train import train

SETTINGS = {
    "classification": (
        *("epochs=3", "units=4", "attention_units=4", "max_tokens=32", "cell=rnn", "batch_size=16"),
        *("class_weights=balanced", "focal_gamma=0.5", "label_smoothing=0.05"),
    ),
    "tagging": (
        "units=12",
        "encoder=convolution",
        "embedding_dim=8",
        "batch_size=8",
        "epochs=4",
        "min_count=3",
        "learning_rate=0.03",
    ),
}
SETTINGS["multilabel"] = (
    *(
        "epochs=8",
        "units=8",
        "embedding_dim=16",
        "attention_units=8",
        "max_tokens=32",
        "encoder=convolution",
        "batch_size=16",
    ),
    *("learning_rate=0.02", "min_count=4", "dropout=0", "embedding_dropout=0", "class_weights=effective"),
)
CHINESE = ("characters=false", "tokenizer=char", "units=12", "embedding_dim=12", "batch_size=8", "encoder=convolution")
COUNTS = {"train": 120, "valid": 30, "test": 30}
FILES = {
    "classification": {"labels.txt", "sample.jsonl"},
    "tagging": {"tags.txt", "sample.tsv", "characters.txt"},
    "multilabel": {"labels.txt", "sample.jsonl"},
}
TAG_SCORES = ("entity_f1", "precision", "recall", "token_accuracy")
HISTORY = {
    "classification": {"loss", "accuracy", "val_loss", "val_accuracy", "val_macro_f1", "val_ece"},
    "tagging": {"loss", "val_loss", *(f"val_{score}" for score in TAG_SCORES)},
    "multilabel": {"loss", "val_loss", "val_micro_f1", "val_macro_f1", "val_exact_match"},
}

each_task = pytest.mark.parametrize("name", names())


@pytest.fixture(scope="module", name="corpora")
def _corpora(tmp_path_factory, tagged_corpus, topic_corpus):
    """The files of each task, and of a tagger of Chinese."""
    folder = tmp_path_factory.mktemp("Körper 语料")
    tagged = {
        language: {
            split: tagged_corpus(folder / f"{language}.{split}", language, count, seed)
            for seed, (split, count) in enumerate(COUNTS.items())
        }
        for language in ("english", "chinese")
    }
    return {
        "classification": write_samples(folder, COUNTS, seed=2),
        "tagging": tagged["english"],
        "chinese": tagged["chinese"],
        "multilabel": {
            split: topic_corpus(folder / f"{split}.jsonl", count, seed)
            for seed, (split, count) in enumerate(COUNTS.items())
        },
    }


def config_of(name, *settings):
    return task(name).preset("tiny").override([*SETTINGS[name], *settings])


def trained(name, folder, files, *settings, config=None, **options):
    config = config or config_of(name, *settings)
    return train(name, config, folder, **files, report=lambda line: None, **options)


@pytest.fixture(scope="module", name="runs")
def _runs(tmp_path_factory, corpora):
    """A run of each task with what its training said."""
    folder = tmp_path_factory.mktemp("Läufe")
    return {name: (folder / f"{name} 跑", trained(name, folder / f"{name} 跑", corpora[name])) for name in names()}


def scores_of(run, path):
    """The scores of a run that was read back."""
    examples = run.task.read(path, run.config, run.targets)
    run.task.check(examples, run.targets)
    return run.task.score_decisions(examples, run_decisions(run, examples), run.targets)


@each_task
def test_a_run_says_what_its_training_said(runs, corpora, name):
    folder, metrics = runs[name]
    common = {"model.keras", "config.json", "metrics.json", "tokenizer.json", "vocabulary.txt", "logs"}
    assert {path.name for path in folder.iterdir()} == common | FILES[name]
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert metrics["task"] == name
    assert {frozenset(logs) for logs in metrics["history"]} == {frozenset(HISTORY[name])}
    run = Run.load(folder)
    best = f"val_{run.task.main_score(run.targets)}"
    assert max(logs[best] for logs in metrics["history"]) == pytest.approx(metrics["valid"][best[4:]], abs=1e-7)
    assert metrics["tags" if name == "tagging" else "labels"] == list(run.targets.names)
    test = {key: value for key, value in metrics["test"].items() if key != "loss"}
    assert scores_of(run, corpora[name]["test"]) == test
    valid = {key: value for key, value in metrics["valid"].items() if key != "loss"}
    assert scores_of(run, folder / run.task.sample_name) == valid  # the validation split is smaller than a sample


@pytest.mark.parametrize(
    ("name", "settings"), [*((name, ()) for name in names()), ("classification", ("stream=true",))]
)
def test_a_run_killed_anywhere_ends_with_the_same_numbers(runs, corpora, tmp_path, monkeypatch, name, settings):
    folder, (whole, expected) = tmp_path / "убитый 死", runs[name]
    monkeypatch.setattr("textapp.training.checkpoint.EVERY_SECONDS", 0.0)
    monkeypatch.setattr(type(task(name)), "dashboards", lambda *_: [])
    if settings:
        whole = tmp_path / "ganz"
        expected = trained(name, whole, corpora[name], *settings)
    with monkeypatch.context() as patch:
        steps = 21 if name == "tagging" else 11  # inside the second epoch
        patch.setattr(type(task(name)), "dashboards", lambda *_: [KillAt(steps)])
        with pytest.raises(Killed):
            trained(name, folder, corpora[name], *settings)
    assert (folder / CHECKPOINT).exists()
    with pytest.raises(InputError, match="not finished"):
        Run.load(folder)
    with pytest.raises(InputError, match="holds an unfinished run with other units; use --force"):
        trained(name, folder, corpora[name], *settings, "units=13")
    metrics = trained(name, folder, corpora[name], *settings)
    assert {**metrics, "seconds": 0} == {**expected, "seconds": 0}
    weights, wanted = (Run.load(path).model.get_weights() for path in (folder, whole))
    for one, other in zip(weights, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="holds a finished run; use --force"):
        trained(name, folder, corpora[name], *settings)


def test_settings_are_chosen_once(corpora, tmp_path, monkeypatch):
    """A killed training resumes with the settings that it chose; other given settings and other data are refused."""
    name, folder, files = "classification", tmp_path / "убитый 死", {**corpora["classification"]}
    files["train"] = shutil.copy(files["train"], tmp_path / "тексты.tsv")
    given = {"units": 4, "encoder": "convolution", "epochs": 2, "max_tokens": 32}
    config = task(name).config().replaced(**given)
    monkeypatch.setattr("textapp.training.checkpoint.EVERY_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(type(task(name)), "dashboards", lambda *_: [KillAt(3)])
        with pytest.raises(Killed):
            trained(name, folder, files, config=config, fixed=given)
    command = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert command["fixed"] == given
    assert command["chosen"].keys() >= {"tokenizer", "batch_size", "learning_rate"}
    assert not command["chosen"].keys() & given.keys()

    monkeypatch.setattr(type(task(name)), "dashboards", lambda *_: [])
    with pytest.raises(InputError, match="holds an unfinished run with other units; use --force"):
        trained(name, folder, files, config=config.replaced(units=5), fixed=given)
    with pytest.raises(InputError, match="holds an unfinished run with other epochs; use --force"):
        trained(
            name,
            folder,
            files,
            config=task(name).config().replaced(**{**given, "epochs": 10}),
            fixed={*given} - {"epochs"},
        )
    with pytest.raises(InputError, match="settings were chosen from its examples; without --preset"):
        trained(name, folder, files, config=config)
    text = Path(files["train"]).read_text(encoding="utf-8")
    Path(files["train"]).write_text(f"{text}好 новое слово\tpositive\n", encoding="utf-8")
    with pytest.raises(InputError, match="--force"):
        trained(name, folder, files, config=config, fixed=given)
    Path(files["train"]).write_text(text, encoding="utf-8")

    monkeypatch.setattr("textapp.training.train.choose_settings", None)  # no second choice
    trained(name, folder, files, config=config, fixed=given)
    assert Run.load(folder).config.to_dict() == command["settings"]
    assert json.loads((folder / "config.json").read_text(encoding="utf-8")) == command


BROKEN_ANYWHERE = [  # file, what is replaced (None: all of it; "": nothing, as it is added), by what, the message
    ("vocabulary.txt", "", "ずっと好\n", r"vocabulary.txt: has \d+ entries, but model.keras \d+ rows"),
    ("model.keras", None, "чепуха", "not a Keras model: the file was cut"),
    ("config.json", '"shapes": false', '"shapes": true', "not a model that `textapp train"),
    (
        *("tokenizer.json", '"word"', '"char"'),
        "tokenizer.json: (must be {'kind': 'word'.*by the settings in config.json|.*for `word` only)",
    ),
    ("config.json", '"nfkc"', '"nfc"', "tokenizer.json: must be .*'nfc'.*}, by the settings in config.json"),
    (
        "metrics.json",
        '"task": "',
        '"task": "un',
        "metrics.json: task 'un.*' must be one of classification, tagging, multilabel",
    ),
    ("metrics.json", '"task": "', '"task": "vectors", "x": "', "a training of word vectors, not a run"),
]
BROKEN = {
    "classification": [
        *BROKEN_ANYWHERE,
        ("labels.txt", "positive", "好", "labels.txt: not the labels that metrics.json names"),
        ("metrics.json", '"classification"', '"tagging"', "config.json: unknown setting text_column"),
        ("metrics.json", '"temperature": ', '"temperature": -', '"temperature" must be a number from 0.05 to 20'),
    ],
    "tagging": [
        *BROKEN_ANYWHERE,
        ("tags.txt", "S-LOC", "S-地", "not the tags that metrics.json names"),
        ("characters.txt", "", "好\n", r"characters.txt: has \d+ entries, but model.keras \d+ rows"),
        ("config.json", '"characters": true', '"characters": false', "not a model that"),
        ("config.json", '"crf"', '"crv"', "unknown setting crv; did you mean crf"),
        ("metrics.json", '"tagging"', '"classification"', "config.json: unknown setting format"),
    ],
    "multilabel": [
        *BROKEN_ANYWHERE,
        ("labels.txt", "goût", "好", "labels.txt: not the labels that metrics.json names"),
        ("metrics.json", '"thresholds": [', '"thresholds": [0.5, ', '"thresholds" must be 3 numbers from 0 to 1'),
        ("metrics.json", '"thresholds": [', '"thresholds": [2, ', '"thresholds" must be 3 numbers from 0 to 1'),
    ],
}


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "rule"), [(name, *case) for name, cases in BROKEN.items() for case in cases]
)
def test_a_broken_run_is_named(runs, tmp_path, name, file, old, new, rule):
    folder = tmp_path / "копия"
    shutil.copytree(runs[name][0], folder)
    content = (folder / file).read_bytes().decode("utf-8", "replace")
    assert not old or old in content
    changed = new if old is None else content.replace(old, new) if old else content + new
    (folder / file).write_text(changed, encoding="utf-8")
    with pytest.raises(InputError, match=rule) as raised:
        Run.load(folder)
    assert "\n" not in str(raised.value)


def test_a_run_with_nan_in_a_weight_is_refused(runs, tmp_path):
    """Its predictions would be nonsense: a softmax over NaN has no largest class."""
    folder = tmp_path / "копия"
    shutil.copytree(runs["classification"][0], folder)
    model = keras.models.load_model(folder / "model.keras", compile=False)
    weight = model.get_layer("embedding").embeddings
    values = np.array(weight)
    values[1, 0] = np.nan
    weight.assign(values)
    model.save(folder / "model.keras")
    with pytest.raises(InputError, match=r"model.keras: the weight .*embedding.* holds NaN or infinity: the training"):
        Run.load(folder)


@pytest.mark.parametrize(
    ("name", "pages"),
    [
        ("classification", "fit/accuracy validation/confusion_matrix right_and_wrong "
         "sample_texts/attention_table_1"),
        ("multilabel", "validation/average_precision/goût validation/precision_recall/地点 "
         "sample_texts/attention_table_1"),
        ("tagging", "fit/entity_f1 gradient_norm/crf sample_sentences validation/type_confusion "
         "validation/entity_f1/LOC validation/entity_f1/PER validation/f1_by_type validation/entities"),
    ],
)  # fmt: skip
def test_tensorboard_shows_the_pages_of_the_task(runs, name, pages):
    tags = {tag for run in ("train", "validation") for tag in read(runs[name][0] / "logs" / run)}
    assert tags >= {"fit/loss", "fit/learning_rate", "gradient_norm/all_layers", *pages.split()}
    assert any(tag.startswith("weights/") for tag in tags)


@each_task
def test_a_baseline_stands_beside_the_model(runs, name):
    """In `metrics.json`, in the scores of the model's own splits, and in TensorBoard's chart of the score."""
    folder, metrics = runs[name]
    key, baseline = task(name).main_score(Run.load(folder).targets), metrics["baseline"]
    assert {split: baseline[split]["count"] for split in ("valid", "test")} == {
        split: metrics[split]["count"] for split in ("valid", "test")
    }
    line = read(folder / "logs/baseline")[f"fit/{key}"]
    assert [float(value) for _, value in line] == pytest.approx([baseline["valid"][key]] * metrics["epochs"])
    assert [step for step, _ in line] == [step for step, _ in read(folder / "logs/validation")[f"fit/{key}"]]


@each_task
@pytest.mark.usefixtures("undrawn")
def test_a_run_remembers_how_its_files_are_read(corpora, tmp_path, capsys, monkeypatch, name):
    """`evaluate` and `export` read files as the training did, without an option."""
    files = {}
    for split, path in corpora[name].items():
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        files[split] = tmp_path / f"{split}.tsv"
        if name == "classification":  # guessed columns would be the wrong ones
            rows = [f"x\t{line}\t0" for line in lines[1:]]
            rows.insert(0, "text\tAussage\tUrteil\tlabel")
        elif name == "multilabel":
            texts = map(json.loads, lines)
            rows = [f"x\t{row['text']}\t{','.join(row['labels'])}\t0" for row in texts]
            rows.insert(0, "text\tAussage\tUrteil\tlabel")
        else:
            rows = [f"{line.replace(' ', chr(9))}\tZ" if line else "" for line in lines]
        files[split].write_text("\n".join(rows) + "\n", encoding="utf-8")
    columns = ["tag_column=1"] if name == "tagging" else ["text_column=Aussage", "label_column=Urteil"]
    metrics = trained(name, tmp_path / "run", files, *columns, "epochs=1")

    def printed(*arguments):
        monkeypatch.setattr("sys.argv", ["textapp", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)

    scores = printed("evaluate", tmp_path / "run", "--data", files["test"])
    assert scores == {key: value for key, value in metrics["test"].items() if key != "loss"}
    options = ["--data", files["test"], "--lengths", "32", "--recipe", "float32"]
    before = printed("export", tmp_path / "run", "--out", tmp_path / "bundle", *options)["metrics"]["before"]
    key = task(name).main_score(Run.load(tmp_path / "run").targets)
    assert before[key] == pytest.approx(metrics["test"][key])


class Tables(keras.callbacks.Callback):
    """Remembers the tables of words and of shapes before the first epoch and after each."""

    def __init__(self):
        super().__init__()
        self.words, self.shapes = [], []

    def on_train_begin(self, logs=None):
        self.on_epoch_end(-1)

    def on_epoch_end(self, epoch, logs=None):
        self.words.append(self.model.get_layer("embedding").get_weights()[0])
        self.shapes.append(self.model.get_layer("shape_ids_embedding").get_weights()[0])


@pytest.mark.parametrize(
    ("name", "setting", "words_move"),
    [("classification", "embedding_rate=0", False), ("tagging", "freeze_epochs=1", True)],
)
def test_shapes_are_learned_while_word_vectors_stand_still(corpora, tmp_path, monkeypatch, name, setting, words_move):
    """Their table starts from random numbers, whatever a file of word vectors brings."""
    words = dict.fromkeys(Path(corpora[name]["train"]).read_text(encoding="utf-8").lower().split())
    rows = [f"{word} {number % 7} 1" for number, word in enumerate(words)]
    vectors = tmp_path / "向量.txt"
    vectors.write_text(f"{len(rows)} 2\n" + "\n".join(rows) + "\n", encoding="utf-8")
    tables = Tables()
    monkeypatch.setattr(type(task(name)), "dashboards", lambda *_: [tables])
    settings = ["shapes=true", "characters=false", "embedding_dim=none", "epochs=2", setting]
    trained(name, tmp_path / "run", corpora[name], *settings, vectors=vectors)
    before, frozen, after = tables.words
    assert (before[2:, 1] == 1).all(), "the values of the file"
    np.testing.assert_array_equal(frozen, before)
    assert np.array_equal(after, before) is not words_move
    before, first, second = tables.shapes
    assert np.abs(first - before).max() > 1e-3
    assert np.abs(second - first).max() > 1e-4


def test_probabilities_have_the_temperature_of_the_validation_split(runs):
    folder, metrics = runs["classification"]
    run = Run.load(folder)
    assert run.targets.temperature == metrics["temperature"] != 1
    examples = run.sample()
    assert len(examples) == COUNTS["valid"]
    predictor = run_predictor(run)
    logits = np.log(predictor.probabilities(examples.texts))
    labels = np.array(run.targets.encode(examples.labels))
    assert metrics["temperature"] == pytest.approx(best_temperature(labels, logits), rel=1e-3)
    found = np.array([list(one.probs.values()) for one in predictor.predict(examples.texts)])
    np.testing.assert_allclose(found, softmax(logits / metrics["temperature"], axis=1), rtol=1e-4)


def test_topics_are_told_apart_by_thresholds_of_their_own(runs):
    _, metrics = runs["multilabel"]
    assert metrics["labels"] == ["Preis", "goût", "地点"]
    assert len(metrics["thresholds"]) == 3
    assert set(metrics["thresholds"]) != {0.5}
    assert metrics["test"]["micro_f1"] > 0.85
    assert set(metrics["test"]["labels"]) == set(metrics["labels"])


def test_english_names_never_seen_are_found(runs):
    _, metrics = runs["tagging"]
    assert metrics["tags"][0] == "O"
    assert metrics["test"]["entity_f1"] > 0.9
    assert metrics["data"]["test"]["oov_rate"] > 0.2
    assert metrics["test"]["count"] == 60
    assert set(metrics["test"]["types"]) == {"LOC", "PER"}


@pytest.mark.usefixtures("undrawn")
def test_chinese_is_learned_by_characters(corpora, tmp_path):
    parts = ["bigrams=99", "context_filters=8", "context_width=5"]
    config = task("tagging").preset("tiny").override([*CHINESE, "epochs=4", "adversarial=0.05", *parts])
    metrics = trained("tagging", tmp_path / "跑", corpora["chinese"], config=config)
    assert metrics["test"]["entity_f1"] > 0.95
    assert not (tmp_path / "跑/characters.txt").exists()
    run = Run.load(tmp_path / "跑")
    assert scores_of(run, corpora["chinese"]["test"]) == metrics["test"]
    assert run.model.get_layer("bigrams").rows == 99
    context = run.model.get_layer("context")
    assert (context.filters, context.kernel_size) == (8, (5,))
    assert not isinstance(run.model, AdversarialTraining)  # how it was trained ends with the training


@pytest.mark.usefixtures("undrawn")
def test_shapes_serve_in_place_of_characters(corpora, tmp_path):
    settings = ("characters=false", "shapes=true", "shape_dim=6", "adversarial=0.05")
    metrics = trained("tagging", tmp_path / "läuft", corpora["tagging"], *settings)
    assert metrics["test"]["entity_f1"] > 0.9
    run = Run.load(tmp_path / "läuft")
    assert scores_of(run, corpora["tagging"]["test"]) == metrics["test"]
    assert run.model.get_layer("shape_ids_embedding").embeddings.shape == (SHAPES, 6)
    small, capital = ({name: np.array([ids]) for name, ids in run.encoder.encode([word]).items()} for word in "xX")
    np.testing.assert_array_equal(small["token_ids"], capital["token_ids"])
    assert np.max(np.abs(run.model(small) - run.model(capital))) > 0.1


@pytest.mark.usefixtures("undrawn")
def test_parts_of_speech_are_learned_with_static_shapes_and_without_a_crf(tmp_path):
    words = {"好": "ADJ", "吃": "VERB", "我": "PRON", "très": "ADV"}
    rng = np.random.default_rng(0)
    for name, count in (("train", 90), ("valid", 20)):
        sentences = (rng.choice(list(words), rng.integers(1, 9)) for _ in range(count))
        blocks = ("".join(f"{word}\t{words[word]}\n" for word in sentence) for sentence in sentences)
        (tmp_path / name).write_text("\n".join(blocks), encoding="utf-8")
    settings = ["crf=false", "static_shapes=true", "max_tokens=8", "units=4", "cell=rnn", "embedding_dim=8", "epochs=4"]
    config = task("tagging").preset("tiny").override([*settings, "mixed_precision=true", "learning_rate=0.05"])
    files = {"train": tmp_path / "train", "valid": tmp_path / "valid"}
    metrics = trained("tagging", tmp_path / "läuft", files, config=config)
    assert metrics["valid"]["accuracy"] > 0.95
    assert metrics["valid"].keys() == {"accuracy", "count"}
    assert metrics["scheme"] is None
    assert metrics["history"][-1]["val_accuracy"] > 0.95
    run = Run.load(tmp_path / "läuft")
    assert scores_of(run, tmp_path / "valid")["accuracy"] == metrics["valid"]["accuracy"]
    (tmp_path / "spans.jsonl").write_text('{"text": "好", "spans": []}\n', encoding="utf-8")
    with pytest.raises(InputError, match="holds spans, but the model gives plain tags"):
        scores_of(run, tmp_path / "spans.jsonl")


@pytest.mark.parametrize(
    ("before", "now", "rule"),
    [
        (
            {"fixed": {}},
            {},
            "the run goes on with them: leave these options out, or --force to start anew, or another --out",
        ),
        ({}, {"fixed": {}}, "give its --preset to go on with it, or --force to start anew, or another --out"),
    ],
)
def test_a_run_whose_settings_were_given_in_another_way_is_refused_with_the_way_on(tmp_path, before, now, rule):
    config = {"task": "tagging", "settings": {"units": 2}, "textapp_version": "0", **before}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=rule):
        check_folder(tmp_path, {"task": "tagging", "settings": {"units": 3}, **now}, force=False)
