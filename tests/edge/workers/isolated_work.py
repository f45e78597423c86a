"""Functions that misbehave in every way a decoder can; workers import them by name."""

from __future__ import annotations

import faulthandler
import os
import time
from pathlib import Path

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.study import InputType, StudyInfo


class UnpicklableError(Exception):
    """Cannot be built from its message alone, so unpickling it fails."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def misbehave(path: Path) -> str:
    """Do what the file's name says, else return the name."""
    action = path.name.split("-")[0]
    if action == "exit":
        os._exit(3)
    if action == "abort":
        os.abort()
    if action == "segfault":
        faulthandler._read_null()  # type: ignore[attr-defined]
        # where ctypes reads it, Windows makes it an OSError
    if action == "sleep":
        time.sleep(600)
    if action == "memory":
        raise MemoryError
    if action == "refuse":
        study = StudyInfo(input_type=InputType.DICOM, modality="CT")
        raise UnreadableImage("The file ends early.", ReasonCode.TRUNCATED, study)
    if action == "bug":
        raise KeyError("nobody expected this")
    if action == "odd":
        raise UnpicklableError("odd ", "bug")
    return path.name


def crash_unless_marked(path: Path) -> str:
    """End the process the first time, leaving a marker beside the file; then succeed."""
    marker = path.with_suffix(".marker")
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return path.name


def tell_process(path: Path) -> tuple[str, int]:
    return path.name, os.getpid()


def return_megabytes(path: Path) -> bytes:
    return path.name.encode() * 4_000_000


def record(path: Path) -> str:
    """Write down that the file was begun, then behave as its name says."""
    log = path.parent / "begun.txt"
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{path.name}\n")
    return misbehave(path)


_STATE: list[str] = []


def set_up(word: str) -> None:
    _STATE.append(word)


def tell_state(path: Path) -> list[str]:
    return [*_STATE, path.name]


def tell_threads(_: Path) -> dict[str, object]:
    import cv2

    from edge_infer.pc.native_code import THREAD_VARIABLES

    return {
        "opencv": cv2.getNumThreads(),
        **{name: os.environ.get(name) for name in THREAD_VARIABLES},
    }
