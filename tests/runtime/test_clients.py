"""Which clients run a file: computed from the file, and true of the core in C."""

import re
from pathlib import Path

import pytest

from textapp.runtime.clients import CORE, NO_VARIABLES, NOT_IN_CORE, ONE_SIGNATURE, clients_of, describe_clients
from textapp.runtime.model_check import SignatureTensors, check_model
from textapp.runtime.model_check.operators import OPERATORS

ROOT = Path(__file__).parents[2]


def signature(*operators, has_variables=False):
    return SignatureTensors({}, {}, {}, frozenset(operators), has_variables)


def test_the_operators_of_the_core_are_those_of_its_table():
    """A row of `native/src/operators.c` without a function is an operator that the core knows by name only."""
    table = (ROOT / "native/src/operators.c").read_text(encoding="utf-8")
    rows = re.findall(r'{(\d+), "(\w+)",(?: \w+,){5} (\w+),', table)
    assert {int(number): name for number, name, _ in rows if int(number) in OPERATORS} == {
        number: kind.name for number, kind in OPERATORS.items()
    }
    runs = {name for _, name, prepare in rows if prepare != "NULL"}
    assert {kind.name for kind in OPERATORS.values()} - runs == NOT_IN_CORE


@pytest.mark.parametrize("task", ["classifier", "tagger"])
def test_samples_of_several_lengths_run_in_the_core_and_in_interpreters(task):
    """Both have fused LSTMs, whose states are variables, and several signatures."""
    content = (ROOT / "tests/samples" / task / "bundle/model.tflite").read_bytes()
    signatures = check_model(content)
    assert len(signatures) > 1
    has_lstm = any("UNIDIRECTIONAL_SEQUENCE_LSTM" in tensors.operators for tensors in signatures.values())
    assert any(tensors.has_variables for tensors in signatures.values()) == has_lstm
    found = clients_of(signatures)
    assert CORE in found
    assert (NO_VARIABLES[0] in found) != has_lstm
    assert not {*ONE_SIGNATURE} & {*found}


def test_each_demand_of_a_file_takes_its_clients_away():
    every = clients_of({"tokens_64": signature("ADD")})
    assert every == [CORE, "LiteRT Interpreter", *NO_VARIABLES, *ONE_SIGNATURE]
    assert clients_of({"tokens_64": signature("GATHER")}) == every[1:]
    assert clients_of({"tokens_64": signature("ADD", has_variables=True)}) == [*every[:2], *ONE_SIGNATURE]
    assert clients_of({"tokens_8": signature("ADD"), "tokens_64": signature("ADD")}) == every[:-2]


def test_the_line_says_what_helps():
    assert describe_clients(clients_of({"tokens_64": signature("ADD")})) == (
        "runs in textapp, LiteRT Interpreter, LiteRT CompiledModel, LiteRT.js, react-native-fast-tflite, tflite_flutter"
    )
    line = describe_clients(clients_of({str(n): signature("GATHER", has_variables=True) for n in (8, 64)}))
    assert line == (
        "runs in LiteRT Interpreter; not in textapp (an operator that the core in C lacks); not in LiteRT "
        "CompiledModel, LiteRT.js (variable tensors: --lowering unrolled has none); not in react-native-fast-tflite, "
        "tflite_flutter (several signatures: --lengths 64 makes one)"
    )
