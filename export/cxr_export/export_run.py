"""The export, read top to bottom: checkpoint -> fp32 ONNX -> INT8 -> gates -> card."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.calibration_set import choose_calibration
from cxr_export.embed_card import Labelled, make_card, model_digest, write_with_card
from cxr_export.errors import ParityError
from cxr_export.parity import Gate, Parity, check_fp32, check_int8
from cxr_export.quantize import (
    ConvolutionCount,
    Method,
    count_convolutions,
    open_session,
    prepare_for_quantization,
    quantize,
    rank_by_sensitivity,
    run_logits,
)
from cxr_export.to_onnx import export_onnx
from cxr_train.checkpoint import LoadedRun, load_run
from cxr_train.dataset import LoadedImages, load_images
from cxr_train.errors import DataError
from cxr_train.loop import predict
from cxr_train.manifest import Example, read_data, require_every_class, select
from edge_infer.errors import ReportError
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import Quantization
from edge_infer.model.self_test import self_test_inputs

MOST_EXEMPT = 3
SPEED_RUNS = 40


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
        """Every convolution but the head and the exempt ones runs in INT8."""
        return Gate(
            name="convolutions left in fp32 besides head and exempt",
            measured=self.count.fp32 - 1 - len(self.exempt),
            limit="<= 0",
            passed=self.count.fp32 - 1 - len(self.exempt) <= 0,
        )


def export_run(
    folder: Path,
    out: Path,
    *,
    data: Path | None = None,
    cache: Path | None = None,
    fp32_too: bool = False,
    name: str | None = None,
    version: str = "0.1.0",
) -> None:
    """Export a training run to `out`; ParityError leaves the file as `out`.rejected."""
    run = load_run(folder)
    _check_writable(out)
    examples = _read_examples(run, data)
    val = _load(select(examples, "val"), run, cache)
    calibration = _load(choose_calibration(examples), run, cache)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        fp32, prepared = work / "fp32.onnx", work / "prepared.onnx"
        _say("exporting fp32 ONNX")
        export_onnx(run.network, fp32, size=run.config.input_size)
        fp32_logits = run_logits(fp32, val.pixels)
        fp32_gate = check_fp32(_torch_logits(run, val), fp32_logits)
        prepare_for_quantization(fp32, prepared)
        best = _best_candidate(prepared, work, calibration, val, fp32_logits)
        gates = (fp32_gate, *best.parity.gates, best.conv_gate)
        # Measured before the card is written: the card is the last thing that changes.
        speed = measure_speed(fp32, best.model, val.pixels)
        _print_gates(gates, best, speed, fp32)
        if not (fp32_gate.passed and best.passed):
            rejected = out.with_name(out.name + ".rejected")
            _write(best.model.read_bytes(), rejected)
            failed = ", ".join(gate.name for gate in gates if not gate.passed)
            raise ParityError(f"The exported model failed: {failed}. It was written as {rejected}.")
        classifier = _finish(run, best, val, len(calibration.examples), name, version)
        _write(best.model.read_bytes(), out)
        if fp32_too:
            _write(fp32.read_bytes(), out.with_name(f"{out.stem}.fp32.onnx"))
    _print_card(classifier, out)


def _read_examples(run: LoadedRun, data: Path | None) -> tuple[Example, ...]:
    source = data or run.data
    if source is None or not source.exists():
        raise DataError(
            f"The images of this run are not at {source}: name them by --calibration. "
            "A model is never calibrated on made-up numbers."
        )
    examples = read_data(source)
    require_every_class(examples, "val")
    return examples


def _load(examples: tuple[Example, ...], run: LoadedRun, cache: Path | None) -> LoadedImages:
    size = run.config.input_size
    return load_images(examples, height=size, width=size, cache=cache)


def _torch_logits(run: LoadedRun, val: LoadedImages) -> NDArray[np.float32]:
    import torch

    return predict(run.network, val.pixels, size=run.config.input_size, device=torch.device("cpu"))


def _best_candidate(
    prepared: Path,
    work: Path,
    calibration: LoadedImages,
    val: LoadedImages,
    fp32_logits: NDArray[np.float32],
) -> Candidate:
    """Try each method in turn, then exempt the worst layers; stop at the first that passes."""
    tried: list[Candidate] = []
    for candidate in _candidates(prepared, work, calibration, val, fp32_logits):
        _say(
            f"{candidate.method.value}, {len(candidate.exempt)} exempt: same class "
            f"{candidate.parity.class_agreement:.4f}, largest logit difference "
            f"{candidate.parity.largest_logit_difference:.3f}"
        )
        tried.append(candidate)
        if candidate.passed:
            return candidate
    return max(tried, key=lambda candidate: candidate.parity.class_agreement)


def _candidates(
    prepared: Path,
    work: Path,
    calibration: LoadedImages,
    val: LoadedImages,
    fp32_logits: NDArray[np.float32],
) -> Iterator[Candidate]:
    pixels = np.array(calibration.pixels)

    def make(method: Method, exempt: tuple[str, ...]) -> Candidate:
        model = work / f"int8-{method.value}-{len(exempt)}.onnx"
        quantize(prepared, model, pixels, method=method, exempt=exempt)
        logits = run_logits(model, val.pixels)
        return Candidate(
            model=model,
            method=method,
            exempt=exempt,
            count=count_convolutions(model, work),
            logits=logits,
            parity=check_int8(fp32_logits, logits, val.examples),
        )

    best: Candidate | None = None
    for method in Method:
        candidate = make(method, ())
        yield candidate
        if best is None or candidate.parity.class_agreement > best.parity.class_agreement:
            best = candidate
    assert best is not None
    _say("no method passes alone: exempting the worst layers")
    worst = rank_by_sensitivity(prepared, work, pixels, best.method)
    for count in range(1, MOST_EXEMPT + 1):
        yield make(best.method, tuple(worst[:count]))


def _finish(
    run: LoadedRun,
    best: Candidate,
    val: LoadedImages,
    calibration_images: int,
    name: str | None,
    version: str,
) -> Classifier:
    size = run.config.input_size
    quantization = Quantization(
        method=f"QDQ U8S8 per channel, 7-bit weights, {best.method.value}",
        calibration_images=calibration_images,
        exempt_nodes=("cam", *best.exempt),
        int8_convolutions=best.count.int8,
        fp32_convolutions=best.count.fp32,
        largest_logit_difference=best.parity.largest_logit_difference,
        mean_logit_difference=best.parity.mean_logit_difference,
        class_agreement=best.parity.class_agreement,
        macro_f1_drop=best.parity.macro_f1_fp32 - best.parity.macro_f1_int8,
        tb_missed_more=best.parity.tb_missed_int8 - best.parity.tb_missed_fp32,
    )
    card = make_card(
        run,
        Labelled(examples=val.examples, logits=best.logits),
        quantization,
        name=name or run.config.name,
        version=version,
        self_test_logits=run_logits(best.model, self_test_inputs(size, size)),
        model_sha256=model_digest(best.model),
    )
    return write_with_card(best.model, card)


def measure_speed(fp32: Path, int8: Path, pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Return median milliseconds per film of fp32 and INT8, one thread, batch 1, interleaved."""
    sessions = [open_session(fp32), open_session(int8)]
    times: list[list[float]] = [[], []]
    for run in range(SPEED_RUNS):
        film = np.array(pixels[run % len(pixels)])[None]
        for session, taken in zip(sessions, times, strict=True):
            began = time.perf_counter()
            session.run(["logits"], {"image": film})
            taken.append(1000 * (time.perf_counter() - began))
    return float(np.median(times[0])), float(np.median(times[1]))


def _check_writable(out: Path) -> None:
    try:
        probe = out.with_name(out.name + ".part")
        probe.touch()
        probe.unlink()
        if out.is_dir():
            raise IsADirectoryError(0, "it is a folder")
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror}.") from error


def _write(data: bytes, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}.") from error


def _print_gates(
    gates: tuple[Gate, ...], best: Candidate, speed: tuple[float, float], fp32: Path
) -> None:
    for gate in gates:
        verdict = "ok    " if gate.passed else "FAILED"
        print(f"{verdict} {gate.name:55} {gate.measured:10.4g}   {gate.limit}")  # noqa: T201
    sizes = fp32.stat().st_size / 1e6, best.model.stat().st_size / 1e6
    lines = (
        f"method {best.method.value}, exempt besides the head: {', '.join(best.exempt) or 'none'}",
        f"convolutions: {best.count.int8} in INT8, {best.count.fp32} in fp32",
        f"macro-F1: fp32 {best.parity.macro_f1_fp32:.4f}, INT8 {best.parity.macro_f1_int8:.4f}",
        f"size: fp32 {sizes[0]:.1f} MB, INT8 {sizes[1]:.1f} MB",
        f"one thread: fp32 {speed[0]:.1f} ms, INT8 {speed[1]:.1f} ms a film, "
        f"{speed[0] / speed[1]:.2f} times faster here",
    )
    print("\n".join(lines))  # noqa: T201


def _print_card(classifier: Classifier, out: Path) -> None:
    card = classifier.card
    for title, point in (
        ("refer_tb", card.operating_points.refer_tb),
        ("abnormal", card.operating_points.abnormal),
    ):
        sensitivity, specificity = point.sensitivity, point.specificity
        print(  # noqa: T201
            f"{title}: score >= {point.threshold:.1f}, sensitivity {sensitivity.value:.3f} "
            f"({sensitivity.low:.3f} to {sensitivity.high:.3f}), specificity "
            f"{specificity.value:.3f} ({specificity.low:.3f} to {specificity.high:.3f}), "
            f"{point.n_positive} positive and {point.n_negative} negative films"
        )
    print(f"temperature {card.temperature}; written to {out}")  # noqa: T201


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
