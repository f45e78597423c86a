"""A film's results as files: made in a worker, each whole, under the name that the outbox knows."""

from __future__ import annotations

import errno
import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.look import hash_file
from edge_infer.net.results.film_header import FilmHeader, read_film_header
from edge_infer.net.results.job import ResultJob
from edge_infer.net.services import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from edge_infer.net.spool import hash_uid
from edge_infer.pc.long_paths import reachable
from edge_infer.pc.whole_files import sync_folder, write_whole


@dataclass(frozen=True, kw_only=True)
class MadeResult:
    """What was made of a film."""

    names: tuple[str, ...]
    """Files in the folder of results."""
    left_out: str = ""
    """Why there is no picture, where there is none."""


def make_results(
    path: Path, *, jobs: Mapping[str, ResultJob], folder: Path, free_bytes: int = 0
) -> MadeResult:
    """Make a film's report and picture, put both into `folder`, and wait until the disk has them.

    `jobs` are by path. Raises UnsupportedImage where the film forbids it or is no DICOM film of a
    study, UnreadableImage where it changed since it was screened, OSError where the folder cannot
    be written or its disk has less than `free_bytes` free.
    """
    from edge_infer.net.results.capture import make_capture
    from edge_infer.net.results.report import make_report

    if shutil.disk_usage(folder).free < free_bytes:
        raise OSError(errno.ENOSPC, f"less than {free_bytes / 1e6:.0f} MB are free")
    job = jobs[str(path)]
    place = reachable(path)
    header = require_header(place, job)
    objects = [("report", make_report(header, job))]
    left_out = ""
    if header.has_burned_in_text:
        left_out = "BurnedInAnnotation (0028,0301) is 'YES': the picture may name the patient"
    else:
        objects.append(("picture", make_capture(place, header, job)))
    names = []
    for kind, made in objects:
        name = f"{hash_uid(made.SOPInstanceUID)}-{kind}.dcm"
        write_whole(folder / name, partial(_save, made))
        names.append(name)
    sync_folder(folder)
    return MadeResult(names=tuple(names), left_out=left_out)


def require_header(path: Path, job: ResultJob) -> FilmHeader:
    """Return the header of a film that may have results; see `make_results`."""
    if hash_file(path) != job.sha256:
        raise UnsupportedImage("The film was changed since it was screened.", ReasonCode.ARRIVING)
    header = read_film_header(path)
    if header is None:
        raise UnsupportedImage(
            "The film is no DICOM object of a study and a series, so no result can belong to it.",
            ReasonCode.NO_PIXELS,
        )
    if header.is_test:
        raise UnsupportedImage(
            "QualityControlImage (0028,0300) is 'YES': the film is of no patient.",
            ReasonCode.NO_PIXELS,
        )
    return header


def _save(made: Dataset, file: BinaryIO) -> None:
    """Write an object into an open file; OSError where the disk is full."""
    # highdicom's, with the time of now: made again an object would have other bytes.
    made.pop("ContributingEquipmentSequence", None)
    made.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    made.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    # Not into the file at once: pydicom takes the number from an OSError and adds a traceback.
    content = io.BytesIO()
    dcmwrite(cast(Any, content), made, enforce_file_format=True)
    file.write(content.getbuffer())
