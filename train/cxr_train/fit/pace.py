"""What the settings mean at a step and on a device: learning rate, number format, compilation."""

from __future__ import annotations

import os
import shutil
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


def uses_bf16(config: TrainConfig) -> bool:
    """Say whether this training computes in bfloat16; auto asks the device."""
    if config.precision != "auto":
        return config.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # oneDNN emulates bf16 slowly on CPUs without AVX512-BF16 or AMX.
    return _cpu_has_bf16()


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


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
