"""A stick pulled out at any moment: what was found is listed, and what is missing is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_infer.commands import terminal
from edge_infer.model import model_file
from tests.edge.commands.test_infer import read_rows, run
from tests.edge.made_day import TINY
from tests.edge.made_films import png

COUNT = 6


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    films = tmp_path / "stick" / "films"
    films.mkdir(parents=True)
    for number in range(COUNT):
        (films / f"{number}.png").write_bytes(png(number))
    return films


def before(function: Callable[..., Any], act: Callable[[], object]) -> Callable[..., Any]:
    def acts_first(*arguments: Any, **options: Any) -> Any:
        act()
        return function(*arguments, **options)

    return acts_first


def pull(folder: Path) -> Callable[[], None]:
    def act() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    return act


def test_a_stick_pulled_while_starting(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was looked through, and no film was read yet."""
    load = before(model_file.load_model_file, pull(stick))
    monkeypatch.setattr(model_file, "load_model_file", load)
    out = tmp_path / "out"
    ended = run(capsys, stick, "--out", out, "--model", TINY, "--workers", "1")
    assert ended.code == 4, ended
    rows = read_rows(out)
    assert [row["path"] for row in rows] == [f"{number}.png" for number in range(COUNT)]
    assert {row["reason_code"] for row in rows} == {"cannot_open"}
    assert "Traceback" not in ended.err + ended.out


def test_a_stick_pulled_in_the_middle_keeps_the_rows_so_far(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = before(terminal.Progress.advance, pull(stick))
    monkeypatch.setattr(terminal.Progress, "advance", advance)
    out = tmp_path / "out"
    ended = run(capsys, stick, "--out", out, "--model", TINY, "--workers", "1")
    assert ended.code == 4, ended
    rows = read_rows(out)
    assert sorted(row["path"] for row in rows) == [f"{number}.png" for number in range(COUNT)]
    status = [row["status"] for row in rows]
    assert 1 <= status.count("screened") < COUNT
    missing = {row["reason_code"] for row in rows if row["status"] != "screened"}
    assert missing == {"cannot_open"}
    assert "Traceback" not in ended.err + ended.out


def test_results_on_the_stick_that_was_pulled(
    stick: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = before(terminal.Progress.advance, pull(stick.parent))
    monkeypatch.setattr(terminal.Progress, "advance", advance)
    out = stick.parent / "out"
    ended = run(capsys, stick, "--out", out, "--model", TINY, "--workers", "1")
    assert ended.code == 6, ended
    assert f"cannot be kept in {out}" in ended.err and "connect it again" in ended.err
    assert len(ended.err.splitlines()) == 1
