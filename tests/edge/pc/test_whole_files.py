"""Another program may have a file for a moment, and the rest waits for it, but not for ever."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from edge_infer.pc import whole_files
from edge_infer.pc.whole_files import (
    patiently,
    put_in_place,
    require_free,
    require_writable,
    write_whole,
)
from tests.edge.held_files import hold_files


class Scanned:
    """A file that a virus scanner has open for the first `times` tries."""

    def __init__(self, times: int) -> None:
        self.tries, self._times = 0, times

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self._times:
            raise PermissionError(13, "The process cannot access the file")
        return "done"


def test_a_file_in_use_for_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_files, "PATIENCE_S", 60.0)
    scanned = Scanned(3)
    assert patiently(scanned) == "done"
    assert scanned.tries == 4


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_files, "PATIENCE_S", 0.2)
    scanned = Scanned(10**9)
    with pytest.raises(PermissionError):
        patiently(scanned)
    assert 2 <= scanned.tries < 100


def test_other_errors_are_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(whole_files, "PATIENCE_S", 10**9)
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "missing", tmp_path / "place")


def test_looking_whether_a_file_is_free_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(whole_files, "PATIENCE_S", 0.0)
    (tmp_path / "list").write_bytes(b"content")
    require_free(tmp_path / "list")
    hold_files(monkeypatch).add("list")
    with pytest.raises(PermissionError):
        require_free(tmp_path / "list")
    assert (tmp_path / "list").read_bytes() == b"content"


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "result"
    write_whole(place, lambda file: file.write(b"old"))

    def stop_half_way(file: BinaryIO) -> None:
        file.write(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(place, stop_half_way)
    assert place.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [place], "nothing half written stays"


def test_a_folder_is_tried_and_left_empty(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"."):
        require_writable(tmp_path / "file")
