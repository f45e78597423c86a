"""What the engineer sees of an export: each gate's figure, size, speed, thresholds; on stdout."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.parity import Gate, Parity
from cxr_export.quantize import ConvolutionCount, open_session
from cxr_train.figures.metrics import show_interval
from edge_infer.model.model_card import ModelCard

SPEED_RUNS = 40


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Median milliseconds per film, one thread, batch 1."""

    fp32: float
    int8: float


def measure_speed(fp32: Path, int8: Path, pixels: NDArray[np.uint8]) -> Speed:
    """Time both graphs as `time_in_turn` does."""
    fp32_ms, int8_ms = time_in_turn((fp32, int8), pixels)
    return Speed(fp32=fp32_ms, int8=int8_ms)


def time_in_turn(
    models: Sequence[Path], pixels: NDArray[np.uint8], *, runs: int = SPEED_RUNS
) -> list[float]:
    """Return each graph's median milliseconds for a film of `pixels` [N, 1, H, W], one thread.

    Film by film in turn, so that other load of the machine hits all alike.
    """
    sessions = [open_session(model) for model in models]
    times: list[list[float]] = [[] for _ in models]
    for run in range(runs):
        film = np.array(pixels[run % len(pixels)])[None]
        for session, taken in zip(sessions, times, strict=True):
            began = time.perf_counter()
            session.run(["logits"], {"image": film})
            taken.append(1000 * (time.perf_counter() - began))
    return [float(np.median(taken)) for taken in times]


def print_gates(gates: Sequence[Gate]) -> None:
    """Print one line for each gate: verdict, name, figure, limit."""
    for gate in gates:
        verdict = "ok    " if gate.passed else "FAILED"
        print(f"{verdict} {gate.name:55} {gate.measured:10.4g}   {gate.limit}")  # noqa: T201
        if gate.note:
            print(f"       {gate.note}")  # noqa: T201


def print_change(
    parity: Parity, count: ConvolutionCount, method: str, exempt: Sequence[str]
) -> None:
    """Print what was quantized, how, and what that changed."""
    print(f"method {method}, exempt besides the head: {', '.join(exempt) or 'none'}")  # noqa: T201
    print(f"convolutions: {count.int8} in INT8, {count.fp32} in fp32")  # noqa: T201
    print(  # noqa: T201
        f"macro-F1: fp32 {parity.macro_f1_fp32:.4f}, INT8 {parity.macro_f1_int8:.4f}; logits move "
        f"by {parity.mean_logit_difference:.3f}, at most {parity.largest_logit_difference:.3f}"
    )


def print_cost(fp32: Path, int8: Path, speed: Speed) -> None:
    """Print size and speed of both graphs."""
    sizes = fp32.stat().st_size / 1e6, int8.stat().st_size / 1e6
    print(  # noqa: T201
        f"size: fp32 {sizes[0]:.1f} MB, INT8 {sizes[1]:.1f} MB\n"
        f"one thread: fp32 {speed.fp32:.1f} ms, INT8 {speed.int8:.1f} ms a film, "
        f"{speed.fp32 / speed.int8:.2f} times faster here"
    )


def print_card(card: ModelCard, out: Path) -> None:
    """Print the thresholds of the written model."""
    for title, point in (
        ("refer_tb", card.operating_points.refer_tb),
        ("abnormal", card.operating_points.abnormal),
    ):
        print(  # noqa: T201
            f"{title}: score >= {point.threshold:.1f}, sensitivity "
            f"{show_interval(point.sensitivity)}, specificity {show_interval(point.specificity)}, "
            f"{point.n_positive} positive and {point.n_negative} negative films"
        )
    print(f"temperature {card.temperature}; written to {out}")  # noqa: T201
