"""What a finished model does to its input first, put into the graph in front of the network.

*Smoothed*: a film made small twice is softer than one made small once. A network trained on the
former loses on the latter: here the AUROC of TB against normal in a hospital left out rose by 0.013
when a clinic's films were smoothed as the training films had been.

*Standardized* (`cxr_train.fit.standardize`): a network that was trained on films as bright as each
hospital prints them sees those of a new hospital as bright as its training films were on average.

Figures of both: `train/recipes/log.md`.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from cxr_train.errors import ConfigError
from cxr_train.fit.standardize import LEAST_DEVIATION, MIDDLE_DEVIATION, MIDDLE_MEAN, left_of_middle
from cxr_train.graph_parts import GraphParts
from cxr_train.int8_layers import input_side

_PREFIX = "prepare_"
_PREFIXES = (_PREFIX, "smooth_")
"""The second: as models before 0.8.0 have it."""


def prepare_input(model: onnx.ModelProto, *, smooth: float, standardize: bool) -> None:
    """Let `model` see its image smoothed and standardized, in place.

    `smooth` is what each neighbour counts, 0..0.25: 3 x 3 places, across and down alike; beyond the
    border its last row and column go on. With a share of whole 64ths every sum is exact in fp32 and
    double, so that no processor rounds otherwise. ConfigError where the graph does not begin as
    cxr-export writes it, or has been prepared already.
    """
    nodes, first = list(model.graph.node), _casts(model)
    if len(first) != 1 or any(node.name.startswith(_PREFIXES) for node in nodes):
        raise ConfigError("Only a model as cxr-export writes it can be prepared, and only once.")
    (cast,) = first
    parts = GraphParts(_PREFIX)
    seen, cast.output[0] = cast.output[0], f"{_PREFIX}raw"
    image = cast.output[0]
    if smooth:
        image = _smooth(parts, image, smooth)
    if standardize:
        image = _standardize(parts, image, input_side(model))
    parts.nodes[-1].output[0] = seen
    parts.put_into(model.graph, at=nodes.index(cast) + 1)
    onnx.checker.check_model(model)


def seen_by_network(model: onnx.ModelProto) -> str:
    """Return the tensor that the network begins with: the image as float, prepared if it is."""
    prepared = [node for node in model.graph.node if node.name.startswith(_PREFIXES)]
    return str((prepared or _casts(model))[-1].output[0])


def _casts(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes that take the image for the network, not for the gate."""
    return [
        node
        for node in model.graph.node
        if node.op_type == "Cast"
        and list(node.input) == ["image"]
        and not node.name.startswith("gate_")
    ]


def _smooth(parts: GraphParts, image: str, share: float) -> str:
    row = np.array([share, 1 - 2 * share, share], np.float32)
    border = parts.whole("border", (0, 0, 1, 1, 0, 0, 1, 1))
    wide = parts.add("Pad", [image, border], mode="edge")
    return parts.add("Conv", [wide, parts.constant("weights", np.outer(row, row)[None, None])])


def _standardize(parts: GraphParts, image: str, side: int) -> str:
    """Do what `standardize` does, operation by operation."""

    def number(name: str, value: float) -> str:
        return parts.constant(name, np.array(value, np.float64))

    left = left_of_middle(side)
    places = parts.whole("places", (2, 3))
    first, last = parts.whole("first", (left, left)), parts.whole("last", (side - left,) * 2)
    middle = parts.add("Slice", [image, first, last, places])
    middle = parts.add("Cast", [middle], to=TensorProto.DOUBLE)
    count = number("count", (side - 2 * left) ** 2)
    mean = parts.add("Div", [parts.add("ReduceSum", [middle, places]), count])
    squares = parts.add("ReduceSum", [parts.add("Mul", [middle, middle]), places])
    variance = parts.add(
        "Sub", [parts.add("Div", [squares, count]), parts.add("Mul", [mean, mean])]
    )
    variance = parts.add("Max", [variance, number("least", LEAST_DEVIATION**2)])
    gain = parts.add("Div", [number("deviation", MIDDLE_DEVIATION), parts.add("Sqrt", [variance])])
    offset = parts.add("Sub", [number("mean", MIDDLE_MEAN), parts.add("Mul", [mean, gain])])
    single = [parts.add("Cast", [one], to=TensorProto.FLOAT) for one in (gain, offset)]
    even = parts.add("Add", [parts.add("Mul", [image, single[0]]), single[1]])
    limits = [
        parts.constant(name, np.array(value, np.float32))
        for name, value in (("black", 0), ("white", 255))
    ]
    return parts.add("Clip", [parts.add("Round", [even]), *limits])
