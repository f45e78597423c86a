"""The bundled model decides alike on a processor without VNNI, under an emulator."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.shared_data import shared_data

ROOT = Path(__file__).resolve().parents[2]


def score(folder: Path, *emulator: str) -> dict[str, Any]:
    done = subprocess.run(
        [*emulator, sys.executable, "-m", "tests.edge.flow.score_folder", str(folder)],
        check=True,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    scores: dict[str, Any] = json.loads(done.stdout)
    return scores


@pytest.mark.slow
def test_same_decisions_and_scores_as_a_haswell(tmp_path: Path) -> None:
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        pytest.skip("qemu-x86_64 is not installed (Debian package qemu-user)")
    films = sorted((shared_data() / "dicom").glob("rsna_*.dcm"))
    labelled = shared_data() / "cxr4"
    films = films[:8] + [
        sorted((labelled / name).iterdir())[7 * k]
        for name in ("tuberculosis", "covid19", "normal")
        for k in range(4)
    ]
    for film in films:
        (tmp_path / film.name).write_bytes(film.read_bytes())
    here = score(tmp_path)
    haswell = score(tmp_path, emulator, "-cpu", "Haswell")
    assert len(here) == len(films) == 20
    assert {name: one["decision"] for name, one in here.items()} == {
        name: one["decision"] for name, one in haswell.items()
    }
    for name, one in here.items():
        assert abs(one["tb_score"] - haswell[name]["tb_score"]) <= 0.5, name
