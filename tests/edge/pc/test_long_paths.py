"""A film deep below its folder is a film on Windows too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_infer.films.find import find_films
from edge_infer.films.read import read_radiograph
from edge_infer.pc.long_paths import extended, plain, reachable, real_path
from tests.edge.made_films import png

DEEP = "\\".join(["1.2.840.113619.2.55.3.604688119"] * 9)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("C:\\films\\a.dcm", "C:\\films\\a.dcm"),
        ("films\\a.dcm", "films\\a.dcm"),
        (f"C:\\{DEEP}\\a.dcm", f"\\\\?\\C:\\{DEEP}\\a.dcm"),
        (f"C:/day/../{DEEP}/a.dcm".replace("\\", "/"), f"\\\\?\\C:\\{DEEP}\\a.dcm"),
        (f"\\\\server\\share\\{DEEP}", f"\\\\?\\UNC\\server\\share\\{DEEP}"),
        (f"\\\\?\\C:\\{DEEP}", f"\\\\?\\C:\\{DEEP}"),
        (f"\\\\.\\C:\\{DEEP}", f"\\\\.\\C:\\{DEEP}"),
    ],
)
def test_long_paths_are_spelt_so_that_windows_opens_them(path: str, wanted: str) -> None:
    assert extended(path) == wanted


@pytest.mark.parametrize(
    "path", [f"C:\\{DEEP}\\a.dcm", f"\\\\server\\share\\{DEEP}", "C:\\films\\a.dcm"]
)
def test_the_plain_spelling_comes_back(path: str) -> None:
    assert plain(extended(path)) == path


def test_where_the_system_does_not_tell_a_real_path_the_absolute_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> str:
        raise OSError(22, "More data available")

    (tmp_path / "IM000001").write_bytes(png(1))
    monkeypatch.setattr("os.path.realpath", fail)
    assert real_path(tmp_path / "a" / ".." / "b") == str(tmp_path / "b")
    assert [film.tail for film in find_films([tmp_path]).films] == ["IM000001"]


def test_a_path_is_not_touched_where_nothing_needs_it(tmp_path: Path) -> None:
    assert reachable(tmp_path) == tmp_path
    if sys.platform != "win32":
        long = tmp_path.joinpath(*["x" * 60] * 10)
        assert reachable(long) == long


def test_a_film_far_down_is_found_and_read_however_long_its_path_is(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["1.2.840.113619.2.55.3.604688119"] * 9)
    reachable(folder).mkdir(parents=True)
    reachable(folder / "IM000001").write_bytes(png(1))
    (film,) = find_films([tmp_path]).films
    assert len(str(film.path)) > 260 and film.tail.endswith("/IM000001")
    assert read_radiograph(film.path).pixels.size
