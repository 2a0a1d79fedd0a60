"""Bundles in the core, from text to prediction, against textapp.load on the same files."""

import functools
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest

import textapp
from clients.conformance.bundles import ngram_files
from textapp.errors import InputError
from textapp.runtime.ngram_model import NGRAMS
from textapp.runtime.selftest import selftest

from .core_bundle import CODE_POINTS, CONFIDENCE, DECISION, UTF16, Core, CoreError, bundle_files, with_files
from .core_text import contents

SAMPLES = Path(__file__).parents[1] / "samples"
CLASSIFIER, TAGGER = SAMPLES / "classifier/bundle", SAMPLES / "tagger/bundle"
LINES = [line.split("\t")[0] for line in (SAMPLES / "classifier/test.tsv").read_text("utf-8").splitlines()[1:]]
SENTENCES = [
    [line.split(" ")[0] for line in block.splitlines()]
    for block in (SAMPLES / "tagger/test.txt").read_text("utf-8").split("\n\n")
]
SENTENCES = [sentence for sentence in SENTENCES if sentence]
load = functools.partial(textapp.load, engine="litert")
TOLERANCE = 0.02  # of logits: the samples have int8 weights
LONGEST = 4096  # bytes of a text


def texts(count, seed=7):
    """Texts of the samples, hostile ones, and some that are longer than the models read; as bytes, and as Python reads
    them."""
    seeded = random.Random(seed)
    lines = [*LINES, *(" ".join(sentence) for sentence in SENTENCES)]
    found = [line.encode() for line in lines] + list(contents(count, seed))
    found += [line.replace(" ", "<br />", 2).encode() for line in LINES[:20]]
    for _ in range(20):
        found.append(" ".join(seeded.choices(lines, k=6)).encode()[: LONGEST - 200])
    found += [
        b"",
        b" ",
        "½㍿ﷺ㌖ ".encode() * 20,
        b"a" * LONGEST,
        b"! " * (LONGEST // 2),
        "ﷺ".encode() * 600,
        "㌖".encode() * (LONGEST // 3),
    ]
    return [(one, one.decode("utf-8", "replace")) for one in found if len(one) <= LONGEST]


def variants(folder):
    """Bundles of all kinds that the models of the samples serve."""
    many = {"task": "multilabel", "thresholds": [0.45, 0.6]}
    plain = {"tag_scheme": None}
    chars = {"tokenizer": {"kind": "char", "lowercase": True, "normalization": "nfkc"}}
    none = {"tokenizer": {"kind": "word", "lowercase": False, "normalization": "none"}}
    form = {"word_form": {"lowercase": True, "zero_digits": True, "normalization": "nfc"}}
    bert = {"tokenizer": {"kind": "bert", "lowercase": True, "normalization": "none"}}
    yield "classifier", CLASSIFIER
    breaks = {"tokenizer": {"kind": "word", "lowercase": True, "normalization": "nfkc", "line_breaks": True}}
    yield "line breaks", with_files(CLASSIFIER, folder / "breaks", fields=breaks)
    yield "bert", with_files(CLASSIFIER, folder / "bert", fields=bert)
    yield (
        "ngrams",
        with_files(
            CLASSIFIER, folder / "ngrams", ngram_files(2, False), fields={"ngrams": True, "temperature": 1.7, **form}
        ),
    )
    first = ngram_files(2, False)
    first[NGRAMS] = first[NGRAMS].replace(b', "count_zero_rows": false', b"")
    yield "first n-grams", with_files(CLASSIFIER, folder / "first", first, fields={"ngrams": True})
    yield (
        "multilabel",
        with_files(CLASSIFIER, folder / "many", ngram_files(2, True), fields={**many, "ngrams": True, **chars}),
    )
    yield "tagger", TAGGER
    yield "no CRF", with_files(TAGGER, folder / "free", remove=["crf.json"], fields={"crf": False, "retokenize": False})
    yield "plain", with_files(TAGGER, folder / "plain", fields={**plain, **none, **form})
    yield (
        "plain, no CRF",
        with_files(
            TAGGER,
            folder / "plain-free",
            remove=["crf.json"],
            fields={**plain, **chars, "crf": False, "retokenize": False},
        ),
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    return dict(variants(tmp_path_factory.mktemp("bundles")))


def token_values(prediction):
    return [(token.text.encode(), token.start, token.end) for token in prediction.tokens]


def assert_same_tokens(found, wanted, text):
    assert [token[:3] for token in found["tokens"]] == token_values(wanted), text


@pytest.mark.parametrize("name", ["classifier", "ngrams", "first n-grams", "multilabel"])
def test_labels_are_those_of_python(native, bundles, name):
    core, predictor = Core(native, bundle_files(bundles[name]), LONGEST), load(bundles[name])
    differ = 0
    for content, text in texts(400):
        found, [wanted] = core.predict(content), predictor.predict([text])
        assert_same_tokens(found, wanted, text)
        assert found["truncated"] == wanted.truncated
        probs = list(wanted.probs.values())
        assert np.allclose(found["probs"], probs, rtol=0, atol=TOLERANCE), text
        assert found["label"] == found["probs"].index(max(found["probs"]))
        weights = [token.weight for token in wanted.tokens]
        assert np.allclose([token[3] for token in found["tokens"]], weights, rtol=0, atol=TOLERANCE)
        if name == "multilabel":
            chosen = [label for label, one in zip(core.labels, found["chosen"], strict=True) if one]
            same = chosen == list(wanted.labels)
            near = min(abs(prob - least) for prob, least in zip(probs, (0.45, 0.6), strict=True)) < TOLERANCE
        else:
            same = core.labels[found["label"]] == wanted.label
            near = abs(probs[0] - probs[1]) < 2 * TOLERANCE
        assert same or near, text
        differ += not same
        quick = core.predict(content, DECISION)
        assert (quick["probs"], quick["tokens"]) == (found["probs"], [])
    assert differ <= 3


@pytest.mark.parametrize("name", ["tagger", "no CRF", "plain", "plain, no CRF"])
def test_tags_and_spans_are_those_of_python(native, bundles, name):
    core, predictor = Core(native, bundle_files(bundles[name]), LONGEST), load(bundles[name])
    differ = 0
    for content, text in texts(150):
        found, [wanted] = core.predict(content, CODE_POINTS | CONFIDENCE), predictor.predict([text], confidence=True)
        assert_same_tokens(found, wanted, text)
        logits = predictor.logits(predictor.tokenizer.words(text))
        assert np.allclose(found["logits"], logits.ravel(), rtol=0, atol=TOLERANCE), text
        tags = [core.labels[token[4]] for token in found["tokens"]]
        spans = [(span.type, span.start, span.end) for span in wanted.spans]
        if tags != [token.tag for token in wanted.tokens]:
            differ += 1
            continue
        assert [span[:3] for span in found["spans"]] == spans, text
        confidences = [span.confidence for span in wanted.spans]
        assert np.allclose([span[3] for span in found["spans"]], confidences, rtol=0, atol=3 * TOLERANCE)
        if predictor.tag_set.scheme is None:
            confidences = [token.confidence for token in wanted.tokens]
            assert np.allclose([token[5] for token in found["tokens"]], confidences, rtol=0, atol=3 * TOLERANCE)
    assert differ <= 2


@pytest.mark.parametrize("name", ["tagger", "no CRF", "plain"])
def test_tags_of_tokens_are_those_of_python(native, bundles, name):
    core, predictor = Core(native, bundle_files(bundles[name]), LONGEST), load(bundles[name])
    hostile = [text.split(" ")[:20] for content, text in texts(100)[-60:] if "\0" not in text]
    sentences = [*SENTENCES, *hostile, ["\u00ad", "U.S.", "", "Ms", "½㍿"], []]
    differ = 0
    for sentence, tags in zip(sentences, predictor.decide(sentences), strict=True):
        found = core.tag(sentence)
        assert [token[0].decode() for token in found["tokens"]] == sentence
        differ += [core.labels[token[4]] for token in found["tokens"]] != tags
    assert differ <= 1


def test_places_count_the_unit_that_is_asked_for(native):
    core, text = Core(native, bundle_files(TAGGER), LONGEST), "👍🏽 Ms Beçoso sang in 上海。"
    for flags, code in ((CODE_POINTS, None), (UTF16, "utf-16-le"), (0, "utf-8")):
        width = 2 if flags == UTF16 else 1
        units = text if code is None else text.encode(code)
        for token, start, end, *_ in core.predict(text.encode(), flags)["tokens"]:
            piece = units[start * width : end * width]
            assert (piece if code is None else piece.decode(code)) == token.decode()


def test_a_context_refuses_longer_texts(native):
    core = Core(native, bundle_files(CLASSIFIER), 10)
    core.predict(b"0123456789")
    with pytest.raises(CoreError, match="has 11 bytes") as error:
        core.predict(b"0123456789a")
    assert error.value.status == 5
    tagger = Core(native, bundle_files(TAGGER), 10)
    assert len(tagger.tag([""] * 10)["tokens"]) == 10
    for tokens in ([""] * 11, ["abcdef", "ghijk"]):
        with pytest.raises(CoreError, match="more than the 10 bytes"):
            tagger.tag(tokens)


def test_a_limit_on_memory(native):
    with pytest.raises(CoreError) as error:
        Core(native, bundle_files(CLASSIFIER), most_memory=10_000)
    assert error.value.status == 1


@pytest.mark.parametrize("name", ["classifier", "ngrams", "multilabel", "tagger", "plain, no CRF"])
def test_a_bundle_tests_itself(native, bundles, tmp_path, name):
    content = selftest(load(bundles[name]), "dynamic_wi8_afp32")
    fields = {"selftest": True}
    folder = with_files(bundles[name], tmp_path / "right", {"selftest.json": content}, fields=fields)
    load(folder)
    Core(native, bundle_files(folder)).selftest()
    Core(native, {name: part for name, part in bundle_files(folder).items() if name != "selftest.json"})
    row = json.loads(content)["texts"][2]
    changes = [
        ("tokens", [["x", 0, 1], *row["tokens"][1:]], "token 1 must be"),
        ("tokens", row["tokens"][:-1], "token"),
        ("ids", {name: [0, *ids[1:]] for name, ids in row["ids"].items()}, "token_ids 1 must be '0'"),
        ("logits", [row["logits"][0] + 0.1, *row["logits"][1:]], "within the tolerance, logit 1 must be"),
    ]
    if "tags" in row:
        changes += [("tags", ['"', *row["tags"][1:]], "tag 1 must be"), ("spans", [["A", 0, 1]], "span")]
    else:
        changes += [("label", "x", "label 1 must be"), ("labels", ["x"], "label")][name == "multilabel" :][:1]
    for number, (field, value, rule) in enumerate(changes):
        part = json.dumps({"tolerance": 0.02, "texts": [row | {field: value}]}).encode()
        folder = with_files(bundles[name], tmp_path / str(number), {"selftest.json": part}, fields=fields)
        with pytest.raises(CoreError, match=f"text 1: .*{rule}") as error:
            Core(native, bundle_files(folder)).selftest()
        assert error.value.status == 6
    for part in (b"{}", b'{"tolerance": 1, "texts": [1]}', b'{"tolerance": 1, "texts": [{"text": "a"}]}'):
        files = bundle_files(folder) | {"selftest.json": part}
        description = json.loads(files["bundle.json"])
        description["sha256"]["selftest.json"] = hashlib.sha256(part).hexdigest()
        with pytest.raises(CoreError, match=r"selftest\.json: ") as error:
            Core(native, files | {"bundle.json": json.dumps(description).encode()}).selftest()
        assert error.value.status in (2, 6)
    with pytest.raises(CoreError, match=r"needs a bundle with selftest\.json"):
        Core(native, bundle_files(bundles[name])).selftest()


FAULTS = {
    "bundle.json": [
        (lambda fields: fields.pop("task"), '"task" is missing'),
        (lambda fields: fields.update(task="ner"), '"task" must be one of'),
        (lambda fields: fields.update(format_version=1.0), '"format_version" must be 1'),
        (lambda fields: fields.update(format_version=True), '"format_version" must be 1'),
        (lambda fields: fields.update(lengths=[8, 8]), '"lengths" must be'),
        (lambda fields: fields.update(lengths=[16, 8]), '"lengths" must be'),
        (lambda fields: fields.update(lengths=[]), '"lengths" must be'),
        (lambda fields: fields.update(lengths=[8, 5000]), '"lengths" must be'),
        (lambda fields: fields.update(signatures={"8": "a"}), '"signatures" must be'),
        (lambda fields: fields.update(signatures={"8": "a", "16": "a"}), '"signatures" must be'),
        (lambda fields: fields.update(signatures={"8": "a", "016": "b"}), '"signatures" must be'),
        (lambda fields: fields.update(tokenizer={"kind": "word"}), '"tokenizer" must be'),
        (lambda fields: fields["tokenizer"].update(more=1), '"tokenizer" must be'),
        (lambda fields: fields["tokenizer"].update(line_breaks=1), "line_breaks (true or false"),
        (lambda fields: fields["tokenizer"].update(kind="bert"), '"tokenizer" must be'),
        (lambda fields: fields["tokenizer"].update(kind="bert", lowercase=False, normalization="none"), "with bert"),
        (lambda fields: fields.update(max_characters=0), '"max_characters" must be'),
        (lambda fields: fields.update(max_characters=5, word_form=None), "must not be null"),
        (lambda fields: fields.update(shapes=1), '"shapes" must be true or false'),
        (lambda fields: fields.update(temperature=0.01), '"temperature" must be'),
        (lambda fields: fields.update(temperature=True), '"temperature" must be'),
        (lambda fields: fields.update(lowering=""), '"lowering" must be'),
        (lambda fields: fields.update(versions=None), '"versions" must be an object'),
        (lambda fields: fields["sha256"].pop("labels.txt"), '"sha256" must be'),
        (lambda fields: fields["sha256"].update(more="0" * 64), '"sha256" must be'),
        (lambda fields: fields["sha256"].update({"labels.txt": "A" * 64}), '"sha256" must be'),
        (lambda fields: fields["sha256"].update({"labels.txt": "0" * 64}), "labels.txt: its SHA-256"),
    ]
}


@pytest.mark.parametrize("number", range(len(FAULTS["bundle.json"])))
def test_a_description_that_breaks_a_rule_is_refused(native, number):
    change, rule = FAULTS["bundle.json"][number]
    files = bundle_files(CLASSIFIER)
    fields = json.loads(files["bundle.json"])
    change(fields)
    files["bundle.json"] = json.dumps(fields).encode()
    with pytest.raises(CoreError) as error:
        Core(native, files)
    assert rule in str(error.value)
    assert error.value.status == 2
    assert "\n" not in str(error.value)


def test_files_that_break_a_rule_are_refused(native, tmp_path):
    crf = json.loads((TAGGER / "crf.json").read_text())
    ngrams, words = ngram_files(2, False), (CLASSIFIER / "vocabulary.txt").read_bytes()
    cases = [
        (CLASSIFIER, {"labels.txt": b"one\n"}, {}, "only one label"),
        (CLASSIFIER, {"labels.txt": b"one\n\ntwo\n"}, {}, "labels.txt:2: empty"),
        (CLASSIFIER, {"labels.txt": b"one\ntwo\none\n"}, {}, "labels.txt:3: 'one' is also on line 1"),
        (CLASSIFIER, {"labels.txt": b"one\ntw\xff\n"}, {}, "labels.txt:2: not UTF-8"),
        (CLASSIFIER, {"labels.txt": b"a\nb\nc\n"}, {}, "model.tflite: "),
        (CLASSIFIER, {"vocabulary.txt": b"[PAD]\n[UNK]\na\n"}, {}, ""),
        (CLASSIFIER, {"vocabulary.txt": words.replace(b"[UNK]", b"[PAD]")}, {}, "vocabulary.txt:2: the line must read"),
        (CLASSIFIER, {**ngrams, "ngrams.bin": b"0"}, {"ngrams": True}, "ngrams.bin: must have"),
        (CLASSIFIER, ngrams | {NGRAMS: ngrams[NGRAMS].replace(b"false", b"0")}, {"ngrams": True}, '"count_zero_rows"'),
        (CLASSIFIER, {**ngrams, "ngrams.json": b"{}"}, {"ngrams": True}, "ngrams.json: must be an object"),
        (CLASSIFIER, {}, {"task": "multilabel", "thresholds": [0.5]}, '"thresholds" must be 2'),
        (CLASSIFIER, {}, {"task": "multilabel", "thresholds": [0.5, 1.5]}, '"thresholds" must be 2'),
        (TAGGER, {"crf.json": b"{"}, {}, "crf.json:1: not JSON"),
        (TAGGER, {"crf.json": json.dumps(crf | {"more": 1}).encode()}, {}, "must hold transitions"),
        (TAGGER, {"crf.json": json.dumps(crf | {"start": crf["start"][1:]}).encode()}, {}, '"start" must be 13'),
        (TAGGER, {"crf.json": json.dumps(crf | {"end": [1e10] * 13}).encode()}, {}, '"end" must be 13'),
        (TAGGER, {"crf.json": json.dumps(crf | {"end": [-1e4] * 13}).encode()}, {}, "no tag may start"),
        (TAGGER, {"crf.json": json.dumps(crf | {"transitions": [1]}).encode()}, {}, '"transitions" must be'),
        (TAGGER, {}, {"tag_scheme": "IOB2"}, "is no tag of IOB2"),
        (TAGGER, {}, {"tag_scheme": "XX"}, '"tag_scheme" must be'),
    ]
    for number, (source, changes, fields, rule) in enumerate(cases):
        folder = with_files(source, tmp_path / str(number), changes, fields=fields)
        with pytest.raises(CoreError) as error:
            Core(native, bundle_files(folder))
        assert rule in str(error.value), (number, error.value)
        assert error.value.status == 2
        with pytest.raises(InputError):
            load(folder)


NO_JSON = [
    *("", "{", '{"a" 1}', '{"a": 1,}', "{1: 2}", '{"a": tru}', "[1 2]", "[1] 2", "[" * 65 + "]" * 65, "\ufeff{}"),
    *("[01]", "[1.]", "[.5]", "[-]", "[1e]", "NaN", '["\\x"]', '["\\u12"]', '"open', '["\x01"]', '["\ud800"]'),
]


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_json_is_refused(native, text):
    files = bundle_files(CLASSIFIER) | {"bundle.json": text.encode("utf-8", "surrogatepass")}
    with pytest.raises(CoreError, match=r"bundle\.json:1: not JSON"):
        Core(native, files)


def test_bundles_that_are_cut_or_changed_are_refused(native):
    seeded = random.Random(3)
    for source in (CLASSIFIER, TAGGER):
        files = bundle_files(source)
        for name, content in files.items():
            place = seeded.randrange(len(content) - 1)
            changed = bytes([content[place] ^ 1 << seeded.randrange(8)])
            for other in (None, content[:place], content[:place] + changed + content[place + 1 :]):
                broken = {key: value for key, value in files.items() if key != name}
                if other is not None:
                    broken[name] = other
                if name == "bundle.json" and other is not None and len(other) == len(content):
                    continue  # may be in a part that is for people
                with pytest.raises(CoreError) as error:
                    Core(native, broken)
                assert error.value.status == 2
