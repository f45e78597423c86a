"""The same folder gives the same worklist on an older processor, byte for byte (short version).

`python -m benchmarks.one_worklist` does it for every kind of file on three older processors.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.every_syntax import write_film
from benchmarks.made_films import enlarge
from benchmarks.one_worklist import first_difference, screen_as

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("explicit_window", "jpeg_baseline", "jpeg2000_lossy", "htj2k_lossy", "jpeg.jpg")
"""Where floats or vector paths could differ; the lossless decoders are whole numbers."""


@pytest.mark.slow
def test_one_worklist_here_and_on_a_sandy_bridge(tmp_path: Path) -> None:
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("qemu-x86_64 is not installed (Debian package qemu-user)")
    phantom = next((ROOT / "examples" / "day").glob("*.png"))
    grey = cv2.imread(str(phantom), cv2.IMREAD_GRAYSCALE)
    for kind in KINDS:
        write_film(tmp_path, enlarge(np.asarray(grey, np.uint8), (1003, 901), 0), kind)
    csv, here = screen_as(tmp_path, None)
    # No AVX2, no FMA, no VNNI.
    other, there = screen_as(tmp_path, "SandyBridge")
    assert len(here) == len(KINDS) and not any("refused" in film for film in here.values())
    assert {name: first_difference(here[name], there[name]) for name in here} == dict.fromkeys(here)
    assert csv == other
