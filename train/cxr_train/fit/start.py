"""The weights a training begins with: another run's, or those of a released .onnx.

A released file holds convolutions with batch norm folded in and weights of 7 bits. Unfolded on
training films it is the same function with batch norm in place, so that a training can go on where
the training of another day or another team ended.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxr_train.config import TrainConfig
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.checkpoint import load_run
from cxr_train.fit.foreign_weights import FOREIGN_SUFFIXES, load_foreign
from cxr_train.fit.network import CamNetwork, build_for
from edge_infer.model.classifier import Classifier

_FILMS = 256
_BATCH = 32
_OTHER_PROGRAM = "its layers are not those of this program's {arch}"


def load_start(path: Path, config: TrainConfig, films: NDArray[np.uint8]) -> CamNetwork:
    """Load the network to begin with from a run folder, an exported .onnx or a state dict.

    `films` [N, 1, H, W] uint8 are training films: from some of them come the batch norm statistics
    that an .onnx no longer has. Raises ConfigError for another architecture, DataError for a
    damaged run, ModelError for a file that is no model of ours.
    """
    if path.suffix.lower() in FOREIGN_SUFFIXES and path.is_file():
        return load_foreign(path, config)
    if path.is_file():
        return _load_onnx(path, config, films)
    run = load_run(path)
    if run.config.arch != config.arch:
        raise ConfigError(f"{path} holds a {run.config.arch}, the settings ask for {config.arch}.")
    return run.network


def _load_onnx(path: Path, config: TrainConfig, films: NDArray[np.uint8]) -> CamNetwork:
    import onnx

    Classifier.load(path)  # refuses what is damaged or not ours, with a sentence
    network = build_for(config).eval()
    weights = _read_weights(onnx.load(path).graph)
    folded = _put_weights(network, weights, f"{path}: {_OTHER_PROGRAM.format(arch=config.arch)}.")
    _unfold(network, folded, films)
    return network


def _read_weights(graph: Any) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Return each convolution's weight and bias by the name of its weight, and the head's bias."""
    from onnx.numpy_helper import to_array

    values = {one.name: to_array(one) for one in graph.initializer}
    makers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}

    def read(name: str) -> Tensor:
        if name in values:
            return torch.from_numpy(values[name].astype(np.float32))
        integers, scale, zero = (values[part] for part in makers[name].input)
        wide = (-1, *[1] * (integers.ndim - 1))
        numbers = integers.astype(np.float64) - zero.astype(np.float64).reshape(wide)
        return torch.from_numpy((numbers * scale.reshape(wide)).astype(np.float32))

    found: dict[str, tuple[Tensor, Tensor | None]] = {}
    for node in graph.node:
        if node.op_type == "Conv":
            name = makers[node.input[1]].input[0] if node.input[1] in makers else node.input[1]
            name = name.removesuffix("_quantized")
            # What was put in front of the network later (a smoothed input) is not the network's.
            if name.startswith(("features.", "cam.")):
                bias = read(node.input[2]) if len(node.input) > 2 else None
                found[name] = read(node.input[1]), bias
    # The head is a matrix product in double; its weights are fp32 under their own names.
    found |= {name: (read(name), None) for name in ("cam.weight", "bias") if name in values}
    return found


def _put_weights(
    network: CamNetwork, weights: dict[str, tuple[Tensor, Tensor | None]], complaint: str
) -> list[tuple[nn.BatchNorm2d, Tensor]]:
    """Copy convolutions into `network`; return their batch norms with the biases folded in."""
    modules = dict(network.named_modules())
    following = _norms_after_convolutions(network)
    folded = []
    try:
        with torch.no_grad():
            network.bias.copy_(weights.pop("bias")[0])
            for name, (weight, bias) in weights.items():
                layer = modules[name.removesuffix(".weight")]
                assert isinstance(layer, nn.Conv2d)
                if layer.weight.shape != weight.shape:
                    raise ConfigError(complaint)
                layer.weight.copy_(weight)
                if bias is not None:
                    folded.append((following[layer], bias))
    except (KeyError, AssertionError) as error:
        raise ConfigError(complaint) from error
    convolutions = [one for one in modules.values() if isinstance(one, nn.Conv2d)]
    if len(convolutions) != len(weights) or len(folded) != len(following):
        raise ConfigError(complaint)
    return folded


def _norms_after_convolutions(network: nn.Module) -> dict[nn.Conv2d, nn.BatchNorm2d]:
    """Pair every batch norm with the convolution defined before it in the same block.

    Networks that normalise before they convolve (densenet) have norms left over and are refused.
    """
    pairs = {}
    for parent in network.modules():
        last: nn.Conv2d | None = None
        for child in parent.children():
            if isinstance(child, nn.Conv2d):
                last = child
            elif isinstance(child, nn.BatchNorm2d) and last is not None:
                pairs[last] = child
                last = None
    return pairs


def _unfold(
    network: CamNetwork, folded: list[tuple[nn.BatchNorm2d, Tensor]], films: NDArray[np.uint8]
) -> None:
    """Give batch norms the statistics of `films`, so that training mode computes the same too."""
    if not len(films):
        raise DataError("Beginning with an .onnx needs training films; there are none.")
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def watch(norm: nn.BatchNorm2d) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = inputs[0].double()
            moments = torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))])
            sums.setdefault(norm, []).append(moments * len(values))

        return hook

    for norm, bias in folded:
        with torch.no_grad():
            norm.weight.fill_(1)
            norm.bias.copy_(bias)
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
    handles = [norm.register_forward_pre_hook(watch(norm)) for norm, _ in folded]
    chosen = np.linspace(0, len(films) - 1, min(_FILMS, len(films))).astype(int)
    with torch.no_grad():
        for first in range(0, len(chosen), _BATCH):
            network(torch.from_numpy(np.array(films[chosen[first : first + _BATCH]])))
    for handle in handles:
        handle.remove()
    for norm, bias in folded:
        mean, square = torch.stack(sums[norm]).sum(dim=0) / len(chosen)
        variance = (square - mean.square()).clamp(min=0)
        with torch.no_grad():
            norm.running_mean.copy_(mean)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(bias + mean)
