"""Broken runs and bundles: one line that names the file and the rule."""

import hashlib
import shutil
import zipfile

import keras
import pytest

from tests.cli.commands import change_json, read_json

NONSENSE = "глупость 胡说".encode()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path):
    path.write_bytes(b"\xff" + NONSENSE)


def empty(path):
    path.write_bytes(b"")


def make_folder(path):
    path.unlink()
    path.mkdir()


def remove(path):
    path.unlink()


BREAKS = [cut, garble, empty, make_folder, remove]
BUNDLE_FILES = [("classification", name) for name in ("model.tflite", "vocabulary.txt", "labels.txt", "bundle.json")]
BUNDLE_FILES += [("tagging", name) for name in ("tags.txt", "characters.txt", "crf.json")]
RUN_FILES = [
    ("classification", name)
    for name in ("model.keras", "tokenizer.json", "vocabulary.txt", "labels.txt", "metrics.json", "config.json")
]
RUN_FILES += [("tagging", name) for name in ("model.keras", "tags.txt", "characters.txt")]


@pytest.mark.parametrize("damage", BREAKS)
@pytest.mark.parametrize(("task", "name"), BUNDLE_FILES)
def test_a_broken_file_of_a_bundle_is_named(textapp, copy, models, task, name, damage):
    folder = copy(models(task).bundle)
    damage(folder / name)
    refusal = textapp("predict", folder, "текст").refusal
    assert refusal.startswith(str(folder))
    assert name in refusal


@pytest.mark.parametrize(("task", "name"), [pair for pair in BUNDLE_FILES if pair[1] != "bundle.json"])
def test_a_changed_file_of_a_bundle_is_found_by_its_hash(textapp, copy, models, task, name):
    folder = copy(models(task).bundle)
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert "SHA-256" in textapp("predict", folder, "текст").refusal


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda content: content[: len(content) // 2], "an offset leads to byte"),
        (lambda _: b"PK\3\4" + NONSENSE * 99, "bytes 4 to 8 must be TFL3"),
    ],
)
def test_a_foreign_model_with_a_right_hash_is_refused(textapp, copy, classifier, change, rule):
    folder = copy(classifier.bundle)
    content = change((folder / "model.tflite").read_bytes())
    (folder / "model.tflite").write_bytes(content)
    sha256 = read_json(folder / "bundle.json")["sha256"]
    change_json(folder / "bundle.json", sha256={**sha256, "model.tflite": hashlib.sha256(content).hexdigest()})
    assert textapp("predict", folder, "x").refusal.startswith(f"{folder / 'model.tflite'}: {rule}")


@pytest.mark.parametrize("damage", BREAKS)
@pytest.mark.parametrize(("task", "name"), RUN_FILES)
def test_a_broken_file_of_a_run_is_named(textapp, copy, models, task, name, damage):
    folder = copy(models(task).run)
    damage(folder / name)
    refusal = textapp("predict", folder, "текст").refusal
    if (name, damage) == ("metrics.json", remove):
        assert refusal == f"{folder}: this training is not finished; run its train command again to resume it"
    elif (name, damage) == ("config.json", remove):
        assert refusal == f"{folder}: no run folder or bundle (neither config.json nor bundle.json in it)"
    else:
        assert refusal.startswith(str(folder / name))


@pytest.mark.parametrize("damage", BREAKS)
def test_a_broken_sample_of_a_run_is_named_where_it_is_read(textapp, copy, model, damage, tmp_path):
    folder = copy(model.run)
    damage(folder / model.task.sample_name)
    assert textapp("predict", folder, "текст").code == 0
    refusal = textapp("export", folder, "--out", tmp_path / "包").refusal
    assert refusal.startswith(str(folder / model.task.sample_name))
    assert not (tmp_path / "包").exists()


def zip_of_something_else(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("привет.txt", NONSENSE)


def flip_a_byte_of_the_weights(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def model_without_attention(path):
    token_ids = keras.Input((None,), dtype="int32")
    table = keras.layers.Embedding(5, 3)(token_ids)
    logits = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(table))
    keras.Model(token_ids, logits).save(path)


@pytest.mark.parametrize(
    "make",
    [
        zip_of_something_else,
        flip_a_byte_of_the_weights,
        model_without_attention,
        lambda path: keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path),
    ],
)
def test_a_foreign_keras_model_is_refused(textapp, copy, classifier, make):
    folder = copy(classifier.run)
    make(folder / "model.keras")
    for command in (["predict", folder, "текст"], ["export", folder, "--out", folder.with_name("пакет")]):
        assert textapp(*command).refusal.startswith(f"{folder / 'model.keras'}: ")
    assert not folder.with_name("пакет").exists()


@pytest.mark.parametrize(("task", "other"), [("classification", "tagging"), ("tagging", "classification")])
def test_a_model_of_another_task_is_refused(textapp, copy, models, task, other):
    folder = copy(models(task).run)
    shutil.copy(models(other).run / "model.keras", folder)
    noun = models(task).task.model_noun
    assert textapp("predict", folder, "x").refusal == (
        f"{folder / 'model.keras'}: not a model that `textapp train {noun}` makes"
    )


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("metrics.json", '{"task": "sentiment"}', "metrics.json: names no labels; the file was cut or changed"),
        ("metrics.json", '{"task": "помидор"}', "metrics.json: task 'помидор' must be one of classification, tagging"),
        ("metrics.json", '{"task": ["ner"]}', "metrics.json: task ['ner'] must be one of classification, tagging"),
        ("labels.txt", "a\nb\nc\n", "labels.txt: not the labels that metrics.json names"),
        ("labels.txt", "negative\nnegative\n", "labels.txt: not the labels that metrics.json names"),
        ("vocabulary.txt", "[PAD]\n[UNK]\n好\n", "vocabulary.txt: has 3 entries, but model.keras"),
        ("config.json", "{}", "config.json: not the config of a run of textapp"),
        ("config.json", '{"settings": 3, "textapp_version": "1"}', "config.json: not the config of a run"),
        ("config.json", "[]", "config.json: must hold a JSON object"),
        ("config.json", "[" * 100_000, "config.json: not JSON that can be read"),
        ("tokenizer.json", '{"kind": "слово"}', "tokenizer.json: tokenizer: the settings must be"),
        ("tokenizer.json", "[]", "tokenizer.json: must hold a JSON object"),
        ("metrics.json", "[]", "metrics.json: must hold a JSON object"),
    ],
)
def test_files_of_a_run_that_do_not_fit_are_refused(textapp, copy, classifier, name, content, rule):
    folder = copy(classifier.run)
    (folder / name).write_text(content, encoding="utf-8")
    assert rule in textapp("predict", folder, "текст").refusal


@pytest.mark.parametrize(
    ("setting", "rule"),
    [({"unitz": 3}, "did you mean units"), ({"units": "3"}, "whole number"), ({"units": -3}, "1 to")],
)
def test_settings_of_a_run_are_read_strictly(textapp, copy, model, setting, rule):
    folder = copy(model.run)
    settings = read_json(folder / "config.json")["settings"]
    change_json(folder / "config.json", settings={**settings, **setting})
    refusal = textapp("predict", folder, "текст").refusal
    assert refusal.startswith(f"{folder / 'config.json'}: ")
    assert rule in refusal


@pytest.mark.parametrize("command", ["predict", "evaluate", "bench", "export"])
def test_what_is_neither_run_nor_bundle_is_refused(textapp, tmp_path, corpora, command):
    data = corpora["classification"]["test"]
    arguments = {
        "predict": ["текст"],
        "evaluate": ["--data", data],
        "bench": ["--data", data],
        "export": ["--out", tmp_path / "пакет"],
    }[command]
    (tmp_path / "пусто").mkdir()
    (tmp_path / "файл").write_bytes(NONSENSE)
    for path in (tmp_path / "пусто", tmp_path / "файл", tmp_path / "нет", tmp_path / ("名" * 300)):
        refusal = textapp(command, path, *arguments).refusal
        assert str(path) in refusal
    assert not (tmp_path / "пакет").exists()


def test_the_terminal_is_not_coloured_by_a_name(textapp):
    assert textapp("predict", "\x1b[31m名\n二", "текст").refusal == "\\x1b[31m名 二: no such folder"


def test_a_run_and_a_bundle_in_one_folder_is_the_bundle(textapp, copy, model):
    folder = copy(model.run)
    shutil.copytree(model.bundle, folder, dirs_exist_ok=True)
    assert textapp("predict", folder, "текст", "--json").out == textapp("predict", model.bundle, "текст", "--json").out
