"""What the shell completes, and what `textapp` itself says."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = "import sys; sys.argv[0] = 'textapp'; from textapp.cli.main import main; main()"


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("textapp se", {"settings", "serve"}),
        ("textapp train mul", {"multilabel-classifier", "multilabel"}),
        ("textapp train classifier --set num_l", {"num_layers="}),
        ("textapp train classifier --set cell=g", {"cell=gru"}),
        ("textapp train classifier --preset s", {"sentences"}),
        ("textapp train classifier --track w", {"wandb"}),
        ("textapp settings ta", {"tagger"}),
    ],
)
def test_the_shell_completes(line, completed):
    environment = {
        **os.environ,
        "_TEXTAPP_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=60)
    assert {name for name in done.stdout.split() if name} <= completed
    assert done.stdout.split()


def test_the_version_as_json_names_what_computes(textapp):
    import numpy

    import textapp as package

    found = json.loads(textapp("--version", "--json").out)
    assert found["textapp"] == package.__version__
    assert found["numpy"] == numpy.__version__
    assert list(found) == ["textapp", "python", "numpy", "ai-edge-litert", "keras", "tensorflow"]


def test_commands_are_listed_in_the_order_of_use_and_whole(textapp):
    shown = textapp("-h").out
    assert shown == textapp("--help").out
    places = [
        shown.index(f"\n  {name} ") for name in ("demo", "data", "train", "evaluate", "export", "predict", "serve")
    ]
    assert places == sorted(places)
    assert "..." not in shown.partition("Commands:")[2]
