import hashlib
import json

import pytest

from tests.runtime.conftest import LABELS, TOKENS, lines_of, load_error
from textapp.runtime import Classifier, Tagger, bundle_format, load, read_bundle
from textapp.text.tokenizer import Tokenizer


def change(folder, **changes):
    """Changes fields of bundle.json; None in the place of a value deletes the field."""
    path = folder / "bundle.json"
    description = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {field: value for field, value in description.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


FILES = {
    "classification": ("model.tflite", "vocabulary.txt", "labels.txt"),
    "tagging": ("model.tflite", "vocabulary.txt", "characters.txt", "tags.txt", "crf.json"),
}


@pytest.fixture(params=[(task, name) for task, names in FILES.items() for name in names], ids="-".join)
def file(request):
    """A bundle of each task, and the name of each of its files."""
    task, name = request.param
    return request.getfixturevalue({"classification": "bundle_folder", "tagging": "tagger_folder"}[task]), name


def test_a_bundle_is_read_whole(folder):
    bundle = read_bundle(str(folder))
    assert bundle.folder == folder
    assert bundle.files == {name: (folder / name).read_bytes() for name in FILES[bundle.task]}
    assert bundle.model == (folder / "model.tflite").read_bytes()
    assert bundle.tokenizer == Tokenizer("word", lowercase=bundle.task == "classification", normalization="nfkc")
    assert list(bundle.signatures.items()) == [(4, "tokens_4"), (8, "tokens_8")]
    assert bundle.description["metrics"] == {"accuracy": 0.5}


def test_a_bundle_that_is_replaced_meanwhile_is_read_once(folder, monkeypatch):
    """Every file is another one as soon as it has been read, as when another process exports to the same folder."""
    expected = load(folder).predict(["Angela Merkel, good film!"])
    places = {name: getattr(bundle_format, name) for name in ("read_bytes", "read_json")}

    def replaced(name):
        def read(path):
            content = places[name](path)
            path.write_bytes(b"[PAD]\n[UNK]\nother\n")
            return content

        return read

    for name in places:
        monkeypatch.setattr(bundle_format, name, replaced(name))
    assert load(folder).predict(["Angela Merkel, good film!"]) == expected
    assert {path.read_bytes() for path in folder.iterdir()} == {b"[PAD]\n[UNK]\nother\n"}


def test_of_a_classifier_words_and_labels_are_read(predictor):
    assert tuple(predictor.encoder.vocabulary.tokens) == TOKENS
    assert predictor.encoder.form is None
    assert predictor.labels == LABELS


def test_load_gives_the_predictor_of_the_task(predictor, tagger):
    assert type(predictor) is Classifier
    assert type(tagger) is Tagger


def test_fields_that_the_format_does_not_define_are_not_read(folder):
    change(folder, model="../../secret.tflite", note="für später")
    assert load(folder).max_tokens == 8


def test_a_bundle_of_an_earlier_version_lacks_fields(bundle_folder, tagger_folder):
    """One of a classifier knew no word form, characters or shapes; the first of a tagger no shapes."""
    change(bundle_folder, word_form=None, max_characters=None, shapes=None)
    assert load(bundle_folder).encoder.inputs == {"token_ids": ()}
    change(tagger_folder, shapes=None)
    assert load(tagger_folder).encoder.shapes is False


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("format", "textapp-run", '"format" must be "textapp-bundle". Received: \'textapp-run\''),
        ("format", None, '"format" must be "textapp-bundle". Received: None'),
        ("format_version", 2, '"format_version" 2 is not supported; this textapp reads version 1'),
        ("format_version", True, '"format_version" True is not supported; this textapp reads version 1'),
        ("format_version", 1.0, '"format_version" 1.0 is not supported; this textapp reads version 1'),
        ("format_version", None, '"format_version" None is not supported; this textapp reads version 1'),
        ("task", "обобщение", "\"task\" must be one of classification, tagging, multilabel. Received: 'обобщение'"),
        ("task", None, '"task" is missing; it must be one of classification, tagging'),
        ("task", ["tagging"], "\"task\" must be one of classification, tagging, multilabel. Received: ['tagging']"),
        ("word_form", {"lowercase": True, "zero_digits": False}, '"word_form" must be an object'),
        ("word_form", {"lowercase": 1, "zero_digits": False, "normalization": "nfc"}, '"word_form" must be an object'),
        ("word_form", {"lowercase": True, "zero_digits": False, "normalization": "ç"}, '"word_form" must be an object'),
        ("max_characters", 0, '"max_characters" must be a positive integer, or null'),
        ("max_characters", True, '"max_characters" must be a positive integer, or null'),
        ("max_characters", 5.0, '"max_characters" must be a positive integer, or null'),
        ("shapes", 1, '"shapes" must be true or false. Received: 1'),
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
        ("lengths", [4, 8, 4097], '"lengths" must be at most 4096. Received: 4097'),
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
        ("sha256", {}, '"sha256" must be an object from each of model.tflite, vocabulary.txt'),
        ("sha256", {"model.tflite": "0" * 64}, '"sha256" must be an object from each of model.tflite, vocabulary.txt'),
    ],
)
def test_each_field_of_bundle_json_is_checked(folder, field, value, rule):
    change(folder, **{field: value})
    message = load_error(folder)
    assert message.startswith(f"{folder / 'bundle.json'}: ")
    assert rule in message


def test_a_long_wrong_value_is_shown_in_part(folder):
    change(folder, lowering=["völlig falsch"] * 1000)
    assert len(load_error(folder)) < len(str(folder)) + 200


@pytest.mark.parametrize("content", ["[]", '"textapp-bundle"', "null", "1"])
def test_bundle_json_must_hold_an_object(folder, content):
    (folder / "bundle.json").write_text(content)
    assert "bundle.json: must hold one JSON object. Received: " in load_error(folder)


def test_broken_json_is_named_with_its_line(folder):
    (folder / "bundle.json").write_text('{\n"format": "textapp-bundle",\n"kaputt: 1}', encoding="utf-8")
    assert "bundle.json:3: " in load_error(folder)


def test_no_folder(tmp_path):
    assert (
        load_error(tmp_path / "nö") == f"{tmp_path / 'nö'}: no such folder; give the folder that `textapp export` wrote"
    )


def test_a_folder_that_is_no_bundle(tmp_path):
    assert load_error(tmp_path).startswith(f"{tmp_path / 'bundle.json'}: missing; a bundle is a folder")


def test_a_file_in_the_place_of_the_folder(tmp_path):
    path = tmp_path / "modèle.tflite"
    path.write_bytes(b"TFL3")
    assert load_error(path).startswith(str(path))


class TestFiles:
    def test_missing(self, file):
        folder, name = file
        (folder / name).unlink()
        assert load_error(folder) == f"{folder / name}: missing; the bundle is incomplete: copy or export it again"

    def test_changed(self, file):
        folder, name = file
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        found = hashlib.sha256(content).hexdigest()
        assert load_error(folder).startswith(f"{folder / name}: its SHA-256 {found[:12]}... is not the ")

    def test_truncated(self, file):
        folder, name = file
        content = (folder / name).read_bytes()[:-1]
        (folder / name).write_bytes(content)
        message = load_error(folder)
        assert message.startswith(f"{folder / name}: its SHA-256 ")
        assert f"the file ({len(content):,} bytes) was cut or changed after the export" in message

    def test_a_folder_in_its_place(self, file):
        folder, name = file
        (folder / name).unlink()
        (folder / name).mkdir()
        assert load_error(folder).startswith(f"{folder / name}: ")

    def test_hashes_are_of_these_files_and_no_others(self, folder):
        names = FILES[read_bundle(folder).task]
        rule = f'"sha256" must be an object from each of {", ".join(names)} to 64 lower-case hexadecimal digits'
        for hashes in (
            dict.fromkeys((*names[:-1], f"../{names[-1]}"), "0" * 64),
            dict.fromkeys(names, "0" * 63),
            dict.fromkeys(names, 0),
        ):
            change(folder, sha256=hashes)
            assert rule in load_error(folder)


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
    folder = write_bundle({"labels.txt": labels})
    assert load_error(folder) == f"{folder / 'labels.txt'}{ending}"


def test_only_a_newline_ends_a_label(write_bundle):
    labels = ("très\u2028bon", "a\x0bb", "ein\x85zwei")
    assert load(write_bundle({"labels.txt": "\n".join(labels).encode()})).labels == labels


def test_a_malformed_vocabulary_is_named(write_bundle):
    folder = write_bundle({"vocabulary.txt": lines_of((*TOKENS, "好"))})
    assert load_error(folder).startswith(f"{folder / 'vocabulary.txt'}:{len(TOKENS) + 1}: ")


def test_a_run_is_not_a_bundle_and_the_message_says_how_to_make_one(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert load_error(tmp_path).startswith(f"{tmp_path}: is a run, not a bundle; make a bundle with `textapp export")
