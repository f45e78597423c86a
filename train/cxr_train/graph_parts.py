"""Nodes and constants that are put into a finished model's graph together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class GraphParts:
    """Collects nodes and constants; all their names begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output and return that output's name."""
        name = f"{self.prefix}{len(self.nodes)}_{operator}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Return the name of a constant, which is added once."""
        name = f"{self.prefix}{name}"
        if name not in {one.name for one in self.initializers}:
            self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def whole(self, name: str, values: Sequence[int]) -> str:
        """Return the name of a constant of whole numbers, as shapes and axes are."""
        return self.constant(name, np.array(values, np.int64))

    def put_into(self, graph: onnx.GraphProto, *, at: int | None = None) -> None:
        """Put everything into `graph`, before its node number `at`; None: after its last."""
        nodes = list(graph.node)
        place = len(nodes) if at is None else at
        del graph.node[:]
        graph.node.extend([*nodes[:place], *self.nodes, *nodes[place:]])
        graph.initializer.extend(self.initializers)
