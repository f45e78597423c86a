"""Make examples/day and examples/bad-day again: `python examples/make_day.py`.

Fourteen phantoms (no patient's image, see README.md and draw_phantom.py), one for each way a film
commonly arrives; bad-day is the same day plus four files that cannot be screened and three sound
pictures that show no upright frontal chest. Seeds and findings are chosen so that the day looks
like a morning's work. Seeded: the same package versions write the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from draw_phantom import Finding, Picture, draw_phantom
from draw_refused import draw_hand, draw_lateral
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

HERE = Path(__file__).resolve().parent
UID_ROOT = "1.2.826.0.1.3680043.8.498."
STORED_LOW, STORED_HIGH = 400, 3400
"""Of 4095: where a windowed 12 bit film keeps its picture."""

Stored = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class Film:
    """How one phantom is stored."""

    name: str
    seed: int = 0
    finding: Finding = Finding.NONE
    strength: float = 1.0
    height: int = 600
    width: int = 560
    bits: int = 12
    syntax: UID = ExplicitVRLittleEndian
    inverted: bool = False
    """MONOCHROME1."""
    windowed: bool = False
    signed: bool = False
    """Signed numbers and a rescale intercept."""
    modality: str = "DX"
    view: str = "PA"


DICOM_FILMS = (
    Film(name="01-explicit.dcm", seed=2, bits=8, modality="CR"),
    Film(
        name="02-implicit.dcm",
        seed=5,
        finding=Finding.APICAL_CAVITY,
        syntax=ImplicitVRLittleEndian,
        windowed=True,
    ),
    Film(name="03-deflated.dcm", seed=1, syntax=DeflatedExplicitVRLittleEndian, inverted=True),
    Film(name="04-rle.dcm", seed=13, syntax=RLELossless, bits=8, modality="CR", view="AP"),
    Film(
        name="05-jpeg.dcm",
        seed=25,
        finding=Finding.LOBAR_OPACITY,
        strength=1.2,
        syntax=JPEGBaseline8Bit,
        bits=8,
        height=1024,
        width=960,
        modality="CR",
        view="AP",
    ),
    Film(name="06-jpeg-lossless.dcm", seed=15, syntax=JPEGLosslessSV1, windowed=True),
    Film(
        name="07-jpeg-ls.dcm",
        seed=6,
        finding=Finding.UPPER_NODULES,
        syntax=JPEGLSLossless,
        windowed=True,
        inverted=True,
    ),
    Film(name="08-jpeg-2000.dcm", seed=20, syntax=JPEG2000Lossless, windowed=True),
    Film(
        name="09-htj2k.dcm",
        seed=14,
        finding=Finding.BILATERAL_HAZE,
        strength=1.3,
        syntax=HTJ2KLossless,
        bits=16,
        height=512,
        width=512,
    ),
    Film(
        name="ward/IM000010",
        seed=30,
        finding=Finding.LOBAR_OPACITY,
        strength=0.83,
        signed=True,
        windowed=True,
        height=512,
        width=480,
        view="AP",
    ),
    Film(
        name="ward/팬텀-정면.dcm",
        seed=3,
        finding=Finding.LOBAR_OPACITY,
        strength=1.3,
        bits=8,
        modality="CR",
    ),
)
RASTER_FILMS = (
    Film(
        name="12-export.png",
        seed=15,
        finding=Finding.BILATERAL_HAZE,
        strength=1.2,
        bits=8,
        height=640,
        width=640,
    ),
    Film(
        name="13-export-16bit.png",
        seed=63,
        finding=Finding.LOBAR_OPACITY,
        strength=0.85,
        bits=16,
        height=512,
        width=512,
    ),
    Film(
        name="14-export.jpg",
        seed=16,
        finding=Finding.UPPER_SCAR,
        strength=1.05,
        bits=8,
        height=1024,
        width=960,
    ),
)

LATERAL = Film(name="94-lateral.png", bits=8)
HAND = Film(name="95-hand.dcm", bits=8, syntax=JPEGBaseline8Bit, modality="CR")
UPSIDE_DOWN = Film(name="96-upside-down.jpg", bits=8, seed=96, height=1024, width=960)


def main() -> None:
    day, bad_day = HERE / "day", HERE / "bad-day"
    for folder in (day, bad_day):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "ward").mkdir(parents=True)
    for number, film in enumerate((*DICOM_FILMS, *RASTER_FILMS), start=1):
        write_film(day / film.name, film, draw(film), number)
    shutil.copytree(day, bad_day, dirs_exist_ok=True)
    write_bad_files(bad_day)
    for folder in (day, bad_day):
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        print(f"{folder.name}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")


def draw(film: Film) -> Picture:
    return draw_phantom(
        np.random.default_rng(film.seed),
        height=film.height,
        width=film.width,
        finding=film.finding,
        strength=film.strength,
    )


def write_film(path: Path, film: Film, picture: Picture, number: int) -> None:
    if path.suffix in (".png", ".jpg"):
        write_raster(path, to_stored(picture, 0, 2**film.bits - 1))
    else:
        write_dicom(path, make_film(film, picture, number))


def write_bad_files(folder: Path) -> None:
    whole = (folder / "01-explicit.dcm").read_bytes()
    (folder / "90-truncated.dcm").write_bytes(whole[: len(whole) * 6 // 10])
    write_dicom(folder / "91-ct-slice.dcm", make_ct_slice())
    (folder / "92-empty.dcm").write_bytes(b"")
    (folder / "93-text.dcm").write_text("This is a note, not an X-ray.\n", encoding="utf-8")
    # Sound pictures whose headers say nothing, or that they are chests: only pixels tell.
    lateral = draw_lateral(np.random.default_rng(94), side=512)
    write_film(folder / LATERAL.name, LATERAL, lateral, 16)
    write_film(folder / HAND.name, HAND, draw_hand(np.random.default_rng(95), side=512), 17)
    upside_down = np.ascontiguousarray(draw(UPSIDE_DOWN)[::-1, ::-1])
    write_film(folder / UPSIDE_DOWN.name, UPSIDE_DOWN, upside_down, 18)


def to_stored(picture: Picture, low: int, high: int) -> Stored:
    stored = np.round(low + picture * (high - low))
    return stored.astype(np.uint8 if high < 256 else np.uint16)


def make_film(film: Film, picture: Picture, number: int) -> Dataset:
    largest = 2**film.bits - 1
    low, high = (STORED_LOW, STORED_HIGH) if film.windowed else (0, largest)
    shown = to_stored(picture, low, high)
    stored: Stored = (largest - shown).astype(shown.dtype) if film.inverted else shown
    dataset = make_header(film, number)
    dataset.PhotometricInterpretation = "MONOCHROME1" if film.inverted else "MONOCHROME2"
    if film.signed:
        stored = stored.astype(np.int16) - np.int16(2048)
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "2048", "US"
    if film.windowed:
        centre = (low + high) // 2
        dataset.WindowCenter = str(largest - centre if film.inverted else centre)
        dataset.WindowWidth = str(high - low + 1)
    if film.syntax == JPEGBaseline8Bit:
        dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
    set_pixels(dataset, stored, bits=film.bits, syntax=film.syntax)
    return dataset


def make_header(film: Film, number: int) -> Dataset:
    computed = film.modality == "CR"
    storage = (
        ComputedRadiographyImageStorage if computed else DigitalXRayImageStorageForPresentation
    )
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID = storage
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, keyword, generate_uid(UID_ROOT, [keyword, film.name]))
    dataset.StudyDate, dataset.StudyTime = "20240105", f"09{number:02d}00"
    dataset.AccessionNumber, dataset.StudyID = f"PHANTOM{number:02d}", str(number)
    dataset.SeriesNumber, dataset.InstanceNumber = "1", "1"
    dataset.Modality, dataset.Manufacturer = film.modality, "cxr-edge phantom"
    dataset.ReferringPhysicianName = ""
    dataset.PatientName, dataset.PatientID = f"PHANTOM^{chr(64 + number)}", f"P{number:02d}"
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.PatientAge = f"{25 + 4 * number:03d}Y"
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", film.view
    dataset.ImagerPixelSpacing = ["0.6", "0.6"]
    dataset.SamplesPerPixel = 1
    return dataset


def make_ct_slice() -> Dataset:
    """An axial slice: a body, two lungs and a spine, in Hounsfield units."""
    film = Film(name="91-ct-slice.dcm", modality="CT")
    dataset = make_header(film, 15)
    dataset.SOPClassUID = CTImageStorage
    dataset.PhotometricInterpretation = "MONOCHROME2"
    del dataset.ViewPosition, dataset.ImagerPixelSpacing
    slice_ = np.full((256, 256), -1000, np.float32)
    shapes: Iterable[tuple[tuple[int, int], tuple[int, int], int]] = (
        ((128, 132), (110, 78), 40),
        ((80, 128), (42, 56), -850),
        ((176, 128), (42, 56), -850),
        ((128, 182), (16, 16), 400),
    )
    for centre, axes, hounsfield in shapes:
        cv2.ellipse(slice_, centre, axes, 0, 0, 360, float(hounsfield), -1)
    noise = np.random.default_rng(99).normal(0, 12, slice_.shape)
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    stored = np.clip(slice_ + noise + 1024, 0, 4095).astype(np.uint16)
    set_pixels(dataset, stored, bits=12, syntax=ExplicitVRLittleEndian)
    return dataset


def set_pixels(dataset: Dataset, stored: Stored, *, bits: int, syntax: UID) -> None:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    encode = ENCODERS.get(syntax)
    data = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = data if encode is None else encapsulate([encode(stored, bits)])
    dataset["PixelData"].VR = "OB" if encode or stored.dtype.itemsize == 1 else "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = (
        ExplicitVRLittleEndian if syntax == RLELossless else syntax
    )
    if syntax == RLELossless:  # the one syntax that pydicom writes by itself
        dataset.compress(RLELossless, generate_instance_uid=False)


def write_dicom(path: Path, dataset: Dataset) -> None:
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.ImplementationClassUID = UID_ROOT + "1"
    dataset.file_meta.ImplementationVersionName = "CXR_EDGE_EXAMPLE"
    dataset.save_as(path, enforce_file_format=True)


def write_raster(path: Path, pixels: Stored) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, 90] if path.suffix == ".jpg" else []
    _done, encoded = cv2.imencode(path.suffix, pixels, options)
    path.write_bytes(encoded.tobytes())


ENCODERS: dict[UID, Callable[[Stored, int], bytes]] = {
    JPEGBaseline8Bit: lambda stored, _bits: imagecodecs.jpeg8_encode(stored, level=90),
    JPEGLosslessSV1: lambda stored, bits: imagecodecs.jpeg8_encode(
        stored, lossless=True, predictor=1, bitspersample=bits
    ),
    JPEGLSLossless: lambda stored, _bits: imagecodecs.jpegls_encode(stored),
    JPEG2000Lossless: lambda stored, bits: imagecodecs.jpeg2k_encode(
        stored, level=0, codecformat="j2k", reversible=True, bitspersample=bits
    ),
    HTJ2KLossless: lambda stored, _bits: imagecodecs.htj2k_encode(stored, reversible=True),
}


if __name__ == "__main__":
    main()
