"""How much a peer may ask of this PC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one listener bears at a time."""

    associations: int = 10
    object_bytes: int = 2**29
    """512 MiB: the largest film that is read has 240 MB of pixels."""
    free_bytes: int = 2**30
    """What must stay free of the disk: the day's lists and record are on it too."""
    silence_s: float = 60.0
    """How long a peer may send nothing, also in the middle of an object."""
    pdu_s: float = 120.0
    """How long one PDU may take to come."""
    pdu_bytes: int = 2**17
    """The largest PDU taken, 128 KiB: DCMTK's largest, and an eighth of the work of its default."""
