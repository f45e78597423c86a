"""No cell is a formula: in no locale, after no line break; and what stood there can be had back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_infer.worklist.cells import disarm, rearm

FORMULAS = [
    *("=1+1.dcm", "+1", "-1", "@x", "\t=1", " =1+1.dcm", "\r=1+1.dcm", "\n=1+1.dcm", "\u3000=1"),
    *("＝1+1.dcm", "＋1", "－1", "＠x", "\ufeff=1", "\u200b=1", "x;=1+1;.dcm", "x; =1", "x|=1"),
    *("x\t=1", "a\n=1", "a\r\n=1", ";=1", "a,b;＝1", '"=1', "x;;=1"),
]


def cells_anywhere(cell: str) -> list[str]:
    """Return what a spreadsheet may find in a row with this cell, by every usual separator."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(["1", cell, "x"])
    found = []
    for separator in ",;\t|":
        for line in text.getvalue().splitlines():
            found += next(csv.reader([line], delimiter=separator), [])
    return found


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula(text: str) -> None:
    for cell in cells_anywhere(disarm(text)):
        assert not cell.strip().strip("\u200b\ufeff").startswith(tuple("=+-@＝＋－＠"))


@pytest.mark.parametrize("text", ["a.dcm", "a b/c-1.dcm", "x;y.dcm", "café=1", "it's", "", "'x"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert disarm(text) == rearm(text) == text


@given(st.text(alphabet="ab=+-@ ;|\t\r\n＝.", max_size=8))
@example("\r=1+1.dcm")
@example("x;=1+1;.dcm")
def test_what_stood_there_can_be_had_back(text: str) -> None:
    assert rearm(disarm(text)) == text
