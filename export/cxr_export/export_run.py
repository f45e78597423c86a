"""The export, read top to bottom: checkpoint -> fp32 ONNX -> INT8 -> gates -> card."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from cxr_export.calibration_set import choose_calibration
from cxr_export.candidates import QUICK_FILMS, Candidate, Trial, best_candidate
from cxr_export.class_shift import shift_classes
from cxr_export.embed_card import make_card, model_digest, write_with_card
from cxr_export.errors import ParityError
from cxr_export.gate_table import measure_speed, print_card, print_change, print_cost, print_gates
from cxr_export.known_graph import known_graph, remember_graph
from cxr_export.parity import (
    LEAST_AGREEMENT,
    LEAST_AGREEMENT_AS_INT8,
    Gate,
    check_fp32,
    check_runner,
)
from cxr_export.quantize import Method, prepare_for_quantization, run_logits
from cxr_export.refine import refine
from cxr_export.to_onnx import export_onnx
from cxr_export.val_figures import ValFilms, check_thresholds_possible
from cxr_train.config import TrainConfig
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, read_data, require_every_class, select
from cxr_train.errors import ConfigError, DataError
from cxr_train.figures.operating_point import TARGET_SENSITIVITY
from cxr_train.figures.referral import referral_of
from cxr_train.fit.checkpoint import BEST_FILE, LoadedRun, load_run
from cxr_train.fit.loop import predict
from cxr_train.fit.network import CamNetwork
from cxr_train.result_files import require_writable, write_bytes
from cxr_train.terminal import say, working
from edge_infer.errors import ReportError
from edge_infer.model.model_card import CLASSES, ModelCard, Quantization, Referral
from edge_infer.model.model_file import with_rejection
from edge_infer.model.self_test import self_test_inputs


@dataclass(frozen=True, kw_only=True)
class ExportFilms:
    """What the export measures on."""

    all: tuple[Example, ...]
    """Everything DATA lists, read or not."""
    val: LoadedImages
    calibration: LoadedImages


def export_run(
    folder: Path,
    out: Path,
    *,
    data: Path | None = None,
    cache: Path | None = None,
    fp32_too: bool = False,
    name: str | None = None,
    version: str | None = None,
    target_sensitivity: float = TARGET_SENSITIVITY,
    referral: Referral | None = None,
    quick: bool = False,
) -> None:
    """Export a training run to `out`; ParityError leaves the file as `out`.rejected, with reasons.

    `name` and `version` are what the card calls the model; None: those of the run.

    `data` holds train films for the ranges and val films for gates and thresholds; None: the data
    of the run. `target_sensitivity`, above 0 and at most 1, is what both thresholds are chosen for;
    ConfigError for another. `referral` is what the TB score is made of; None: what the run's recipe
    says. `quick` takes the network as it is where its INT8 model keeps the class of as many films
    as it should and passes every gate; else what makes INT8 lose less is tried once. DataError
    when films are not within reach or too few, ReportError when `out` cannot be written.
    """
    if not 0 < target_sensitivity <= 1:
        raise ConfigError("The target sensitivity must lie above 0 and be at most 1, like 0.95.")
    run = load_run(folder)
    referral = referral or referral_of(run.config)
    _check_outputs(run.network, referral)
    _check_writable(out)
    films = _load_films(run, data, cache)
    # Windows keeps a file that ONNX Runtime still maps; that must not spoil a finished export.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        fp32, prepared = work / "fp32.onnx", work / "prepared.onnx"
        with working("part 1 of 4, fp32 ONNX"):
            fp32_logits, fp32_gate = _write_fp32(run, fp32, films.val)
            prepare_for_quantization(fp32, prepared)
        trial = Trial(
            work=work,
            calibration=np.array(films.calibration.pixels),
            val=films.val,
            fp32_logits=fp32_logits,
            referral=referral,
            least_agreement=(
                LEAST_AGREEMENT_AS_INT8 if run.config.quantize_aware else LEAST_AGREEMENT
            ),
        )
        best, steps = _quantize(run, trial, prepared, quick=quick)
        gates = (fp32_gate, *best.parity.gates, best.conv_gate)
        if run.config.shift_classes:
            best = _shift(best, films.val)
        print_gates(gates)
        print_change(best.parity, best.count, best.method.value, best.exempt)
        print_cost(fp32, best.model, measure_speed(fp32, best.model, films.val.pixels))
        bare = best.model.read_bytes()
        try:
            _require_passed(gates, run, quick=quick)
            with working("part 4 of 4, figures for its card"):
                card = _describe(
                    run,
                    best,
                    films,
                    name=name or name_of(run),
                    version=version or version_of(run),
                    target_sensitivity=target_sensitivity,
                    referral=referral,
                    steps=steps,
                )
                check_runner(write_with_card(best.model, card), films.val.pixels, best.logits)
        except ParityError as error:
            raise _reject(bare, out, error) from error
        _release(best.model, out)
        if fp32_too:
            write_bytes(fp32.read_bytes(), out.with_name(f"{out.stem}.fp32.onnx"))
    print_card(card, out)


def _write_fp32(run: LoadedRun, fp32: Path, val: LoadedImages) -> tuple[NDArray[np.float32], Gate]:
    """Write the fp32 graph; return its logits of validation films, and how they compare.

    A graph remembered from an equal network is held to the same gate, and else made anew.
    """
    wanted, size = _torch_logits(run, val), run.config.input_size
    known = known_graph(run.network, size=size)
    if known is not None:
        onnx.save(known, fp32)
        logits = run_logits(fp32, val.pixels)
        gate = check_fp32(wanted, logits)
        if gate.passed:
            return logits, gate
    export_onnx(run.network, fp32, size=size)
    remember_graph(run.network, onnx.load(fp32), size=size)
    logits = run_logits(fp32, val.pixels)
    return logits, check_fp32(wanted, logits)


def _quantize(
    run: LoadedRun, trial: Trial, prepared: Path, *, quick: bool
) -> tuple[Candidate, tuple[str, ...]]:
    """Return the INT8 model, and what was done to the weights before."""
    as_int8 = run.config.quantize_aware > 0
    if quick and not as_int8:
        return _quantize_quickly(run, trial.with_films(QUICK_FILMS), prepared)
    with working("part 2 of 4, what makes INT8 lose less"):
        refined = refine(
            run.network, prepared, trial.work, trial.calibration, trained_as_int8=as_int8
        )
    with working("part 3 of 4, INT8 against fp32 on validation films"):
        best = best_candidate(trial, refined.prepared, ranges=refined.ranges, made=refined.model)
    return best, refined.steps


def _quantize_quickly(
    run: LoadedRun, trial: Trial, prepared: Path
) -> tuple[Candidate, tuple[str, ...]]:
    """Return the INT8 model of the network as it is, or if that is not enough, of it refined."""
    with working("part 2 of 4, INT8 as it is, on validation films"):
        candidate = trial.make(prepared, Method.MINMAX)
    if candidate.passed and trial.keeps_classes(candidate):
        return candidate, ()
    with working("part 3 of 4, what makes INT8 lose less"):
        refined = refine(run.network, prepared, trial.work, trial.calibration, made=candidate.model)
        return trial.judge(refined.model, refined.method), refined.steps


def _shift(best: Candidate, val: LoadedImages) -> Candidate:
    """Fit class biases on the INT8 logits; the gates above compare the networks as trained."""
    shift = shift_classes(best.model, best.logits, val.labels)
    say(f"class biases shifted by {', '.join(f'{value:+.3f}' for value in shift)}")
    return replace(best, logits=run_logits(best.model, val.pixels))


def _load_films(run: LoadedRun, data: Path | None, cache: Path | None) -> ExportFilms:
    source = data or run.data
    if source is None or not source.exists():
        raise DataError(
            f"The images of this run are not at {source}: name them by --calibration. "
            "A model is never calibrated on made-up numbers."
        )
    # A hospital that was left out of the training chooses no threshold either.
    found = read_data(source, without=run.without)
    examples = tuple(one for one in found if one.source not in run.without)
    require_every_class(examples, "val")
    side = run.config.input_size
    val = load_films(select(examples, "val"), side, what="val", cache=cache)
    check_thresholds_possible(val.examples)
    chosen = choose_calibration(examples)
    calibration = load_films(chosen, side, what="calibration", cache=cache)
    return ExportFilms(all=examples, val=val, calibration=calibration)


def _torch_logits(run: LoadedRun, val: LoadedImages) -> NDArray[np.float32]:
    import torch

    return predict(run.network, val.pixels, size=run.config.input_size, device=torch.device("cpu"))


def _describe(
    run: LoadedRun,
    best: Candidate,
    films: ExportFilms,
    *,
    name: str,
    version: str,
    target_sensitivity: float,
    referral: Referral | None,
    steps: Sequence[str] = (),
) -> ModelCard:
    size = run.config.input_size
    quantization = Quantization(
        method=", ".join(
            ("QDQ U8S8 per channel", "7-bit weights, depthwise 8", best.method.value, *steps)
        ),
        calibration_images=best.calibration_films,
        exempt_nodes=("cam", *best.exempt),
        int8_convolutions=best.count.int8,
        fp32_convolutions=best.count.fp32,
        largest_logit_difference=best.parity.largest_logit_difference,
        mean_logit_difference=best.parity.mean_logit_difference,
        class_agreement=best.parity.class_agreement,
        macro_f1_drop=best.parity.macro_f1_fp32 - best.parity.macro_f1_int8,
        tb_missed_more=best.parity.tb_missed_int8 - best.parity.tb_missed_fp32,
    )
    return make_card(
        run,
        ValFilms(examples=films.val.examples, logits=best.logits),
        quantization,
        train_sources={example.source for example in select(films.all, "train")},
        name=name,
        version=version,
        self_test_logits=run_logits(best.model, self_test_inputs(size, size)),
        model_sha256=model_digest(best.model),
        target_sensitivity=target_sensitivity,
        referral=referral,
    )


def _check_outputs(network: CamNetwork, referral: Referral | None) -> None:
    """Raise ConfigError where the network's outputs and what the score is made of do not fit."""
    has_head = len(network.bias) > len(CLASSES)
    if has_head and referral is None:
        raise ConfigError(
            "This network has a referral logit: say what the TB score is made of, by "
            "--referral-score a,b,c,d or by referral_score in its recipe."
        )
    if referral is not None and referral.uses_output and not has_head:
        raise ConfigError(
            "This network has no referral logit: the first weight of its score must be 0, and its "
            "map `tuberculosis`."
        )


def name_of(run: LoadedRun) -> str:
    """Return what the run calls its model; its folder's name where it never said."""
    unsaid = run.config.name == TrainConfig().name
    return run.folder.absolute().name if unsaid else run.config.name


def version_of(run: LoadedRun) -> str:
    """Return a version that no other training has: the day it ended, and which weights these are.

    Without the day for a run that ended before days were noted.
    """
    weights = hashlib.sha256((run.folder / BEST_FILE).read_bytes()).hexdigest()[:8]
    day = str(run.facts.get("ended", "")).replace("-", ".")
    return f"{day}-{weights}" if day else weights


def _require_passed(gates: Sequence[Gate], run: LoadedRun, *, quick: bool) -> None:
    failed = [gate for gate in gates if not gate.passed]
    if not failed:
        return
    told = "; ".join(
        gate.note or f"{gate.name} is {gate.measured:.4g}, not {gate.limit}" for gate in failed
    )
    advice = (
        ""
        if run.config.quantize_aware
        else " Last epochs that see INT8 may help: cxr-train fit with --start-from this run, a low "
        "learning rate and --quantize-aware 2."
    )
    if quick:
        advice += " cxr-export without --quick tries more before it refuses."
    raise ParityError(f"Quantized, it is another model: {told}.{advice}")


def _reject(bare: bytes, out: Path, error: ParityError) -> ParityError:
    """Write the model without a card, which `cxr-infer` refuses whatever it is renamed to.

    It says why, whoever opens it.
    """
    rejected = _rejected(out)
    write_bytes(with_rejection(bare, str(error)), rejected)
    return ParityError(f"{error} It was written as {rejected}.")


def _release(model: Path, out: Path) -> None:
    write_bytes(model.read_bytes(), out)
    _rejected(out).unlink(missing_ok=True)  # of an earlier try at the same file


def _rejected(out: Path) -> Path:
    return out.with_name(out.name + ".rejected")


def _check_writable(out: Path) -> None:
    if out.is_dir():
        raise ReportError(f"{out} cannot be written: it is a folder.")
    if not out.parent.is_dir():
        raise ReportError(f"{out} cannot be written: there is no folder {out.parent}.")
    require_writable(out.parent)
