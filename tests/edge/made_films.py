"""A small folder of films as a clinic would have it: good, damaged, oddly named, and not films."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.edge.films.dicom.dicom_factory import bands, make_dicom

PATIENT: dict[str, Any] = {
    "PatientName": "HONG^GILDONG",
    "PatientID": "PID4711",
    "PatientBirthDate": "19700102",
    "AccessionNumber": "ACC0815",
}
FORMULA_NAME = "=1+1.png"
DUE, IGNORED, SCREENED = 7, 2, 4


def png(seed: int, *, height: int = 150, width: int = 200) -> bytes:
    """Return a PNG of a smooth made-up picture; another seed gives other scores."""
    rows, columns = np.mgrid[0:height, 0:width]
    wave = np.sin(rows / (11 + 3 * seed)) + np.cos(columns / (17 + 2 * seed))
    encoded, data = cv2.imencode(".png", (wave * 60 + 128).astype(np.uint8))
    assert encoded
    return data.tobytes()


def make_day(folder: Path) -> Path:
    """Write 7 files that get a row, 4 of them good, and 2 that are not; return `folder`."""
    ward = folder / "신촌 진료소"
    ward.mkdir(parents=True)
    (ward / "필름 1.png").write_bytes(png(1))
    (ward / "2.dcm").write_bytes(make_dicom(bands([0, 40, 200, 255], "u1"), **PATIENT))
    (folder / FORMULA_NAME).write_bytes(png(3))
    (folder / "no-suffix").write_bytes(png(4))
    (folder / "cut.png").write_bytes(png(5)[:400])
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "lateral.dcm").write_bytes(make_dicom(bands([0, 255], "u1"), ViewPosition="LL"))
    (folder / "notes.txt").write_text("nothing to see", encoding="utf-8")
    (folder / "._cut.png").write_bytes(b"macOS")
    return folder


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Return content hash and modification time of everything below `folder`."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in [folder, *folder.rglob("*")]
    }
