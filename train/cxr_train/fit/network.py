"""The networks: any classifier that ends in global average pooling and one linear layer.

Every network is rebuilt as `features -> cam (1x1 convolution) -> spatial mean + bias`, which is the
same function (a mean of linear maps is the linear map of the mean) and yields the class activation
map for free. Scaling and normalisation are inside, so that the exported graph takes plain uint8.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn

from cxr_train.config import TrainConfig
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.efficientnet_lite import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITE_ARCHS,
    lite_features,
    lite_network,
)
from cxr_train.fit.standardize import standardize
from edge_infer.model.model_card import CLASSES

# Mean and standard deviation of stretched grey over the training films, in 0..255.
GREY_MEAN, GREY_STD = 138.0, 76.0
_LARGEST_REBUILD_ERROR = 1e-3


class CamNetwork(nn.Module):
    """Score grey films: logits [N, K] are the spatial mean of cam [N, K, h, w] plus a bias.

    The first four are the classes; the fifth, where there is one, is the referral logit.
    """

    def __init__(
        self,
        features: nn.Module,
        channels: int,
        *,
        outputs: int = len(CLASSES),
        mean: float = GREY_MEAN,
        std: float = GREY_STD,
    ) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.standardized = False
        self.features = features
        self.cam = nn.Conv2d(channels, outputs, kernel_size=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Take `image` [N, 1, H, W], uint8 or float, 0..255."""
        image = standardize(image.float()) if self.standardized else image.float()
        cam = self.cam(self.features((image - self.mean) / self.std))
        # The mean over some hundred cells is taken in fp32: bf16 would keep three digits of it.
        return cam.float().mean(dim=(2, 3)) + self.bias, cam


def build_for(
    config: TrainConfig,
    *,
    pretrained: bool = False,
    prepare: Callable[[nn.Module], None] | None = None,
) -> CamNetwork:
    """Build the network that `config` describes; see `build_network`."""
    network = build_network(
        config.arch, pretrained=pretrained, outputs=config.outputs, prepare=prepare
    )
    network.standardized = config.standardize
    return network


def build_network(
    arch: str,
    *,
    pretrained: bool = False,
    outputs: int = len(CLASSES),
    prepare: Callable[[nn.Module], None] | None = None,
) -> CamNetwork:
    """Build `cnn5`, an EfficientNet-Lite or any suitable torchvision classifier for grey films.

    Raises ConfigError for an unknown or unsuitable architecture, DataError when pretrained weights
    are neither installed nor to be downloaded. Initial weights come from torch's global generator.
    `prepare` may change the network as its library builds it, for colour and with its own head.
    """
    if arch == "cnn5":
        if pretrained:
            raise ConfigError("There are no pretrained weights for cnn5: drop --pretrained.")
        network = CamNetwork(_cnn5_features(), channels=512, outputs=outputs)
        if prepare is not None:
            prepare(network)
        return network
    if arch in LITE_ARCHS:
        return _lite(arch, pretrained=pretrained, outputs=outputs, prepare=prepare)
    original = _torchvision_network(arch, pretrained=pretrained)
    if prepare is not None:
        prepare(original)
    features, head = _split_at_pooling(arch, original)
    _check_rebuild(arch, original, features, head)
    _to_one_channel(features)
    return CamNetwork(features, channels=head.in_features, outputs=outputs)


def _lite(
    arch: str, *, pretrained: bool, outputs: int, prepare: Callable[[nn.Module], None] | None
) -> CamNetwork:
    original = lite_network(arch, pretrained=pretrained)
    if prepare is not None:
        prepare(original)
    features, head = lite_features(original), dict(original.named_children())["classifier"]
    assert isinstance(head, nn.Linear)
    _check_rebuild(arch, original, features, head)
    _to_one_channel(features)
    return CamNetwork(
        features,
        channels=head.in_features,
        outputs=outputs,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _cnn5_features() -> nn.Module:
    """Five 3x3 convolutions, each with batch norm, ReLU and 2x2 max pooling: the study's CNN."""
    widths = (1, 32, 64, 128, 256, 512)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [
            nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers)


def _torchvision_network(arch: str, *, pretrained: bool) -> nn.Module:
    import torchvision.models as models
    from torchvision.models import get_model, list_models

    if arch not in list_models(module=models):
        raise ConfigError(
            f"Unknown architecture '{arch}': use cnn5, resnet18, {', '.join(LITE_ARCHS)} "
            "or another torchvision classifier."
        )
    try:
        network: nn.Module = get_model(arch, weights="DEFAULT" if pretrained else None)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a bad hash a RuntimeError
        raise DataError(
            f"Pretrained weights of {arch} cannot be downloaded ({error}): "
            "connect to the internet, or train from scratch without --pretrained."
        ) from error
    return network.eval()


def _split_at_pooling(arch: str, network: nn.Module) -> tuple[nn.Module, nn.Linear]:
    children = dict(network.named_children())
    if isinstance(children.get("fc"), nn.Linear) and "avgpool" in children:
        head = children["fc"]
        names = list(children)
        body = [children[name] for name in names[: names.index("avgpool")]]
        features: nn.Module = nn.Sequential(*body)
    elif "features" in children and (linear := _only_linear(children.get("classifier"))):
        head = linear
        body = [children["features"]]
        if arch.startswith("densenet"):
            body.append(nn.ReLU(inplace=True))
        features = nn.Sequential(*body)
    else:
        raise ConfigError(
            f"{arch} does not end in global average pooling and one linear layer, so its heat map "
            "would not explain its score: use resnet18, densenet121 or another."
        )
    assert isinstance(head, nn.Linear)
    return features, head


def _only_linear(classifier: nn.Module | None) -> nn.Linear | None:
    if isinstance(classifier, nn.Linear):
        return classifier
    if not isinstance(classifier, nn.Sequential):
        return None
    layers = [layer for layer in classifier if not isinstance(layer, nn.Dropout)]
    return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) else None


def _check_rebuild(arch: str, original: nn.Module, features: nn.Module, head: nn.Linear) -> None:
    """Refuse the architecture unless pooling its features and the head give its own output."""
    probe = torch.linspace(-1, 1, 2 * 3 * 96 * 96).reshape(2, 3, 96, 96).sin()
    with torch.no_grad():
        expected = original(probe)
        rebuilt = head(deepcopy(features).eval()(probe).mean(dim=(2, 3)))
    if (expected - rebuilt).abs().max() > _LARGEST_REBUILD_ERROR * (1 + expected.abs().max()):
        raise ConfigError(
            f"{arch} does something between its features and its linear layer that a 1x1 "
            "convolution cannot repeat: use resnet18, densenet121 or another."
        )


def _to_one_channel(features: nn.Module) -> None:
    """Replace the first convolution by one for grey: the sum over its colour weights."""
    for parent in features.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                setattr(parent, name, _grey_convolution(child))
                return


def _grey_convolution(colour: nn.Conv2d) -> nn.Conv2d:
    grey = nn.Conv2d(
        1,
        colour.out_channels,
        kernel_size=colour.kernel_size,  # type: ignore[arg-type]
        stride=colour.stride,  # type: ignore[arg-type]
        padding=colour.padding,  # type: ignore[arg-type]
        bias=colour.bias is not None,
    )
    with torch.no_grad():
        grey.weight.copy_(colour.weight.sum(dim=1, keepdim=True))
        if grey.bias is not None and colour.bias is not None:
            grey.bias.copy_(colour.bias)
    return grey
