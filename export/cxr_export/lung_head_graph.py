"""Put a taught lung head into a released model: its INT8 layers and its gate stay as they are.

Until then a logit is the mean of its map over the whole film. With the head

1. the maps are twice as fine, by bilinear interpolation (its weights 3/4 and 1/4 are exact),
2. a class's logit is their mean weighted by how likely each place is lung, which is what its map
   shows: what lies beside the lungs, markers and borders, counts less; on a picture in which no
   lungs are found no map says anything,
3. the referral logit is the mean evidence of the film's strongest places, a twentieth of them. A
   place's evidence is the network's own referral map, tuberculosis over the largest other class and
   the largest disease over normal, weighted: the TB score, place by place. A small lesion is not
   averaged away by a sound rest; its map shows these places alone.

All of it in double precision and rounded to fp32 once, as the head before (`double_head`); no
operation but sums, products, comparisons and divisions, so that no processor rounds otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from cxr_export.errors import ParityError
from cxr_train.graph_parts import GraphParts
from cxr_train.int8_layers import Tap
from cxr_train.lung_head.layer import LungHeadConfig
from edge_infer.model.model_card import CLASSES

_PREFIX = "lungs_"
_REPLACED = {"head_cam", "head_mean", "head_logits", "cam", "logits"}
"""What the nodes of the head before give, from the maps on."""


@dataclass(frozen=True, kw_only=True)
class LungHead:
    """A taught layer and what is made of it."""

    layer: Tap
    weights: NDArray[np.float32]
    """[C], of the layer's integers."""
    bias: float
    config: LungHeadConfig


def add_lung_head(model: onnx.ModelProto, head: LungHead, classes: Sequence[str]) -> None:
    """Compute logits and maps of `model` by a lung head, in place; `classes` in output order.

    The model has five outputs after it, whether or not it had a referral logit. ParityError where
    its head is not one of `double_head`, or is a lung head already.
    """
    graph = model.graph
    given = {name for node in graph.node for name in node.output}
    if not {"head_product", "head_bias", *_REPLACED} <= given:
        raise ParityError(
            "A lung head goes into a model as cxr-export writes it, and into one only once: "
            "name the file that has none."
        )
    kept = [node for node in graph.node if not _REPLACED & set(node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    builder = _Builder(head=head, outputs=_count_outputs(graph), side=head.layer.side)
    builder.build(classes)
    builder.put_into(graph)
    used = {name for node in graph.node for name in node.input}
    for unused in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(unused)
    _declare_outputs(graph, head.layer.side)
    onnx.checker.check_model(model)


def _count_outputs(graph: onnx.GraphProto) -> int:
    node = next(node for node in graph.node if list(node.output) == ["head_bias"])
    return int(next(one for one in graph.initializer if one.name == node.input[0]).dims[0])


def _declare_outputs(graph: onnx.GraphProto, side: int) -> None:
    outputs = len(CLASSES) + 1
    for output in graph.output:
        if output.name in ("logits", "cam"):
            shape: list[str | int | None] = ["batch", outputs]
            shape += [side, side] if output.name == "cam" else []
            output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape))


class _Builder(GraphParts):
    """Collects the head's nodes and constants; the outputs have names of their own."""

    def __init__(self, *, head: LungHead, outputs: int, side: int) -> None:
        super().__init__(_PREFIX)
        self.head, self.outputs, self.side = head, outputs, side

    def build(self, classes: Sequence[str]) -> None:
        """Add everything from the maps to the outputs."""
        maps = self._finer_maps()
        lung = self._lung()
        evidence = self._split(maps)
        named = dict(zip(classes, evidence, strict=False))
        shown = self._mul(self._slice(maps, 0, len(CLASSES)), self._share(lung))
        shown = self._mul(shown, self._found(lung))
        referral = self._referral_map(named, evidence[len(CLASSES) :], lung)
        cam = self.add("Concat", [shown, referral], axis=1)
        self.nodes.append(helper.make_node("Cast", [cam], ["cam"], f"{_PREFIX}cam", to=1))
        mean = self.add("ReduceMean", [cam, self.whole("places", (2, 3))], keepdims=0)
        logits = self.add("Add", [mean, self._class_biases()])
        self.nodes.append(helper.make_node("Cast", [logits], ["logits"], f"{_PREFIX}logits", to=1))

    def _finer_maps(self) -> str:
        """Return [N, K, side, side] of the maps [N, side / 2, side / 2, K]."""
        first = self.add("Transpose", ["head_product"], perm=[0, 3, 1, 2])
        finer = _finer(self.side // 2)
        tall = self.add("MatMul", [self.constant("finer", finer), first])
        return self.add(
            "MatMul", [tall, self.constant("finer_across", np.ascontiguousarray(finer.T))]
        )

    def _lung(self) -> str:
        """Return [N, 1, side, side], 0..1: the logistic curve's tangent, cut at both ends."""
        layer = self.add("Cast", [self.head.layer.name], to=TensorProto.DOUBLE)
        last = self.add("Transpose", [layer], perm=[0, 2, 3, 1])
        weights = self.head.weights.astype(np.float64)[:, None] / 4
        product = self.add("MatMul", [last, self.constant("weights", weights)])
        raised = self.add("Add", [product, self._number("half", self.head.bias / 4 + 0.5)])
        wide = self.add("Transpose", [raised], perm=[0, 3, 1, 2])
        return self.add("Clip", [wide, self._number("zero", 0.0), self._number("one", 1.0)])

    def _share(self, lung: str) -> str:
        """Return what each place counts, 1 on average."""
        floored = self.add("Add", [lung, self._number("floor", self.head.config.floor)])
        mean = self.add("ReduceMean", [floored, self.whole("places", (2, 3))], keepdims=1)
        return self.add("Div", [floored, mean])

    def _found(self, lung: str) -> str:
        """Return [N, 1, 1, 1], 0..1: whether there are lungs at all."""
        least = self.head.config.least_lung
        mean = self.add("ReduceMean", [lung, self.whole("places", (2, 3))], keepdims=1)
        more = self._sub(mean, self._number("least", least))
        steep = self._mul(more, self._number("steep", 1 / least))
        return self.add("Clip", [steep, self._number("zero", 0.0), self._number("one", 1.0)])

    def _referral_map(self, classes: dict[str, str], own: Sequence[str], lung: str) -> str:
        """Return [N, 1, side, side] whose mean is that of the strongest places' evidence."""
        config = self.head.config
        normal, tuberculosis = classes["normal"], classes["tuberculosis"]
        diseases = [classes[name] for name in CLASSES if name != "normal"]
        others = [classes[name] for name in CLASSES if name != "tuberculosis"]
        terms = [
            (config.tuberculosis, self._sub(tuberculosis, self.add("Max", others))),
            (config.abnormal, self._sub(self.add("Max", diseases), normal)),
            *((config.head, one) for one in own),
        ]
        weighted = [
            self._mul(term, self._number(f"weight_{index}", weight))
            for index, (weight, term) in enumerate(terms)
            if weight
        ]
        evidence = self.add("Sum", weighted)
        costs = self._number("costs", config.outside_costs)
        outside = self._mul(self._sub(self._number("one", 1.0), lung), costs)
        strongest = self._strongest(self._sub(evidence, outside))
        return self._mul(evidence, strongest)

    def _strongest(self, sought: str) -> str:
        """Return [N, 1, side, side]: what the strongest places count, 1 on average over all."""
        count = max(1, round(self.head.config.strongest_share * self.side**2))
        flat = self.add("Reshape", [sought, self.whole("flat", (0, -1))])
        name = f"{_PREFIX}{len(self.nodes)}_TopK"
        self.nodes.append(
            helper.make_node(
                "TopK", [flat, self.whole("count", (count,))], [name, f"{name}_places"], name
            )
        )
        weakest = self.add("ReduceMin", [name, self.whole("last", (1,))], keepdims=1)
        limit = self.add("Reshape", [weakest, self.whole("limit", (0, 1, 1, 1))])
        chosen = self.add("GreaterOrEqual", [sought, limit])
        ones = self.add("Cast", [chosen], to=TensorProto.DOUBLE)
        mean = self.add("ReduceMean", [ones, self.whole("places", (2, 3))], keepdims=1)
        return self.add("Div", [ones, mean])

    def _class_biases(self) -> str:
        """Return the head's biases, 0 for the referral logit: its map has its own in it."""
        count = len(CLASSES)
        first = self._slice("head_bias", 0, count, axis=0)
        return self.add("Concat", [first, self.constant("none", np.zeros(1))], axis=0)

    def _split(self, maps: str) -> list[str]:
        """Return every map with its bias, [N, 1, side, side] each."""
        shape = self.whole("as_map", (1, -1, 1, 1))
        biased = self.add("Add", [maps, self.add("Reshape", ["head_bias", shape])])
        return [self._slice(biased, index, index + 1) for index in range(self.outputs)]

    def _slice(self, name: str, start: int, stop: int, *, axis: int = 1) -> str:
        bounds = [self.whole(f"at_{value}", (value,)) for value in (start, stop, axis)]
        return self.add("Slice", [name, *bounds])

    def _mul(self, first: str, second: str) -> str:
        return self.add("Mul", [first, second])

    def _sub(self, first: str, second: str) -> str:
        return self.add("Sub", [first, second])

    def _number(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float64))


def _finer(places: int) -> NDArray[np.float64]:
    """Return [2 places, places]: how much of each place every place of half the size has."""
    matrix = np.zeros((2 * places, places))
    for fine in range(2 * places):
        nearest = fine // 2
        neighbour = min(max(nearest + (1 if fine % 2 else -1), 0), places - 1)
        matrix[fine, nearest] += 0.75
        matrix[fine, neighbour] += 0.25
    return matrix
