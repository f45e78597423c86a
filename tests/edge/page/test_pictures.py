"""`--pictures`: named after nobody, none with burned-in text, none left over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_infer.errors import FileInUse, ReportError
from edge_infer.films.study import InputType, StudyInfo
from edge_infer.page.pictures import picture_name, write_pictures
from edge_infer.worklist.rows import WorklistRow
from tests.edge.held_files import hold_files
from tests.edge.made_day import make_day, refused, screened
from tests.edge.made_heat import grey_jpeg


def with_heat(path: str, *, burned: bool = False) -> WorklistRow:
    study = StudyInfo(input_type=InputType.DICOM, has_burned_in_text=burned)
    return replace(screened(path), heat=grey_jpeg(), heat_class="tuberculosis", study=study)


def test_each_film_with_a_map_has_one_picture(tmp_path: Path) -> None:
    rows = [with_heat("홍길동/a.dcm"), with_heat("b.dcm"), screened("no-map.dcm"), refused("c.dcm")]
    assert write_pictures(make_day(rows), tmp_path) == 2
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == sorted(filter(None, map(picture_name, rows)))
    for name in names:
        assert name.isascii() and name.startswith("film-") and "a.dcm" not in name
        data = np.frombuffer((tmp_path / "pictures" / name).read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert picture is not None and picture.shape == (80, 60, 3)


@pytest.mark.parametrize("include_patient", [False, True])
def test_burned_in_text_never_becomes_a_picture(tmp_path: Path, include_patient: bool) -> None:
    day = make_day([with_heat("a.dcm", burned=True)], include_patient=include_patient)
    assert write_pictures(day, tmp_path) == 0
    assert list((tmp_path / "pictures").iterdir()) == []


def test_a_film_that_is_gone_takes_its_picture_along(tmp_path: Path) -> None:
    write_pictures(make_day([with_heat("a"), with_heat("b")]), tmp_path)
    (tmp_path / "pictures" / "mine.png").write_bytes(b"mine")
    write_pictures(make_day([with_heat("b")]), tmp_path)
    left = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert left == sorted([str(picture_name(with_heat("b"))), "mine.png"])


def test_a_picture_that_a_viewer_shows_is_said_and_the_others_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = make_day([with_heat("a")])
    write_pictures(day, tmp_path)
    name = str(picture_name(with_heat("a")))
    before = (tmp_path / "pictures" / name).read_bytes()
    held = hold_files(monkeypatch)
    held.add(name)
    with pytest.raises(FileInUse, match=rf"The list is written, but the picture {name} .*close it"):
        write_pictures(day, tmp_path)
    assert (tmp_path / "pictures" / name).read_bytes() == before
    held.clear()
    assert write_pictures(day, tmp_path) == 1
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [name]


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_bytes(b"")
    with pytest.raises(ReportError, match="name another folder with --out"):
        write_pictures(make_day([with_heat("a")]), tmp_path)
