"""A tagger's strict F1 on entities that occur in the training sentences, and on entities that do not.

    python -m benchmarks.unseen_entities RUN_OR_BUNDLE... --train train.txt --data valid.txt [--repair]

An entity is known if the training sentences have an entity with the same tokens and type. A wrong prediction lowers the
F1 of the kind (known or unknown) of its own tokens and type.

Reference: Augenstein et al. 2017, Generalisation in Named Entity Recognition: A Quantitative Analysis.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from textapp.cli.opened import open_model
from textapp.data.tagged import TaggedExamples, read_tagged
from textapp.runtime import Predictor
from textapp.text.tag_schemes import Span, read_spans

Entity = tuple[tuple[str, ...], str]


def entities(tokens: Sequence[str], tags: Sequence[str]) -> Iterator[tuple[Span, Entity]]:
    """The spans of a sentence, each with its tokens and type. Invalid predicted tags are read as by `conlleval`."""
    for span in read_spans(tags, "IOB2", repair=True):
        yield span, (tuple(tokens[span.start : span.end]), span.type)


def scores(tagger: Predictor, known: set[Entity], data: TaggedExamples) -> dict[bool, dict[str, float]]:
    """F1, recall and count of the known entities (True) and of the unknown entities (False)."""
    right, found, true = Counter[bool](), Counter[bool](), Counter[bool]()
    for tokens, tags, predicted in zip(data.sentences, data.tags, tagger.decide(data.sentences), strict=True):
        of_data, of_model = dict(entities(tokens, tags)), dict(entities(tokens, predicted))
        true.update(entity in known for entity in of_data.values())
        found.update(entity in known for entity in of_model.values())
        right.update(entity in known for span, entity in of_data.items() if span in of_model)
    return {
        kind: {
            "f1": 2 * right[kind] / max(found[kind] + true[kind], 1),
            "recall": right[kind] / max(true[kind], 1),
            "count": true[kind],
        }
        for kind in (True, False)
    }


def main() -> None:
    """Prints the scores of each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="RUN_OR_BUNDLE", help="taggers")
    parser.add_argument("--train", type=Path, required=True, help="the tagged sentences that they learned")
    parser.add_argument("--data", type=Path, required=True, help="the tagged sentences to score them on")
    parser.add_argument("--repair", action="store_true", help="repair broken tag sequences")
    arguments = parser.parse_args()
    train, data = (read_tagged(path, repair=arguments.repair) for path in (arguments.train, arguments.data))
    sentences = zip(train.sentences, train.tags, strict=True)
    known = {entity for tokens, tags in sentences for _, entity in entities(tokens, tags)}
    for path in arguments.models:
        opened = open_model(path)
        if opened.task.unit != "token":
            raise SystemExit(f"{path}: is no tagger")
        for kind, of_kind in scores(opened.predictor, known, data).items():
            name = "in training" if kind else "not in training"
            print(
                f"{path}: entities {name}: F1 {of_kind['f1']:.4f}, recall {of_kind['recall']:.4f}, "
                f"{of_kind['count']:,} of them"
            )


if __name__ == "__main__":
    main()
