"""The networks are features -> cam -> mean + bias, and say so when they cannot be."""

from __future__ import annotations

import pytest
import torch

from cxr_train.errors import ConfigError
from cxr_train.fit.network import build_network


@pytest.mark.parametrize(
    "arch", ["cnn5", "resnet18", "efficientnet_lite0", "mobilenet_v2", "densenet121"]
)
def test_logits_are_the_mean_of_cam_plus_bias(arch: str) -> None:
    torch.manual_seed(0)
    network = build_network(arch).eval()
    with torch.no_grad():
        network.bias.copy_(torch.tensor([0.5, -1.0, 2.0, 0.25]))
        logits, cam = network(torch.randint(0, 256, (2, 1, 96, 96), dtype=torch.uint8))
    assert logits.shape == (2, 4) and cam.shape[:2] == (2, 4)
    torch.testing.assert_close(logits, cam.mean(dim=(2, 3)) + network.bias)
    assert logits.std() > 0


def test_cnn5_has_five_convolutions_before_the_head() -> None:
    convolutions = [
        module
        for module in build_network("cnn5").features.modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    assert len(convolutions) == 5


@pytest.mark.parametrize(
    ("arch", "reason"),
    [
        ("vgg11", "does not end in global average pooling"),
        ("mobilenet_v3_small", "does not end in global average pooling"),
        ("resnet99", "Unknown architecture"),
    ],
)
def test_unsuitable_networks_are_refused_with_the_reason(arch: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        build_network(arch)


def test_grey_input_takes_uint8_and_float_alike() -> None:
    network = build_network("cnn5").eval()
    image = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(network(image)[0], network(image.float())[0])
