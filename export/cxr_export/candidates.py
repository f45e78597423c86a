"""Try calibration methods, then exemptions, until a quantized model passes its gates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.double_head import compute_head_in_double
from cxr_export.exact_sums import make_sums_exact
from cxr_export.parity import LEAST_AGREEMENT, Gate, Parity, check_int8
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


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One quantized model with how it compares."""

    model: Path
    method: Method
    exempt: tuple[str, ...]
    count: ConvolutionCount
    logits: NDArray[np.float32]
    parity: Parity

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


def best_candidate(
    prepared: Path,
    work: Path,
    calibration: LoadedImages,
    val: LoadedImages,
    fp32_logits: NDArray[np.float32],
    referral: Referral | None = None,
    ranges: Ranges | None = None,
    *,
    least_agreement: float = LEAST_AGREEMENT,
) -> Candidate:
    """Return the first candidate that passes, else the one that agrees most often with fp32.

    `prepared` is the fp32 graph ready to quantize; `calibration` sets ranges where `ranges` are not
    given or fail, `val` judges;
    `fp32_logits` [N, K] are of the `val` films, of which `referral` makes the TB score;
    `least_agreement` is the share of them that must keep their class. Models are written into
    `work`.
    """
    tried: list[Candidate] = []
    for candidate in _candidates(
        prepared, work, calibration, val, fp32_logits, referral, ranges, least_agreement
    ):
        say(
            f"{candidate.method.value}, {len(candidate.exempt)} exempt: same class "
            f"{candidate.parity.class_agreement:.4f}, largest logit difference "
            f"{candidate.parity.largest_logit_difference:.3f}, macro-F1 "
            f"{candidate.parity.macro_f1_fp32:.4f} to {candidate.parity.macro_f1_int8:.4f}, "
            f"TB missed {candidate.parity.tb_missed_fp32} to {candidate.parity.tb_missed_int8}"
        )
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
    prepared: Path,
    work: Path,
    calibration: LoadedImages,
    val: LoadedImages,
    fp32_logits: NDArray[np.float32],
    referral: Referral | None,
    ranges: Ranges | None,
    least_agreement: float,
) -> Iterator[Candidate]:
    pixels = np.array(calibration.pixels)

    def make(method: Method, exempt: tuple[str, ...]) -> Candidate:
        model = work / f"int8-{method.value}-{len(exempt)}.onnx"
        make_int8(prepared, model, pixels, method=method, exempt=exempt, ranges=ranges)
        logits = run_logits(model, val.pixels)
        return Candidate(
            model=model,
            method=method,
            exempt=exempt,
            count=count_convolutions(model, work),
            logits=logits,
            parity=check_int8(
                fp32_logits, logits, val.examples, referral, least_agreement=least_agreement
            ),
        )

    best: Candidate | None = None
    for method in Method if ranges else [one for one in Method if one is not Method.LEAST_ERROR]:
        candidate = make(method, ())
        yield candidate
        if best is None or candidate.parity.class_agreement > best.parity.class_agreement:
            best = candidate
    assert best is not None
    say("no method passes alone: exempting the worst layers")
    worst = rank_by_sensitivity(prepared, work, pixels, best.method, ranges)
    for count in range(1, MOST_EXEMPT + 1):
        yield make(best.method, tuple(worst[:count]))
