"""Scales that make the sums of residual blocks exact, so that every processor rounds them alike.

ONNX Runtime adds two quantized tensors as a * (scale of a / scale of the sum) + b * (...), with a
fused multiplication where the processor has one (AVX2) and without where not. Where a sum lies
halfway between two steps the two differ: on 2 of 24 films one value of 7 million came out one step
off, and a logit by up to 1.5e-4. With both quotients whole multiples of 1/256 every product and sum
is exact in fp32, in any order. No scale moves by more than one part in 200.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from cxr_export.errors import ParityError

PARTS = 256
"""255 * PARTS * (both quotients together, up to 128) stays below 2**24: fp32 has no gaps there."""

Values = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class _Sum:
    """One quantized Add, by the names of its scales."""

    free: tuple[str, ...]
    """Of inputs that come from a convolution: no earlier sum depends on them."""
    skip: str | None
    """Of the input that is an earlier block's output, where there is one."""
    output: str


def make_sums_exact(path: Path) -> int:
    """Adjust scales of the QDQ model at `path` in place; return how many sums are exact now.

    Biases of convolutions whose input's scale has moved are quantized anew.
    """
    model = onnx.load(path)
    values: Values = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    before = dict(values)
    sums = _find_sums(model.graph)
    for one in sums:
        if one.skip is not None:
            values[one.output] = _divide(values[one.skip], values[one.output])
        for name in one.free:
            values[name] = _multiply(values[one.output], values[name])
    _requantize_biases(model.graph, values, before)
    for initializer in model.graph.initializer:
        if values[initializer.name] is not before[initializer.name]:
            new = numpy_helper.from_array(values[initializer.name], initializer.name)
            initializer.CopyFrom(new)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return len(sums)


def _find_sums(graph: onnx.GraphProto) -> list[_Sum]:
    """Return the quantized Adds in order, but those of two earlier blocks' outputs."""
    makers = {name: node for node in graph.node for name in node.output}
    takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            takers[name].append(node)
    sums = []
    for node in graph.node:
        made = [makers[name] for name in node.input if name in makers]
        taken = takers[node.output[0]]
        kinds = [one.op_type for one in made], [one.op_type for one in taken]
        if node.op_type != "Add" or kinds != (["DequantizeLinear"] * 2, ["QuantizeLinear"]):
            continue
        free, skips = list[str](), list[str]()
        for one in made:
            source = makers[makers[one.input[0]].input[0]]
            (free if source.op_type == "Conv" else skips).append(one.input[1])
        if free:
            skip = skips[0] if skips else None
            sums.append(_Sum(free=tuple(free), skip=skip, output=taken[0].input[1]))
    return sums


def _multiply(scale: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Return what is closest to `wanted` and k / PARTS of `scale`, in fp32 too."""
    return _search(
        wanted / scale, make=lambda quotient: scale * quotient, divide=lambda new: new / scale
    )


def _divide(scale: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Return what is closest to `wanted` and has `scale` as k / PARTS of it, in fp32 too."""
    return _search(
        scale / wanted, make=lambda quotient: scale / quotient, divide=lambda new: scale / new
    )


def _search(
    quotient: NDArray[Any],
    *,
    make: Callable[[np.float32], NDArray[Any]],
    divide: Callable[[NDArray[Any]], NDArray[Any]],
) -> NDArray[Any]:
    """Try quotients around the wanted one, and the fp32 neighbours of what each one makes.

    About every second quotient has a scale whose division gives it without rounding.
    """
    middle = float(quotient) * PARTS
    nearby = range(max(1, int(middle) - PARTS), int(middle) + PARTS)
    for parts in sorted(nearby, key=lambda one: abs(one - middle)):
        exact = np.float32(parts / PARTS)
        made = make(exact)
        for scale in (made, *(np.nextafter(made, np.float32(end)) for end in (0, np.inf))):
            if divide(scale) == exact:
                return np.asarray(scale, dtype=np.float32)
    raise ParityError(f"No scale is whole parts of another near {float(quotient):.4f} times it.")


def _requantize_biases(graph: onnx.GraphProto, values: Values, before: Values) -> None:
    """Quantize biases at the product of the scales of input and weights, where that has moved."""
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        made = [makers[name] for name in node.input if name in makers]
        if node.op_type != "Conv" or [one.op_type for one in made] != ["DequantizeLinear"] * 3:
            continue
        source, weight, bias = (one.input for one in made)
        if values[source[1]] is before[source[1]]:
            continue
        real = values[bias[0]].astype(np.float64) * values[bias[1]]
        values[bias[1]] = (values[source[1]] * values[weight[1]]).astype(np.float32)
        values[bias[0]] = np.rint(real / values[bias[1]]).astype(np.int32)
