"""The head in double precision: the last float arithmetic of a film, and the only one that differs.

INT8 layers give the same integers on every x86 processor; a convolution in fp32 sums in the order
and with the fused steps its processor has, and moved the map by up to 1e-6 between processors with
and without FMA. Summed in double and rounded to fp32 once, the same bits come out. 2,048 products a
place cost nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cxr_export.errors import ParityError
from cxr_export.quantize import nodes_from_head

_HEAD = ["Conv", "ReduceMean", "Add"]


def compute_head_in_double(path: Path) -> None:
    """Rewrite the head of the model at `path`: 1x1 convolution, spatial mean and bias in double.

    Weights stay fp32 initializers under their names. ParityError where the graph does not end so.
    """
    model = onnx.load(path)
    graph = model.graph
    names = set(nodes_from_head(model))
    head = [node for node in graph.node if node.name in names]
    if [node.op_type for node in head] != _HEAD:
        raise ParityError(f"The graph does not end in a 1x1 convolution, mean and bias: {names}.")
    convolution, _, add = head
    features, weight = convolution.input
    weights = {one.name for one in graph.initializer}
    bias = next(name for name in add.input if name in weights)
    graph.initializer.extend(
        numpy_helper.from_array(np.array(values, np.int64), name)
        for name, values in (
            ("head_flat", (_first_side(graph, weight), -1)),
            ("head_places", (2, 3)),
        )
    )
    nodes = [
        _cast(features, "head_features", TensorProto.DOUBLE),
        _cast(weight, "head_weight", TensorProto.DOUBLE),
        _cast(bias, "head_bias", TensorProto.DOUBLE),
        helper.make_node("Reshape", ["head_weight", "head_flat"], ["head_rows"]),
        helper.make_node("Transpose", ["head_rows"], ["head_columns"], perm=[1, 0]),
        helper.make_node("Transpose", ["head_features"], ["head_last"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["head_last", "head_columns"], ["head_product"]),
        helper.make_node("Transpose", ["head_product"], ["head_cam"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["head_cam", "head_places"], ["head_mean"], keepdims=0),
        helper.make_node("Add", ["head_mean", "head_bias"], ["head_logits"]),
        _cast("head_cam", "cam", TensorProto.FLOAT),
        _cast("head_logits", "logits", TensorProto.FLOAT),
    ]
    for node in nodes:
        node.name = f"{node.output[0]}_{node.op_type}"
    kept = [node for node in graph.node if node.name not in names]
    del graph.node[:]
    graph.node.extend([*kept, *nodes])
    used = {name for node in graph.node for name in node.input}
    for unused in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(unused)  # the old mean's axes; ONNX Runtime warns of such
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _first_side(graph: onnx.GraphProto, name: str) -> int:
    return int(next(one for one in graph.initializer if one.name == name).dims[0])


def _cast(name: str, new: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [new], to=kind)
