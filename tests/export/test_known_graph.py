"""A graph exported once serves other weights of the same network, and no other network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from cxr_export import known_graph as room
from cxr_export.known_graph import known_graph, remember_graph
from cxr_export.quantize import run_logits
from cxr_export.to_onnx import export_onnx
from cxr_train.fit.network import CamNetwork

SIDE = 32


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_known", {})


def make_network(seed: int, *more: nn.Module) -> CamNetwork:
    torch.manual_seed(seed)
    features = nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), *more)
    network = CamNetwork(features, 8)
    with torch.no_grad():
        for one in network.parameters():
            one.add_(0.3 * torch.randn_like(one))
        network.features[1].running_mean.add_(0.5)  # type: ignore[index]
    return network.eval()


def export(network: CamNetwork, path: Path) -> Path:
    export_onnx(network, path, size=SIDE)
    remember_graph(network, onnx.load(path), size=SIDE)
    return path


def test_other_weights_give_their_own_logits(tmp_path: Path) -> None:
    first, second = make_network(1), make_network(2)
    assert known_graph(first, size=SIDE) is None
    export(first, tmp_path / "first.onnx")
    graph = known_graph(second, size=SIDE)
    assert graph is not None
    onnx.save(graph, tmp_path / "second.onnx")
    films = np.random.default_rng(0).integers(0, 256, (3, 1, SIDE, SIDE), dtype=np.uint8)
    for network, name in ((first, "first.onnx"), (second, "second.onnx")):
        with torch.no_grad():
            wanted = network(torch.from_numpy(films))[0].numpy()
        np.testing.assert_allclose(run_logits(tmp_path / name, films), wanted, atol=1e-4)
    assert np.abs(run_logits(tmp_path / "first.onnx", films) - wanted).max() > 0.1


def test_another_network_or_size_is_not_known(tmp_path: Path) -> None:
    export(make_network(1), tmp_path / "one.onnx")
    assert known_graph(make_network(1), size=SIDE) is not None
    assert known_graph(make_network(1), size=2 * SIDE) is None
    assert known_graph(make_network(1, nn.MaxPool2d(2)), size=SIDE) is None


def test_a_weight_without_a_place_asks_for_a_graph_of_its_own(tmp_path: Path) -> None:
    """A norm that follows no convolution is not folded into one: its weights would be old ones."""
    alone = (nn.MaxPool2d(2), nn.BatchNorm2d(8))
    export(make_network(1, *alone), tmp_path / "one.onnx")
    assert known_graph(make_network(2, *alone), size=SIDE) is None
