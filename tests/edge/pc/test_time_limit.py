"""What ends in time is as if it had been called; what does not is left behind."""

from __future__ import annotations

from threading import Event

import pytest

from edge_infer.pc.time_limit import within


def test_what_ends_in_time_returns_or_raises_as_usual() -> None:
    assert within(60.0, lambda: 7) == 7
    assert within(60.0, lambda: None) is None
    with pytest.raises(ZeroDivisionError):
        within(60.0, lambda: 1 // 0)


def test_what_does_not_end_is_left_behind() -> None:
    let_go = Event()
    with pytest.raises(TimeoutError, match=r"no end after 0\.01 seconds"):
        within(0.01, let_go.wait)
    let_go.set()
