"""The worklist as worklist.csv and worklist.json.

worklist.csv has no date or time in it, but for what people at the desk said of its films: the same
folder, model and package versions give the same bytes, on every PC and in every locale. UTF-8 with
BOM, comma, CRLF (RFC 4180), as Excel expects.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from edge_infer.model.card_json import to_plain
from edge_infer.worklist.cells import disarm
from edge_infer.worklist.marks import MARK_COLUMNS, mark_cells
from edge_infer.worklist.rows import ScreenedDay, WorklistRow, count_decisions, count_reasons

SCHEMA: Final = "1.0"
CSV_NAME, JSON_NAME, PAGE_NAME = "worklist.csv", "worklist.json", "report.html"
COLUMNS: Final = (
    "rank",
    "status",
    "path",
    "decision",
    "tb_score",
    "prediction",
    "p_normal",
    "p_pneumonia",
    "p_covid19",
    "p_tuberculosis",
    "reason",
    "modality",
    "view_position",
    "study_instance_uid",
    "sop_instance_uid",
    "accession_number",
    "model_name",
    "model_version",
    "reason_code",
)
PATIENT_COLUMNS: Final = ("patient_name", "patient_id", "patient_birth_date")
"""Appended where the patient was asked for."""
SITE_COLUMN: Final = "site"
"""Appended where a site file was applied: its id. MARK_COLUMNS come last."""


def to_csv(day: ScreenedDay) -> str:
    """Return the CSV's text with its BOM; cells that would be formulas are disarmed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    patient = PATIENT_COLUMNS if day.include_patient else ()
    site = (SITE_COLUMN,) if day.site is not None else ()
    marks = MARK_COLUMNS if day.has_marks else ()
    writer.writerow(COLUMNS + patient + site + marks)
    for cells in _cells_of_rows(day):
        writer.writerow([disarm(str(cell)) for cell in cells.values()])
    return "\ufeff" + text.getvalue()


def to_json(day: ScreenedDay) -> str:
    """Return the JSON's text: rows with the CSV's columns, exact text, null where unknown.

    Then age in whole years, sex and the film's time, unless the day leaves them out.
    """
    counts = {
        str(decision or "not_screened"): n for decision, n in count_decisions(day.rows).items()
    }
    plain = {
        "schema": SCHEMA,
        "generated_at": day.generated_at.isoformat(timespec="seconds"),
        "package_version": day.package_version,
        "model": {
            "name": day.card.name,
            "version": day.card.version,
            "sha256": day.model_sha256,
            "operating_points": to_plain(day.card.operating_points),
            "uncertain": to_plain(day.card.uncertain),
        },
        "gate": None if day.card.gate is None else "off" if day.is_gate_off else "on",
        "site": _describe_site(day),
        "drift": _describe_drift(day),
        "complete": day.is_complete,
        "counts": {
            "files": day.n_files,
            "rows": len(day.rows),
            **counts,
            "reasons": {str(code): n for code, n in count_reasons(day.rows).items()},
            "ignored": day.ignored,
        },
        "unreadable_folders": list(day.unreadable_folders),
        "archives": list(day.archives),
        "rows": [
            {name: _to_json_value(cell) for name, cell in (cells | _when_and_who(row, day)).items()}
            for row, cells in zip(day.rows, _cells_of_rows(day), strict=True)
        ],
    }
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _describe_site(day: ScreenedDay) -> dict[str, Any] | None:
    """Name the site file; its threshold stands among the model's operating points."""
    if day.site is None:
        return None
    return {"id": day.site.site_id, "created": day.site.created, "threshold": day.site.threshold}


def _describe_drift(day: ScreenedDay) -> dict[str, Any] | None:
    drift = day.drift
    if drift is None:
        return None
    return {**to_plain(drift), "shifted": drift.is_shifted, "sentence": drift.sentence or None}


def _cells_of_rows(day: ScreenedDay) -> Iterator[dict[str, int | str | Decimal]]:
    """Yield each row's cells by column, in the order of the columns; unknown is an empty string."""
    for rank, row in enumerate(day.rows, start=1):
        cells: dict[str, int | str | Decimal] = dict.fromkeys(COLUMNS, "")
        cells |= {
            "rank": rank,
            "status": row.status.value,
            "path": row.path,
            "decision": row.decision.value if row.decision else "",
            "reason": row.reason,
            "reason_code": row.reason_code.value if row.reason_code else "",
            "model_name": day.card.name,
            "model_version": day.card.version,
        }
        cells |= _cells_of_finding(row)
        cells |= _cells_of_study(row, day.include_patient)
        if day.site is not None:
            cells[SITE_COLUMN] = day.site.site_id
        if day.has_marks:
            cells |= mark_cells(row.marks)
        yield cells


def _cells_of_finding(row: WorklistRow) -> dict[str, str | Decimal]:
    if row.finding is None:
        return {}
    normal, pneumonia, covid19, tuberculosis = row.finding.probabilities
    return {
        "tb_score": row.finding.tb_score,
        "prediction": row.finding.prediction,
        "p_normal": normal,
        "p_pneumonia": pneumonia,
        "p_covid19": covid19,
        "p_tuberculosis": tuberculosis,
    }


def _cells_of_study(row: WorklistRow, include_patient: bool) -> dict[str, str]:
    cells = dict.fromkeys(PATIENT_COLUMNS, "") if include_patient else {}
    if row.study is None:
        return cells
    cells |= {
        "modality": row.study.modality,
        "view_position": row.study.view_position,
        "study_instance_uid": row.study.study_instance_uid,
        "sop_instance_uid": row.study.sop_instance_uid,
    }
    if include_patient:
        identity = row.study.identity
        cells |= {
            "accession_number": identity.accession_number,
            "patient_name": identity.patient_name,
            "patient_id": identity.patient_id,
            "patient_birth_date": identity.patient_birth_date,
        }
    return cells


def _when_and_who(row: WorklistRow, day: ScreenedDay) -> dict[str, int | str | Decimal]:
    """Return what only the JSON has: it helps to find a film, and the CSV stays as it was."""
    if not day.with_age_sex:
        return {}
    study = row.study
    age = study.age_years if study is not None else None
    return {
        "age_years": "" if age is None else int(age),
        "sex": study.sex if study is not None else "",
        "film_time": study.taken_at if study is not None else "",
    }


def _to_json_value(cell: int | str | Decimal) -> Any:
    if isinstance(cell, Decimal):
        return float(cell)  # at most four decimals, so the shortest float prints the same number
    return None if cell == "" else cell
