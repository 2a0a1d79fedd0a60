"""Makes the runs, bundles and vectors of this folder with the code of an earlier commit.

    python tests/samples/make.py

They show that files of an earlier version still load and still give the same numbers (tests/test_samples.py). So they
are made once and kept: today's code must read them, and never writes them again. The script checks the commit out into
a temporary folder and runs its commands there, with relative paths only, as a run records the paths that it is given.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMIT = "ac682f0"
HERE = Path(__file__).parent
CORPUS = {
    "classifier": {"train.tsv": 160, "valid.tsv": 20, "test.tsv": 20},
    "tagger": {"train.txt": 160, "valid.txt": 20, "test.txt": 20},
}
TEXTS = (
    "a good film, truly charming",
    "Das Café war schrecklich naïve!",
    "这部电影很好看，演员也精彩",
    "酒店很差，服务糟糕",
    "плохо, очень плохо 😀",
    "😀👍🏽",
    "",
    "\0 \ufeff",
    "ＧＯＯＤ ｆｉｌｍ ①",
    "yesterday Ms Anbeda Norsotä sang in Luminor .",
    "昨天李小龙到了乌鲁木齐。",
    "Mr Mia\u0301o lives near 北京, " + "and he likes it " * 4,
)
WORDS = ("good", "好", "café", "goodest", "Cafés")

_NOUNS = {
    "en": ("film", "hotel", "café", "novel", "phone"),
    "de": ("Film", "Straße", "Café", "Roman", "Gerät"),
    "zh": ("电影", "酒店", "手机", "小说", "餐厅"),
}
_WORDS = {
    "en": (("good", "charming", "great", "naïve 😀"), ("bad", "dull", "awful", "cold 👎")),
    "de": (("schön", "großartig", "gut", "köstlich"), ("schlecht", "öde", "schrecklich", "kühl")),
    "zh": (("好", "精彩", "优秀", "舒服"), ("差", "糟糕", "无聊", "难看")),
}
_LABELS = ("positiv 好", "négatif")
_SYLLABLES = ("an", "be", "ço", "da", "ék", "lu", "mi", "nor", "so", "tä")
_NAMES = {"人名": ("张伟", "王芳", "欧阳修", "李小龙"), "地名": ("北京", "上海", "乌鲁木齐", "广州")}

Tagged = list[tuple[str, str]]


def review(rng: random.Random) -> str:
    """A row of a table: a text of one of three languages, and its label."""
    label, language = rng.randrange(2), rng.choice(tuple(_NOUNS))
    noun = rng.choice(_NOUNS[language])
    one, other = rng.sample(_WORDS[language][label], 2)
    patterns = {
        "en": f"the {noun} is {one} , truly {other}",
        "de": f"{noun}: sehr {one} und {other}!",
        "zh": f"这{noun}很{one}，也{other}。",
    }
    return f"{patterns[language]}\t{_LABELS[label]}\n"


def sentence(rng: random.Random) -> str:
    """A sentence of CoNLL columns in IOB2: English words, or Chinese characters."""
    tokens = _english(rng) if rng.random() < 0.6 else _chinese(rng)
    return "".join(f"{token} {tag}\n" for token, tag in tokens) + "\n"


def _english(rng: random.Random) -> Tagged:
    def name(type_: str) -> Tagged:
        words = ["".join(rng.choices(_SYLLABLES, k=3)).capitalize() for _ in range(rng.randint(1, 2))]
        return [(word, f"{'I' if index else 'B'}-{type_}") for index, word in enumerate(words)]

    def plain(text: str) -> Tagged:
        return [(word, "O") for word in text.split()]

    person = plain(rng.choice(("then Mr", "Yesterday Ms"))) + name("PER") + plain(rng.choice(("sang", "slept")))
    return person + plain(rng.choice(("in", "near"))) + name("LOC") + plain(".")


def _chinese(rng: random.Random) -> Tagged:
    tokens: Tagged = []
    for part in rng.choice((("人名", "住在", "地名", "。"), ("昨天", "人名", "到了", "地名"))):
        if part in _NAMES:
            letters = rng.choice(_NAMES[part])
            tokens += [(letter, f"{'I' if index else 'B'}-{part}") for index, letter in enumerate(letters)]
        else:
            tokens += [(letter, "O") for letter in part]
    return tokens


def write_corpora(folder: Path) -> None:
    """Writes the labelled texts, the tagged sentences, and the text of both for word vectors."""
    rng = random.Random(7)
    text = []
    for task, make in (("classifier", review), ("tagger", sentence)):
        (folder / task).mkdir(parents=True)
        for name, count in CORPUS[task].items():
            items = [make(rng) for _ in range(count)]
            header = "text\tlabel\n" if name.endswith(".tsv") else ""
            (folder / task / name).write_text(header + "".join(items), encoding="utf-8")
            if name.startswith("train"):
                text += [item.split("\t")[0] for item in items if task == "classifier"]
                text += [
                    " ".join(line.split(" ")[0] for line in item.split("\n")) for item in items if task == "tagger"
                ]
    (folder / "corpus.txt").write_text("\n".join(text * 3) + "\n", encoding="utf-8")


def settings(**values: object) -> list[str]:
    """Settings as options of the command line."""
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def make(code: Path, folder: Path) -> None:
    """Makes every sample in `folder` with the package in `code`, and records what it predicts."""

    def textapp(*arguments: object, lines: Sequence[str] = ()) -> Any:
        """The JSON object that a command of the earlier code prints, with lines on its standard input."""
        command = [sys.executable, "-c", "from textapp.cli.main import main; main()", *map(str, arguments), "--json"]
        environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONUTF8": "1", "CUDA_VISIBLE_DEVICES": ""}
        text = "".join(f"{line}\n" for line in lines).encode()
        done = subprocess.run(command, cwd=folder, env=environment, input=text, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout, parse_float=lambda number: round(float(number), 6))

    write_corpora(folder)
    small = {"max_tokens": 16, "units": 4, "dropout": 0.1, "embedding_dropout": 0.1, "seed": 1, "min_count": 1}
    options = {
        # A table of so many weights is stored as int8 in the bundle; smaller ones stay float32.
        "classifier": settings(
            **small, embedding_dim=24, attention_units=4, learning_rate=0.02, batch_size=16, epochs=8
        ),
        "tagger": settings(
            **small,
            embedding_dim=8,
            vocabulary_size=60,
            character_vocabulary_size=60,
            character_dim=4,
            character_filters=4,
            context_filters=4,
            shapes="true",
            shape_dim=2,
            bigrams=50,
            bigram_dim=4,
            epochs=8,
        ),
    }
    expected: dict[str, Any] = {"commit": COMMIT, "texts": TEXTS}
    for name, task in (("classifier", "sentiment"), ("tagger", "ner")):
        suffix = ".tsv" if name == "classifier" else ".txt"
        train, valid, test = (f"{name}/{split}{suffix}" for split in ("train", "valid", "test"))
        run, bundle = f"{name}/run", f"{name}/bundle"
        preset = ["--preset", "tiny", *options[name]]
        textapp("train", task, "--train", train, "--valid", valid, "--test", test, "--out", run, *preset)
        textapp("export", run, "--out", bundle, "--lengths", "8,16")
        confidence = ["--confidence"] if name == "tagger" else []
        expected[name] = {
            kind: {
                "predictions": textapp("predict", path, *confidence, lines=TEXTS)["predictions"],
                "scores": textapp("evaluate", path, "--data", test),
            }
            for kind, path in (("run", run), ("bundle", bundle))
        }
        for file in (train, valid):
            (folder / file).unlink()
        shutil.rmtree(folder / run / "logs")
    vectors = settings(dim=8, buckets=100, epochs=3, vocabulary_size=100, threads=1)
    textapp("vectors", "train", "corpus.txt", "--out", "vectors.npz", "--subwords", *vectors)
    expected["vectors"] = textapp("vectors", "neighbors", "vectors.npz", *WORDS, "--count", 5)["neighbors"]
    (folder / "corpus.txt").unlink()
    shutil.rmtree(folder / "vectors.npz.training/logs")
    lines = (
        f'"{key}": {json.dumps(value, ensure_ascii=False, separators=(",", ":"))}' for key, value in expected.items()
    )
    (folder / "expected.json").write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def main() -> None:
    """Checks the commit out, makes the samples beside it, and puts them in the place of this folder's."""
    with tempfile.TemporaryDirectory() as temporary:
        code, folder = Path(temporary, "code"), Path(temporary, "samples")
        archive = subprocess.run(
            ["git", "archive", COMMIT, "textapp"], cwd=HERE.parents[1], stdout=subprocess.PIPE, check=True
        )
        code.mkdir()
        subprocess.run(["tar", "-x"], cwd=code, input=archive.stdout, check=True)
        make(code, folder)
        for path in folder.iterdir():
            old = HERE / path.name
            if old.is_dir():
                shutil.rmtree(old)
            shutil.copytree(path, old) if path.is_dir() else shutil.copy(path, old)


if __name__ == "__main__":
    main()
