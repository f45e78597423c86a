"""Layers that compute in fp32 what INT8 would give, with gradients; ranges as the export sets them.

Weights: symmetric, per output channel, 7 bits, 8 in depthwise convolutions. Activations: unsigned 8
bits for the whole tensor, 0 always among the steps. The gradient passes rounding as if it were not
there (straight-through, Bengio et al. 2013) and stops where a value is clipped.
"""

from __future__ import annotations

from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

SEVEN_BITS, EIGHT_BITS = 64, 127
"""The largest weight in steps. 64 is the most that AVX2's 16-bit sums of two products with 255
hold; depthwise convolutions are summed in 32 bits."""
LEVELS = 255
BINS = 2048
"""Bins that values are counted in to choose a range."""
SMALLEST = 1e-8


class Mode(Enum):
    """What a place that will be rounded does with the values that pass."""

    ROUND = 0
    PASS = 1
    FIND_EXTREMES = 2
    COUNT = 3


class RoundedActivation(nn.Module):
    """Round to 8 bits between `low` and `high`, which include 0; outside, clip."""

    low: Tensor
    high: Tensor
    scale: Tensor
    zero: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        """The convolution whose (activated) output this is, `sum K` or `image`."""
        self.mode = Mode.PASS
        for buffer in ("low", "high"):
            self.register_buffer(buffer, torch.zeros(()), persistent=False)
        self.register_buffer("scale", torch.ones(()), persistent=False)
        self.register_buffer("zero", torch.zeros((), dtype=torch.int32), persistent=False)
        self.counts: Tensor | None = None

    def forward(self, values: Tensor) -> Tensor:
        """Return `values`, rounded or watched."""
        if self.mode is Mode.ROUND:
            return torch.fake_quantize_per_tensor_affine(values, self.scale, self.zero, 0, LEVELS)
        if self.mode is Mode.FIND_EXTREMES:
            self.low = torch.minimum(self.low, values.detach().amin())
            self.high = torch.maximum(self.high, values.detach().amax())
        elif self.mode is Mode.COUNT:
            self._count(values.detach())
        return values

    def stop_rounding(self) -> None:
        """Let values pass as they are from now on."""
        self.mode = Mode.PASS

    def set_range(self, low: float, high: float) -> None:
        """Round between `low` and `high` from now on; the range is widened to hold 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max((high - low) / LEVELS, SMALLEST)
        self.low.fill_(low)
        self.high.fill_(high)
        self.scale.fill_(scale)
        self.zero.fill_(round(-low / scale))
        self.counts = None
        self.mode = Mode.ROUND

    def choose_range(self) -> None:
        """Round from now on in the range with the least squared error of the values counted."""
        assert self.counts is not None
        counts = self.counts.cpu().double()
        self.set_range(*_least_loss(counts, float(self.low), float(self.high)))

    def _count(self, values: Tensor) -> None:
        width = (self.high - self.low).clamp(min=SMALLEST) / BINS
        bins = ((values - self.low) / width).long().clamp(0, BINS - 1).flatten()
        counted = torch.bincount(bins, minlength=BINS)
        self.counts = counted if self.counts is None else self.counts + counted


def _least_loss(counts: Tensor, low: float, high: float) -> tuple[float, float]:
    """Return the range with the least squared error of values counted in equal bins.

    Ends are drawn in together: of a range that begins at 0 only the upper one moves.
    """
    values = low + (torch.arange(BINS, dtype=torch.float64) + 0.5) * (high - low) / BINS
    best, least = (low, high), float("inf")
    for part in torch.linspace(0.3, 1.0, 71, dtype=torch.float64).tolist():
        start, end = low * part, high * part
        scale = max((end - start) / LEVELS, SMALLEST)
        zero = round(-start / scale)
        rounded = ((values / scale).round() + zero).clamp(0, LEVELS).sub(zero) * scale
        # Values of a bin lie anywhere in it: the error of rounding them is taken as uniform.
        inside = (values >= start) & (values <= end)
        errors = torch.where(inside, scale**2 / 12, (values - rounded).square())
        loss = float((counts * errors).sum())
        if loss < least:
            best, least = (start, end), loss
    return best


class RoundedConvolution(nn.Module):
    """A convolution with the batch norm after it folded in, its weights rounded per channel."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.Module | None) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, norm
        self.exact = False
        """Whether weights are left unrounded, to compare with."""

    def forward(self, values: Tensor) -> Tensor:
        """Convolve [N, C, H, W]."""
        weight, bias = fold(self.convolution, self.norm)
        if not self.exact:
            weight = round_weight(weight, levels=levels_of(self.convolution))
        return F.conv2d(
            values,
            weight,
            bias,
            self.convolution.stride,
            self.convolution.padding,
            self.convolution.dilation,
            self.convolution.groups,
        )


def fold(convolution: nn.Conv2d, norm: nn.Module | None) -> tuple[Tensor, Tensor | None]:
    """Return weight and bias of `convolution` followed by `norm` with its frozen statistics."""
    weight, bias = convolution.weight, convolution.bias
    if norm is None:
        return weight, bias
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    start = -norm.running_mean if bias is None else bias - norm.running_mean
    return weight * scale.reshape(-1, 1, 1, 1), norm.bias + start * scale


def levels_of(convolution: nn.Conv2d) -> int:
    """Return the largest weight in steps: 8 bits where each channel is convolved by itself."""
    depthwise = convolution.groups == convolution.in_channels == convolution.out_channels
    return EIGHT_BITS if depthwise and convolution.groups > 1 else SEVEN_BITS


def round_weight(weight: Tensor, *, levels: int) -> Tensor:
    """Round [O, I, h, w] to `levels` steps up and down to each output channel's largest value."""
    scale = weight.detach().abs().amax(dim=(1, 2, 3)).clamp(min=SMALLEST) / levels
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -levels, levels)
