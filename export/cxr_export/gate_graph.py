"""Put a trained gate into a released model: one more output, the others' bytes unchanged.

All arithmetic after the taps' integers is in double precision and rounded to fp32 once, as the
head's is (`double_head`), so that every processor lets the same films through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from cxr_export.embed_card import model_digest, write_with_card
from cxr_export.errors import ParityError
from cxr_export.taught_for import require_taught_for
from cxr_train.gate.run import read_gate_run
from cxr_train.graph_parts import GraphParts
from cxr_train.result_files import require_writable, write_bytes
from cxr_train.terminal import say
from edge_infer.model.card_json import from_plain
from edge_infer.model.classifier import Classifier
from edge_infer.model.gate import Gate, GateFigure
from edge_infer.model.model_card import SCHEMA_MAJOR, SCHEMA_MINOR
from edge_infer.model.model_file import load_model_file
from edge_infer.model.self_test import self_test_inputs

_PREFIX = "gate_"
Weights = Mapping[str, NDArray[np.float32]]


def export_gate(folder: Path, model: Path, out: Path, *, name: str | None, version: str) -> None:
    """Write `model` with the gate of `folder` to `out`.

    Raises DataError where the gate is not whole or of another model, ModelError, ReportError, and
    ParityError where logits or maps changed in any bit.
    """
    facts, weights = read_gate_run(folder)
    file = load_model_file(model)
    require_taught_for(facts, file, what="gate", folder=folder)
    require_writable(out.parent)
    graph = onnx.load(model)
    add_gate(graph, facts["taps"], weights)
    unfinished = out.with_name(f"{out.stem}.unfinished.onnx")
    try:
        onnx.save(graph, unfinished)
        inputs = self_test_inputs(file.card.input.height, file.card.input.width)
        gate = Gate(
            states=tuple(facts["states"]),
            doubt=facts["doubt"],
            refuse=facts["refuse"],
            statement=facts["statement"],
            figures=tuple(from_plain(GateFigure, one, "gate.figures") for one in facts["figures"]),
            self_test=_run_gate(unfinished, inputs),
        )
        card = replace(
            file.card,
            schema=f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}",
            name=name or file.card.name,
            version=version,
            gate=gate,
            model_sha256=model_digest(unfinished),
        )
        written = write_with_card(unfinished, card)
        _require_unchanged(Classifier.load(model), written, inputs)
        write_bytes(unfinished.read_bytes(), out)
    finally:
        unfinished.unlink(missing_ok=True)
    added = out.stat().st_size - model.stat().st_size
    say(f"{out}: {card.name} {card.version} with a gate of {added / 1e6:.2f} MB; scores unchanged")


def add_gate(model: onnx.ModelProto, taps: Mapping[str, Any], weights: Weights) -> None:
    """Add the output `gate` [N, states] to a model, in place, instead of any it has."""
    remove_gate(model.graph)
    builder = _Builder(grid=int(taps["grid"]), side=int(taps["side"]), weights=weights)
    planes = [builder.mix(0, builder.statistics())]
    for index, layer in enumerate(taps["layers"], start=1):
        name = builder.add("Cast", [layer["name"]], to=TensorProto.DOUBLE)
        last = builder.add("Transpose", [name], perm=[0, 2, 3, 1])
        mixed = builder.mix(index, last)
        planes.append(builder.average(mixed, layer["side"]))
    flat = builder.add("Concat", planes, axis=3)
    # As the trained layer reads it: plane by plane of each cell.
    flat = builder.add("Reshape", [flat, builder.whole("flat", (0, -1))])
    hidden = builder.add("Relu", [builder.linear("hidden", flat)])
    logits = builder.linear("states", hidden)
    builder.nodes.append(helper.make_node("Cast", [logits], ["gate"], f"{_PREFIX}out", to=1))
    graph = model.graph
    builder.put_into(graph)
    states = len(weights["states.bias"])
    graph.output.append(helper.make_tensor_value_info("gate", TensorProto.FLOAT, ["batch", states]))
    onnx.checker.check_model(model)


def remove_gate(graph: onnx.GraphProto) -> None:
    """Remove the gate's nodes, weights and output, in place, where there is one."""
    for nodes in (graph.node, graph.initializer):
        for one in [one for one in nodes if one.name.startswith(_PREFIX)]:
            nodes.remove(one)
    for output in [one for one in graph.output if one.name == "gate"]:
        graph.output.remove(output)


class _Builder(GraphParts):
    """Collects the gate's nodes and weights."""

    def __init__(self, *, grid: int, side: int, weights: Weights) -> None:
        super().__init__(_PREFIX)
        self.grid, self.side, self.weights = grid, side, weights

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        return self.add("Cast", [self.constant(name, values)], to=TensorProto.DOUBLE)

    def linear(self, layer: str, features: str) -> str:
        """Multiply the last axis by a layer's weights and add its bias."""
        weight = np.ascontiguousarray(self.weights[f"{layer}.weight"].T)
        product = self.add("MatMul", [features, self.weight(f"{layer}.weight", weight)])
        return self.add(
            "Add", [product, self.weight(f"{layer}.bias", self.weights[f"{layer}.bias"])]
        )

    def mix(self, index: int, last: str) -> str:
        return self.add("Relu", [self.linear(f"mix.{index}", last)])

    def average(self, planes: str, side: int) -> str:
        """Average [N, side, side, K] down to [N, grid, grid, K]."""
        if side == self.grid:
            return planes
        times = side // self.grid
        shape = (0, self.grid, times, self.grid, times, -1)
        cells = self.add("Reshape", [planes, self.whole(f"cells_{side}", shape)])
        return self.add("ReduceMean", [cells, self.whole("within", (2, 4))], keepdims=0)

    def statistics(self) -> str:
        """Return what `taps.cell_statistics` does, [N, grid, grid, 4].

        First in fp32 over tiles so small that every sum is a whole number below 2**24, which no
        order of summing can change; five times faster than all of it in double.
        """
        cell = self.side // self.grid
        tile = max(size for size in (1, 2, 4, 8) if cell % size == 0)
        image = self.add("Cast", ["image"], to=TensorProto.FLOAT)
        one, below_white = (
            self.constant(name, np.array(value, np.float32))
            for name, value in (("one", 1.0), ("below_white", 254.0))
        )
        planes = [
            image,
            self.add("Mul", [image, image]),
            self.add("Relu", [self.add("Sub", [one, image])]),
            self.add("Relu", [self.add("Sub", [image, below_white])]),
        ]
        tiles = [
            self.add("AveragePool", [plane], kernel_shape=[tile, tile], strides=[tile, tile])
            for plane in planes
        ]
        last = self.add("Transpose", [self.add("Concat", tiles, axis=1)], perm=[0, 2, 3, 1])
        means = self.average(self.add("Cast", [last], to=TensorProto.DOUBLE), self.side // tile)
        mean, squares, black, white = self._split(means)
        variance = self.add("Sub", [squares, self.add("Mul", [mean, mean])])
        spread = self.add("Sqrt", [self.add("Relu", [variance])])
        full = self.constant("full", np.array(255.0))
        shares = [self.add("Mul", [one, full]) for one in (black, white)]
        return self.add("Floor", [self.add("Concat", [mean, spread, *shares], axis=3)])

    def _split(self, planes: str) -> list[str]:
        names = [f"{_PREFIX}{len(self.nodes)}_Split_{number}" for number in range(4)]
        self.nodes.append(
            helper.make_node("Split", [planes], names, names[0], axis=3, num_outputs=4)
        )
        return names


def _run_gate(path: Path, inputs: NDArray[np.uint8]) -> tuple[tuple[float, ...], ...]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["gate"], {"image": inputs})
    return tuple(tuple(round(float(value), 6) for value in row) for row in logits)


def _require_unchanged(before: Classifier, after: Classifier, inputs: NDArray[np.uint8]) -> None:
    old, new = before.run(inputs), after.run(inputs)
    if not (np.array_equal(old.logits, new.logits) and np.array_equal(old.cam, new.cam)):
        raise ParityError("The gate changed the model's own outputs: it was not written.")
