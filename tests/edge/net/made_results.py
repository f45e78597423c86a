"""A scored film's results, without a network."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from edge_infer.films.look import hash_file
from edge_infer.net.results.job import ResultJob
from edge_infer.net.results.make import MadeResult, make_results
from edge_infer.worklist.rows import Decision
from tests.edge.made_day import make_card, make_finding

LOUD = np.ones((5, 7, 7), np.float32)
WHOLE_HEADER = {
    "SeriesInstanceUID": "1.2.3.9",
    "StudyID": "77",
    "StudyDate": "20261123",
    "StudyTime": "101500",
    "PatientSex": "F",
    "PatientBirthDate": "19700102",
    "AccessionNumber": "ACC-1",
    "ReferringPhysicianName": "DOC^A",
    "BurnedInAnnotation": "NO",
}


def job_of(path: Path, **changes: Any) -> ResultJob:
    job = ResultJob(
        sha256=hash_file(path),
        finding=make_finding("tuberculosis", tb_tenths=873, abnormal_tenths=900),
        decision=Decision.REFER_TB,
        cam=LOUD,
        heat_class="tuberculosis",
        card=make_card(),
        model_sha256="ab" * 32,
        site_id=None,
        package_version="9.8.7",
        found_at=datetime(2026, 11, 23, 10, 30),
    )
    return replace(job, **changes)


def make(path: Path, folder: Path, **changes: Any) -> tuple[MadeResult, dict[str, Dataset]]:
    """Make a film's results; return what was said, and the objects by kind."""
    folder.mkdir(exist_ok=True)
    made = make_results(path, jobs={str(path): job_of(path, **changes)}, folder=folder)
    kinds: dict[str, Dataset] = {
        name.partition("-")[2].removesuffix(".dcm"): dcmread(folder / name) for name in made.names
    }
    return made, kinds
