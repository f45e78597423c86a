"""Rows and days made by hand, without a film or a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.study import Identity, InputType, StudyInfo
from edge_infer.model.findings import Finding
from edge_infer.model.model_card import (
    CLASSES,
    ConformalClass,
    Interval,
    ModelCard,
    OperatingPoints,
    UncertainBand,
)
from edge_infer.model.model_file import load_model_file
from edge_infer.worklist.rows import ScreenedDay, WorklistRow, in_order, refused_row, screened_row

TINY = Path(__file__).resolve().parents[0] / "model" / "tiny.onnx"
JPEG = bytes.fromhex("ffd8ffd9")
"""Passes for a picture in a page that nobody looks at."""
WHO = Identity(
    accession_number="ACC-77",
    patient_name="Hong^Gildong=洪^吉洞=홍^길동",
    patient_id="PID-88",
    patient_birth_date="19700102",
)


def make_card(refer_tb: float = 40.0, abnormal: float = 50.0) -> ModelCard:
    card = _tiny_card()
    points = card.operating_points
    return replace(
        card,
        operating_points=OperatingPoints(
            refer_tb=replace(points.refer_tb, threshold=refer_tb),
            abnormal=replace(points.abnormal, threshold=abnormal),
        ),
    )


def make_band(**thresholds: int) -> UncertainBand:
    """Return a band with these thresholds in ten-thousandths; 10,000 for classes not named."""
    share = Interval(value=0.95, low=0.9, high=0.99)
    return UncertainBand(
        method="conformal",
        alpha=0.05,
        population="made-up films",
        classes=tuple(
            ConformalClass(
                class_name=name,
                threshold_units=thresholds.get(name, 10_000),
                n=99,
                groups=99,
                coverage=share,
            )
            for name in CLASSES
        ),
        fingerprint="f" * 64,
    )


@cache
def _tiny_card() -> ModelCard:
    return load_model_file(TINY).card


def make_finding(prediction: str, *, tb_tenths: int = 0, abnormal_tenths: int = 0) -> Finding:
    """Return a finding with the numbers that a decision looks at; the units are only plausible."""
    tb_units, normal_units = 10 * tb_tenths, 10_000 - 10 * max(abnormal_tenths, tb_tenths)
    return Finding(
        units=(normal_units, 10_000 - normal_units - tb_units, 0, tb_units),
        tb_tenths=tb_tenths,
        abnormal_tenths=abnormal_tenths,
        prediction=prediction,
    )


def screened(
    path: str, prediction: str = "normal", *, tb_tenths: int = 0, band: UncertainBand | None = None
) -> WorklistRow:
    assert prediction in CLASSES
    study = StudyInfo(
        input_type=InputType.DICOM,
        modality="DX",
        view_position="PA",
        study_instance_uid="1.2.3",
        sop_instance_uid="1.2.3.4",
        identity=WHO,
    )
    return screened_row(
        path,
        make_finding(prediction, tb_tenths=tb_tenths, abnormal_tenths=tb_tenths),
        replace(make_card(), uncertain=band),
        study=study,
        thumbnail=JPEG,
    )


def refused(path: str, code: ReasonCode = ReasonCode.TRUNCATED) -> WorklistRow:
    kind = UnsupportedImage if code is ReasonCode.LATERAL_VIEW else UnreadableImage
    return refused_row(path, kind(f"Why {path} <has> no score.", code))


def make_day(
    rows: Sequence[WorklistRow],
    *,
    n_files: int | None = None,
    ignored: int = 0,
    unreadable_folders: tuple[str, ...] = (),
    archives: tuple[str, ...] = (),
    include_patient: bool = False,
) -> ScreenedDay:
    return ScreenedDay(
        rows=in_order(rows),
        n_files=len(rows) if n_files is None else n_files,
        ignored=ignored,
        unreadable_folders=unreadable_folders,
        archives=archives,
        card=make_card(),
        model_sha256="ab" * 32,
        package_version="9.8.7",
        generated_at=datetime(2026, 11, 23, 8, 2, 3, tzinfo=timezone(timedelta(hours=9))),
        include_patient=include_patient,
    )
