"""Operator codes, old and new; what is shared in a file is tested on real files in test_rewriting.py."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from textapp.export import flatbuffer


def test_codes_beyond_127():
    """A new operator code goes into the newer field; the old one holds 127 at most."""
    file = schema.ModelT(operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=127, builtinCode=150)])
    assert flatbuffer.operator_code(file, schema.OperatorT(opcodeIndex=0)) == 150
    builder = flatbuffers.Builder()
    builder.Finish(file.Pack(builder))
    assert flatbuffer.read(bytes(builder.Output())).operatorCodes[0].builtinCode == 150


def test_a_code_is_added_once():
    file = schema.ModelT(operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=18, builtinCode=18)])
    assert flatbuffer.add_operator_code(file, 18) == 0
    assert flatbuffer.add_operator_code(file, 150) == 1
    assert flatbuffer.add_operator_code(file, 150) == 1
    assert file.operatorCodes[1].deprecatedBuiltinCode == 127


def test_equal_parts_are_one():
    """Two tensors and two buffers of equal content, and one of the same bytes in another shape."""
    data = np.arange(64, dtype="u1")
    tensors = [
        schema.TensorT(shape=np.array(shape, "i4"), buffer=buffer, name=b"\xe5\x90\x8d", hasRank=True)
        for shape, buffer in (([64], 1), ([64], 2), ([8, 8], 2))
    ]
    graph = schema.SubGraphT(tensors=tensors, inputs=np.array([], "i4"), outputs=np.array([], "i4"), operators=[])
    buffers = [schema.BufferT(), schema.BufferT(data=data), schema.BufferT(data=data.copy())]
    content = flatbuffer.write(schema.ModelT(version=3, subgraphs=[graph], buffers=buffers, operatorCodes=[]))
    assert content.count(data.tobytes()) == 1
    assert content.find(data.tobytes()) % 16 == 0
    assert "名".encode() not in content
    read = flatbuffer.read(content).subgraphs[0].tensors
    assert [(list(tensor.shape), tensor.buffer) for tensor in read] == [([64], 1), ([64], 1), ([8, 8], 1)]
