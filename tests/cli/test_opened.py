"""Broken runs and bundles: one line that names the file and the rule."""

import hashlib
import json
import shutil
import zipfile

import keras
import pytest

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
BUNDLE_FILES = ["model.tflite", "vocabulary.txt", "labels.txt", "bundle.json"]
RUN_FILES = ["model.keras", "tokenizer.json", "vocabulary.txt", "labels.txt", "sample.jsonl", "metrics.json"]


def change_json(path, change):
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize("damage", BREAKS)
@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_broken_file_of_a_bundle_is_named(textapp, copy, bundle_folder, name, damage):
    folder = copy(bundle_folder)
    damage(folder / name)
    refusal = textapp("predict", folder, "текст").refusal
    assert refusal.startswith(str(folder))
    assert name in refusal


@pytest.mark.parametrize("name", BUNDLE_FILES[:3])
def test_a_changed_file_of_a_bundle_is_found_by_its_hash(textapp, copy, bundle_folder, name):
    folder = copy(bundle_folder)
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert "SHA-256" in textapp("predict", folder, "текст").refusal


@pytest.mark.parametrize(
    "model", [lambda content: content[: len(content) // 2], lambda content: b"PK\3\4" + NONSENSE * 99]
)
def test_a_foreign_model_with_a_right_hash_is_refused(textapp, copy, bundle_folder, model):
    folder = copy(bundle_folder)
    content = model((folder / "model.tflite").read_bytes())
    (folder / "model.tflite").write_bytes(content)
    change_json(
        folder / "bundle.json",
        lambda value: value["sha256"].update({"model.tflite": hashlib.sha256(content).hexdigest()}),
    )
    assert textapp("predict", folder, "x").refusal.startswith(f"{folder / 'model.tflite'}: LiteRT cannot run this file")


@pytest.mark.parametrize("damage", BREAKS)
@pytest.mark.parametrize("name", [*RUN_FILES, "config.json"])
def test_a_broken_file_of_a_run_is_named(textapp, copy, run_folder, name, damage):
    folder = copy(run_folder)
    damage(folder / name)
    refusal = textapp("predict", folder, "текст").refusal
    if (name, damage) == ("metrics.json", remove):
        assert refusal == f"{folder}: this training is not finished; run its train command again to go on"
    elif (name, damage) == ("config.json", remove):
        assert refusal == f"{folder}: no run folder or bundle (neither config.json nor bundle.json in it)"
    else:
        assert refusal.startswith(str(folder / name))


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
def test_a_foreign_keras_model_is_refused(textapp, copy, run_folder, make):
    folder = copy(run_folder)
    make(folder / "model.keras")
    for command in (["predict", folder, "текст"], ["export", folder, "--out", folder.with_name("пакет")]):
        assert textapp(*command).refusal.startswith(f"{folder / 'model.keras'}: ")
    assert not folder.with_name("пакет").exists()


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("metrics.json", '{"task": "sentiment"}', "metrics.json: names no labels; the file was cut or changed"),
        ("labels.txt", "a\nb\nc\n", "labels.txt: not the labels that metrics.json names"),
        ("labels.txt", "negative\nnegative\n", "labels.txt: not the labels that metrics.json names"),
        ("vocabulary.txt", "[PAD]\n[UNK]\n好\n", "vocabulary.txt: has 3 tokens"),
        ("config.json", "{}", "config.json: not the config of a run of textapp"),
        ("config.json", '{"settings": 3, "textapp_version": "1"}', "config.json: not the config of a run"),
        ("config.json", "[]", "config.json: must hold a JSON object"),
        ("config.json", "[" * 100_000, "config.json: not JSON that can be read"),
        ("tokenizer.json", '{"kind": "слово"}', "tokenizer.json: tokenizer: the settings must be"),
        ("tokenizer.json", "[]", "tokenizer.json: must hold a JSON object"),
        ("metrics.json", "[]", "metrics.json: must hold a JSON object"),
    ],
)
def test_files_of_a_run_that_do_not_fit_are_refused(textapp, copy, run_folder, name, content, rule):
    folder = copy(run_folder)
    (folder / name).write_text(content, encoding="utf-8")
    assert rule in textapp("predict", folder, "текст").refusal


@pytest.mark.parametrize(
    ("setting", "rule"),
    [({"unitz": 3}, "did you mean units"), ({"units": "3"}, "whole number"), ({"units": -3}, "1 to")],
)
def test_settings_of_a_run_are_read_strictly(textapp, copy, run_folder, setting, rule):
    folder = copy(run_folder)
    change_json(folder / "config.json", lambda value: value["settings"].update(setting))
    refusal = textapp("predict", folder, "текст").refusal
    assert refusal.startswith(f"{folder / 'config.json'}: ")
    assert rule in refusal


@pytest.mark.parametrize("command", ["predict", "evaluate", "bench", "export"])
def test_what_is_neither_run_nor_bundle_is_refused(textapp, tmp_path, corpus, command):
    arguments = {
        "predict": ["текст"],
        "evaluate": ["--data", corpus["test"]],
        "bench": ["--data", corpus["test"]],
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


def test_a_run_and_a_bundle_in_one_folder_is_the_bundle(textapp, copy, run_folder, bundle_folder):
    folder = copy(run_folder)
    shutil.copytree(bundle_folder, folder, dirs_exist_ok=True)
    assert textapp("predict", folder, "текст", "--json").out == textapp("predict", bundle_folder, "текст", "--json").out
