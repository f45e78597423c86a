"""The line that says what is going on: on a terminal, in a file, and to a parent."""

from __future__ import annotations

import gc
import time

import pytest

from cxr_train import terminal
from cxr_train.terminal import (
    SHOWN_BY_PARENT,
    TO_PARENT,
    Task,
    in_words,
    leave_quickly,
    say,
    working,
)


def test_lengths_of_time_in_words() -> None:
    assert [in_words(s) for s in (0.2, 20, 89, 240, 5400, 7800)] == [
        "1 s",
        "20 s",
        "89 s",
        "4 min",
        "1 h 30 min",
        "2 h 10 min",
    ]


def test_a_task_says_how_far_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    task = Task("cell")
    assert str(task) == "cell"
    now[0] += 120
    task.at(2, 6, "cnn5, none")
    assert str(task) == "cell 2 of 6, 4 min left, cnn5, none"
    task.on(3, 6, "cnn5, standard")
    assert str(task) == "cell 3 of 6, 4 min left, cnn5, standard"
    task.at(6, 6)
    assert str(task) == "cell 6 of 6"
    assert str(Task("reading")) == "reading"
    alone = Task("fp32 ONNX")
    now[0] += 30
    assert str(alone) == "fp32 ONNX, 30 s so far"
    split = Task("split")
    split.on(1, 2, "val")
    now[0] += 30
    assert str(split) == "split 1 of 2, 30 s so far, val"


def test_elsewhere_than_on_a_terminal_a_long_silence_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "_FIRST_PLAIN_S", 0.05)
    monkeypatch.setattr(terminal, "_TICK_S", 0.01)
    said = ""
    with working("reading"), working("films") as films:
        films.at(3, 9)
        while "..." not in said:
            time.sleep(0.01)
            said += capsys.readouterr().err
        say("not used: a.png")
    assert "... reading" in said and ": films 3 of 9, " in said
    assert "not used: a.png\n" in capsys.readouterr().err


def test_a_parent_is_told_apart_from_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SHOWN_BY_PARENT, "1")
    monkeypatch.setattr(terminal, "_TICK_S", 0.01)
    said = ""
    with working("training") as task:
        task.at(1, 4, "epoch 1 of 4")
        say("a message")
        while "epoch 1 of 4" not in said:
            time.sleep(0.01)
            said += capsys.readouterr().err
    lines = said.splitlines()
    assert [line for line in lines if not line.startswith(TO_PARENT)] == ["a message"]
    assert any(line.startswith(f"{TO_PARENT}training 1 of 4, ") for line in lines)


def test_a_command_leaves_nothing_for_the_last_collection() -> None:
    try:
        with pytest.raises(SystemExit), leave_quickly():
            raise SystemExit(4)
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
