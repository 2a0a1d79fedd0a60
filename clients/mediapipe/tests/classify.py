"""Classifies texts with MediaPipe: `classify.py MODEL` reads a JSON list of texts, and prints a list of their scores.

The scores of a text are an object from each label to its probability.
"""

import json
import sys

from mediapipe.tasks.python import text


def main() -> None:
    """Reads texts from standard input."""
    texts = json.load(sys.stdin.buffer)
    with text.TextClassifier.create_from_model_path(sys.argv[1]) as classifier:
        results = [classifier.classify(one).classifications[0].categories for one in texts]
    print(json.dumps([{category.category_name: category.score for category in one} for one in results]))


if __name__ == "__main__":
    main()
