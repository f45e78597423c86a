"""What a finished model does to its input first, put into the graph in front of the network.

*Smoothed*: a film made small twice is softer than one made small once. A network trained on the
former loses on the latter: here the AUROC of TB against normal in a hospital left out rose by 0.013
when a clinic's films were smoothed as the training films had been.

*Standardized* (`cxr_train.fit.standardize`): a network that was trained on films as bright as each
hospital prints them sees those of a new hospital as bright as its training films were on average.

Figures of both: `train/recipes/log.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cxr_train.errors import ConfigError
from cxr_train.fit.standardize import LEAST_DEVIATION, MIDDLE_DEVIATION, MIDDLE_MEAN, left_of_middle
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
    nodes = list(model.graph.node)
    casts = [node for node in nodes if node.op_type == "Cast" and list(node.input) == ["image"]]
    first = [node for node in casts if not node.name.startswith("gate_")]
    if len(first) != 1 or any(node.name.startswith(_PREFIXES) for node in nodes):
        raise ConfigError("Only a model as cxr-export writes it can be prepared, and only once.")
    (cast,) = first
    parts = _Parts()
    seen, cast.output[0] = cast.output[0], f"{_PREFIX}raw"
    image = cast.output[0]
    if smooth:
        image = _smooth(parts, image, smooth)
    if standardize:
        image = _standardize(parts, image, input_side(model))
    parts.nodes[-1].output[0] = seen
    place = nodes.index(cast) + 1
    for offset, node in enumerate(parts.nodes):
        model.graph.node.insert(place + offset, node)
    model.graph.initializer.extend(parts.constants)
    onnx.checker.check_model(model)


class _Parts:
    """Nodes in the order they run, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{_PREFIX}{len(self.nodes)}_{operator}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        name = f"{_PREFIX}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float64))

    def whole(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))


def _smooth(parts: _Parts, image: str, share: float) -> str:
    row = np.array([share, 1 - 2 * share, share], np.float32)
    wide = parts.add("Pad", [image, parts.whole(0, 0, 1, 1, 0, 0, 1, 1)], mode="edge")
    return parts.add("Conv", [wide, parts.constant(np.outer(row, row)[None, None])])


def _standardize(parts: _Parts, image: str, side: int) -> str:
    """Do what `standardize` does, operation by operation."""
    left = left_of_middle(side)
    corners = [parts.whole(left, left), parts.whole(side - left, side - left), parts.whole(2, 3)]
    middle = parts.add("Slice", [image, *corners])
    middle = parts.add("Cast", [middle], to=TensorProto.DOUBLE)
    places, count = parts.whole(2, 3), parts.number((side - 2 * left) ** 2)
    mean = parts.add("Div", [parts.add("ReduceSum", [middle, places]), count])
    squares = parts.add("ReduceSum", [parts.add("Mul", [middle, middle]), places])
    variance = parts.add(
        "Sub", [parts.add("Div", [squares, count]), parts.add("Mul", [mean, mean])]
    )
    variance = parts.add("Max", [variance, parts.number(LEAST_DEVIATION**2)])
    gain = parts.add("Div", [parts.number(MIDDLE_DEVIATION), parts.add("Sqrt", [variance])])
    offset = parts.add("Sub", [parts.number(MIDDLE_MEAN), parts.add("Mul", [mean, gain])])
    single = [parts.add("Cast", [one], to=TensorProto.FLOAT) for one in (gain, offset)]
    even = parts.add("Add", [parts.add("Mul", [image, single[0]]), single[1]])
    limits = [parts.constant(np.array(value, np.float32)) for value in (0, 255)]
    return parts.add("Clip", [parts.add("Round", [even]), *limits])
