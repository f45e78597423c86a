"""The last epochs see the network as its INT8 export will compute it.

The same parameters seen through other arithmetic: batch norm folded into each convolution with the
statistics it has, weights and activations rounded where and as ONNX Runtime rounds them, the head
in full precision. A step moves the plain weights to where their rounded values do better; what is
saved is an ordinary network.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from copy import copy

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cxr_train.config import TrainConfig
from cxr_train.errors import ConfigError
from cxr_train.fit.augment import shrink
from cxr_train.fit.distributed import ALONE, Processes
from cxr_train.fit.efficientnet_lite import SamePad
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.rounded_layers import (
    Mode,
    RoundedActivation,
    RoundedConvolution,
)
from cxr_train.fit.state import TrainState

_FILMS, _BATCH = 128, 32


def round_last_epochs(
    state: TrainState,
    config: TrainConfig,
    films: NDArray[np.uint8],
    *,
    size: int,
    processes: Processes = ALONE,
) -> list[Tensor]:
    """Let the steps of this epoch see INT8 where it is one of the last `quantize_aware` ones.

    Returns the batches that set the ranges, of `films` [N, 1, H, W] at `size`; none for an epoch in
    full precision. The first such epoch begins with the averaged weights and statistics, which no
    later one moves; nothing else is kept between epochs, so that a resumed training goes the same
    way.
    """
    if not config.rounds_in(state.epoch):
        return []
    if not config.rounds_in(state.epoch - 1):
        state.network.load_state_dict(state.average.module.state_dict())
    state.network.eval()
    device = next(state.network.parameters()).device
    calibration = calibration_films(films, size=size, device=device)
    state.stepped = processes.share_gradients(see_as_int8(state.network, calibration))
    return calibration


def calibration_films(films: NDArray[np.uint8], *, size: int, device: torch.device) -> list[Tensor]:
    """Return batches [n, 1, size, size] of films from all over `films` [N, 1, H, W]."""
    chosen = np.linspace(0, len(films) - 1, min(_FILMS, len(films))).astype(int)
    pixels = torch.from_numpy(np.array(films[chosen])).to(device).float()
    return list(torch.split(shrink(pixels, size), _BATCH))


def see_as_int8(network: CamNetwork, films: Sequence[Tensor]) -> CamNetwork:
    """Return `network` seen through INT8 arithmetic, ranges set by batches of films."""
    view = quantize_aware(network)
    set_ranges(view, films)
    return view


class RoundedFeatures(nn.Module):
    """The features of a network with rounding in between, never in a lower precision than fp32."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, image: Tensor) -> Tensor:
        """Return features [N, C, h, w] of normalised images [N, 1, H, W]."""
        # In bf16 a rounded value times its scale would be rounded once more.
        with torch.autocast(image.device.type, enabled=False):
            features: Tensor = self.graph(image.float())
        return features


def quantize_aware(network: CamNetwork) -> CamNetwork:
    """Return `network` seen through INT8 arithmetic: another forward over the same parameters.

    Ranges of activations are not set yet: `set_ranges`. Raises ConfigError for an architecture
    whose forward cannot be followed.
    """
    try:
        graph = _Tracer().trace(network.features)
    except (fx.proxy.TraceError, TypeError, ValueError) as error:
        raise ConfigError(
            f"This architecture cannot be trained quantization-aware: {error}."
        ) from error
    view = copy(network)
    view._modules = dict(network._modules)
    view.features = RoundedFeatures(_Rounding(graph, network.features).run())
    # The ranges' buffers are new and on the CPU; the parameters are the network's own.
    view.features.to(next(network.parameters()).device)
    return view


def rounded_activations(view: CamNetwork) -> Iterator[RoundedActivation]:
    """Yield the places of `view` that round, in the order they run."""
    for module in view.modules():
        if isinstance(module, RoundedActivation):
            yield module


def set_ranges(view: CamNetwork, films: Sequence[Tensor]) -> None:
    """Set every activation's range to what loses least on `films`, batches of [N, 1, H, W].

    Rounding errors inside the range and clipping errors outside are weighed against each other,
    on values as they are before any activation is rounded.
    """
    places = list(rounded_activations(view))
    with torch.no_grad():
        for mode in (Mode.FIND_EXTREMES, Mode.COUNT):
            for place in places:
                place.mode = mode
                if mode is Mode.FIND_EXTREMES:
                    place.low.zero_()
                    place.high.zero_()
            for batch in films:
                view(batch)
    for place in places:
        place.choose_range()


class _Tracer(fx.Tracer):
    """Follows a network's forward down to the layers that have no layers inside."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children()) or super().is_leaf_module(m, module_qualified_name)


_ACTIVATIONS = (nn.ReLU, nn.ReLU6)
_ACTIVATION_FUNCTIONS = (F.relu, F.relu6, torch.relu, "relu", "relu_")
_SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
_OTHER_ROUNDED = (torch.cat, F.avg_pool2d)
_KEEP_STEPS = (nn.MaxPool2d, SamePad, nn.Identity, nn.Dropout)
"""What gives values that its input has, or 0: rounded already."""


class _Rounding:
    """Puts rounding into the graph of a network's features, layer by layer."""

    def __init__(self, graph: fx.Graph, features: nn.Module) -> None:
        self._graph = graph
        self._modules = dict(features.named_modules())
        self._root = nn.Module()
        self._done: set[fx.Node] = set()
        self._sums = 0

    def run(self) -> fx.GraphModule:
        for node in list(self._graph.nodes):
            if node in self._done:
                continue
            if node.op == "placeholder":
                self._round_after(node, "image")
            elif node.op == "call_module":
                self._put_module(node)
            elif node.target in _SUMS:
                self._round_after(node, f"sum {self._sums}")
                self._sums += 1
            elif node.target in (*_ACTIVATION_FUNCTIONS, *_OTHER_ROUNDED):
                self._round_after(node, node.name)
        self._graph.lint()
        return fx.GraphModule(self._root, self._graph)

    def _put_module(self, node: fx.Node) -> None:
        module = self._modules[str(node.target)]
        if not isinstance(module, nn.Conv2d):
            self._call(node, module)
            if not isinstance(module, (*_KEEP_STEPS, _BatchNorm)):
                self._round_after(node, str(node.target))
            return
        name = str(node.target)
        norm = _only_user(node)
        if norm is None or not self._is_norm(norm):
            self._call(node, RoundedConvolution(module, None))
        else:
            self._call(node, RoundedConvolution(module, self._modules[str(norm.target)]))
            norm.replace_all_uses_with(node)
            self._graph.erase_node(norm)
            self._done.add(norm)
        self._round_after(node, name)

    def _call(self, node: fx.Node, module: nn.Module) -> None:
        name = f"layer_{len(self._root._modules)}"
        self._root.add_module(name, module)
        node.target = name

    def _is_norm(self, node: fx.Node) -> bool:
        return isinstance(self._modules.get(str(node.target)), _BatchNorm)

    def _is_activation(self, node: fx.Node) -> bool:
        module = self._modules.get(str(node.target))
        return isinstance(module, _ACTIVATIONS) or node.target in _ACTIVATION_FUNCTIONS

    def _round_after(self, node: fx.Node, name: str) -> None:
        """Round what `node` gives, or what the activation gives that alone takes it."""
        after = _only_user(node)
        if after is not None and self._is_activation(after):
            self._done.add(after)
            if after.op == "call_module":
                self._call(after, self._modules[str(after.target)])
            node = after
        key = f"round_{len(self._root._modules)}"
        self._root.add_module(key, RoundedActivation(name))
        with self._graph.inserting_after(node):
            rounded = self._graph.call_module(key, (node,))
        node.replace_all_uses_with(rounded, delete_user_cb=lambda user: user is not rounded)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None
