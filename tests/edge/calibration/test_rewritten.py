"""A spreadsheet's numbers and dates are known for the names that they were."""

from __future__ import annotations

import pytest

from edge_infer.calibration.rewritten import may_have_become


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        *(("0012345", "12345"), ("1E10", "1.00E+10"), ("1e10", "10000000000"), ("3-11", "03-Nov")),
        *(("3-11", "11-Mar"), ("3-11", "Mar-11"), ("3-11", "2026-03-11"), ("3-11", "3월 11일")),
        *(("20261126000012345", "2.02611E+16"), ("20261126000012345", "20261126000012300")),
        *(("1.50", "1.5"), ("+12", "12"), ("2026-1-2", "02.01.2026"), ("11-03", "11/3/2026")),
        *(("1-1", "Jan-01"), ("3-11", "03/11/2026 00:00:00"), ("000", "0")),
    ],
)
def test_what_a_spreadsheet_makes_of_a_name(name: str, cell: str) -> None:
    assert may_have_become(name, cell)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        *(("12345", "12345"), ("0012345", "12346"), ("a/0012345", "12345"), ("tb01.png", "1")),
        *(("0012345.dcm", "12345"), ("3-11", "03-Dec"), ("3-11", "3"), ("1E10", "1.00E+11")),
        *(("20261126000012345", "2.02612E+16"), ("x3-11", "03-Nov"), ("", "0"), ("12345", "2345")),
    ],
)
def test_what_it_does_not(name: str, cell: str) -> None:
    assert not may_have_become(name, cell)
