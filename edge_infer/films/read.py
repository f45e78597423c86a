"""Read one film, whatever its format: a path becomes a Radiograph or an ImageError."""

from __future__ import annotations

from pathlib import Path

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.file import FilmFile, open_film_file
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.sniff import HEAD_BYTES, FileKind, sniff


def read_radiograph(
    file: Path | FilmFile,
    *,
    size: tuple[int, int] | None = None,
    min_age_years: int | None = None,
    is_judged: bool = True,
) -> Radiograph:
    """Read the film at a path, of whatever format its content is (its name is not looked at).

    A file that is open already, to be hashed, is not read again.

    With `size`, the height and width of the model's input, a film of at least twice that comes back
    as its area means of that size, and formats that hold smaller pictures are decoded to one, never
    below twice `size`: JPEG 2000 by resolution level, JPEG through its DCT. None reads every pixel:
    the exact path. Whether a film is refused, and why, does not depend on it, except that bytes
    damaged inside HTJ2K data which is skipped are not seen.

    A film known to be of somebody younger than `min_age_years`, which a model's card states, is
    refused; None refuses nobody. Without `is_judged` whatever holds a picture is read, to be shown
    to a person: a lateral view, a child's film, a photograph.

    Raises UnreadableImage or UnsupportedImage, whose text says why in one sentence.
    """
    if isinstance(file, Path):
        with open_film_file(file) as opened:
            return read_radiograph(
                opened, size=size, min_age_years=min_age_years, is_judged=is_judged
            )
    kind = kind_of(file)
    # Imported late: a folder of JPEGs never loads pydicom.
    if kind is FileKind.DICOM:
        from edge_infer.films.dicom.reader import read_dicom

        return read_dicom(file, size=size, min_age_years=min_age_years, is_judged=is_judged)
    from edge_infer.films.raster.reader import read_raster

    return read_raster(file, kind, size=size, is_judged=is_judged)


def kind_of(file: FilmFile) -> FileKind:
    """Name the kind of a film by its content; UnreadableImage where it is none."""
    head = file.stream.read(HEAD_BYTES)
    file.stream.seek(0)
    if not head:
        raise UnreadableImage("The file is empty.", ReasonCode.EMPTY_FILE)
    kind = sniff(head)
    if kind is FileKind.OTHER_IMAGE:
        raise UnreadableImage(
            "This picture format cannot be read here; save it as DICOM, PNG, JPEG, TIFF or BMP.",
            ReasonCode.NO_DECODER,
        )
    if kind is FileKind.OTHER:
        raise UnreadableImage(
            "This is not an image: its content is neither DICOM nor a picture.",
            ReasonCode.NOT_AN_IMAGE,
        )
    return kind
