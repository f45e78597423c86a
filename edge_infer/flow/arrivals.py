"""When a watched file is worth a look, and how long one that cannot be read may be arriving.

Copiers give a file its whole size before its content, some set its time at the end, and Windows
tells of both late. So no single look is believed: a file is looked at once its size and time have
stood still for 1.5 s, and its content is hashed again 10 s, 1 min and 10 min after its last change.
What cannot be read within a minute of the last change is arriving, and tried again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.look import Look
from edge_infer.store.outcome import ScoredFilm

SETTLE_S: Final = 1.5
ARRIVING_S: Final = 60.0
_HASH_AGAIN_S: Final = (10.0, 60.0, 600.0)
_OPEN_AGAIN_S: Final = 30.0
"""A file that another program holds for longer than a minute."""

State: TypeAlias = tuple[int, int] | None
"""Size and modification time; None where the file system does not say."""


@dataclass
class _Sighting:
    state: State
    since: float
    """When its last change was seen."""
    next_look: float
    sha256: str | None = None
    is_arriving: bool = True
    """Nothing final was found yet in its present state."""


class Arrivals:
    """What was seen of each file; times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._sightings: dict[bytes, _Sighting] = {}

    def trust(self, place: bytes, state: State, sha256: str | None) -> None:
        """Take a file for final as it is: an earlier run made sure of it."""
        self._sightings[place] = _Sighting(state, -math.inf, math.inf, sha256, is_arriving=False)

    def see(self, place: bytes, state: State, now: float) -> None:
        """Tell that the file is there, in this state."""
        sighting = self._sightings.get(place)
        if sighting is None:
            self._sightings[place] = _Sighting(state, now, now + SETTLE_S)
        elif sighting.state != state:
            sighting.state, sighting.since, sighting.next_look = state, now, now + SETTLE_S

    def needs_look(self, place: bytes, now: float) -> bool:
        sighting = self._sightings.get(place)
        return sighting is not None and now >= sighting.next_look

    def is_arriving(self, look: Look[ScoredFilm], now: float) -> bool:
        """Tell whether what was found may only mean that the file is not whole yet."""
        sighting = self._sightings[look.place]
        is_same = sighting.state == (look.size, look.mtime_ns)
        if is_same and now - sighting.since >= ARRIVING_S:
            return False
        if look.size is None:
            return sighting.is_arriving  # it is out of sight; what was found stands
        if look.outcome is None:  # the content is known, of a copy or of this file
            return sighting.is_arriving and look.sha256 == sighting.sha256
        if look.sha256 is None and is_same and sighting.sha256 is not None:
            return False  # another program holds it for a moment; what was found stands
        return isinstance(look.outcome, UnreadableImage) or (
            isinstance(look.outcome, ImageError) and look.outcome.code is ReasonCode.BLANK
        )

    def looked(self, look: Look[ScoredFilm], now: float) -> bool:
        """Take note of a look and plan the next one; tell whether it found anything new."""
        sighting = self._sightings[look.place]
        is_same = sighting.state == (look.size, look.mtime_ns)
        if look.sha256 is not None and look.sha256 != sighting.sha256:
            if sighting.sha256 is not None and is_same:
                sighting.since = now  # the content changed behind the same size and time
            sighting.sha256, sighting.is_arriving = look.sha256, True
        was_arriving, sighting.is_arriving = sighting.is_arriving, look.arriving is not None
        is_news = look.outcome is not None or was_arriving != sighting.is_arriving
        if look.size is not None and not is_same:
            return True  # it changed under our hands; the look that `see` plans is still to come
        age = now - sighting.since
        if look.arriving is not None:
            wait = max(0.5, min(max(2.0, age / 2), ARRIVING_S - age))
        elif look.sha256 is None:
            wait = _OPEN_AGAIN_S
        else:
            wait = next((at for at in _HASH_AGAIN_S if at > age), math.inf) - age
        sighting.next_look = now + wait
        return is_news

    def list_missing(self, present: set[bytes]) -> list[bytes]:
        """Return what was seen and is not among `present`."""
        return [place for place in self._sightings if place not in present]

    def forget(self, place: bytes) -> bool:
        """Forget a file; tell whether nothing final was found of it."""
        return self._sightings.pop(place).is_arriving

    def count_arriving(self, places: set[bytes]) -> int:
        return sum(self._sightings[one].is_arriving for one in places if one in self._sightings)
