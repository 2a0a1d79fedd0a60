"""A short form of benchmarks/reliability: changed files are refused in one line, or they are read."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.reliability.inputs import change_texts, changed_data, data_kinds, predict_changed
from textapp.errors import InputError

SAMPLES = Path(__file__).parent / "samples"


def refusal(read: Callable[[], object]) -> str:
    """The message of the refusal; empty if nothing was refused."""
    try:
        read()
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suffix", data_kinds())
def test_changed_data_are_refused_or_read(tmp_path, suffix):
    content, read = data_kinds()[suffix]
    path, rng = tmp_path / f"изменён{suffix}", random.Random(suffix)
    messages = []
    for _ in range(60):
        path.write_bytes(changed_data(content, suffix, rng))
        messages.append(refusal(lambda: read(path)))
    assert all(len(message.splitlines()) <= 1 and len(message) < 1000 for message in messages)
    assert any(messages)


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
def test_changed_files_of_bundles_are_refused_or_predict(tmp_path, kind):
    rng = random.Random(kind)
    change = partial(predict_changed, SAMPLES / kind / "bundle", tmp_path / "изменён", change_texts, rng)
    messages = [refusal(change) for _ in range(40)]
    assert all(len(message.splitlines()) <= 1 and len(message) < 1000 for message in messages)
    assert any(messages)
