"""`textapp vectors`: what each command answers, writes and refuses."""

import sys
from types import ModuleType

import numpy as np
import pytest

from textapp.vectors.config import VectorsConfig
from textapp.vectors.formats import read_vectors, write_vectors
from textapp.vectors.word_vectors import WordVectors

WORDS = ["man", "woman", "king", "queen", "苹果", "Яблоко"]
VECTORS = [[1.0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1], [0.1, 0, 0, 1]]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "векторы 词.vec"
    write_vectors(WordVectors(WORDS, VECTORS), path)
    return path


@pytest.fixture
def train_vectors(monkeypatch):
    """Stands in for the training: keeps what it is called with."""
    calls = []
    module = ModuleType("textapp.training.vectors")
    metrics = {"vocabulary": 3, "dim": 7}
    module.train_vectors = lambda config, out, **others: calls.append((config, out, others)) or metrics
    monkeypatch.setitem(sys.modules, "textapp.training.vectors", module)
    return calls


def test_training_gets_the_settings_and_the_options_prevail(textapp, train_vectors, tmp_path):
    options = "--dim 7 --window 3 --negatives 2 --sample 1e-4 --min-count 9 --vocabulary-size 50 --epochs 4"
    more = "--learning-rate 0.25 --seed 5 --model cbow --tokenizer jieba --subwords --force --set dim=9 --set min_n=2"
    files = [tmp_path / "語料", tmp_path / "b.gz"]
    for path in (*files, tmp_path / "i.bin"):
        path.write_text("很好", encoding="utf-8")
    arguments = [*files, "--out", tmp_path / "o.npz", "--init", tmp_path / "i.bin", *options.split(), *more.split()]
    outcome = textapp("vectors", "train", *arguments, "--json")
    assert outcome.json == {"vocabulary": 3, "dim": 7}
    assert f"{tmp_path / 'o.npz'} (3 words of 7 dimensions)" in outcome.err
    ((config, out, others),) = train_vectors
    chosen = VectorsConfig(
        dim=7,
        window=3,
        negatives=2,
        sample=1e-4,
        min_count=9,
        vocabulary_size=50,
        epochs=4,
        learning_rate=0.25,
        seed=5,
        model="cbow",
        tokenizer="jieba",
        subwords=True,
        min_n=2,
    )
    assert (config, out) == (chosen, tmp_path / "o.npz")
    assert others.pop("report")
    assert others == {
        **{"corpus": files, "init": tmp_path / "i.bin", "force": True},
        **{"counts": (), "shard": None, "rounds": 1},
    }


def test_training_without_options_takes_the_defaults(textapp, train_vectors, tmp_path):
    corpus = tmp_path / "語料"
    corpus.write_text("很好", encoding="utf-8")
    outcome = textapp("vectors", "train", corpus, "--out", tmp_path / "o.npz")
    assert (outcome.code, outcome.out) == (0, "")
    assert train_vectors[0][0] == VectorsConfig()
    textapp("vectors", "train", corpus, "--out", tmp_path / "o.npz", "--no-subwords", "--set", "subwords=true")
    assert not train_vectors[1][0].subwords


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        (["--dim", "0"], "setting dim: must be from 1 to"),
        (["--set", "windw=3"], "--set: unknown setting windw; did you mean window?"),
    ],
)
def test_training_refuses_what_is_out_of_range(textapp, train_vectors, tmp_path, option, rule):
    assert textapp("vectors", "train", tmp_path, "--out", "o.npz", *option).refusal.startswith(rule)
    assert not train_vectors


def test_evaluate_scores_sets_and_folders_beside_a_baseline(textapp, file, tmp_path):
    folder = tmp_path / "наборы"
    folder.mkdir()
    (folder / "ähnlich.txt").write_text("man woman 9\nman king 8\nman 苹果 1\nman нет 3\n", encoding="utf-8")
    (tmp_path / "题.txt").write_text(": семья\nman king woman queen\n", encoding="utf-8")
    arguments = ["--similarity", folder, "--analogies", tmp_path / "题.txt", "--baseline", file, "--json"]
    outcome = textapp("vectors", "evaluate", file, *arguments)
    (similarity,), (analogies,) = outcome.json["similarity"], outcome.json["analogies"]
    assert (similarity["set"], similarity["count"], similarity["total"]) == ("ähnlich", 3, 4)
    assert similarity["shared"] == {"count": 3, "spearman": similarity["spearman"], "baseline": similarity["spearman"]}
    assert analogies["sections"][-1]["accuracy"] == 1.0
    table = [line.split() for line in outcome.err.splitlines()]
    assert ["total", "1.0000", "1.0000", "1", "1", "100.0%", "1", "1.0000", "1.0000"] in table
    alone = textapp("vectors", "evaluate", file, "--analogies", tmp_path / "题.txt", "--most-words", "3")
    assert (alone.code, alone.out) == (0, "")
    assert ["total", "-", "-", "0", "1", "0.0%"] in [line.split() for line in alone.err.splitlines()]


def test_evaluate_refuses_before_it_reads_vectors(textapp, tmp_path):
    assert textapp("vectors", "evaluate", "нет").refusal == (
        "nothing to evaluate on: give --similarity, --analogies or both"
    )
    (tmp_path / "词.txt").write_text("a b c\nd e\n", encoding="utf-8")
    refusal = textapp("vectors", "evaluate", "нет", "--similarity", tmp_path / "词.txt", "--json").refusal
    assert refusal.startswith(f"{tmp_path / '词.txt'}:2: must read WORD WORD SCORE")


def test_neighbors_are_listed(textapp, file):
    outcome = textapp("vectors", "neighbors", file, "苹果", "king", "--count", "1", "--json")
    (apple,), (king,) = outcome.json["neighbors"].values()
    assert apple["word"] == "Яблоко"
    assert king == {"word": "queen", "cosine": pytest.approx(np.sqrt(2 / 3))}
    assert "Яблоко  0.9950" in outcome.err
    assert textapp("vectors", "neighbors", file, "kings").refusal.endswith("words of similar spelling: king")


def test_king_minus_man_plus_woman(textapp, file):
    outcome = textapp("vectors", "analogy", file, "king", "man", "woman", "--json")
    assert outcome.json["answers"][0]["word"] == "queen"
    assert {answer["word"] for answer in outcome.json["answers"]} == {"queen", "苹果", "Яблоко"}
    assert "king - man + woman" in outcome.err


def test_plot_draws_a_picture_and_a_page(textapp, file, tmp_path):
    out = tmp_path / "карта.png", tmp_path / "карта.html"
    arguments = ["vectors", "plot", file, "--out", out[0], "--out", out[1]]
    outcome = textapp(*arguments, "--json", "--seed", "3")
    assert outcome.json["files"] == [str(path) for path in out]
    assert outcome.json["words"] == 6
    assert outcome.json["labelled"] + outcome.json["without_font"] == 6
    assert out[0].read_bytes().startswith(b"\x89PNG")
    assert "6 most frequent words of векторы 词.vec" in out[1].read_text(encoding="utf-8")
    assert textapp(*arguments).refusal == f"{out[0]}: exists; use --force to replace it, or another --out"
    (tmp_path / "слова.txt").write_text("\ufeffman\n\nwoman \nking\n", encoding="utf-8")
    chosen = ["--force", "--words-file", tmp_path / "слова.txt", "queen", "苹果", "man", "--json"]
    assert textapp(*arguments, *chosen).json["words"] == 5
    for path in out:  # a file that this command did not write stays, also behind a link
        mine, link = tmp_path / f"моё{path.suffix}", tmp_path / f"ссылка{path.suffix}"
        mine.write_text("mine", encoding="utf-8")
        link.symlink_to(mine)
        refusal = textapp("vectors", "plot", file, "--out", link, "--force").refusal
        assert refusal.startswith(f"{link}: exists, and this command did not write it")
        assert mine.read_text(encoding="utf-8") == "mine"
    (tmp_path / "пусто.txt").write_text("\n", encoding="utf-8")
    nothing = textapp(*arguments, "--force", "--words-file", tmp_path / "пусто.txt").refusal
    assert nothing == f"{tmp_path / 'пусто.txt'}: there is no word in it; give one word a line"
    assert textapp(*arguments, "--force", "man", "king").refusal == "a map needs 5 or more different words; received 2"


def test_plot_refuses_other_formats_before_it_works(textapp, tmp_path):
    assert textapp("vectors", "plot", "нет", "--out", "x.svg").refusal == "--out x.svg: must end in .png or .html"


def test_project_writes_a_log_folder(textapp, tmp_path):
    write_vectors(WordVectors(WORDS, VECTORS, counts=[9, 8, 7, 6, 5, 4]), tmp_path / "в.npz")
    outcome = textapp("vectors", "project", tmp_path / "в.npz", "--out", tmp_path / "журнал", "--count", "5", "--json")
    assert outcome.json == {"folder": str(tmp_path / "журнал"), "words": 5}
    words = (tmp_path / "журнал/projector/words.tsv").read_text(encoding="utf-8")
    assert words == (
        "word\trank\tlog10 count\tcount\n"
        "man\t1\t0.95\t9\nwoman\t2\t0.9\t8\nking\t3\t0.85\t7\nqueen\t4\t0.78\t6\n苹果\t5\t0.7\t5\n"
    )
    assert (tmp_path / "журнал/projector_config.pbtxt").exists()


def test_project_replaces_a_projector_only_where_told_to(textapp, tmp_path):
    write_vectors(WordVectors(WORDS, VECTORS), tmp_path / "в.npz")
    command = ("vectors", "project", tmp_path / "в.npz", "--out", tmp_path, "--count")
    textapp(*command, "5")
    assert textapp(*command, "4").refusal == (
        f"{tmp_path}: has a projector; use --force to replace it, or another --out"
    )
    assert (tmp_path / "projector/words.tsv").read_text(encoding="utf-8").count("\n") == 6
    assert textapp(*command, "4", "--force", "--json").json["words"] == 4
    assert (tmp_path / "projector/words.tsv").read_text(encoding="utf-8").count("\n") == 5


@pytest.mark.parametrize("name", ["projector_config.pbtxt", "projector/vectors.tsv"])
def test_a_projector_of_somebody_else_is_kept(textapp, tmp_path, snapshot, name):
    write_vectors(WordVectors(WORDS, VECTORS), tmp_path / "в.npz")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('embeddings {\n  tensor_path: "своё.tsv"\n}\n', encoding="utf-8")
    before = snapshot(tmp_path)
    command = ("vectors", "project", tmp_path / "в.npz", "--out", tmp_path)
    assert "has a projector" in textapp(*command).refusal
    refusal = textapp(*command, "--force").refusal
    assert refusal == f"{tmp_path / name}: is not of a projector of textapp; move it away, or choose another --out"
    assert snapshot(tmp_path) == before


@pytest.fixture
def languages(tmp_path):
    """Two languages of 30 words, one the mirror image of the other, and their dictionary."""
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    write_vectors(WordVectors([f"слово{i}" for i in range(30)], vectors), tmp_path / "ru.vec")
    write_vectors(WordVectors([f"词{i}" for i in range(30)], vectors * [1, -1, 1, 1]), tmp_path / "zh.vec")
    for name, rows in (("train", range(20)), ("test", range(18, 40))):
        lines = [f"слово{i} 词{i}\n" for i in rows]
        (tmp_path / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    return [tmp_path / "ru.vec", tmp_path / "zh.vec", "--dictionary", tmp_path / "train.txt"]


def test_align_translates_and_writes(textapp, languages, tmp_path):
    arguments = ["--test", tmp_path / "test.txt", "--out", tmp_path / "ru-zh.npz", "--refinements", "1"]
    outcome = textapp("vectors", "align", *languages, *arguments, "--json")
    scores = outcome.json["test"]
    assert outcome.json["dictionary"] == {"pairs": 20, "pairs_known": 20}
    assert (scores["source_words"], scores["scored"], outcome.json["learned_source_words"]) == (22, 12, 2)
    assert scores["csls"] == {"precision_at_1": 1.0, "precision_at_5": 1.0, "of_all": pytest.approx(12 / 22)}
    assert "note: 2 source words of the test are in the training dictionary too" in outcome.err
    target = read_vectors(tmp_path / "zh.vec")
    aligned = read_vectors(tmp_path / "ru-zh.npz")
    np.testing.assert_allclose(aligned["слово29"], target["词29"], atol=1e-4)
    assert "exists; use --force" in textapp("vectors", "align", *languages, *arguments).refusal


def test_align_says_what_it_left_out(textapp, languages, tmp_path):
    outcome = textapp("vectors", "align", *languages, "--out", tmp_path / "ä.npz", "--most-words", "20")
    assert f"wrote {tmp_path / 'ä.npz'}: 20 words, the first of {languages[0]}; --most-words reads more" in outcome.err


def test_what_a_command_reads_it_never_writes_over(textapp, languages, file, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for path in (languages[0], languages[1]):
        refusal = textapp("vectors", "align", *languages, "--out", path, "--force").refusal
        assert refusal == f"{path}: is read by this command; choose another --out"
    words = tmp_path / "слова.html"
    words.write_text("man\n", encoding="utf-8")
    refusal = textapp("vectors", "plot", file, "--words-file", words, "--out", words, "--force").refusal
    assert refusal == f"{words}: is read by this command; choose another --out"
    (tmp_path / "папка.png").mkdir()
    refusal = textapp("vectors", "plot", file, "--out", tmp_path / "папка.png", "--force").refusal
    assert refusal == f"{tmp_path / 'папка.png'}: is a folder; choose another --out"
    assert {path: path.read_bytes() for path in before} == before


def test_repeated_words_are_told(textapp, tmp_path):
    (tmp_path / "ä.vec").write_text("3 1\nfoo 1\nfoo 2\nbar 1\n", encoding="utf-8")
    assert "1 repeated word left out" in textapp("vectors", "neighbors", tmp_path / "ä.vec", "foo").err


def test_align_refuses_what_leads_nowhere(textapp, languages, tmp_path):
    assert textapp("vectors", "align", *languages).refusal.startswith("nothing to do: give --test")
    assert textapp("vectors", "align", *languages, "--out", tmp_path / "имя").code == 2
    (tmp_path / "train.txt").write_text("a b\n", encoding="utf-8")
    refusal = textapp("vectors", "align", *languages, "--test", tmp_path / "test.txt").refusal
    assert refusal.startswith("no pair of the training dictionary is in both vocabularies")


@pytest.mark.parametrize("command", ["neighbors", "analogy", "plot", "project", "align", "evaluate"])
def test_a_missing_file_is_named(textapp, tmp_path, command):
    for name, content in (("d.txt", "a b\n"), ("s.txt", "a b 1\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    rest = {
        "neighbors": ["好"],
        "analogy": ["a", "b", "c"],
        "plot": ["--out", tmp_path / "x.png"],
        "project": ["--out", tmp_path / "журнал"],
        "align": [tmp_path / "b.vec", "--dictionary", tmp_path / "d.txt", "--out", tmp_path / "o.vec"],
        "evaluate": ["--similarity", tmp_path / "s.txt"],
    }[command]
    refusal = textapp("vectors", command, tmp_path / "нет.vec", *rest, "--json").refusal
    assert refusal == f"{tmp_path / 'нет.vec'}: No such file or directory"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.txt", "s.txt"]
