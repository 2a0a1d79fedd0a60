"""The data sets of the comparison, and the scores that the project wants on them."""

import dataclasses
from typing import NamedTuple


class Wanted(NamedTuple):
    """Scores that the project wants with all labels, in %: `least`, and as an `aim` more."""

    least: float
    aim: float


@dataclasses.dataclass(frozen=True)
class Set:
    """A data set.

    Attributes:
        title: Title of the rows.
        task: Name of the task.
        wanted: Name of a model -> the scores wanted of it.
        published: Published test scores, for the table.
        small_test: Whether the test part has less than 2,000 texts, so that `--folds` measures folds too.
        one_seed: Whether one seed is enough with all labels, because the set is large.
        vectors: The text of `benchmarks.own_vectors` for the word vectors of `textapp_vectors`; None for no such model.
        settings: Settings without which textapp refuses to read the files; they choose nothing of the model.
    """

    title: str
    task: str = "classification"
    wanted: dict[str, Wanted] = dataclasses.field(default_factory=dict)
    published: str = "–"
    small_test: bool = False
    one_seed: bool = False
    vectors: str | None = None
    settings: tuple[str, ...] = ()


REPAIR = ("repair=true",)  # some tags of these files break the rules of their scheme

# By the name of `benchmarks.datasets.files`, the cheapest first.
SETS = {
    "trec": Set(
        "TREC, 6 kinds of questions",
        wanted={"textapp": Wanted(90.0, 92.0)},
        published="CNN without vectors 91.2",
        small_test=True,
    ),
    "customer_reviews": Set(
        "customer reviews",
        wanted={"textapp": Wanted(80.5, 83.0)},
        published="CNN without vectors 79.8",
        small_test=True,
    ),
    "atis_intents": Set("ATIS, intents", small_test=True),
    "snips_intents": Set("Snips, intents", small_test=True),
    "sst2": Set("SST-2, sentences", wanted={"textapp": Wanted(82.2, 84.0)}, small_test=True),
    "clinc150": Set(
        "CLINC150, 150 intents, in scope",
        wanted={"textapp": Wanted(93.5, 95.0)},
        published="fastText 89.0, CNN 91.2, BERT 96.9",
    ),
    "ag_news": Set("AG News, 5,000 texts"),
    "chnsenticorp": Set("ChnSentiCorp (Chinese)", wanted={"textapp": Wanted(90.5, 92.5)}, small_test=True),
    "online_shopping": Set("online_shopping_10_cats (Chinese)", wanted={"textapp": Wanted(93.0, 94.0)}, one_seed=True),
    "imdb": Set(
        "IMDb",
        wanted={"textapp": Wanted(91.2, 92.0), "textapp_vectors": Wanted(92.0, 93.0)},
        published="NB-SVM over bigrams 91.2",
        one_seed=True,
        vectors="english",
    ),
    # The least scores of taggers are those of results/tagging.md with presets.
    "resume_ner": Set(
        "Resume (Chinese)",
        "tagging",
        wanted={"textapp": Wanted(94.53, 95.0)},
        published="character BiLSTM-CRF 93.5",
        settings=REPAIR,
    ),
    "ncbi_disease": Set("NCBI-disease", "tagging", wanted={"textapp": Wanted(82.54, 84.0)}),
    "conll2003": Set(
        "CoNLL-2003",
        "tagging",
        wanted={"textapp": Wanted(86.44, 87.5), "textapp_vectors": Wanted(88.43, 89.5)},
        vectors="wiki_en",
        settings=REPAIR,
    ),
    "msra_ner": Set(
        "MSRA (Chinese)",
        "tagging",
        wanted={"textapp_vectors": Wanted(90.08, 91.0)},
        published="character BiLSTM-CRF 88.8",
        vectors="wiki_zh",
        settings=REPAIR,
    ),
}
