"""`--support`: enough to help by, and nothing that names anyone or any place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer.commands import infer
from edge_infer.commands.support import describe_day, without_paths, write_support
from edge_infer.errors import ReportError
from tests.edge.made_day import TINY
from tests.edge.made_films import PATIENT, png


def say_nothing(say: Callable[[str], object]) -> None:
    say("Self-test: FAILED: The model C:\\진료 기록\\Hong.onnx cannot be read: not a file.")
    say("Libraries: numpy 2.5.5, onnxruntime 1.32.0")


def test_a_report_has_counts_and_codes_and_no_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films, out = tmp_path / "홍길동 films", tmp_path / "out"
    films.mkdir()
    (films / "Hong Gildong.png").write_bytes(png(1))
    (films / "empty.dcm").write_bytes(b"")
    (films / "again.dcm").write_bytes(b"")
    arguments = (films, "--out", out, "--model", TINY, "--workers", "1", "--quiet")
    with pytest.raises(SystemExit):
        infer.main([*map(str, arguments), "--include-patient"])
    capsys.readouterr()
    before = (out / "day.sqlite").read_bytes()
    place = tmp_path / "support.txt"
    write_support(place, out, check=say_nothing)
    text = place.read_text("utf-8")
    assert "rows: 3" in text and "contents scored: 1" in text
    assert "not screened, empty_file: 2" in text and "numpy 2.5.5" in text
    assert re.search(r"seconds between looks: median \d+\.\d\d", text)
    for secret in ("Hong", "홍", "empty.dcm", "진료", str(tmp_path), *PATIENT.values()):
        assert str(secret) not in text
    assert (out / "day.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Self-test: FAILED: The model Hong/m.onnx is bad.", "Self-test: FAILED: the model cannot"),
        ("Self-test: FAILED: DLL load failed while importing x", "Self-test: FAILED: DLL load"),
        ("Self-test: FAILED: tiny 0.0.1, largest difference 2 of", "Self-test: FAILED: tiny 0.0.1"),
        ("Speed:     films of 2500 x 2048, films/hour", "Speed:     films of 2500"),
    ],
)
def test_an_error_that_quotes_a_path_loses_its_text(line: str, said: str) -> None:
    assert without_paths(line).startswith(said) and "Hong" not in without_paths(line)


def test_no_day_and_a_damaged_one_are_said(tmp_path: Path) -> None:
    assert list(describe_day(None)) == list(describe_day(tmp_path))
    (tmp_path / "day.sqlite").write_bytes(b"nothing that SQLite knows" * 100)
    assert "cannot be read: SQLITE_NOTADB" in "\n".join(describe_day(tmp_path))


def test_an_unwritable_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        write_support(tmp_path / "no" / "folder.txt", None, check=say_nothing)
