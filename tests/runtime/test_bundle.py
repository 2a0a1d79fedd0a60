import hashlib
import json

import pytest

from textapp.errors import InputError
from textapp.runtime.bundle import read_bundle
from textapp.text.tokenizer import Tokenizer

from .conftest import LABELS, TOKENS


def error_of(folder):
    """The message of the error that reading a bundle gives: always one line."""
    with pytest.raises(InputError) as caught:
        read_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def change(folder, **changes):
    """Changes fields of bundle.json; None in the place of a value deletes the field."""
    path = folder / "bundle.json"
    description = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {field: value for field, value in description.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def test_a_bundle_is_read_whole(bundle_folder, model_content):
    bundle = read_bundle(str(bundle_folder))
    assert bundle.folder == bundle_folder
    assert bundle.tokenizer == Tokenizer(kind="word", lowercase=True, normalization="nfkc")
    assert tuple(bundle.vocabulary.tokens) == TOKENS
    assert bundle.labels == LABELS
    assert list(bundle.signatures.items()) == [(4, "tokens_4"), (8, "tokens_8")]
    assert bundle.model == model_content
    assert bundle.description["metrics"] == {"accuracy": 0.5}


def test_fields_that_the_format_does_not_define_are_not_read(bundle_folder):
    change(bundle_folder, model="../../secret.tflite", note="für später")
    assert read_bundle(bundle_folder).labels == LABELS


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("format", "textapp-run", '"format" must be "textapp-bundle". Received: \'textapp-run\''),
        ("format", None, '"format" must be "textapp-bundle". Received: None'),
        ("format_version", 2, '"format_version" 2 is not supported; this textapp reads version 1'),
        ("format_version", True, '"format_version" True is not supported; this textapp reads version 1'),
        ("format_version", 1.0, '"format_version" 1.0 is not supported; this textapp reads version 1'),
        ("format_version", None, '"format_version" None is not supported; this textapp reads version 1'),
        ("task", "обобщение", '"task" must be "classification" or "tagging". Received: \'обобщение\''),
        ("task", None, '"task" is missing; it must be "classification" or "tagging"'),
        ("textapp_version", 1, '"textapp_version" must be a string. Received: 1'),
        ("tokenizer", "word", "\"tokenizer\" must be an object. Received: 'word'"),
        ("tokenizer", {"kind": "Wörter", "lowercase": True, "normalization": "nfkc"}, "kind='Wörter'"),
        ("tokenizer", {"kind": "word"}, "tokenizer: the settings must be kind, lowercase, normalization"),
        ("lengths", [], '"lengths" must be a list of positive integers in ascending order. Received: []'),
        ("lengths", [8, 4], '"lengths" must be a list of positive integers in ascending order. Received: [8, 4]'),
        ("lengths", [4, 4], '"lengths" must be a list of positive integers in ascending order'),
        ("lengths", [0, 8], '"lengths" must be a list of positive integers in ascending order'),
        ("lengths", [4.0, 8], '"lengths" must be a list of positive integers in ascending order'),
        ("lengths", [True, 8], '"lengths" must be a list of positive integers in ascending order'),
        ("lengths", 8, '"lengths" must be a list of positive integers in ascending order. Received: 8'),
        ("lengths", [8], "\"signatures\" must name one signature for each of \"lengths\" [8]. Received: ['4', '8']"),
        ("lengths", [4, 8, 16], '"signatures" must name one signature for each of "lengths" [4, 8, 16]'),
        ("signatures", {"4": "tokens_4", "08": "tokens_8"}, '"signatures" must name one signature for each'),
        ("signatures", {"4": "tokens_4", "8": "tokens_4"}, "no name twice"),
        ("signatures", {"4": "tokens_4", "8": ["tokens_8"]}, '"signatures" must be an object from each length'),
        ("signatures", ["tokens_4", "tokens_8"], '"signatures" must be an object from each length'),
        ("lowering", 3, '"lowering" must be a string. Received: 3'),
        ("recipe", "", "\"recipe\" must be a string. Received: ''"),
        ("sha256", None, '"sha256" is missing'),
        ("sha256", {"model.tflite": "0" * 64}, '"sha256" must be an object from each of model.tflite, vocabulary.txt'),
        ("sha256", dict.fromkeys(("model.tflite", "vocabulary.txt", "../labels.txt"), "0" * 64), '"sha256" must be'),
        ("sha256", dict.fromkeys(("model.tflite", "vocabulary.txt", "labels.txt"), "0" * 63), '"sha256" must be'),
        ("sha256", dict.fromkeys(("model.tflite", "vocabulary.txt", "labels.txt"), 0), '"sha256" must be'),
    ],
)
def test_each_field_of_bundle_json_is_checked(bundle_folder, field, value, rule):
    change(bundle_folder, **{field: value})
    message = error_of(bundle_folder)
    assert message.startswith(f"{bundle_folder / 'bundle.json'}: ")
    assert rule in message


def test_a_long_wrong_value_is_shown_in_part(bundle_folder):
    change(bundle_folder, lowering=["völlig falsch"] * 1000)
    assert len(error_of(bundle_folder)) < len(str(bundle_folder)) + 200


@pytest.mark.parametrize("content", ["[]", '"textapp-bundle"', "null", "1"])
def test_bundle_json_must_hold_an_object(bundle_folder, content):
    (bundle_folder / "bundle.json").write_text(content)
    assert "bundle.json: must hold one JSON object. Received: " in error_of(bundle_folder)


def test_broken_json_is_named_with_its_line(bundle_folder):
    (bundle_folder / "bundle.json").write_text('{\n"format": "textapp-bundle",\n"kaputt: 1}', encoding="utf-8")
    assert "bundle.json:3: " in error_of(bundle_folder)


def test_no_folder(tmp_path):
    assert (
        error_of(tmp_path / "nö") == f"{tmp_path / 'nö'}: no such folder; give the folder that `textapp export` wrote"
    )


def test_a_folder_that_is_no_bundle(tmp_path):
    assert error_of(tmp_path).startswith(f"{tmp_path / 'bundle.json'}: missing; a bundle is a folder")


def test_a_file_in_the_place_of_the_folder(tmp_path):
    path = tmp_path / "modèle.tflite"
    path.write_bytes(b"TFL3")
    assert error_of(path).startswith(str(path))


@pytest.mark.parametrize("name", ["model.tflite", "vocabulary.txt", "labels.txt"])
class TestFiles:
    def test_missing(self, bundle_folder, name):
        (bundle_folder / name).unlink()
        assert error_of(bundle_folder) == (
            f"{bundle_folder / name}: missing; the bundle is incomplete: copy or export it again"
        )

    def test_changed(self, bundle_folder, name):
        path = bundle_folder / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        found = hashlib.sha256(content).hexdigest()
        assert error_of(bundle_folder).startswith(f"{path}: its SHA-256 {found[:12]}... is not the ")

    def test_truncated(self, bundle_folder, name):
        path = bundle_folder / name
        path.write_bytes(path.read_bytes()[:-1])
        message = error_of(bundle_folder)
        assert message.startswith(f"{path}: its SHA-256 ")
        assert f"the file ({path.stat().st_size:,} bytes) was cut or changed after the export" in message

    def test_a_folder_in_its_place(self, bundle_folder, name):
        path = bundle_folder / name
        path.unlink()
        path.mkdir()
        assert error_of(bundle_folder).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("labels", "ending"),
    [
        ("gut\n\nübel\n".encode(), ":2: empty; each line must be a label"),
        (b"", ":1: empty; each line must be a label"),
        ("好\n坏\n好\n".encode(), ":3: '好' is also on line 1; labels must differ"),
        ("好\n".encode(), ": only one label; a model chooses between two or more"),
        ("gut\nübel\n".encode("latin-1"), ":2: byte 1 of the line is not UTF-8; files must be UTF-8"),
    ],
)
def test_labels_are_checked(write_bundle, labels, ending):
    folder = write_bundle(labels=labels)
    assert error_of(folder) == f"{folder / 'labels.txt'}{ending}"


def test_only_a_newline_ends_a_label(write_bundle):
    labels = ("très\u2028bon", "a\x0bb", "ein\x85zwei")
    assert read_bundle(write_bundle(labels="\n".join(labels).encode())).labels == labels


def test_a_malformed_vocabulary_is_named(write_bundle):
    folder = write_bundle(tokens=(*TOKENS, "好"))
    assert error_of(folder).startswith(f"{folder / 'vocabulary.txt'}:{len(TOKENS) + 1}: ")
