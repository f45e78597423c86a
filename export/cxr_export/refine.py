"""What is done before rounding so that less is lost by it, each step kept only where it helps.

Judged by the signal-to-quantization-noise ratio of the INT8 logits of calibration films; the log
has a line for each step, for those that were dropped too.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from cxr_export.candidates import make_int8
from cxr_export.equalise import correct_biases, equalise
from cxr_export.quantize import Method, Ranges, nodes_before_network, nodes_from_head, run_logits
from cxr_train.errors import ConfigError
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.quantize_aware import (
    calibration_films,
    quantize_aware,
    rounded_activations,
    set_ranges,
)
from cxr_train.fit.rounded_layers import RoundedConvolution, fold
from cxr_train.terminal import say

LEAST_GAIN = 0.2
"""Decibels; less is within what another choice of calibration films gives."""


@dataclass(frozen=True, kw_only=True)
class Refined:
    """A graph to quantize, and the ranges to do it with."""

    prepared: Path
    ranges: Ranges | None
    """By tensor; None: the smallest and largest value of calibration films."""
    model: Path
    """The INT8 model made of both."""
    decibels: float
    """Its signal to quantization noise, of logits of calibration films."""
    steps: tuple[str, ...] = ()
    """What was done to the weights and kept, in order."""

    @property
    def method(self) -> Method:
        """How its ranges were chosen."""
        return Method.MINMAX if self.ranges is None else Method.LEAST_ERROR


def refine(
    network: CamNetwork,
    prepared: Path,
    work: Path,
    pixels: NDArray[np.uint8],
    *,
    trained_as_int8: bool = False,
    made: Path | None = None,
) -> Refined:
    """Try ranges, equalisation and bias correction on `network`, whose graph is `prepared`.

    `pixels` [N, 1, H, W] are calibration films; files are written into `work`. `made` is the INT8
    model of `prepared` in the ranges of all their values, where there is one. A network whose
    layers are not found again in the graph comes back as it is. One that was trained as INT8 saw
    itself in ranges of least squared error, on weights that a change would take off their grid: it
    keeps both.
    """
    judge = _Judge(network, prepared, work, pixels)
    if trained_as_int8:
        return judge.keep(network)
    best = judge.begin(made)
    try:
        ranges = judge.least_error(network)
    except (ConfigError, KeyError) as error:
        say(f"no further step: {error}")
        return best
    best = judge.try_ranges(best, "ranges of least squared error", ranges)
    for name, change, applies in (
        ("depthwise pairs equalised", equalise, judge.has_depthwise),
        ("biases corrected", correct_biases, True),
    ):
        if applies:
            best, network = judge.try_change(best, name, network, change)
    return best


class _Judge:
    """Makes and measures INT8 models of one network."""

    def __init__(
        self, network: CamNetwork, prepared: Path, work: Path, pixels: NDArray[np.uint8]
    ) -> None:
        self._prepared, self._work, self._pixels = prepared, work, np.array(pixels)
        self._wanted = run_logits(prepared, self._pixels)
        self._films = calibration_films(
            self._pixels, size=self._pixels.shape[-1], device=torch.device("cpu")
        )
        self._count = 0
        self.has_depthwise = any(
            isinstance(one, torch.nn.Conv2d) and 1 < one.groups == one.in_channels
            for one in network.modules()
        )

    def least_error(self, network: CamNetwork) -> Ranges:
        """Return ranges by tensor of the graph; KeyError where a place is not found there."""
        view = quantize_aware(network)
        set_ranges(view, self._films)
        names = find_tensors(onnx.load(self._prepared))
        return {
            names[place.name]: (float(place.low), float(place.high))
            for place in rounded_activations(view)
        }

    def measure(
        self,
        name: str,
        prepared: Path,
        ranges: Ranges | None,
        *,
        steps: tuple[str, ...] = (),
        made: Path | None = None,
    ) -> Refined:
        """Make an INT8 model, and say its decibels with the share of equal classes."""
        self._count += 1
        model = made or self._work / f"refined-{self._count}.onnx"
        method = Method.MINMAX if ranges is None else Method.LEAST_ERROR
        if made is None:
            make_int8(prepared, model, self._pixels, method=method, ranges=ranges)
        logits = run_logits(model, self._pixels)
        ratio = decibels(self._wanted, logits)
        same = float((self._wanted.argmax(axis=1) == logits.argmax(axis=1)).mean())
        say(f"{name}: {ratio:.1f} dB, same class {same:.3f}")
        return Refined(prepared=prepared, ranges=ranges, model=model, decibels=ratio, steps=steps)

    def begin(self, made: Path | None = None) -> Refined:
        """Measure the network as it was trained."""
        return self.measure("as trained, ranges of all values", self._prepared, None, made=made)

    def keep(self, network: CamNetwork) -> Refined:
        """Measure the network with the ranges it was trained in."""
        try:
            ranges = self.least_error(network)
        except KeyError as error:
            say(f"its ranges are not found in the graph ({error}): ranges of all values")
            return self.begin()
        return self.measure("as trained, in the ranges of the training", self._prepared, ranges)

    def try_ranges(self, best: Refined, name: str, ranges: Ranges) -> Refined:
        """Return the better of `best` with its own and with these ranges."""
        return self._better(best, self.measure(name, best.prepared, ranges, steps=best.steps))

    def try_change(
        self,
        best: Refined,
        name: str,
        network: CamNetwork,
        change: Callable[[CamNetwork, list[Tensor]], None],
    ) -> tuple[Refined, CamNetwork]:
        """Return the better of `best` and `network` changed, with the network it was made of."""
        changed = deepcopy(network)
        change(changed, self._films)
        prepared = self._work / f"prepared-{self._count}.onnx"
        graph = onnx.load(self._prepared)
        put_weights(graph, changed)
        onnx.save(graph, prepared)
        ranges = None if best.ranges is None else self.least_error(changed)
        found = self.measure(name, prepared, ranges, steps=(*best.steps, name))
        better = self._better(best, found)
        return better, network if better is best else changed

    def _better(self, best: Refined, found: Refined) -> Refined:
        kept = found.decibels >= best.decibels + LEAST_GAIN
        say(f"  {found.decibels - best.decibels:+.1f} dB: {'kept' if kept else 'dropped'}")
        return found if kept else best


def decibels(wanted: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    """Return the power of logits [N, K] about their mean over that of their error, in dB."""
    signal = float(np.var(wanted.astype(np.float64), axis=0).sum())
    noise = float(np.square(wanted.astype(np.float64) - got).mean(axis=0).sum())
    return float(10 * np.log10(signal / max(noise, 1e-12)))


def find_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """Return tensors of the graph by the names that `RoundedActivation` gives its places.

    A convolution's is what leaves the activation after it; sums are numbered as they run.
    """
    around = {*nodes_before_network(model), *nodes_from_head(model)}
    nodes = [node for node in model.graph.node if node.name not in around]
    takers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)

    def activated(name: str) -> str:
        after = takers.get(name, [])
        alone = len(after) == 1 and after[0].op_type in ("Relu", "Clip")
        return str(after[0].output[0]) if alone else name

    found: dict[str, str] = {}
    sums = 0
    for node in nodes:
        if node.op_type == "Conv":
            found.setdefault("image", node.input[0])
            weight = node.input[1].removeprefix("features.").removesuffix(".weight")
            found[weight] = activated(node.output[0])
        elif node.op_type == "Add":
            found[f"sum {sums}"] = activated(node.output[0])
            sums += 1
    return found


def put_weights(model: onnx.ModelProto, network: CamNetwork) -> None:
    """Put the folded weights of `network` into the graph of one with the same layers, in place.

    KeyError where a layer of the network is not in the graph.
    """
    values = {one.name: one for one in model.graph.initializer}
    makers = {node.input[1]: node for node in model.graph.node if node.op_type == "Conv"}
    for name, layer in convolutions_by_name(network).items():
        node = makers[f"features.{name}.weight"]
        weight, bias = fold(layer.convolution, layer.norm)
        parts = [(node.input[1], weight)]
        if bias is not None:
            parts.append((node.input[2], bias))
        for key, tensor in parts:
            array = tensor.detach().numpy().astype(np.float32)
            values[key].CopyFrom(numpy_helper.from_array(array, key))


def convolutions_by_name(network: CamNetwork) -> dict[str, RoundedConvolution]:
    """Return every convolution of the features with its batch norm, by its name there."""
    names = {id(one): name for name, one in network.features.named_modules()}
    view = quantize_aware(network)
    return {
        names[id(one.convolution)]: one
        for one in view.modules()
        if isinstance(one, RoundedConvolution)
    }
