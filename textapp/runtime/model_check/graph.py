"""Follows the tensors of a subgraph as its operators run."""

import math
from collections.abc import Sequence

from textapp.errors import InputError
from textapp.runtime.model_check.operators import Operator
from textapp.runtime.model_check.tensors import BITS, FLOAT32, Tensor, require

LOOKUPS = {"EMBEDDING_LOOKUP": (0, 1), "GATHER": (1, 0)}  # operator -> the positions of ids and table
COPIED = {"FULLY_CONNECTED": 1, "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "BATCH_MATMUL": 1, "DEQUANTIZE": 0}
SAME_NUMBERS = frozenset({"RESHAPE", "CAST", "EXPAND_DIMS", "SQUEEZE"})  # ids stay ids through these


class Graph:
    """The tensors of a subgraph as its operators run, in the order of the file.

    Args:
        tensors: All tensors.
        inputs: The numbers of its inputs.
        outputs: The numbers of its outputs.
    """

    def __init__(self, tensors: Sequence[Tensor], inputs: Sequence[int], outputs: Sequence[int]):
        self.tensors = tensors
        self.outputs = outputs
        self.lookups: list[tuple[int, int]] = []  # an input of ids and the rows of a table that it is looked up in
        _check_numbers((*inputs, *outputs), len(tensors), "input or output of the subgraph")
        require(len(set(inputs)) == len(inputs) > 0, "its inputs must be different tensors, at least one")
        for number in inputs:
            computed = tensors[number].data is None and not tensors[number].is_variable
            require(computed and tensors[number].size > 0, f"input {number} must be no constant and no variable")
        self._ready = set(inputs)
        self._origins = {number: number for number in inputs}  # ids in another shape or type -> the input they are of
        self._born = dict.fromkeys(inputs, 0)  # computed tensor -> the operator that writes it
        self._last = dict.fromkeys((*inputs, *outputs), math.inf)  # tensor -> the last operator that reads it
        self._copied: set[int] = set()  # buffers of which the first copy has been counted
        self._copies = 0
        self._scratch = 0

    def run(
        self, index: int, kind: Operator, inputs: Sequence[int], outputs: Sequence[int], intermediates: Sequence[int]
    ) -> None:
        """Checks that an operator reads what is there, and writes what was not written before."""
        tensors, ready = self.tensors, self._ready
        for position, number in enumerate(inputs):
            if number == -1 and position in kind.left_out:
                continue
            if not 0 <= number < len(tensors):
                raise InputError(f"its input {position} is tensor {number}, but must be from 0 to {len(tensors) - 1}")
            tensor = tensors[number]
            if number not in ready:
                require(tensor.size > 0, f"its input {position}, tensor {number}, is empty")
                known = tensor.data is not None or tensor.is_variable
                require(known, f"its input {position}, tensor {number}, is read before it is written")
                ready.add(number)
            if tensor.data is None and self._last.get(number) != math.inf:
                self._last[number] = index
        variables = [number for number in inputs if number >= 0 and tensors[number].is_variable]
        require(len(set(variables)) == len(variables), f"it reads variable {variables[:1]} twice")
        _check_numbers((*outputs, *intermediates), len(tensors), "output or intermediate")
        for number in (*outputs, *intermediates):
            tensor = tensors[number]
            # A file with float16 weights sets the state of an LSTM before the LSTM reads it.
            may_write = not tensor.is_variable or kind.name == "DEQUANTIZE"
            require(number not in ready and tensor.data is None and may_write, f"tensor {number} is written twice")
        for number in outputs:
            require(self.tensors[number].size > 0, f"its output, tensor {number}, is empty")
            self._born[number] = index
            self._last.setdefault(number, index)
        ready.update(outputs)
        ready.update(intermediates)
        if kind.name in SAME_NUMBERS and inputs[0] in self._origins:
            self._origins.update(dict.fromkeys(outputs, self._origins[inputs[0]]))
        if kind.name in LOOKUPS and len(inputs) == 2:
            ids, table = (inputs[place] for place in LOOKUPS[kind.name])
            if ids in self._origins and self.tensors[table].shape:
                self.lookups.append((self._origins[ids], self.tensors[table].shape[0]))
        if kind.name in COPIED:
            self._count_copies(kind, inputs, outputs)
        if kind.name in ("CONV_2D", "BATCH_MATMUL"):
            self._count_scratch(kind, inputs, outputs)

    def _count_copies(self, kind: Operator, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Counts the copies that LiteRT makes of a constant: packed for each product, or as float32 of float16."""
        for number in inputs[COPIED[kind.name] :][:1]:
            tensor = self.tensors[number]
            if tensor.data is None:
                continue
            if kind.name == "DEQUANTIZE":
                for output in outputs:
                    del self._born[output]  # counted here
            bias = inputs[2] if len(inputs) > 2 else -1
            if bias >= 0 and self.tensors[bias].data is None:
                continue  # the kernel that adds a computed bias reads the weights in place
            if tensor.buffer in self._copied:
                self._copies += tensor.size * BITS[FLOAT32] // 8 if kind.name == "DEQUANTIZE" else tensor.nbytes
            self._copied.add(tensor.buffer)

    def _count_scratch(self, kind: Operator, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Counts what a kernel needs for itself: each window of a convolution, or both factors transposed."""
        factors = [self.tensors[number] for number in inputs[:2]]
        if kind.name == "BATCH_MATMUL":
            size = sum(tensor.nbytes for tensor in factors)
        else:
            windows = sum(self.tensors[number].size for number in outputs) // max((1, *factors[1].shape[:1]))
            size = windows * math.prod(factors[1].shape[1:]) * BITS[FLOAT32] // 8
        self._scratch = max(self._scratch, size)

    def check_outputs(self) -> None:
        """Raises `InputError` if an output of the subgraph is never written."""
        for number in self.outputs:
            written = number in self._ready and not self.tensors[number].is_variable and self.tensors[number].size > 0
            require(written, f"its output, tensor {number}, is never written")

    def memory(self) -> int:
        """The most bytes of computed tensors in use at once, of a kernel alone, and of repeated copies."""
        changes: dict[float, int] = {}
        for number, index in self._born.items():
            size = self.tensors[number].nbytes
            changes[index] = changes.get(index, 0) + size
            changes[self._last[number] + 1] = changes.get(self._last[number] + 1, 0) - size
        most = used = 0
        for moment in sorted(changes):
            used += changes[moment]
            most = max(most, used)
        return most + self._scratch + self._copies


def _check_numbers(numbers: Sequence[int], count: int, what: str) -> None:
    """Raises `InputError` for a number of a tensor that does not exist."""
    for number in numbers:
        if not 0 <= number < count:
            raise InputError(f"an {what} is tensor {number}, but must be from 0 to {count - 1}")
