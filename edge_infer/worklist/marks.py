"""What people at the desk say of a film: second test ordered and done, seen, TB or not, a note.

A mark belongs to a film's content, so it outlives another name, another run and another model. It
never changes a decision or the order of the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_NOTE: Final = 300
"""Characters; a note is a line, not a report."""


class MarkKind(StrEnum):
    """What can be said of a film."""

    TEST_ORDERED = "test_ordered"
    TEST_DONE = "test_done"
    SEEN = "seen"
    """By a doctor."""
    TB = "tb"
    NOTE = "note"


TICKED: Final = "1"
CONFIRMED, RULED_OUT = "confirmed", "ruled_out"
_VALUES: Final[Mapping[MarkKind, frozenset[str]]] = {
    MarkKind.TEST_ORDERED: frozenset({"", TICKED}),
    MarkKind.TEST_DONE: frozenset({"", TICKED}),
    MarkKind.SEEN: frozenset({"", TICKED}),
    MarkKind.TB: frozenset({"", CONFIRMED, RULED_OUT}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One thing said of a film."""

    value: str
    """Never empty: what was taken back is no mark."""
    since: str
    """Local time with its zone, ISO 8601, to the second."""


Marks = Mapping[MarkKind, Mark]
"""All that is said of a film."""

MARK_COLUMNS: Final = ("test_ordered_at", "test_done_at", "seen_at", "tb", "tb_at", "note")
"""Appended to the CSV, last, of a day on which something was said. `tb` is 1 for confirmed and 0
for ruled out, as in the label file of cxr-calibrate."""


def clean_value(kind: MarkKind, value: str) -> str:
    """Return the value as it is kept; ValueError where it is none of this kind's.

    Of a note, line breaks and what commands a terminal become spaces.
    """
    if kind is not MarkKind.NOTE:
        if value not in _VALUES[kind]:
            raise ValueError(f"{value!r} is not said of {kind}")
        return value
    plain = "".join(letter if letter.isprintable() else " " for letter in value)
    return " ".join(plain.split())[:LONGEST_NOTE]


def mark_cells(marks: Marks) -> dict[str, str]:
    """Return the cells of MARK_COLUMNS; what was not said is empty."""

    def since(kind: MarkKind) -> str:
        return marks[kind].since if kind in marks else ""

    truth = marks[MarkKind.TB].value if MarkKind.TB in marks else ""
    return {
        "test_ordered_at": since(MarkKind.TEST_ORDERED),
        "test_done_at": since(MarkKind.TEST_DONE),
        "seen_at": since(MarkKind.SEEN),
        "tb": {CONFIRMED: "1", RULED_OUT: "0"}.get(truth, ""),
        "tb_at": since(MarkKind.TB),
        "note": marks[MarkKind.NOTE].value if MarkKind.NOTE in marks else "",
    }
