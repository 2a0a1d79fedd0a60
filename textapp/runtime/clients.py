"""Says which clients run a model file, from what the file asks of a runtime.

Measured with the versions in clients/README.md.
"""

from collections.abc import Mapping, Sequence

from textapp.runtime.model_check import SignatureTensors

CORE = "textapp"
"""The core in C, and so the clients that are made of it: see `textapp.export.clients`."""

INTERPRETER = "LiteRT Interpreter"
NO_VARIABLES = ("LiteRT CompiledModel", "LiteRT.js")
"""Clients that refuse variable tensors: \"Variable tensors not yet supported\"."""
ONE_SIGNATURE = ("react-native-fast-tflite", "tflite_flutter")
"""Clients that cannot choose a signature: they run the first subgraph."""

NOT_IN_CORE = frozenset(
    """
    AVERAGE_POOL_2D DEPTHWISE_CONV_2D FLOOR MAX_POOL_2D RELU_N1_TO_1 GATHER TOPK_V2 LOG_SOFTMAX PRELU ARG_MAX SELECT SIN
    TILE LOG POW REDUCE_PROD ONE_HOT FLOOR_DIV REDUCE_ANY FILL LEAKY_RELU SPLIT_V CEIL COS ELU ROUND HARD_SWISH CUMSUM
    BROADCAST_TO REDUCE_ALL GELU SIGN
    """.split()  # noqa: SIM905 - a list of names reads better as text
)
"""The operators of `model_check` that `native/src/operators.c` does not run."""


def clients_of(signatures: Mapping[str, SignatureTensors]) -> list[str]:
    """The clients that run a file.

    Args:
        signatures: The signatures of the file, as `check_model` gives them.
    """
    operators = {name for tensors in signatures.values() for name in tensors.operators}
    has_variables = any(tensors.has_variables for tensors in signatures.values())
    return [
        *([] if operators & NOT_IN_CORE else [CORE]),
        INTERPRETER,
        *([] if has_variables else NO_VARIABLES),
        *([] if len(signatures) > 1 else ONE_SIGNATURE),
    ]


def describe_clients(found: Sequence[str]) -> str:
    """One line about the clients that run a file, and about those that do not: why, and the option that helps.

    Example:
        >>> describe_clients(["textapp", "LiteRT Interpreter", "LiteRT CompiledModel", "LiteRT.js"])
        'runs in textapp, LiteRT Interpreter, LiteRT CompiledModel, LiteRT.js; not in react-native-fast-tflite, \
tflite_flutter (several signatures: --lengths 64 makes one)'
    """
    reasons = (
        ((CORE,), "an operator that the core in C lacks"),
        (NO_VARIABLES, "variable tensors: --lowering unrolled has none"),
        (ONE_SIGNATURE, "several signatures: --lengths 64 makes one"),
    )
    missing = [(", ".join(names), reason) for names, reason in reasons if not {*names} <= {*found}]
    return "; ".join([f"runs in {', '.join(found)}", *(f"not in {names} ({reason})" for names, reason in missing)])
