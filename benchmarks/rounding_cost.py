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
from onnx.utils import Extractor
from torch import Tensor, nn

from cxr_train.data.dataset import load_films
from cxr_train.data.manifest import Example, read_data
from cxr_train.figures.metrics import auroc, group_bootstrap
from cxr_train.figures.operating_point import may_be_adult
from cxr_train.fit.checkpoint import load_run
from cxr_train.fit.network import CamNetwork
from cxr_train.int8_layers import open_with_layers
from cxr_train.lung_head.prepare_input import seen_by_network
from edge_infer.model.findings import referral_values
from edge_infer.model.model_card import CLASSES, Referral
from edge_infer.model.model_file import load_model_file

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
    quantized = next(node for node in nodes if readers[0].input[0] in node.output)
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    return Parts(
        prepared=seen_by_network(model),
        tap=readers[0].input[0],
        tap_in=readers[0].output[0],
        scale=float(values[quantized.input[1]]),
        zero=float(values[quantized.input[2]]),
    )


class Twin:
    """The model with its network unrounded."""

    def __init__(self, model: onnx.ModelProto, network: CamNetwork) -> None:
        self.parts, self.network = take_apart(model), network
        self._whole = open_with_layers(model, [self.parts.prepared, self.parts.tap])
        self._head = open_with_layers(cut(model, ["head_features", self.parts.tap_in]), [])
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
            wanted = ["logits", self.parts.prepared, self.parts.tap]
            logits, seen, tap = self._whole.run(wanted, {"image": batch})
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


def cut(model: onnx.ModelProto, inputs: Sequence[str]) -> onnx.ModelProto:
    """Return what leads from `inputs`, doubles of four dimensions, to the logits."""
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    typed.graph.value_info.extend(
        helper.make_tensor_value_info(one, TensorProto.DOUBLE, [None] * 4) for one in inputs
    )
    return Extractor(typed).extract_model(list(inputs), ["logits"])


def compare(
    rounded: NDArray[np.float64], unrounded: NDArray[np.float64], is_tb: NDArray[np.bool_]
) -> str:
    """Return both AUROCs of scores [N] and their difference with its interval."""
    before, after = auroc(unrounded, is_tb), auroc(rounded, is_tb)

    def moved(films: NDArray[np.intp]) -> float | None:
        old, new = (auroc(one[films], is_tb[films]) for one in (unrounded, rounded))
        return None if old is None or new is None else new - old

    change = group_bootstrap(moved, [f"{film:06}" for film in range(len(is_tb))])
    assert before is not None and after is not None and change is not None
    return (
        f"{int(is_tb.sum())} + {int((~is_tb).sum())} | {before:.4f} | {after:.4f} | "
        f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"
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
