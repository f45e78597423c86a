"""A result is written whole, and where it cannot be, one error says so."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cxr_train.result_files import require_writable, write_csv, write_file, write_json
from edge_infer.errors import ReportError


def test_json_brings_back_a_name_that_is_no_text(tmp_path: Path) -> None:
    value = {"영상\udcff.png": [1, None]}
    write_json(value, tmp_path / "new" / "report.json")
    assert json.loads((tmp_path / "new" / "report.json").read_bytes()) == value


def test_a_column_that_a_row_lacks_is_empty(tmp_path: Path) -> None:
    write_csv(["a", "b"], [{"a": 'x,"y"'}, {"b": 2}], tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], ['x,"y"', ""], ["", "2"]]


def test_what_cannot_be_written_is_a_report_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "result"
    with pytest.raises(ReportError, match=r"result cannot be written: .+\.$"):
        write_file(inside, lambda file: file.write(b"x"))
    with pytest.raises(ReportError, match="cannot be written"):
        require_writable(tmp_path / "file")
