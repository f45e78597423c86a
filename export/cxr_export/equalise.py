"""Changes of weights that leave the function, or its means, and make rounding cost less.

Equalisation and bias correction as in Nagel et al. 2019, "Data-free quantization through weight
equalization and bias correction", with means measured on films instead of derived.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from cxr_train.fit.efficientnet_lite import SamePad
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.quantize_aware import quantize_aware, rounded_activations, set_ranges
from cxr_train.fit.rounded_layers import RoundedActivation, RoundedConvolution

_ROOM = 1.25
"""How much farther than on the films a channel may reach before ReLU6 would clip it."""
_CLIP = 6.0


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two convolutions with nothing but an activation between them."""

    first: RoundedConvolution
    activation: nn.Module
    second: RoundedConvolution


def equalise(network: CamNetwork, films: list[Tensor]) -> None:
    """Even out channels between pairs of which one is depthwise, in place.

    A channel is scaled up before the activation and down by as much after it, so that it uses more
    of the 256 steps of the whole tensor and its weights less of a row's. A channel that comes near
    ReLU6's clip on `films`, batches of [N, 1, H, W], is left alone: there it is not the same
    function. Another activation than ReLU or ReLU6, or one without batch norm before it, too.
    """
    view = quantize_aware(network)
    pairs = _find_pairs(view)
    for pair, largest in zip(pairs, _largest(view, pairs, films), strict=True):
        norm, convolution = pair.first.norm, pair.second.convolution
        clipped = isinstance(pair.activation, nn.ReLU6)
        assert isinstance(norm, nn.BatchNorm2d)
        with torch.no_grad():
            factor = _factor(largest, convolution, ceiling=_CLIP if clipped else None)
            norm.weight.mul_(factor)
            norm.bias.mul_(factor)
            depthwise = convolution.groups > 1
            convolution.weight.div_(factor.reshape((-1, 1, 1, 1) if depthwise else (1, -1, 1, 1)))


def _factor(largest: Tensor, second: nn.Conv2d, *, ceiling: float | None) -> Tensor:
    """Return what each channel [C] is multiplied by, from its largest value on films."""
    reach = float(largest.max())
    alive = largest > 1e-3 * reach
    up = reach / largest.clamp(min=1e-3 * reach)
    if second.groups == 1:
        # The next layer's row has one scale: a channel whose weights are small there has no use
        # for being made smaller still.
        weights = second.weight.abs().amax(dim=(0, 2, 3))
        share = weights / weights[alive].median().clamp(min=1e-12)
        up = (up * share).sqrt().clamp(max=up)
    if ceiling is not None:
        free = largest * _ROOM < ceiling
        up = torch.where(free, torch.minimum(up, ceiling / (_ROOM * largest)), 1.0)
    return torch.where(alive, up, 1.0)


def _find_pairs(view: CamNetwork) -> list[_Pair]:
    pairs = []
    graph = view.features.graph
    assert isinstance(graph, fx.GraphModule)
    modules = dict(graph.named_modules())
    for node in graph.graph.nodes:
        first = modules.get(str(node.target))
        if not isinstance(first, RoundedConvolution) or not isinstance(first.norm, nn.BatchNorm2d):
            continue
        chain = _follow(node, modules)
        if len(chain) != 2 or not isinstance(chain[0], (nn.ReLU, nn.ReLU6)):
            continue
        activation, second = chain
        assert isinstance(second, RoundedConvolution)
        grouped = first.convolution.groups, second.convolution.groups
        whole = second.convolution.groups in (1, second.convolution.in_channels)
        if max(grouped) > 1 and whole:
            pairs.append(_Pair(first=first, activation=activation, second=second))
    return pairs


def _follow(node: fx.Node, modules: dict[str, nn.Module]) -> list[nn.Module]:
    """Return the layers after `node` up to the next convolution, where there is one way only."""
    chain: list[nn.Module] = []
    while len(node.users) == 1:
        node = next(iter(node.users))
        module = modules.get(str(node.target))
        if module is None:
            return []
        if not isinstance(module, (SamePad, RoundedActivation)):
            chain.append(module)
        if isinstance(module, RoundedConvolution):
            return chain
    return []


def _largest(view: CamNetwork, pairs: list[_Pair], films: list[Tensor]) -> list[Tensor]:
    """Return each pair's largest value between them [C] on `films`."""
    found: dict[nn.Module, Tensor] = {}

    def watch(layer: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> None:
        most = out.detach().amax(dim=(0, 2, 3))
        found[layer] = torch.maximum(found[layer], most) if layer in found else most

    handles = [pair.activation.register_forward_hook(watch) for pair in pairs]
    _set_exact(view, exact=True)
    with torch.no_grad():
        for batch in films:
            view(batch)
    for handle in handles:
        handle.remove()
    return [found[pair.activation] for pair in pairs]


def correct_biases(network: CamNetwork, films: list[Tensor]) -> None:
    """Take out of each convolution's bias what rounding adds to its channels' means, in place.

    First to last, each one behind the layers that are corrected already. `films` are batches of
    [N, 1, H, W], equal in size but for the last. Layers without bias or batch norm stay.
    """
    view = quantize_aware(network)
    layers = [one for one in view.modules() if isinstance(one, RoundedConvolution)]
    wanted: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> None:
        wanted[layer] = wanted.get(layer, 0) + out.sum(dim=(0, 2, 3)) / out[0, 0].numel()

    def correct(layer: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> Tensor:
        assert isinstance(layer, RoundedConvolution)
        bias = layer.convolution.bias if layer.norm is None else layer.norm.bias
        if bias is None:
            return out
        assert isinstance(bias, Tensor)
        error = out.mean(dim=(0, 2, 3)) - wanted[layer] / count
        bias.sub_(error)
        return out - error.reshape(1, -1, 1, 1)

    count = sum(len(batch) for batch in films)
    with torch.no_grad():
        _set_exact(view, exact=True)
        handles = [layer.register_forward_hook(note) for layer in layers]
        for batch in films:
            view(batch)
        for handle in handles:
            handle.remove()
        _set_exact(view, exact=False)
        set_ranges(view, films)
        handles = [layer.register_forward_hook(correct) for layer in layers]
        view(torch.cat(films))
        for handle in handles:
            handle.remove()


def _set_exact(view: CamNetwork, *, exact: bool) -> None:
    for module in view.modules():
        if isinstance(module, RoundedConvolution):
            module.exact = exact
    for place in rounded_activations(view):
        place.stop_rounding()
