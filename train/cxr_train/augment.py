"""Vary training films in batches, on whatever device they are; evaluation varies nothing.

`none`      nothing but the resize to the stage's size
`standard`  the study's: horizontal flip, rotation, crop
`strong`    ours: the above with squash jitter, plus grey curve, blur, noise, boxes and borders, so
            that contrast, sharpness, redaction boxes and collimation stop naming the source
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cxr_train.config import Augment


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Ranges of the affine map, drawn per film."""

    flip: float
    rotation_degrees: float
    zoom: tuple[float, float]
    """Share of each side that stays in view; below 1 crops, above 1 adds a black border."""
    aspect: float
    """Largest relative stretch of one side against the other."""
    shift: float


STANDARD = Geometry(flip=0.5, rotation_degrees=10, zoom=(0.8, 1.0), aspect=0.0, shift=0.05)
STRONG = Geometry(flip=0.5, rotation_degrees=12, zoom=(0.7, 1.08), aspect=0.2, shift=0.08)


def augment_batch(
    images: Tensor, augment: Augment, *, size: int, generator: torch.Generator
) -> Tensor:
    """Vary `images` [N, 1, H, W] uint8; return float [N, 1, size, size], 0..255.

    All randomness comes from `generator` (on the CPU), so a seed repeats exactly.
    """
    pixels = images.float()
    if augment is Augment.NONE:
        return shrink(pixels, size)
    geometry = STANDARD if augment is Augment.STANDARD else STRONG
    pixels = _move(pixels, geometry, size=size, generator=generator)
    if augment is Augment.STRONG:
        pixels = _change_grey(pixels, generator)
        pixels = _cover(pixels, generator)
    return pixels


def shrink(pixels: Tensor, size: int) -> Tensor:
    """Resize float [N, 1, H, W] by area mean, the eval preset's only step."""
    if pixels.shape[-1] == size:
        return pixels
    return F.interpolate(pixels, size=(size, size), mode="area")


def _move(pixels: Tensor, geometry: Geometry, *, size: int, generator: torch.Generator) -> Tensor:
    count, device = len(pixels), pixels.device
    # Bring the source near the target's resolution first: bilinear sampling alone would alias.
    pixels = shrink(pixels, min(pixels.shape[-1], round(size * 8 / 7)))
    angle = _between(count, generator, -1, 1) * math.radians(geometry.rotation_degrees)
    zoom = _between(count, generator, *geometry.zoom)
    stretch = torch.exp(_between(count, generator, -1, 1) * geometry.aspect / 2)
    flip = torch.where(torch.rand(count, generator=generator) < geometry.flip, -1.0, 1.0)
    shift = _between(2 * count, generator, -geometry.shift, geometry.shift).reshape(count, 2)
    across, down = zoom * stretch, zoom / stretch
    rows = [
        torch.stack([across * flip * angle.cos(), -down * angle.sin(), shift[:, 0]], dim=1),
        torch.stack([across * flip * angle.sin(), down * angle.cos(), shift[:, 1]], dim=1),
    ]
    theta = torch.stack(rows, dim=1).to(device)
    grid = F.affine_grid(theta, [count, 1, size, size], align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _change_grey(pixels: Tensor, generator: torch.Generator) -> Tensor:
    count, device = len(pixels), pixels.device
    gamma = torch.exp(_between(count, generator, -0.5, 0.5)).reshape(-1, 1, 1, 1).to(device)
    contrast = _between(count, generator, 0.75, 1.25).reshape(-1, 1, 1, 1).to(device)
    brightness = _between(count, generator, -25, 25).reshape(-1, 1, 1, 1).to(device)
    pixels = 255 * (pixels / 255).clamp(0, 1) ** gamma
    pixels = (pixels - 128) * contrast + 128 + brightness
    # Blur in a third of the films by averaging and interpolating back; the factor is per batch.
    factor = float(_between(1, generator, 1.3, 2.2))
    small = F.interpolate(pixels, scale_factor=1 / factor, mode="area")
    blurred = F.interpolate(small, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    chosen = (torch.rand(count, generator=generator) < 0.33).reshape(-1, 1, 1, 1).to(device)
    pixels = torch.where(chosen, blurred, pixels)
    sigma = (_between(count, generator, 0, 10) * (torch.rand(count, generator=generator) < 0.5)).to(
        device
    )
    noise = torch.randn(pixels.shape, generator=generator).to(device)
    return (pixels + noise * sigma.reshape(-1, 1, 1, 1)).clamp(0, 255)


def _cover(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Put up to two boxes of one grey into a film, and a frame of one grey around some."""
    count, _, height, width = pixels.shape
    rows = torch.arange(height).reshape(1, height, 1)
    columns = torch.arange(width).reshape(1, 1, width)
    for chance in (0.35, 0.2):
        tall = _between(count, generator, 0.05, 0.25).reshape(-1, 1, 1) * height
        wide = _between(count, generator, 0.05, 0.35).reshape(-1, 1, 1) * width
        top = _between(count, generator, -0.05, 0.95).reshape(-1, 1, 1) * height
        left = _between(count, generator, -0.05, 0.95).reshape(-1, 1, 1) * width
        inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
        pixels = _paint(pixels, inside, chance=chance, generator=generator)
    margins = _between(4 * count, generator, 0, 0.1).reshape(4, count, 1, 1)
    outside = (
        (rows < margins[0] * height)
        | (rows >= height - margins[1] * height)
        | (columns < margins[2] * width)
        | (columns >= width - margins[3] * width)
    )
    return _paint(pixels, outside, chance=0.25, generator=generator)


def _paint(pixels: Tensor, where: Tensor, *, chance: float, generator: torch.Generator) -> Tensor:
    count = len(pixels)
    chosen = (torch.rand(count, generator=generator) < chance).reshape(-1, 1, 1)
    # Black, white or any grey alike often: redaction boxes are white, collimation is black.
    grey = torch.rand(count, generator=generator)
    kind = torch.randint(0, 3, (count,), generator=generator)
    value = torch.where(kind == 0, 0.0, torch.where(kind == 1, 1.0, grey)) * 255
    mask = (where & chosen)[:, None].to(pixels.device)
    return torch.where(mask, value.reshape(-1, 1, 1, 1).to(pixels.device), pixels)


def _between(count: int, generator: torch.Generator, low: float, high: float) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low
