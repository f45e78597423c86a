"""LibreOffice itself finds no formula in our cells, by comma or semicolon, in a German locale."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_infer.worklist.cells import disarm
from tests.edge.worklist.test_cells import FORMULAS

COMMA, SEMICOLON = 44, 59
GERMAN = 1031
"""Whose lists are separated by semicolons, and whose decimals have a comma."""


def find_formulas(cells: Sequence[str], separator: int, folder: Path) -> list[str]:
    """Return the formulas of a CSV, as a spreadsheet that calculates all it can understands it."""
    place = folder / "worklist.csv"
    with place.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows(["1", cell, "x"] for cell in cells)
    # Separator, quote, UTF-8, first line, formats, language, no text by quotes, numbers of any
    # form, ..., and last: formulas are calculated.
    reading = f"CSV:{separator},34,76,1,,{GERMAN},false,true,false,false,false,0,true"
    subprocess.run(
        [
            *("soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"),
            *("--convert-to", "fods", f"--infilter={reading}", "--outdir", folder, place),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return re.findall(r'table:formula="([^"]*)"', (folder / "worklist.fods").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("separator", [COMMA, SEMICOLON])
def test_a_spreadsheet_finds_no_formula(separator: int, tmp_path: Path) -> None:
    if shutil.which("soffice") is None:
        pytest.skip("soffice is not installed (Debian package libreoffice-calc)")
    bare = find_formulas(["=1+1", "x;=1+1;.dcm"], separator, tmp_path)
    assert bare, "it would find them"
    assert find_formulas([disarm(cell) for cell in FORMULAS], separator, tmp_path) == []
