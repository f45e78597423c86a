"""A day's films out of an archive into a spool: what is there is not read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from edge_infer.errors import ReportError
from edge_infer.net.dicomweb import Archive, Film
from edge_infer.net.limits import Limits
from edge_infer.net.listener import look_at_object
from edge_infer.net.services import StoreStatus
from edge_infer.net.spool import Spool, discard, hash_uid
from edge_infer.net.support_log import SupportLog


@dataclass(kw_only=True)
class Fetched:
    """How a fetch went."""

    found: int = 0
    """Films that the archive has of the day."""
    new: int = 0
    """Read now."""
    failed: int = 0
    """That it does not give, or not whole."""
    own: int = 0
    """Pictures of our own results, passed over."""


def fetch_day(
    archive: Archive,
    day: date,
    spool: Spool,
    log: SupportLog,
    *,
    limits: Limits,
    say: Callable[[Fetched], object],
) -> Fetched:
    """Read the films of a day that are not in the spool yet, each once.

    May be interrupted anywhere and called again. Raises NetError where the archive does not answer,
    ReportError where the disk is full.
    """
    fetched = Fetched()
    for film in archive.find_films(day):
        fetched.found += 1
        if not spool.place_of(film.sop_uid).exists():
            status = _fetch(archive, film, spool, limits)
            log.write("fetched", object=hash_uid(film.sop_uid), status=status.name)
            fetched.new += status is StoreStatus.SUCCESS
            fetched.own += status is StoreStatus.OWN_RESULT
            fetched.failed += status not in (StoreStatus.SUCCESS, StoreStatus.OWN_RESULT)
        say(fetched)
    return fetched


def _fetch(archive: Archive, film: Film, spool: Spool, limits: Limits) -> StoreStatus:
    try:
        if spool.free_bytes() < limits.free_bytes:
            raise OSError("little disk is free")
        path, file = spool.begin()
        try:
            is_there = archive.fetch(film, file, most_bytes=limits.object_bytes)
            file.flush()
            status = look_at_object(path, film.sop_uid) if is_there else StoreStatus.NOT_UNDERSTOOD
            if status is StoreStatus.SUCCESS:
                spool.keep(path, file, film.sop_uid)
        except BaseException:
            discard(path, file)
            raise
        if status is not StoreStatus.SUCCESS:
            discard(path, file)
    except OSError as error:
        raise ReportError(
            f"Films cannot be kept in {spool.films} ({error.strerror or error}): free the disk and "
            "run again, it goes on where it stopped."
        ) from error
    return status
