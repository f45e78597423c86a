"""What the settings mean at a step and on a device: learning rate, number format, compilation."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import cos, pi
from pathlib import Path

import torch

from cxr_train.config import TrainConfig

# Compiling takes about a minute per picture size and saves some milliseconds a step: this many
# steps are an estimate of when that is earned back, not a measurement.
STEPS_WORTH_COMPILING = 2000


def learning_rate(config: TrainConfig, step: int, *, steps_per_epoch: int) -> float:
    """Warm up linearly, then follow a half cosine down to a hundredth of the peak."""
    warmup = max(1, round(config.warmup_epochs * steps_per_epoch))
    total = max(warmup + 1, config.epochs * steps_per_epoch)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return config.learning_rate * (0.01 + 0.99 * (1 + cos(pi * progress)) / 2)


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """In which numbers a training computes, on what, and why."""

    device: str
    """As a person knows it: the GPU's name, or CPU."""
    precision: str
    """fp32 or bf16."""
    why: str

    def __str__(self) -> str:
        return f"{self.device}, {self.precision}: {self.why}"


def choose_format(config: TrainConfig) -> NumberFormat:
    """Say in which numbers this training computes; auto asks the device.

    A GPU before Ampere gives bf16 by way of fp32, slower than fp32 itself: auto leaves it alone.
    fp16 would need its loss scaled step by step, and is not used.
    """
    on_gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_gpu else "CPU"
    if config.precision != "auto":
        return NumberFormat(device=device, precision=config.precision, why="as asked for")
    if on_gpu:
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        why = "computes bf16 itself" if native else "only emulates bf16"
    else:
        # oneDNN emulates bf16 slowly on CPUs without AVX512-BF16 or AMX.
        native = _cpu_has_bf16()
        why = "computes bf16 itself" if native else "it has no bf16"
    return NumberFormat(device=device, precision="bf16" if native else "fp32", why=why)


def uses_bf16(config: TrainConfig) -> bool:
    """Say whether this training computes in bfloat16."""
    return choose_format(config).precision == "bf16"


def steps_of(config: TrainConfig, films: int) -> int:
    """Return the steps of a whole training on this many films."""
    drawn = config.samples_per_epoch or films
    return config.epochs * max(1, drawn // config.batch_size)


def uses_compile(config: TrainConfig, *, steps: int, processes: int) -> bool:
    """Say whether training steps go through torch.compile; auto asks whether it can pay."""
    if config.compile != "auto":
        return config.compile == "on"
    # Synchronised batch norm under the compiler has not been tried: only `on` does that.
    worth = steps >= STEPS_WORTH_COMPILING and processes == 1
    return worth and torch.cuda.is_available() and _can_compile_for_cuda()


def _can_compile_for_cuda() -> bool:
    """Triton, and the C compiler with which it builds what starts its kernels."""
    compilers = [os.environ.get("CC", ""), "gcc", "clang"]
    return find_spec("triton") is not None and any(map(shutil.which, filter(None, compilers)))


@cache
def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
