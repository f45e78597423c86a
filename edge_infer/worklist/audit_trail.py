"""The audit trail: one JSON line for every decision a list ever showed, appended, never changed.

A line says when, which content (SHA-256 of the file), which row of the day's store, under which
model, thresholds and package version, and what was decided or why nothing was. What people at the
desk say of a film has its lines too: which, when, by the film's content. No name, no path, no note,
nothing of the header: the trail can leave the clinic. A decision is on the disk here before any
list shows it. After a power cut the last lines may come twice; a line cut in half stays, ended by
a line break, and `read_trail` passes over it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge_infer.errors import FileInUse, ReportError
from edge_infer.model.model_card import ModelCard
from edge_infer.pc.whole_files import patiently
from edge_infer.worklist.marks import MarkKind
from edge_infer.worklist.rows import WorklistRow

TRAIL_NAME: Final = "audit.jsonl"


@dataclass(frozen=True, kw_only=True)
class AuditLine:
    """What one row came to, or what somebody said of a film."""

    row: int
    """The row's number in the store; ranks change, it does not. Of a mark, its number there."""
    text: str
    """The line as JSON, without its time."""

    @property
    def digest(self) -> str:
        """Tell this decision from another of the same row."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def describe_decision(
    number: int,
    sha256: str | None,
    row: WorklistRow,
    *,
    card: ModelCard,
    model_sha256: str,
    package_version: str,
    site_id: str | None = None,
) -> AuditLine:
    """Return the line of one row of a list; `site_id` names the site file of its thresholds."""
    points, band = card.operating_points, card.uncertain
    plain = {
        "row": number,
        "sha256": sha256,
        "status": row.status.value,
        "decision": row.decision.value if row.decision else None,
        "tb_score": float(row.finding.tb_score) if row.finding else None,
        "reason_code": row.reason_code.value if row.reason_code else None,
        "model": {"name": card.name, "version": card.version, "sha256": model_sha256},
        "thresholds": {
            "refer_tb": points.refer_tb.threshold,
            "abnormal": points.abnormal.threshold,
            "uncertain": band.fingerprint if band is not None else None,
            "site": site_id,
        },
        "package_version": package_version,
    }
    return AuditLine(row=number, text=json.dumps(plain))


def describe_mark(
    number: int, sha256: str, kind: MarkKind, value: str, *, said_at: str
) -> AuditLine:
    """Return the line of one thing said at the desk; of a note, that there is one: it may name."""
    said: str | bool = value if kind is MarkKind.TB and value else bool(value)
    plain = {"mark": kind.value, "sha256": sha256, "value": said, "said_at": said_at}
    return AuditLine(row=number, text=json.dumps(plain))


def append_lines(folder: Path, lines: Sequence[AuditLine], *, now: datetime) -> None:
    """Append the lines to the folder's trail and wait until the disk has them: else ReportError.

    FileInUse where another program has the trail open.
    """
    if not lines:
        return
    at = json.dumps(now.isoformat(timespec="seconds"))
    text = "".join(f'{{"at": {at}, {line.text[1:]}\n' for line in lines)
    place = folder / TRAIL_NAME
    try:
        with patiently(lambda: place.open("ab+")) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            is_cut = file.read() not in (b"", b"\n")
            file.write((b"\n" if is_cut else b"") + text.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        kind = FileInUse if isinstance(error, PermissionError) else ReportError
        raise kind(
            f"The audit trail {place} cannot be written ({error.strerror or error}), so no list "
            "was: free the disk, or close the program that holds it, and run again."
        ) from error


def read_trail(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of the folder's trail, oldest first."""
    for line in (folder / TRAIL_NAME).read_bytes().splitlines():
        try:
            plain = json.loads(line)
        except ValueError:
            continue  # cut in half by a power cut
        if isinstance(plain, dict):
            yield plain
