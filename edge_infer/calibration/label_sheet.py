"""Labels out of the lists themselves: what was ticked at the desk, and a sheet for the rest."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_infer.calibration.labels import LabelFile, LabelRow
from edge_infer.calibration.listed_films import ListedFilm
from edge_infer.errors import ReportError, SiteError
from edge_infer.pc.whole_files import write_together
from edge_infer.worklist.cells import disarm

_COLUMNS: Final = ("path", "sop_instance_uid", "patient_id", "tb")


def read_ticks(films: Sequence[ListedFilm]) -> LabelFile:
    """Return the ticks "TB confirmed" and "ruled out" of the lists; SiteError where none is."""
    rows = tuple(
        LabelRow(line=line, path=path, sop_instance_uid=film.sop_instance_uid, tb=film.tb)
        for line, (film, path) in enumerate(zip(films, _name(films), strict=True), start=2)
        if film.tb
    )
    if not rows:
        raise SiteError(
            "No film of these lists is ticked as TB confirmed or ruled out: tick them in cxr-desk, "
            "or name a label file with --labels."
        )
    text = "".join(f"{row.path}\t{row.sop_instance_uid}\t{row.tb}\n" for row in rows)
    data = text.encode("utf-8", "surrogatepass")
    return LabelFile(rows=rows, sha256=hashlib.sha256(data).hexdigest())


def to_sheet(films: Sequence[ListedFilm]) -> str:
    """Return a label file of every screened film, `tb` filled in where it was ticked.

    Without scores: who fills it in must not be led by them.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    has_ids = any(film.patient_id for film in films)
    writer.writerow(name for name in _COLUMNS if has_ids or name != "patient_id")
    for film, path in zip(films, _name(films), strict=True):
        if film.tb_tenths is not None:
            ids = (film.patient_id,) if has_ids else ()
            cells = (path, film.sop_instance_uid, *ids, film.tb)
            writer.writerow(disarm(cell) for cell in cells)
    return "\ufeff" + text.getvalue()


def write_sheet(films: Sequence[ListedFilm], place: Path) -> None:
    """Write the label file; raises ReportError."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_together({place: [to_sheet(films)]})
    except OSError as error:
        raise ReportError(
            f"{place} cannot be written ({error.strerror or error}): free the disk or name "
            "another file."
        ) from error


def _name(films: Sequence[ListedFilm]) -> list[str]:
    """Return how a label file names each film: with its list's folder where there are several."""
    several = len({film.day for film in films}) > 1
    return [f"{film.day}/{film.path}" if several else film.path for film in films]
