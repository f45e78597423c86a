"""The fp32 graph of an architecture that this process has exported before, with other weights.

Following a network's forward takes `torch.export` 6 to 9 seconds of a core whatever the network's
size, and what comes out depends on architecture and picture size alone. `cxr-train compare` exports
each of the study's architectures three times in one process.
"""

from __future__ import annotations

import onnx
from onnx import numpy_helper
from torch import nn

from cxr_export.refine import convolutions_by_name, put_weights
from cxr_train.errors import ConfigError
from cxr_train.fit.network import CamNetwork

_HEAD = {"cam.weight", "bias"}
_known: dict[str, onnx.ModelProto] = {}
"""Graphs of this process, by what `_key` says of their networks."""


def known_graph(network: CamNetwork, *, size: int) -> onnx.ModelProto | None:
    """Return the graph of an equal network, remembered, with the weights of this one.

    None where there is none, or where a weight would have no place in it. The caller compares its
    logits with the network's, as with any graph.
    """
    known = _known.get(_key(network, size))
    if known is None or not _all_weights_have_places(network):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(known)
    try:
        put_weights(model, network)
    except (ConfigError, KeyError):
        return None
    values = {one.name: one for one in model.graph.initializer}
    if not values.keys() >= _HEAD:
        return None
    for name in _HEAD:
        weight = network.state_dict()[name].detach().cpu().numpy()
        values[name].CopyFrom(numpy_helper.from_array(weight, name))
    return model


def remember_graph(network: CamNetwork, model: onnx.ModelProto, *, size: int) -> None:
    """Remember the fp32 graph of a network, as long as this process runs."""
    _known[_key(network, size)] = model


def _key(network: CamNetwork, size: int) -> str:
    return f"{size} {network.mean} {network.std} {network.standardized} {network!r}"


def _all_weights_have_places(network: CamNetwork) -> bool:
    """Say whether all that was trained is in convolutions, norms right after them, or the head."""
    try:
        layers = convolutions_by_name(network)
    except ConfigError:
        return False
    found = {id(network.cam.weight), id(network.bias)}
    for layer in layers.values():
        parts: list[nn.Module] = [layer.convolution]
        parts += [] if layer.norm is None else [layer.norm]
        found |= {id(one) for part in parts for one in part.parameters()}
    return all(id(one) in found for one in network.parameters())
