"""A running desk over a day of odd films."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from edge_infer.flow.keep_day import DaySettings
from tests.edge.desk.running_desk import RunningDesk, run_desk
from tests.edge.made_films import make_day


@pytest.fixture
def desk(tmp_path: Path, settings: DaySettings) -> Generator[RunningDesk, None, None]:
    films = make_day(tmp_path / "films")
    with run_desk(films, tmp_path / "out", settings) as running:
        yield running
