"""The flow: paths become rows. One bad file is a row, never a stop; nothing vanishes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.day.worklist import WorklistRow, refused_row, screened_row
from edge_infer.errors import ImageError, ModelError
from edge_infer.films.find_images import FoundImage
from edge_infer.films.isolation import run_isolated
from edge_infer.films.radiograph import Radiograph, read_radiograph
from edge_infer.films.study import Identity, StudyInfo
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import to_finding
from edge_infer.model.preprocess import to_model_input
from edge_infer.model.self_test import run_self_test

THUMBNAIL_SIDE = 160
_JPEG_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class PreparedFilm:
    """What a worker sends back of one film: about 60 kB instead of the film's 10 MB."""

    image: NDArray[np.uint8] = field(repr=False)
    """[1, height, width], the network's input."""
    thumbnail: bytes = field(repr=False)
    study: StudyInfo


def open_model(path: Path | None = None) -> Classifier:
    """Load the model (the bundled one where none is named) and check that this PC computes it.

    Raises ModelError; a PC that computes other scores must not screen.
    """
    path = path or bundled_model()
    classifier = Classifier.load(path)
    check = run_self_test(classifier)
    if not check.ok:
        raise ModelError(
            f"{path} gives other scores on this PC than where it was made (a logit is off by "
            f"{check.largest_difference:.2g}): copy the file again, then reinstall cxr-edge."
        )
    return classifier


def screen(
    images: Sequence[FoundImage],
    classifier: Classifier,
    *,
    workers: int,
    include_patient: bool = False,
) -> Generator[WorklistRow, None, None]:
    """Yield exactly one row per image, in order of completion.

    Worker processes read the films; the network runs here meanwhile. Closing the generator ends
    the workers. Only an ImageError becomes a row: a bug of ours is raised.
    """
    card = classifier.card
    work = partial(
        prepare_film,
        height=card.input.height,
        width=card.input.width,
        include_patient=include_patient,
    )
    waiting = set(range(len(images)))
    with closing(run_isolated(work, [image.path for image in images], workers=workers)) as results:
        for index, result in results:
            waiting.remove(index)
            shown = images[index].shown
            if isinstance(result, ImageError):
                yield refused_row(shown, result)
            else:
                yield _run_network(shown, result, classifier)
    assert not waiting, "a file was given to a worker and never came back"


def prepare_film(path: Path, *, height: int, width: int, include_patient: bool) -> PreparedFilm:
    """Read a film and shrink it to what the network and the page need; runs in a worker.

    Raises ImageError where the film cannot be screened. Unless `include_patient`, the patient's
    identity ends here, inside the worker.
    """
    try:
        film = read_radiograph(path)
    except ImageError as error:
        if error.study is not None and not include_patient:
            error.study = _without_identity(error.study)
        raise
    image = to_model_input(film.pixels, height=height, width=width)
    study = film.study if include_patient else _without_identity(film.study)
    return PreparedFilm(image=image, thumbnail=_make_thumbnail(image, film), study=study)


def _run_network(shown: str, film: PreparedFilm, classifier: Classifier) -> WorklistRow:
    # One film at a time: a score must not depend on which films happened to be ready together, and
    # on a CPU a batch of eight INT8 ResNet-18 inputs saved 0 to 16 % (11 ms a film).
    output = classifier.run(film.image[None])
    return screened_row(
        shown,
        to_finding(output.logits[0], classifier.card),
        classifier.card,
        study=film.study,
        thumbnail=film.thumbnail,
        cam=output.cam[0],
    )


def _make_thumbnail(image: NDArray[np.uint8], film: Radiograph) -> bytes:
    """Give the network's input the film's own proportions back and encode it as JPEG.

    It costs a tenth of shrinking the film once more, and shows what the model was given.
    """
    import cv2

    height, width = film.pixels.shape[0] * film.pixel_aspect, film.pixels.shape[1]
    scale = min(THUMBNAIL_SIDE, *image.shape[1:]) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image[0], size, interpolation=cv2.INTER_AREA)
    encoded, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert encoded, "JPEG encoding of a small grey picture cannot fail"
    return jpeg.tobytes()


def _without_identity(study: StudyInfo) -> StudyInfo:
    return replace(study, identity=Identity())
