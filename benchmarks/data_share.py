"""What share of a training step preparing data takes, against the network's own step.

    python -m benchmarks.data_share [DATA] [--arch resnet18] [--sizes 128 224] [--batch-size 64]

`read` indexes the memory-mapped array, `copy` brings films to the device, `vary` augments them,
`network` is forward, backward, optimizer and weight average on films already there: the reference,
timed in the same run between the others. The training loop reads the next batch while the network
works: `waited` is what a step of it then still spends on data, and its share of that step.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from cxr_train.config import Augment, TrainConfig, make_config
from cxr_train.data.dataset import LoadedImages, load_images, training_side
from cxr_train.data.manifest import Example, read_data, select
from cxr_train.fit.augment import augment_batch
from cxr_train.fit.batches import read_batches
from cxr_train.fit.loop import train_step
from cxr_train.fit.objectives import Truth
from cxr_train.fit.pace import uses_bf16
from cxr_train.fit.state import start_state

T = TypeVar("T")
Given = TypeVar("Given")
MADE_FILMS = 1024
WARM_UP = 2


@dataclass(frozen=True, kw_only=True)
class Step:
    """Median milliseconds of a step's parts."""

    read: float
    copy: float
    vary: float
    network: float
    waited: float
    share: float
    """Of the loop's steps, 0..1."""

    @property
    def ratio(self) -> float:
        """Preparing one after the other, in network steps."""
        return (self.read + self.copy + self.vary) / self.network


def main() -> None:
    """Print one line per size and augment kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--sizes", nargs="+", type=int, default=[128, 224])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(
        f"{options.arch}, batches of {options.batch_size}, medians of {options.steps} steps in ms"
    )
    print("size augment    read   copy   vary network  data/network  waited  share of loop")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            films = load_films(options.data, training_side(size), Path(folder))
            for augment in Augment:
                config = make_config(
                    {
                        "arch": options.arch,
                        "augment": augment.value,
                        "input_size": size,
                        "stages": [{"size": size, "epochs": 1}],
                        "batch_size": options.batch_size,
                    }
                )
                step = measure(config, films, device, steps=options.steps)
                print(
                    f"{size:4} {augment:8} {step.read:6.1f} {step.copy:6.1f} {step.vary:6.1f} "
                    f"{step.network:7.1f} {step.ratio:13.3f} {step.waited:7.1f} {step.share:14.1%}"
                )
    print(f"computed in {'bfloat16' if uses_bf16(config) else 'float32'}")


def load_films(data: Path | None, side: int, folder: Path) -> LoadedImages:
    """Map the train films of `data`, or as many made-up ones of the same form."""
    if data is not None:
        return load_images(select(read_data(data), "train"), height=side, width=side)
    path = folder / f"{side}.npy"
    random = np.random.default_rng(0)
    np.save(path, random.integers(0, 256, (MADE_FILMS, 1, side, side), dtype=np.uint8))
    example = Example(path=path, name="made", label=0, split="train", group="made", source="")
    return LoadedImages(
        pixels=np.load(path, mmap_mode="r"), examples=(example,) * MADE_FILMS, skipped=()
    )


def measure(config: TrainConfig, films: LoadedImages, device: torch.device, *, steps: int) -> Step:
    """Time the parts one by one, waiting for the device after each, then the loop's own way."""
    generator = torch.Generator().manual_seed(0)
    batches = tuple(
        torch.randint(len(films.pixels), (config.batch_size,), generator=generator).sort().values
        for _ in range(WARM_UP + steps)
    )
    labels = torch.zeros(config.batch_size, dtype=torch.int64, device=device)
    state = start_state(config, device)
    state.network.train()

    def read(batch: Tensor) -> Tensor:
        return torch.from_numpy(films.pixels[batch.numpy()])

    def copy(pixels: Tensor) -> Tensor:
        return pixels.to(device)

    def vary(pixels: Tensor) -> Tensor:
        return augment_batch(pixels, config.augment, size=config.input_size, generator=generator)

    def learn(pixels: Tensor) -> Tensor:
        return train_step(
            state, config, pixels, Truth.of_classes(labels), learning_rate=config.learning_rate
        )

    times: dict[str, list[float]] = {key: [] for key in ("read", "copy", "vary", "network")}
    for batch in batches:
        pixels = timed(times["read"], read, batch)
        pixels = timed(times["copy"], copy, pixels)
        pixels = timed(times["vary"], vary, pixels)
        timed(times["network"], learn, pixels)
    waited: list[float] = []
    learned: list[float] = []
    coming = read_batches(films, batches, part=slice(None), device=device)
    for _ in batches:
        pixels = timed(waited, lambda source: vary(next(source)[1]), coming)
        timed(learned, learn, pixels)
    parts = {key: 1000 * median(values[WARM_UP:]) for key, values in times.items()}
    shares = [data / (data + rest) for data, rest in zip(waited, learned, strict=True)]
    return Step(**parts, waited=1000 * median(waited[WARM_UP:]), share=median(shares[WARM_UP:]))


def timed(times: list[float], work: Callable[[Given], T], given: Given) -> T:
    """Return `work(given)`, done to its end on the device, and add the seconds to `times`."""
    began = time.perf_counter()
    result = work(given)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    times.append(time.perf_counter() - began)
    return result


if __name__ == "__main__":
    main()
