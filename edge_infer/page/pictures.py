"""`--pictures`: each film's heat map as a PNG beside the page, for those who file them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from edge_infer.errors import FileInUse, ReportError
from edge_infer.pc.whole_files import patiently, put_in_place
from edge_infer.worklist.rows import ScreenedDay, WorklistRow

PICTURES_FOLDER: Final = "pictures"
_PREFIX = "film-"


def picture_name(row: WorklistRow) -> str | None:
    """Return the name of a film's PNG, or None where it gets none.

    A hash of the path: a path may hold a patient's name, and a rank changes when films arrive.
    Never where BurnedInAnnotation is YES: a picture that is passed on must not name anyone.
    """
    if not row.heat or (row.study is not None and row.study.has_burned_in_text):
        return None
    digest = sha256(row.path.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_PREFIX}{digest[:16]}.png"


def write_pictures(day: ScreenedDay, folder: Path) -> int:
    """Write the day's heat maps into `folder`/pictures and return how many; earlier ones go.

    Raises ReportError where they cannot be written, FileInUse where a viewer has one open.
    """
    named = {name: row for row in day.rows if (name := picture_name(row)) is not None}
    place = folder / PICTURES_FOLDER
    try:
        place.mkdir(exist_ok=True)
        for old in place.glob(f"{_PREFIX}*.png"):
            if old.name not in named:
                patiently(old.unlink)
        for name, row in named.items():
            # Whole or not at all: a viewer may be looking through the folder.
            unfinished = place / f".{name}.part"
            unfinished.write_bytes(_to_png(bytes(row.heat)))
            put_in_place(unfinished, place / name)
    except OSError as error:
        raise _explain(place, error) from error
    return len(named)


def _explain(place: Path, error: OSError) -> ReportError:
    why = error.strerror or type(error).__name__
    held = Path(error.filename2 or error.filename or place)
    if isinstance(error, PermissionError) and held.is_file():
        return FileInUse(
            f"The list is written, but the picture {held.name} in {place} is not ({why}): close it "
            "in the program that shows it and run again."
        )
    return ReportError(
        f"The pictures cannot be written into {place} ({why}): free the disk or name another "
        "folder with --out."
    )


def _to_png(jpeg: bytes) -> bytes:
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "the heat map is a JPEG that this program made"
    _encoded, png = cv2.imencode(".png", picture)
    return png.tobytes()
