"""What a hospital's way of making pictures changes, drawn anew for training films.

A film keeps its anatomy and takes on another film's grey levels, an older machine's resolution, the
blocks of strong JPEG, or another film's surroundings, so that these stop naming the hospital.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

KNOTS = 33
"""Quantiles that describe a film's grey levels."""
_JPEG_BLOCK = 8
# Table K.1 of ITU-T T.81: quantization of luminance at quality 50.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def match_grey(pixels: Tensor, others: Tensor, amount: Tensor) -> Tensor:
    """Move the grey levels of `pixels` towards those of `others`, both float [N, 1, S, S].

    `amount` [N], 0..1: 0 leaves a film as it is, 1 gives it the other's histogram. Of whole grey
    levels; the map is monotone and linear between 33 quantiles.
    """
    own = _quantiles(pixels)
    target = torch.lerp(own, _quantiles(others), amount.reshape(-1, 1))
    levels = torch.arange(256, dtype=pixels.dtype, device=pixels.device)
    levels = levels.expand(len(pixels), -1).contiguous()
    right = torch.searchsorted(own, levels).clamp(1, KNOTS - 1)
    low, high = own.gather(1, right - 1), own.gather(1, right)
    share = ((levels - low) / (high - low)).clamp(0, 1)
    table = torch.lerp(target.gather(1, right - 1), target.gather(1, right), share)
    places = pixels.clamp(0, 255).round().long().flatten(1)
    matched = table.gather(1, places).reshape(pixels.shape)
    return torch.where(amount.reshape(-1, 1, 1, 1) > 0, matched, pixels)


def _quantiles(pixels: Tensor) -> Tensor:
    """Return strictly rising quantiles [N, 33] of a small copy of the films."""
    small = F.interpolate(pixels, size=(48, 48), mode="area").flatten(1).sort(dim=1).values
    places = torch.linspace(0, small.shape[1] - 1, KNOTS, device=pixels.device).round().long()
    rising = torch.arange(KNOTS, device=pixels.device) * 1e-2
    return small[:, places] + rising


def compress(pixels: Tensor, quality: Tensor) -> Tensor:
    """Quantize float [N, 1, S, S], 0..255, in 8 x 8 blocks as JPEG of `quality` [N], 1..100, does.

    Scaled as libjpeg scales (jpeg_quality_scaling); a side that is no multiple of 8 is padded.
    """
    count, _, side, _ = pixels.shape
    blocks = -(-side // _JPEG_BLOCK)
    rest = blocks * _JPEG_BLOCK - side
    padded = F.pad(pixels, (0, rest, 0, rest), mode="replicate")
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).reshape(-1, 1, 1, 1, 1)
    table, cosine = _tables(pixels.device)
    steps = (table * scale).clamp(min=1)
    tiles = padded.reshape(count, blocks, _JPEG_BLOCK, blocks, _JPEG_BLOCK).transpose(2, 3) - 128
    waves = cosine @ tiles @ cosine.T
    tiles = cosine.T @ ((waves / steps).round() * steps) @ cosine + 128
    return tiles.transpose(2, 3).reshape(padded.shape)[:, :, :side, :side]


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """Quantization and the orthonormal DCT-II of eight values; copied to a device once."""
    k = torch.arange(_JPEG_BLOCK, dtype=torch.float64)
    waves = torch.cos(math.pi * k[:, None] * (2 * k[None] + 1) / (2 * _JPEG_BLOCK)) / 2
    waves[0] /= math.sqrt(2)
    return torch.tensor(_LUMINANCE, dtype=torch.float32, device=device), waves.float().to(device)


def swap_surroundings(pixels: Tensor, others: Tensor, lungs: Tensor, amount: Tensor) -> Tensor:
    """Blend what lies outside the lungs of `pixels` with `others`, both float [N, 1, S, S].

    `lungs` [N, 1, h, w], 0..1; the border between is soft and a tenth of the picture outside them.
    `amount` [N], 0..1: how much of the surroundings is replaced.
    """
    reach = max(1, lungs.shape[-1] // 20)
    grown = F.max_pool2d(lungs, 2 * reach + 1, stride=1, padding=reach)
    soft = F.avg_pool2d(grown, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
    kept = F.interpolate(soft, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    kept = 1 - (1 - kept) * amount.reshape(-1, 1, 1, 1)
    return pixels * kept + others * (1 - kept)
