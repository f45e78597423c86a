"""Which films an epoch shows, and their way from the decoded array to the device."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cxr_train.config import Balance, TrainConfig
from cxr_train.data.dataset import LoadedImages


def draw_batches(
    config: TrainConfig, weights: NDArray[np.float64], generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw one epoch's batches of film indices by `weights` [N]; a rest is left out.

    An epoch of fewer films than a batch is one batch of them all.
    """
    order = _draw(config, weights, generator)
    steps = max(1, len(order) // config.batch_size)
    # Sorted indices read the memory-mapped array front to back; order in a batch is idle.
    starts = range(0, steps * config.batch_size, config.batch_size)
    return tuple(order[start : start + config.batch_size].sort().values for start in starts)


def films_per_step(config: TrainConfig, films: int) -> int:
    """Return the size of every batch of an epoch over `films` films."""
    return min(config.batch_size, config.samples_per_epoch or films)


def read_batches(
    films: LoadedImages,
    batches: tuple[Tensor, ...],
    *,
    part: slice,
    device: torch.device,
    held: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield `part` of each batch: int64 [n], which films, and uint8 [n, 1, H, W], on `device`.

    `held` are all films as `hold_films` gave them; without, the next batch is read while the
    network works on this one.
    """
    if held is not None:
        whole = torch.stack(batches).to(device)
        for batch in whole:
            yield batch[part], held[batch[part]]
        return

    def read(batch: Tensor) -> tuple[Tensor, Tensor]:
        own = batch[part]
        pixels = torch.from_numpy(films.pixels[own.numpy()])
        return own, (pixels.pin_memory() if device.type == "cuda" else pixels)

    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(read, batches[0])
        for number in range(len(batches)):
            own, pixels = coming.result()
            if number + 1 < len(batches):
                coming = reader.submit(read, batches[number + 1])
            yield own.to(device), pixels.to(device, non_blocking=True)


def hold_films(films: LoadedImages, device: torch.device) -> Tensor | None:
    """Return all films [N, 1, H, W] on a GPU that has room for them, else None.

    A training then waits for no disk and no copy. Half of the free memory is left to the network.
    """
    if device.type != "cuda" or films.pixels.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return None
    return torch.from_numpy(np.array(films.pixels)).to(device)


def _draw(config: TrainConfig, weights: NDArray[np.float64], generator: torch.Generator) -> Tensor:
    count = config.samples_per_epoch or len(weights)
    if config.balance is Balance.NONE:
        rounds = -(-count // len(weights))
        shuffled = [torch.randperm(len(weights), generator=generator) for _ in range(rounds)]
        return torch.cat(shuffled)[:count]
    return torch.multinomial(
        torch.from_numpy(weights), count, replacement=True, generator=generator
    )
