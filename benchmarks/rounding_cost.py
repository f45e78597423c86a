"""What INT8 costs the TB score of a model with a lung head: AUROC before and after, paired by film.

    python -m benchmarks.rounding_cost MODEL.onnx RUN DATA [--splits val] [--source Shenzhen]

RUN is the run folder whose network MODEL was exported from, DATA the folder of manifest.csv. The
network runs once as trained, in fp32 with nothing rounded, and its features and the layer of the
lung head go through MODEL's own head; and once as MODEL. What is done to the input first is
MODEL's own. TB against normal films of adults, all and per source; 95 % of 1,000 draws of films. A
look at a held-out split (site, test, published) belongs into the ledger.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from cxr_train.data.dataset import load_films
from cxr_train.data.manifest import Example, read_data
from cxr_train.figures.metrics import auroc
from cxr_train.figures.operating_point import may_be_adult
from cxr_train.fit.checkpoint import load_run
from cxr_train.fit.network import CamNetwork
from edge_infer.model.findings import referral_values
from edge_infer.model.model_card import CLASSES, Referral
from edge_infer.model.model_file import load_model_file
from edge_infer.model.runtime import import_onnxruntime

DRAWS = 1000
_AT_ONCE = 16
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A model taken apart round its network."""

    prepared: str
    """What the network sees: the tensor that is normalised first."""
    tap: str
    """The uint8 tensor that the lung head reads."""
    tap_in: str
    """The same in double, as the head goes on with it."""
    scale: float
    zero: float


def take_apart(model: onnx.ModelProto) -> Parts:
    """Find the seams of a model with a lung head; SystemExit where it has none."""
    nodes = list(model.graph.node)
    taps = [node for node in nodes if node.op_type == "Cast" and node.name.startswith("lungs_")]
    readers = [node for node in taps if node.input[0].endswith("_QuantizeLinear_Output")]
    if not readers:
        raise SystemExit("The model has no lung head: cxr-train lung-head gives it one.")
    prepared = [node for node in nodes if node.name.startswith(("prepare_", "smooth_"))]
    first = prepared[-1] if prepared else next(n for n in nodes if list(n.input) == ["image"])
    quantized = next(node for node in nodes if readers[0].input[0] in node.output)
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    return Parts(
        prepared=first.output[0],
        tap=readers[0].input[0],
        tap_in=readers[0].output[0],
        scale=float(values[quantized.input[1]]),
        zero=float(values[quantized.input[2]]),
    )


class Twin:
    """The model with its network unrounded."""

    def __init__(self, model: onnx.ModelProto, network: CamNetwork) -> None:
        self.parts, self.network = take_apart(model), network
        self._whole = open_parts(model, ["logits", self.parts.prepared, self.parts.tap])
        inputs = ["head_features", self.parts.tap_in]
        self._head = open_parts(cut(model, inputs, "logits"), ["logits"])
        self._layers: dict[str, Tensor] = {}
        for name, layer in network.features.named_modules():
            layer.register_forward_hook(self._keep(name))
        self._tapped = ""

    def _keep(self, name: str):  # type: ignore[no-untyped-def]
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            self._layers[name] = output

        return hook

    def ask(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits [N, K] of films [N, 1, H, W], rounded and unrounded."""
        rounded, unrounded = [], []
        for start in range(0, len(pixels), _AT_ONCE):
            batch = np.ascontiguousarray(pixels[start : start + _AT_ONCE])
            logits, seen, tap = self._whole.run(None, {"image": batch})
            network = self.network
            with torch.no_grad():
                features = network.features(
                    (torch.from_numpy(seen).float() - network.mean) / network.std
                )
            there = (tap.astype(np.float64) - self.parts.zero) * self.parts.scale
            if not self._tapped:
                self._tapped = self._find(there)
            layer = self._layers[self._tapped].double().numpy()
            (free,) = self._head.run(
                None,
                {
                    "head_features": features.double().numpy(),
                    self.parts.tap_in: layer / self.parts.scale + self.parts.zero,
                },
            )
            rounded.append(logits)
            unrounded.append(free)
        return np.concatenate(rounded), np.concatenate(unrounded)

    def _find(self, there: NDArray[np.float64]) -> str:
        """Return the network's layer that is nearest to the tapped one."""
        errors = {
            name: float(np.square(layer.double().numpy() - there).mean())
            for name, layer in self._layers.items()
            if layer.shape == there.shape
        }
        return min(errors, key=lambda name: errors[name])


def cut(model: onnx.ModelProto, inputs: Sequence[str], output: str) -> onnx.ModelProto:
    """Return what leads from `inputs`, doubles of four dimensions, to `output`."""
    makers = {name: node for node in model.graph.node for name in node.output}
    wanted, kept = [output], list[str]()
    while wanted:
        name = wanted.pop()
        if name in inputs or name not in makers:
            continue
        node = makers[name]
        if node.name not in kept:
            kept.append(node.name)
            wanted += list(node.input)
    nodes = [node for node in model.graph.node if node.name in kept]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info(one, TensorProto.DOUBLE, [None] * 4) for one in inputs],
        [one for one in model.graph.output if one.name == output],
        [one for one in model.graph.initializer if one.name in used],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def open_parts(model: onnx.ModelProto, outputs: Sequence[str]):  # type: ignore[no-untyped-def]
    """Open a copy of the model that gives `outputs`, tensors of its graph."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for name in outputs:
        copy.graph.output.append(onnx.ValueInfoProto(name=name))
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def compare(
    rounded: NDArray[np.float64], unrounded: NDArray[np.float64], is_tb: NDArray[np.bool_]
) -> str:
    """Return both AUROCs of scores [N] and their difference with its interval."""
    both = [auroc(scores, is_tb) for scores in (unrounded, rounded)]
    assert both[0] is not None and both[1] is not None
    random, moved = np.random.default_rng(0), []
    for _ in range(DRAWS):
        drawn = random.integers(0, len(is_tb), len(is_tb))
        before, after = (auroc(one[drawn], is_tb[drawn]) for one in (unrounded, rounded))
        if before is not None and after is not None:
            moved.append(after - before)
    low, high = np.quantile(moved, [0.025, 0.975])
    return (
        f"{int(is_tb.sum())} + {int((~is_tb).sum())} | {both[0]:.4f} | {both[1]:.4f} | "
        f"{both[1] - both[0]:+.4f} ({low:+.4f} to {high:+.4f})"
    )


def choose(
    examples: Sequence[Example], splits: Sequence[str], sources: Sequence[str]
) -> list[Example]:
    """Return adults' TB and normal films of these splits and sources (none: all)."""
    asked = [
        one
        for one in examples
        if one.split in splits
        and one.label in (_NORMAL, _TB)
        and (not sources or one.source in sources)
    ]
    return [one for one, kept in zip(asked, may_be_adult(asked), strict=True) if kept]


def main() -> None:
    """Parse the command line, ask both, print a line a source."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--splits", nargs="+", default=["val"])
    parser.add_argument("--source", nargs="+", default=[])
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    file = load_model_file(options.model)
    referral = file.card.referral
    if not isinstance(referral, Referral):
        raise SystemExit("The model has no referral score.")
    twin = Twin(onnx.load(options.model), load_run(options.run).network)
    films = load_films(
        choose(read_data(options.data), options.splits, options.source),
        file.card.input.height,
        what="films",
        cache=options.cache,
    )
    rounded, unrounded = (
        referral_values(logits, file.card.temperature, referral)
        for logits in twin.ask(np.array(films.pixels))
    )
    is_tb = films.labels == _TB
    sources = np.array([one.source for one in films.examples])
    print("films | TB + normal | fp32 | INT8 | difference")
    print("--- | --- | --- | --- | ---")
    print(f"all | {compare(rounded, unrounded, is_tb)}")
    for source in sorted(set(sources)):
        chosen = sources == source
        if 0 < is_tb[chosen].sum() < chosen.sum():
            print(f"{source} | {compare(rounded[chosen], unrounded[chosen], is_tb[chosen])}")


if __name__ == "__main__":
    main()
