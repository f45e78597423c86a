"""Find the lungs on films without a mask: a small U-Net trained on those that have one.

128 pixels in, 64 out. It serves the training alone (where surroundings may be swapped, where
evidence may lie) and never runs in a clinic. On validation films Dice is 0.91 (Shenzhen, none of
whose masks it saw) to 0.98 (OpenIST) after 1,500 steps, 17 s on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cxr_train.fit.augment import affine_maps, sample_maps

INPUT_SIDE, MASK_SIDE = 128, 64
STEPS, BATCH = 1500, 64
FEWEST_MASKS = 20
_WIDTHS = (16, 32, 64, 96, 96)
_RATE = 3e-3


class LungNetwork(nn.Module):
    """Give the logit of lung [N, 1, 64, 64] for films [N, 1, 128, 128], 0..255."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _block(1, _WIDTHS[0])
        self.down = nn.ModuleList(_block(before, after) for before, after in pairwise(_WIDTHS))
        self.up = nn.ModuleList(_block(_WIDTHS[k + 1] + _WIDTHS[k], _WIDTHS[k]) for k in (3, 2, 1))
        self.out = nn.Conv2d(_WIDTHS[1], 1, kernel_size=1)

    def forward(self, films: Tensor) -> Tensor:
        """Return logits at half of the films' size."""
        levels = [self.stem((films - 128) / 64)]
        for block in self.down:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        found = levels[4]
        for block, level in zip(self.up, (3, 2, 1), strict=True):
            grown = F.interpolate(found, scale_factor=2.0, mode="nearest")
            found = block(torch.cat([grown, levels[level]], dim=1))
        return torch.as_tensor(self.out(found))


def find_lungs(
    pixels: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    known: NDArray[np.bool_],
    *,
    steps: int = STEPS,
    batch: int = BATCH,
    seed: int = 0,
    device: torch.device,
    tell: Callable[[str], None],
) -> NDArray[np.uint8]:
    """Return lungs [N, 64, 64], 0..255, of films [N, 1, H, W]: given as they are, others found.

    `masks` [N, 64, 64] counts where `known` [N]. With fewer than 20 masks none are found: the
    others stay 0, which later means that nothing is known.
    """
    if known.sum() < FEWEST_MASKS or known.all():
        return np.where(known[:, None, None], masks, 0).astype(np.uint8)
    small = torch.cat(
        [
            F.interpolate(
                torch.from_numpy(np.array(pixels[start : start + 512])).to(device).float(),
                size=(INPUT_SIDE, INPUT_SIDE),
                mode="area",
            )
            for start in range(0, len(pixels), 512)
        ]
    )
    truth = torch.from_numpy(masks[known])[:, None].to(device).float() / 255
    network = _train(
        small[torch.from_numpy(known).to(device)],
        truth,
        steps=steps,
        batch=batch,
        seed=seed,
        tell=tell,
    )
    with torch.inference_mode():
        parts = [
            network(small[start : start + 256]).sigmoid().mul(255).round().to(torch.uint8).cpu()
            for start in range(0, len(small), 256)
        ]
    found = torch.cat(parts)[:, 0].numpy()
    return np.where(known[:, None, None], masks, found).astype(np.uint8)


def _train(
    films: Tensor,
    truth: Tensor,
    *,
    steps: int,
    batch: int,
    seed: int,
    tell: Callable[[str], None],
) -> LungNetwork:
    device = films.device
    generator = torch.Generator(device).manual_seed(seed)
    torch.manual_seed(seed)
    network = LungNetwork().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _RATE, total_steps=steps + 1, pct_start=0.1
    )
    for step in range(steps):
        chosen = torch.randint(len(films), (batch,), generator=generator, device=device)
        pixels, lungs = _vary(films[chosen], truth[chosen], generator)
        logits = network(pixels)
        share = logits.sigmoid()
        overlap = 2 * (share * lungs).sum(dim=(1, 2, 3)) + 1
        dice = overlap / (share.sum(dim=(1, 2, 3)) + lungs.sum(dim=(1, 2, 3)) + 1)
        loss = F.binary_cross_entropy_with_logits(logits, lungs) + 1 - dice.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 250 == 0:
            tell(f"learning to find lungs: step {step} of {steps}")
    return network.eval()


def _vary(films: Tensor, lungs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    def draw(low: float, high: float, *shape: int) -> Tensor:
        drawn = torch.rand(len(films), *shape, generator=generator, device=films.device)
        return drawn * (high - low) + low

    angle, zoom, stretch = draw(-0.3, 0.3), draw(0.75, 1.25), torch.exp(draw(-0.15, 0.15))
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    shift = draw(-0.12, 0.12, 2)
    theta = affine_maps(angle, zoom, stretch, flip, shift)
    moved = [sample_maps(maps, theta, maps.shape[-1]) for maps in (films, lungs)]
    pixels = 255 * (moved[0] / 255).clamp(0, 1) ** torch.exp(draw(-0.5, 0.5, 1, 1, 1))
    pixels = (pixels - 128) * draw(0.7, 1.3, 1, 1, 1) + 128 + draw(-30, 30, 1, 1, 1)
    grain = torch.randn(pixels.shape, generator=generator, device=films.device)
    return (pixels + grain * draw(0, 10, 1, 1, 1)).clamp(0, 255), moved[1]


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers += [
            nn.Conv2d(width, after, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
