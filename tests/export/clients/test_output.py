"""Folders of clients: whole or not at all, and only what an export wrote is replaced."""

import json
import shutil
import sys
import types
from pathlib import Path

import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator, OperatorT

from tests.export.clients.samples import SAMPLES
from textapp.cli.explanation import explanation
from textapp.errors import InputError
from textapp.export import flatbuffer, verb
from textapp.export.clients import CLIENTS, Client, client_module
from textapp.export.clients.output import LIST, exported_files
from textapp.export.clients.source import Source
from textapp.export.verb import export
from textapp.files import digest
from textapp.runtime import load
from textapp.runtime.native_library import library_path


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_has_a_module_that_writes(name):
    try:
        module = client_module(name)
    except ModuleNotFoundError as error:  # a package of an extra
        pytest.skip(explanation(error) or pytest.fail(str(error)))
    assert callable(module.write)


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_is_in_the_table_of_the_readme(name):
    readme = Path(__file__).parents[3] / "clients/README.md"
    assert f"\n| `{name}` | " in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("task", SAMPLES)
def test_a_bundle_becomes_a_client(tmp_path, task):
    out = tmp_path / "приложение"
    description = export(SAMPLES[task], out, clients=["c"])
    assert description == json.loads((SAMPLES[task] / "bundle.json").read_bytes())
    assert files(out / "bundle") == files(SAMPLES[task])
    listed = json.loads((out / LIST).read_bytes())
    assert listed["clients"] == ["c"]
    assert listed["sha256"] == {name: digest(out / name) for name in files(out) if name != LIST}
    assert str(tmp_path) not in (out / LIST).read_text()


def test_several_clients_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setitem(CLIENTS, "мой", Client("a client of the test"))
    writer = types.ModuleType("мой")
    writer.write = lambda source, out: (out / "мой").write_text("x")
    monkeypatch.setitem(sys.modules, "textapp.export.clients.мой", writer)
    out = tmp_path / "оба"
    export(SAMPLES["classifier"], out, clients=["c", "мой"])
    assert {path.name for path in out.iterdir()} == {"c", "мой", LIST}
    assert (out / "c/main.c").is_file()
    export(SAMPLES["classifier"], out, clients=["мой"], overwrite=True)  # a file with the name of its client
    assert {path.name for path in out.iterdir()} == {"мой", LIST}


@pytest.mark.parametrize(
    ("sample", "client", "message"),
    [
        ("tagger", "mediapipe", "client mediapipe: MediaPipe's TextClassifier gives each text one label"),
        ("classifier", "page", "clients page and web: no compiler for WebAssembly is here"),
        ("classifier", "web", "clients page and web: no compiler for WebAssembly is here"),
    ],
)
def test_a_run_is_refused_before_it_is_converted(tmp_path, monkeypatch, sample, client, message):
    monkeypatch.setattr(verb, "_export_run", lambda *_, **__: pytest.fail("the run was converted"))
    monkeypatch.setenv("PATH", str(tmp_path))  # without a compiler
    out = tmp_path / "нет"
    with pytest.raises(InputError) as caught:
        export(SAMPLES[sample].parent / "run", out, clients=[client])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_nothing_is_kept_of_a_client_that_fails(tmp_path, monkeypatch):
    def fail(source, out):
        (out / "part").write_text("x")
        raise InputError(f"{out / 'part'}: is wrong")

    monkeypatch.setattr(client_module("c"), "write", fail)
    out = tmp_path / "нет"
    with pytest.raises(InputError, match="is wrong"):
        export(SAMPLES["classifier"], out, clients=["c"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_only_if_all_in_it_was_written(tmp_path):
    out = tmp_path / "出"
    export(SAMPLES["classifier"], out, clients=["c"])
    with pytest.raises(InputError, match="exists; choose another folder, or overwrite it"):
        export(SAMPLES["tagger"], out, clients=["c"])
    assert load(out / "bundle").bundle.task == "classification"
    export(SAMPLES["tagger"], out, clients=["c"], overwrite=True)
    assert load(out / "bundle").bundle.task == "tagging"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["出"]

    def refused(name):
        before = files(out)
        with pytest.raises(InputError, match=f"holds {name}, which is not a file as this command wrote it"):
            export(SAMPLES["classifier"], out, clients=["c"], overwrite=True)
        assert files(out) == before

    (out / "bundle/заметка").write_text("mine")
    refused("bundle/заметка")
    (out / "bundle/заметка").unlink()
    main = (out / "main.c").read_text()
    (out / "main.c").write_text(f"{main}/* mine */")
    refused("main.c")
    (out / "main.c").write_text(main)
    (out / "mine").mkdir()
    refused("mine")
    (out / "mine").rmdir()
    export(SAMPLES["classifier"], out, clients=["c"], overwrite=True)


def test_links_and_names_of_other_places_are_not_followed(tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    export(SAMPLES["classifier"], out, clients=["c"])
    shutil.move(out / "bundle", other)
    (out / "bundle").symlink_to(other)
    (tmp_path / "safe").write_text("x")
    listed = json.loads((out / LIST).read_text())
    listed["sha256"]["../safe"] = digest(tmp_path / "safe")
    (out / LIST).write_text(json.dumps(listed))
    before = files(other)
    with pytest.raises(InputError, match="holds bundle, which is not a file as this command wrote it"):
        export(SAMPLES["classifier"], out, clients=["c"], overwrite=True)
    assert files(other) == before
    assert "../safe" not in exported_files(out)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "textapp-export"}', "[" * 100_000, "\xff"])
def test_a_broken_list_makes_the_folder_a_foreign_one(tmp_path, content):
    out = tmp_path / "out"
    export(SAMPLES["classifier"], out, clients=["c"])
    (out / LIST).write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"holds README\.md"):
        export(SAMPLES["classifier"], out, clients=["c"], overwrite=True)


def test_a_changed_bundle_is_refused_by_its_own_name(tmp_path):
    bundle = shutil.copytree(SAMPLES["classifier"], tmp_path / "包")
    (bundle / "labels.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match=r"包/labels\.txt: its SHA-256"):
        export(bundle, tmp_path / "out", clients=["c"])
    assert not (tmp_path / "out").exists()


def test_only_the_files_of_a_bundle_are_copied(tmp_path):
    bundle = shutil.copytree(SAMPLES["classifier"], tmp_path / "包")
    (bundle / "secret.txt").write_text("x")
    export(bundle, tmp_path / "out", clients=["c"])
    assert not (tmp_path / "out/bundle/secret.txt").exists()


def test_what_a_bundle_does_not_take_is_refused(tmp_path):
    bundle, out = SAMPLES["classifier"], tmp_path / "out"
    with pytest.raises(InputError, match="is a bundle already; name a client"):
        export(bundle, out)
    with pytest.raises(InputError, match="is a bundle, which is used as it is; lengths is only for a run"):
        export(bundle, out, lengths=[8], clients=["c"])
    with pytest.raises(InputError, match=f"--client 'pda': is no client; choose from {', '.join(CLIENTS)}"):
        export(bundle, out, clients=["pda"])
    with pytest.raises(InputError, match=r"^clients='web': must be a list of names, such as \['web'\]$"):
        export(SAMPLES["classifier"], tmp_path / "out", clients="web")
    with pytest.raises(InputError, match="--client c: is given twice"):
        export(bundle, out, clients=["c", "c"])
    assert not out.exists()


def test_examples_of_a_bundle_are_those_of_its_selftest(tmp_path):
    assert Source(SAMPLES["classifier"]).examples() == []
    bundle = shutil.copytree(SAMPLES["classifier"], tmp_path / "包")
    texts = ["", " ", *(f"text {number}" for number in range(20)), "text 0"]
    (bundle / "selftest.json").write_text(json.dumps({"texts": [{"text": text} for text in texts]}))
    assert Source(bundle).examples(3) == ["text 0", "text 6", "text 12"]
    assert len(Source(bundle).examples(100)) == 20


@pytest.mark.parametrize("is_built", [True, False])
def test_a_bundle_that_the_core_does_not_run_is_refused(tmp_path, monkeypatch, is_built):
    """A RELU_N1_TO_1 before the logits is right for LiteRT."""
    if is_built and not library_path().exists():
        pytest.skip("the core is not built here")
    bundle = shutil.copytree(SAMPLES["classifier"], tmp_path / "包")
    file = flatbuffer.read((bundle / "model.tflite").read_bytes())
    code = flatbuffer.add_operator_code(file, BuiltinOperator.RELU_N1_TO_1)
    for graph in file.subgraphs:
        last = next(
            one for one in graph.operators if graph.outputs[1] in one.outputs or graph.outputs[0] in one.outputs
        )
        [output] = last.outputs
        before = flatbuffer.add_tensor(graph, graph.tensors[output].shape)
        last.outputs = [before]
        operator = OperatorT(opcodeIndex=code, inputs=[before], outputs=[output])
        graph.operators.insert(graph.operators.index(last) + 1, operator)
    content = flatbuffer.write(file)
    (bundle / "model.tflite").write_bytes(content)
    description = json.loads((bundle / "bundle.json").read_text())
    description["sha256"]["model.tflite"] = digest(bundle / "model.tflite")
    (bundle / "bundle.json").write_text(json.dumps(description))
    assert load(bundle).predict(["good"])
    if not is_built:
        monkeypatch.setattr("textapp.export.clients.output.library_path", lambda: tmp_path / "none")
    with pytest.raises(InputError, match=r"^client c: the core in C does not run this bundle: .*RELU_N1_TO_1"):
        export(bundle, tmp_path / "out", clients=["c"])
    assert not (tmp_path / "out").exists()
