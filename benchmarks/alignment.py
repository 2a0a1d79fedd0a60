"""Translation of words by vectors of two languages in one space, which textapp learned from two Wikipedias.

    python -m benchmarks.alignment --data ../shared/data [--seeds 0 1 2]

The English words are from wiki_en, the Chinese words from wiki_zh, segmented by jieba. The texts are not translations
of each other. A rotation is learned from MUSE's dictionary of 5,000 words and scored on its 1,500 test words, which are
used for nothing else. The benchmark can be stopped and resumes. It writes results/alignment.json and
results/alignment.md.
"""

import argparse
from pathlib import Path
from typing import Any, Literal

from benchmarks.record import Record, spread
from textapp.data.lines import open_stream
from textapp.files import replacing
from textapp.training.vectors import train_vectors
from textapp.vectors.alignment import learn_rotation, score_translation
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.dictionaries import index_pairs, read_dictionary
from textapp.vectors.formats import read_vectors
from textapp.vectors.word_vectors import WordVectors

RESULTS = Path(__file__).parents[1] / "results"
WORK = Path("saved_models/alignment")
SPLITTERS: dict[str, Literal["word", "jieba"]] = {"en": "word", "zh": "jieba"}
SETTINGS = ["tokenizer=whitespace", "lowercase=false", "normalization=none", "dim=200", "epochs=5"]
DIRECTIONS = (("en", "zh"), ("zh", "en"))
REFINEMENTS = (0, 5)  # MUSE's supervised mode refines five times


def language_vectors(language: str, seed: int, data: Path, work: Path) -> WordVectors:
    """Learns the vectors of a language, once for each seed. Its text is cut into words once."""
    out, text = work / f"{language}_{seed}.npz", work / f"{language}.txt"
    if not out.exists():
        if not text.exists():
            splitter = WordSplitter(SPLITTERS[language])
            with (
                open_stream(data / f"wiki_{language}/wiki_{language}.txt.gz") as source,
                replacing(text) as temporary,
                temporary.open("w", encoding="utf-8") as file,
            ):
                file.writelines(" ".join(splitter.words(line.decode("utf-8"))) + "\n" for line in source)
        train_vectors(VectorsConfig().override([*SETTINGS, f"seed={seed}"]), out, corpus=[text])
    return read_vectors(out)


def measure(source: str, target: str, seed: int, data: Path, work: Path) -> list[dict[str, Any]]:
    """Translation in one direction, with and without refinement."""
    one, other = (language_vectors(language, seed, data, work) for language in (source, target))
    dictionaries = data / "muse_dictionaries"
    pairs, test = (read_dictionary(dictionaries / f"{source}-{target}.{part}.txt") for part in ("0-5000", "5000-6500"))
    rows = []
    for refinements in REFINEMENTS:
        rotation = learn_rotation(one, other, index_pairs(pairs, one, other).pairs, refinements)
        scores = score_translation(one, other, rotation, test)
        place = {"direction": f"{source}-{target}", "seed": seed, "refinements": refinements}
        rows.append({**place, "vocabularies": [len(one.words), len(other.words)], **scores})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, one line for each direction and number of refinements."""
    lines = [
        "# Word translation",
        "",
        "`python -m benchmarks.alignment --data DATA`: vectors of 200 dimensions from wiki_en and wiki_zh, a rotation",
        "learned from MUSE's dictionary of 5,000 words; share of right translations among its test words that both",
        "vocabularies know, in %, mean ± standard deviation over seeds.",
        "",
        "| direction | refinements | test words known | cosine, P@1 | CSLS, P@1 | CSLS, P@5 | P@1 of all test words "
        "| seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for direction, refinements in sorted({(row["direction"], row["refinements"]) for row in rows}):
        chosen = [row for row in rows if (row["direction"], row["refinements"]) == (direction, refinements)]

        def percent(retrieval: str, key: str, chosen: list[dict[str, Any]] = chosen) -> str:
            return spread([100 * row[retrieval][key] for row in chosen], ".1f")

        lines.append(
            f"| {direction} | {refinements} | {chosen[0]['scored']:,} of {chosen[0]['source_words']:,} "
            f"| {percent('cosine', 'precision_at_1')} | {percent('csls', 'precision_at_1')} "
            f"| {percent('csls', 'precision_at_5')} | {percent('csls', 'of_all')} | {len(chosen)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the missing rows and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for texts and vectors")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(
        RESULTS / "alignment.json", table, order=lambda row: (row["direction"], row["refinements"], row["seed"])
    )
    for seed in arguments.seeds:
        for source, target in DIRECTIONS:
            if not record.has(direction=f"{source}-{target}", seed=seed):
                record.add(*measure(source, target, seed, arguments.data, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
