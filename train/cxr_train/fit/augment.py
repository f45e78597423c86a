"""Vary training films in batches, on whatever device they are; evaluation varies nothing.

`none`      nothing but the resize to the stage's size
`standard`  the study's: horizontal flip, rotation, crop
`strong`    ours: the above with squash jitter, plus evened or deepened illumination, grey curves,
            blur, edge enhancement, noise, boxes and borders, so that a maker's picture processing,
            redaction boxes and collimation stop naming the source
`hospital`  `strong`, and what a hospital's way of making pictures changes: `film_style.py`;
            the films it mixes with are those of the same process's part of a batch
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cxr_train.config import Augment
from cxr_train.fit.distributed import ALONE, Processes
from cxr_train.fit.film_style import compress, match_grey, swap_surroundings


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
    images: Tensor,
    augment: Augment,
    *,
    size: int,
    generator: torch.Generator,
    processes: Processes = ALONE,
) -> Tensor:
    """Vary `images` [N, 1, H, W] uint8; return float [N, 1, size, size], 0..255.

    All randomness comes from `generator` (on the CPU), so a seed repeats exactly. Of several
    processes each gives its part of a batch, and films vary as they would in the whole batch.
    """
    nothing = torch.zeros(len(images), 0, 1, 1, device=images.device)
    return vary_with_guides(
        images, nothing, augment, size=size, generator=generator, processes=processes
    )[0]


def vary_with_guides(
    images: Tensor,
    guides: Tensor,
    augment: Augment,
    *,
    size: int,
    generator: torch.Generator,
    processes: Processes = ALONE,
) -> tuple[Tensor, Tensor]:
    """Vary `images` as `augment_batch` does, and move their `guides` [N, k, h, w] with them.

    Guides are maps of the film, 0..1, float; channel 0 holds the lungs. They come back in their own
    size, as the varied film lies. k may be 0.
    """
    pixels = images.float()
    if augment is Augment.NONE:
        return shrink(pixels, size), guides
    draws = _Draws(seeds=generator, films=len(images), processes=processes, device=images.device)
    geometry = STANDARD if augment is Augment.STANDARD else STRONG
    theta = _draw_map(geometry, draws)
    # Bring the source near the target's resolution first: bilinear sampling alone would alias.
    pixels = sample_maps(shrink(pixels, min(pixels.shape[-1], round(size * 8 / 7))), theta, size)
    if guides.shape[1]:
        guides = sample_maps(guides, theta, guides.shape[-1])
    if augment is Augment.HOSPITAL:
        pixels = _change_hospital(pixels, guides, draws)
    if augment in (Augment.STRONG, Augment.HOSPITAL):
        pixels = _change_grey(pixels, draws)
        pixels = _cover(pixels, draws)
    if augment is Augment.HOSPITAL:
        pixels = _compress_some(pixels, draws)
    return pixels, guides


def shrink(pixels: Tensor, size: int) -> Tensor:
    """Resize float [N, 1, H, W] by area mean, the eval preset's only step."""
    if pixels.shape[-1] == size:
        return pixels
    return F.interpolate(pixels, size=(size, size), mode="area")


class _Draws:
    """Random numbers for a whole batch, of which a process keeps those of its own films.

    They are drawn on the films' device from one seed of `seeds`: numbers drawn on the CPU would
    stop a GPU forty times a batch.
    """

    def __init__(
        self, *, seeds: torch.Generator, films: int, processes: Processes, device: torch.device
    ) -> None:
        self._whole = films * processes.count
        self._part = processes.part
        self._device = device
        self._seeds = seeds
        self._generator = seeds
        if device.type != "cpu":
            seed = int(torch.randint(2**62, (1,), generator=seeds))
            self._generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Draw [n, *shape] on the device."""
        drawn = torch.rand(self._whole, *shape, generator=self._generator, device=self._device)
        return (drawn * (high - low) + low)[self._part]

    def happens(self, chance: float) -> Tensor:
        """Draw bool [n]."""
        return self.uniform(0, 1) < chance

    def whole_number(self, below: int) -> Tensor:
        """Draw int64 [n]."""
        shape = (self._whole,)
        drawn = torch.randint(0, below, shape, generator=self._generator, device=self._device)
        return drawn[self._part]

    def noise(self, height: int, width: int) -> Tensor:
        """Draw normal numbers [n, 1, height, width]."""
        shape = (self._whole, 1, height, width)
        return torch.randn(shape, generator=self._generator, device=self._device)[self._part]

    def partners(self, films: int) -> Tensor:
        """Draw for each of this process's `films` another of them, int64 [n]."""
        return torch.randperm(films, generator=self._generator, device=self._device)

    def one(self, low: float, high: float) -> float:
        """Draw one number for the whole batch, on the CPU."""
        return float(torch.rand(1, generator=self._seeds) * (high - low) + low)


def _draw_map(geometry: Geometry, draws: _Draws) -> Tensor:
    """Draw the affine maps [n, 2, 3] from a new film's places to the old one's."""
    angle = draws.uniform(-1, 1) * math.radians(geometry.rotation_degrees)
    zoom = draws.uniform(*geometry.zoom)
    stretch = torch.exp(draws.uniform(-1, 1) * geometry.aspect / 2)
    flip = torch.where(draws.happens(geometry.flip), -1.0, 1.0)
    shift = draws.uniform(-geometry.shift, geometry.shift, 2)
    return affine_maps(angle, zoom, stretch, flip, shift)


def affine_maps(
    angle: Tensor, zoom: Tensor, stretch: Tensor, flip: Tensor, shift: Tensor
) -> Tensor:
    """Return maps [n, 2, 3] from new places to old ones, of [n] each and `shift` [n, 2].

    Radians; a zoom below 1 crops; `stretch` is of the width against the height; a flip of -1
    mirrors.
    """
    across, down = zoom * stretch, zoom / stretch
    rows = [
        torch.stack([across * flip * angle.cos(), -down * angle.sin(), shift[:, 0]], dim=1),
        torch.stack([across * flip * angle.sin(), down * angle.cos(), shift[:, 1]], dim=1),
    ]
    return torch.stack(rows, dim=1)


def sample_maps(maps: Tensor, theta: Tensor, size: int) -> Tensor:
    """Return float [n, k, size, size] of `maps` [n, k, h, w] at the places `theta` gives."""
    grid = F.affine_grid(theta, [len(maps), 1, size, size], align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _change_hospital(pixels: Tensor, guides: Tensor, draws: _Draws) -> Tensor:
    others = pixels[draws.partners(len(pixels))]
    if guides.shape[1]:
        lungs = guides[:, :1]
        # A film whose lungs are unknown keeps its surroundings.
        known = lungs.sum(dim=(1, 2, 3)) > 0
        amount = draws.uniform(0.3, 1) * (draws.happens(0.25) & known)
        pixels = swap_surroundings(pixels, others, lungs, amount)
    others = pixels[draws.partners(len(pixels))]
    return match_grey(pixels, others, draws.uniform(0.3, 1) * draws.happens(0.4))


def _compress_some(pixels: Tensor, draws: _Draws) -> Tensor:
    chosen = draws.happens(0.25).reshape(-1, 1, 1, 1)
    squeezed = compress(pixels, draws.uniform(15, 80)).clamp(0, 255)
    return torch.where(chosen, squeezed, pixels)


def _change_grey(pixels: Tensor, draws: _Draws) -> Tensor:
    pixels = _change_illumination(pixels, draws)
    gamma = torch.exp(draws.uniform(-0.5, 0.5, 1, 1, 1))
    contrast = draws.uniform(0.75, 1.25, 1, 1, 1)
    brightness = draws.uniform(-25, 25, 1, 1, 1)
    grey = (pixels / 255).clamp(0, 1) ** gamma
    # A toe and a shoulder (or their opposite), as films and viewers have them; below 1: monotone.
    bend = draws.uniform(-0.6, 0.6, 1, 1, 1)
    pixels = 255 * (grey - bend * torch.sin(2 * math.pi * grey) / (2 * math.pi))
    pixels = (pixels - 128) * contrast + 128 + brightness
    # Blur in a third of the films by averaging and interpolating back; the factor is per batch.
    factor = draws.one(1.3, 2.2)
    small = F.interpolate(pixels, scale_factor=1 / factor, mode="area")
    blurred = F.interpolate(small, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    edges = draws.uniform(0, 1, 1, 1, 1) * draws.happens(0.35).reshape(-1, 1, 1, 1)
    sharpened = pixels + edges * (pixels - blurred)
    pixels = torch.where(draws.happens(0.33).reshape(-1, 1, 1, 1), blurred, sharpened)
    sigma = draws.uniform(0, 10) * draws.happens(0.5)
    noise = draws.noise(*pixels.shape[-2:])
    return (pixels + noise * sigma.reshape(-1, 1, 1, 1)).clamp(0, 255)


def _change_illumination(pixels: Tensor, draws: _Draws) -> Tensor:
    """Even out or deepen a film's large-scale brightness, keeping its mean and spread.

    X-ray machines differ most in this: some even out lung and mediastinum, some do not.
    """
    size = pixels.shape[-2:]
    coarse = F.interpolate(pixels, size=(8, 8), mode="area")
    coarse = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    mean, spread = _mean_and_spread(pixels)
    amount = draws.uniform(-0.3, 0.8, 1, 1, 1) * draws.happens(0.5).reshape(-1, 1, 1, 1)
    changed = pixels - amount * (coarse - mean)
    new_mean, new_spread = _mean_and_spread(changed)
    return (changed - new_mean) * (spread / new_spread.clamp(min=1)) + mean


def _mean_and_spread(pixels: Tensor) -> tuple[Tensor, Tensor]:
    spread, mean = torch.std_mean(pixels, dim=(2, 3), keepdim=True, correction=0)
    return mean, spread


def _cover(pixels: Tensor, draws: _Draws) -> Tensor:
    """Put up to two boxes of one grey into a film, and a frame of one grey around some."""
    height, width = pixels.shape[-2:]
    rows = torch.arange(height, device=pixels.device).reshape(1, height, 1)
    columns = torch.arange(width, device=pixels.device).reshape(1, 1, width)
    for chance in (0.35, 0.2):
        tall = draws.uniform(0.05, 0.25, 1, 1) * height
        wide = draws.uniform(0.05, 0.35, 1, 1) * width
        top = draws.uniform(-0.05, 0.95, 1, 1) * height
        left = draws.uniform(-0.05, 0.95, 1, 1) * width
        inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
        pixels = _paint(pixels, inside, draws, chance=chance)
    above, below, before, after = (draws.uniform(0, 0.1, 1, 1) for _ in range(4))
    outside = (
        (rows < above * height)
        | (rows >= height - below * height)
        | (columns < before * width)
        | (columns >= width - after * width)
    )
    return _paint(pixels, outside, draws, chance=0.25)


def _paint(pixels: Tensor, where: Tensor, draws: _Draws, *, chance: float) -> Tensor:
    chosen = draws.happens(chance).reshape(-1, 1, 1)
    # Black, white or any grey alike often: redaction boxes are white, collimation is black.
    grey = draws.uniform(0, 1)
    kind = draws.whole_number(3)
    value = torch.where(kind == 0, 0.0, torch.where(kind == 1, 1.0, grey)) * 255
    return torch.where((where & chosen)[:, None], value.reshape(-1, 1, 1, 1), pixels)
