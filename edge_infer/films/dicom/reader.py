"""Read a DICOM film: header, gates, pixels, grey, in that order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.dicom.age import find_age
from edge_infer.films.dicom.colour import build_palette_table, merge_channels
from edge_infer.films.dicom.display import show
from edge_infer.films.dicom.elements import DicomElements, name_tag
from edge_infer.films.dicom.file import DicomFile, parse_dicom
from edge_infer.films.dicom.gates import check_header, check_picture
from edge_infer.films.dicom.grey import build_grey_table, read_grey_steps
from edge_infer.films.dicom.orientation import find_orientation
from edge_infer.films.dicom.pixel_data import PixelData, open_pixel_data
from edge_infer.films.dicom.pixels import PixelFormat, StoredPixels, describe_pixels, read_pixels
from edge_infer.films.dicom.shutter import read_shutter
from edge_infer.films.dicom.taken import find_sex, find_taken_at
from edge_infer.films.file import FilmFile
from edge_infer.films.narrow_range import fill_range, find_narrow_range, is_blank, order_sample
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.raster.orientation import turn
from edge_infer.films.shrink import shrink_factor
from edge_infer.films.study import Identity, InputType, StudyInfo

_LONGEST_UID = 64
_SAMPLE_SIDE = 256
"""Pixels per side looked at to tell a blank film and one that fills a part of its range."""
FIRST_ON_ITS_SIDE = 5
"""The orientations from here on change rows with columns."""
_LARGEST_ASPECT = 5.0
"""Height over width of a pixel beyond which (or below its inverse) the header is not believed."""


def read_dicom(
    file: FilmFile,
    *,
    size: tuple[int, int] | None = None,
    min_age_years: int | None = None,
    is_judged: bool = True,
) -> Radiograph:
    """Read a DICOM film, compressed or not, with or without a preamble.

    `size`, `min_age_years` and `is_judged` are explained at `read_radiograph`.

    Raises UnreadableImage or UnsupportedImage with the StudyInfo read so far.
    """
    film = parse_dicom(file.stream)
    study = describe_study(film.elements)
    try:
        if film.is_cut:
            raise UnreadableImage(
                "The file is cut off: it ends before its picture.", ReasonCode.TRUNCATED
            )
        if is_judged:
            check_header(film.elements, age_years=study.age_years, min_age_years=min_age_years)
        check_picture(film.elements)
        orientation = find_orientation(film.elements)
        lies = size[::-1] if size is not None and orientation >= FIRST_ON_ITS_SIDE else size
        full_shape, pixels, scale = _read_grey(film, lies)
    except ImageError as error:
        error.study = study
        raise
    pixel_aspect = find_pixel_aspect(film.elements)
    if orientation >= FIRST_ON_ITS_SIDE:
        full_shape, pixel_aspect = full_shape[::-1], 1 / pixel_aspect
    return Radiograph(
        pixels=turn(pixels, orientation),
        pixel_aspect=pixel_aspect,
        study=study,
        full_shape=full_shape,
        decoded_scale=scale,
    )


def describe_study(elements: DicomElements) -> StudyInfo:
    """Collect what a row of the worklist may show, and the identity it may not."""
    return StudyInfo(
        input_type=InputType.DICOM,
        modality=elements.text("Modality", longest=16),
        view_position=elements.text("ViewPosition", longest=16),
        study_instance_uid=elements.text("StudyInstanceUID", longest=_LONGEST_UID),
        sop_instance_uid=elements.text("SOPInstanceUID", longest=_LONGEST_UID),
        age_years=find_age(elements),
        sex=find_sex(elements),
        taken_at=find_taken_at(elements),
        has_burned_in_text=elements.text("BurnedInAnnotation").upper() == "YES",
        identity=Identity(
            accession_number=elements.text("AccessionNumber"),
            patient_name=elements.text("PatientName", longest=324),
            patient_id=elements.text("PatientID"),
            patient_birth_date=elements.text("PatientBirthDate", longest=18),
        ),
    )


def find_pixel_aspect(elements: DicomElements) -> float:
    """Return height over width of a pixel: both elements list the vertical size first."""
    for keyword in ("PixelAspectRatio", "ImagerPixelSpacing", "PixelSpacing"):
        sizes = elements.numbers(keyword)
        if len(sizes) == 2 and min(sizes) > 0:
            aspect = sizes[0] / sizes[1]
            return aspect if 1 / _LARGEST_ASPECT <= aspect <= _LARGEST_ASPECT else 1.0
    return 1.0


@dataclass(frozen=True, kw_only=True)
class StoredGrey:
    """A film's stored values and what they are shown as, before they are."""

    stored: StoredPixels
    table: NDArray[np.uint16]
    """The grey displayed, 0 to 65535 (white), of each pattern."""
    shutter: NDArray[np.bool_] | None
    """Where the film can be seen, [H, W]; None where all of it can."""
    full_shape: tuple[int, int]


def read_stored_grey(film: DicomFile, size: tuple[int, int] | None) -> StoredGrey:
    """Read the stored values, reduced where `size` and the format allow, and their table.

    Raises UnreadableImage and UnsupportedImage.
    """
    pixel_data = open_pixel_data(film)
    start = pixel_data.stream.tell()
    pixel_format = describe_pixels(film.elements)
    full_shape = pixel_format.rows, pixel_format.columns
    shutter = read_shutter(film.elements, full_shape)
    # What a shutter hides must not be averaged with what it shows.
    is_small = shutter is None and shrink_factor(full_shape, size) > 1
    stored, table = _read_stored(film, pixel_data, pixel_format, size if is_small else None)
    if stored.scale > 1 and _hides_padding(film.elements, stored):
        # Padding is told by single values, which a reduced film no longer has at its borders.
        pixel_data.stream.seek(start)
        stored, table = _read_stored(film, pixel_data, pixel_format, None)
    sample = _sample(stored.patterns, shutter)
    shown = order_sample(table[sample])
    if is_blank(shown):
        why = "" if is_blank(order_sample(sample)) else _name_voi(film.elements)
        raise UnsupportedImage(
            f"The picture is blank: all of it has the same grey{why}.", ReasonCode.BLANK
        )
    if (found := find_narrow_range(shown)) is not None:
        table = fill_range(table, found)
    return StoredGrey(stored=stored, table=table, shutter=shutter, full_shape=full_shape)


def _read_grey(
    film: DicomFile, size: tuple[int, int] | None
) -> tuple[tuple[int, int], NDArray[np.uint16], int]:
    """Return the film's shape, the grey displayed, 0 to 65535 (white), and the decoder's scale."""
    grey = read_stored_grey(film, size)
    shape, shutter = grey.full_shape, grey.shutter
    is_small = shutter is None and shrink_factor(shape, size) > 1
    pixels = show(grey.stored, grey.table, size=size if is_small else None, full_shape=shape)
    return shape, pixels if shutter is None else pixels * shutter, grey.stored.scale


def _read_stored(
    film: DicomFile,
    pixel_data: PixelData,
    pixel_format: PixelFormat,
    size: tuple[int, int] | None,
) -> tuple[StoredPixels, NDArray[np.uint16]]:
    """Return one channel of stored values and the grey of each of their patterns."""
    if pixel_format.photometric == "PALETTE COLOR":
        size = None  # neighbouring palette entries need not look alike
    stored = read_pixels(pixel_data, pixel_format, size=size)
    if stored.patterns.ndim == 3:
        stored = merge_channels(stored, pixel_format.photometric)
    if pixel_format.photometric == "PALETTE COLOR":
        return stored, build_palette_table(film.elements, stored)
    return stored, _build_table(film.elements, stored)


def _build_table(
    elements: DicomElements, stored: StoredPixels, *, with_padding: bool = True
) -> NDArray[np.uint16]:
    steps = read_grey_steps(elements, bits=stored.bits, is_signed=stored.is_signed)
    if not with_padding:
        steps = replace(steps, padding=None)
    return build_grey_table(steps, bits=stored.bits, is_signed=stored.is_signed)


def _hides_padding(elements: DicomElements, stored: StoredPixels) -> bool:
    """Tell whether a PixelPaddingValue is black that would otherwise be shown as something else."""
    if not elements.has("PixelPaddingValue"):
        return False
    plain = _build_table(elements, stored, with_padding=False)
    return not np.array_equal(plain, _build_table(elements, stored))


def _sample(
    patterns: NDArray[np.uint8 | np.uint16], shutter: NDArray[np.bool_] | None
) -> NDArray[np.uint8 | np.uint16]:
    """Return some of the film's patterns, without their places."""
    rows, columns = (max(1, side // _SAMPLE_SIDE) for side in patterns.shape)
    sample = patterns[::rows, ::columns]
    return sample.ravel() if shutter is None else sample[shutter[::rows, ::columns]]


def _name_voi(elements: DicomElements) -> str:
    """Return what in the header shows different values alike, as the end of a sentence."""
    if elements.items("VOILUTSequence"):
        return f" by its {name_tag('VOILUTSequence')}"
    names = ("WindowCenter", "WindowWidth")
    told = [f"{name_tag(name)} '{elements.text(name, longest=40)}'" for name in names]
    return f" in its window, {told[0]} and {told[1]}" if elements.has(names[0]) else ""
