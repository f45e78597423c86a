"""Try calibration methods, then exemptions, until a quantized model passes its gates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.double_head import compute_head_in_double
from cxr_export.exact_sums import make_sums_exact
from cxr_export.parity import LEAST_AGREEMENT, Gate, Parity, check_int8, most_changed
from cxr_export.quantize import (
    ConvolutionCount,
    Method,
    Ranges,
    count_convolutions,
    quantize,
    rank_by_sensitivity,
    run_logits,
)
from cxr_train.data.dataset import LoadedImages
from cxr_train.terminal import say
from edge_infer.model.model_card import Referral

MOST_EXEMPT = 3
QUICK_FILMS = 64
"""Calibration films of a quick export; they are chosen from every class and source in turn."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One quantized model with how it compares."""

    model: Path
    method: Method
    exempt: tuple[str, ...]
    count: ConvolutionCount
    logits: NDArray[np.float32]
    parity: Parity
    calibration_films: int
    """How many set its ranges."""

    @property
    def passed(self) -> bool:
        """Whether every gate is passed and every convolution not exempted runs in INT8."""
        return self.parity.passed and self.conv_gate.passed

    @property
    def conv_gate(self) -> Gate:
        """Every convolution but the exempt ones runs in INT8; the head is a product in double."""
        return Gate(
            name="convolutions left in fp32 besides exempt",
            measured=self.count.fp32 - len(self.exempt),
            limit="<= 0",
            passed=self.count.fp32 - len(self.exempt) <= 0,
        )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What INT8 models are made with, and what they are judged by."""

    work: Path
    """The folder they are written into."""
    calibration: NDArray[np.uint8]
    """Films [N, 1, H, W] that set ranges."""
    val: LoadedImages
    """Films that judge."""
    fp32_logits: NDArray[np.float32]
    """[N, K], of the films that judge."""
    referral: Referral | None = None
    """What their TB score is made of; None: p_tuberculosis."""
    least_agreement: float = LEAST_AGREEMENT
    """The share of them that must keep their class."""

    def with_films(self, count: int) -> Trial:
        """Return the same with the first `count` calibration films only."""
        return replace(self, calibration=self.calibration[:count])

    def keeps_classes(self, candidate: Candidate) -> bool:
        """Say whether as many films keep their class as should, better figures or not."""
        films = len(candidate.logits)
        changed = round((1 - candidate.parity.class_agreement) * films)
        return changed <= most_changed(films, self.least_agreement)

    def make(
        self,
        prepared: Path,
        method: Method,
        *,
        exempt: tuple[str, ...] = (),
        ranges: Ranges | None = None,
    ) -> Candidate:
        """Make an INT8 model of `prepared` and judge it."""
        model = self.work / f"int8-{method.value}-{len(exempt)}.onnx"
        make_int8(prepared, model, self.calibration, method=method, exempt=exempt, ranges=ranges)
        return self.judge(model, method, exempt)

    def judge(self, model: Path, method: Method, exempt: tuple[str, ...] = ()) -> Candidate:
        """Judge an INT8 model, and say how it did."""
        logits = run_logits(model, self.val.pixels)
        parity = check_int8(
            self.fp32_logits,
            logits,
            self.val.examples,
            self.referral,
            least_agreement=self.least_agreement,
        )
        say(
            f"{method.value}, {len(exempt)} exempt: same class "
            f"{parity.class_agreement:.4f}, largest logit difference "
            f"{parity.largest_logit_difference:.3f}, macro-F1 "
            f"{parity.macro_f1_fp32:.4f} to {parity.macro_f1_int8:.4f}, "
            f"TB missed {parity.tb_missed_fp32} to {parity.tb_missed_int8}"
        )
        return Candidate(
            model=model,
            method=method,
            exempt=exempt,
            count=count_convolutions(model, self.work),
            logits=logits,
            parity=parity,
            calibration_films=len(self.calibration),
        )


def best_candidate(
    trial: Trial, prepared: Path, *, ranges: Ranges | None = None, made: Path | None = None
) -> Candidate:
    """Return the first candidate that passes, else the one that agrees most often with fp32.

    `prepared` is the fp32 graph ready to quantize. The first method tried is that of `ranges`,
    where they are given, and `made` its INT8 model, where there is one.
    """
    tried: list[Candidate] = []
    for candidate in _candidates(trial, prepared, ranges, made):
        tried.append(candidate)
        if candidate.passed:
            return candidate
    return max(tried, key=lambda candidate: candidate.parity.class_agreement)


def make_int8(
    prepared: Path,
    int8: Path,
    pixels: NDArray[np.uint8],
    *,
    method: Method,
    exempt: Sequence[str] = (),
    ranges: Ranges | None = None,
    depthwise_bits: int = 8,
) -> None:
    """Quantize as `quantize` does, into a model that every processor computes alike."""
    quantize(
        prepared,
        int8,
        pixels,
        method=method,
        exempt=exempt,
        ranges=ranges,
        depthwise_bits=depthwise_bits,
    )
    make_sums_exact(int8)
    compute_head_in_double(int8)


def _candidates(
    trial: Trial, prepared: Path, ranges: Ranges | None, made: Path | None
) -> Iterator[Candidate]:
    first, *others = Method if ranges else [one for one in Method if one is not Method.LEAST_ERROR]
    best = trial.judge(made, first) if made else trial.make(prepared, first, ranges=ranges)
    yield best
    for method in others:
        candidate = trial.make(prepared, method, ranges=ranges)
        yield candidate
        if candidate.parity.class_agreement > best.parity.class_agreement:
            best = candidate
    say("no method passes alone: exempting the worst layers")
    worst = rank_by_sensitivity(prepared, trial.work, trial.calibration, best.method, ranges)
    for count in range(1, MOST_EXEMPT + 1):
        yield trial.make(prepared, best.method, exempt=tuple(worst[:count]), ranges=ranges)
