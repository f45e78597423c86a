"""The flow: paths become outcomes. One bad file is one, never a stop; nothing vanishes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ModelError, ReasonCode, UnsupportedImage
from edge_infer.films.file import FilmFile
from edge_infer.films.look import Look, look_at, without_content
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.read import read_radiograph
from edge_infer.films.study import Identity, StudyInfo
from edge_infer.flow.pass_gate import pass_gate
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.gate import GateState
from edge_infer.model.gate_reading import put_right
from edge_infer.model.model_file import ModelFile, load_model_file
from edge_infer.model.preprocess import PREPROCESSING_VERSION, shrink_grey, stretch_grey
from edge_infer.model.self_test import run_self_test
from edge_infer.pc.time_limit import within
from edge_infer.store.outcome import ReadingMode, ScoredFilm
from edge_infer.workers.pool import Crew, Pool, run_isolated

THUMBNAIL_SIDE = 160
_REDUCED = "reduced-3"
"""Counted up where reading less gives other numbers, so that one list is read in one way."""
_JPEG_QUALITY = 80
_OPEN_LIMIT_S = 120.0
"""For a model and its check: 0.2 s here, and less than a worker has to get ready."""
_SHOWS_NOTHING = frozenset(
    {
        ReasonCode.NO_PIXELS,
        ReasonCode.SEVERAL_FRAMES,
        ReasonCode.TOO_SMALL,
        ReasonCode.TOO_LARGE,
        ReasonCode.BLANK,
    }
)
_MOST_SHOWN_BYTES = 64 << 20
"""Of a refused file that is read once more for its small picture."""


@dataclass(frozen=True, kw_only=True)
class PreparedFilm:
    """What a worker sends back of one film: about 110 kB instead of the film's 10 MB."""

    grey: NDArray[np.uint16] = field(repr=False)
    """[height, width], what becomes the network's input."""
    thumbnail: bytes = field(repr=False)
    study: StudyInfo


def open_model(model: Path | ModelFile | Classifier | None = None) -> Classifier:
    """Open a model (the bundled one where none is named) and check that this PC computes it.

    One that is open already is returned as it is.
    The check takes 42 to 48 ms, as long as four films. Raises ModelError; a PC that computes other
    scores must not screen.
    """
    if isinstance(model, Classifier):
        return model
    if not isinstance(model, ModelFile):
        model = load_model_file(model or bundled_model())
    try:
        return within(_OPEN_LIMIT_S, partial(_open_and_check, model))
    except TimeoutError as error:
        raise ModelError(
            f"The model in {model.path} was not ready after {_OPEN_LIMIT_S:g} seconds, where "
            "others take one: copy it again, or re-export it."
        ) from error


def _open_and_check(model: ModelFile) -> Classifier:
    classifier = Classifier.open(model)
    check = run_self_test(classifier)
    if not check.ok:
        raise ModelError(
            f"{model.path} gives other scores on this PC than where it was made (a logit is off by "
            f"{check.largest_difference:.2g}): copy the file again, then reinstall cxr-edge."
        )
    return classifier


def reading_mode(
    model: ModelFile | Classifier, *, full_decode: bool, has_gate: bool = True
) -> ReadingMode:
    """Return what, beside a film's content, its outcome depends on."""
    return ReadingMode(
        model_sha256=model.sha256,
        preprocessing=PREPROCESSING_VERSION,
        decode_mode=("full" if full_decode else _REDUCED) + ("" if has_gate else "/no-gate"),
    )


def score_films(
    paths: Sequence[Path],
    model: ModelFile | Classifier,
    *,
    workers: int,
    include_patient: bool = False,
    file_timeout_s: float = 30.0,
    full_decode: bool = False,
    has_gate: bool = True,
    known: frozenset[str] = frozenset(),
    crew: Crew | None = None,
    pool: Pool = run_isolated,
) -> Generator[tuple[int, Look[ScoredFilm]], None, None]:
    """Yield (index, what became of the film) for every path, in order of completion.

    Contents whose SHA-256 is `known` are hashed only.

    One worker reads while the network runs here; several workers each read and run the network (see
    `_runs_network_here`). Every process that runs the network makes the model's self-test before
    its first film. Only an ImageError is a result: a bug of ours is raised, and so is the
    ModelError of a model that fails. Closing the generator ends the workers, those of `crew` too
    (see `start_workers`).
    """
    read = partial(
        prepare_film,
        height=model.card.input.height,
        width=model.card.input.width,
        min_age_years=model.card.min_age_years,
        include_patient=include_patient,
        full_decode=full_decode,
    )
    is_here = _runs_network_here(workers, len(paths))
    work: Callable[[FilmFile], PreparedFilm | ScoredFilm] = (
        read if is_here else partial(_read_and_score, read, model.path, model.sha256, has_gate)
    )
    results = pool(
        partial(look_at, read=work, known=known),
        paths,
        workers=workers,
        timeout_s=file_timeout_s,
        set_up=None if is_here else partial(_model_of_worker, model.path, model.sha256),
        crew=crew,
    )
    waiting = set(range(len(paths)))
    with closing(results):
        # The workers are starting meanwhile.
        classifier = open_model(model) if is_here else None
        for index, look in results:
            waiting.remove(index)
            if isinstance(look, ImageError):
                yield index, without_content(paths[index], look)
            else:
                yield index, _score(look, classifier, has_gate)
    assert not waiting, "a file was given to a worker and never came back"


def _score(look: Look[Any], classifier: Classifier | None, has_gate: bool) -> Look[ScoredFilm]:
    """Run the network on what a worker left to its caller."""
    if not isinstance(look.outcome, PreparedFilm):
        return look
    assert classifier is not None, "a worker left the network to its caller"
    outcome: ScoredFilm | ImageError
    try:
        outcome = run_network(look.outcome, classifier, has_gate=has_gate)
    except ImageError as error:
        # Its traceback would keep the film alive, in a cycle with this very frame.
        outcome = error.with_traceback(None)
    return replace(look, outcome=outcome)


def _runs_network_here(workers: int, films: int) -> bool:
    """Choose by what was measured with reading of 2 to 40 ms (mean 11.5) and a network of 10 ms.

    Films/s with the network here and in the workers, time spent by sleeping, so without a limit of
    cores: one worker 57 and 37, two 87 and 84, four 90 and 157. In earnest two workers cost 5.7 and
    5.5 s of processor time for 180 films: a score is smaller to send than a picture.
    """
    return min(workers, films) == 1


@cache
def _model_of_worker(path: Path, sha256: str) -> Classifier:
    """Return this worker's own model, the same file as the caller's."""
    classifier = open_model(path)
    if classifier.sha256 != sha256:
        raise ModelError(f"The model file {path} was changed during the run: run again.")
    return classifier


def _read_and_score(
    read: Callable[[FilmFile], PreparedFilm],
    model: Path,
    sha256: str,
    has_gate: bool,
    file: FilmFile,
) -> ScoredFilm:
    return run_network(read(file), _model_of_worker(model, sha256), has_gate=has_gate)


def prepare_film(
    file: Path | FilmFile,
    *,
    height: int,
    width: int,
    min_age_years: int | None,
    include_patient: bool,
    full_decode: bool = False,
) -> PreparedFilm:
    """Read a film and shrink it to what the network and the page need; runs in a worker.

    `full_decode` reads every pixel where otherwise the file's own smaller pictures serve. Unless
    `include_patient`, the patient's identity ends here, inside the worker. Raises ImageError where
    the film cannot be screened.
    """
    try:
        film = read_radiograph(
            file, size=None if full_decode else (height, width), min_age_years=min_age_years
        )
    except ImageError as error:
        if error.study is not None and not include_patient:
            error.study = _without_identity(error.study)
        if isinstance(error, UnsupportedImage):
            error.thumbnail = _show_refused(file, error.code, (height, width))
        raise
    grey = shrink_grey(film.pixels, height=height, width=width)
    study = film.study if include_patient else _without_identity(film.study)
    return PreparedFilm(grey=grey, thumbnail=_make_thumbnail(stretch_grey(grey), film), study=study)


def _show_refused(file: Path | FilmFile, code: ReasonCode, size: tuple[int, int]) -> bytes:
    """Return a thumbnail of a sound file that was refused, so that a person can see what it is.

    b"" where there is no one picture, or where it takes long to read.
    """
    if code in _SHOWS_NOTHING or isinstance(file, Path) or file.size > _MOST_SHOWN_BYTES:
        return b""
    try:
        file.stream.seek(0)
        film = read_radiograph(file, size=size, is_judged=False)
    except ImageError:
        return b""
    return _make_thumbnail(
        stretch_grey(shrink_grey(film.pixels, height=size[0], width=size[1])), film
    )


def run_network(film: PreparedFilm, classifier: Classifier, *, has_gate: bool = True) -> ScoredFilm:
    """Score one prepared film.

    Raises UnsupportedImage where the model's gate refuses it, ModelError where ONNX Runtime fails.
    """
    # One film at a time: a score must not depend on which films happened to be ready together, and
    # on a CPU a batch of eight INT8 ResNet-18 inputs saved 0 to 16 % (11 ms a film).
    output, remark, state = pass_gate(
        film.grey, film.study, film.thumbnail, classifier, has_gate=has_gate
    )
    thumbnail = film.thumbnail if state is None else _put_thumbnail_right(film.thumbnail, state)
    return ScoredFilm(
        logits=output.logits[0],
        cam=output.cam[0],
        thumbnail=thumbnail,
        study=film.study,
        remark=remark,
    )


def _make_thumbnail(image: NDArray[np.uint8], film: Radiograph) -> bytes:
    """Give the network's input the film's own proportions back and encode it as JPEG.

    It costs a tenth of shrinking the film once more, and shows what the model was given.
    """
    import cv2

    height, width = film.full_shape[0] * film.pixel_aspect, film.full_shape[1]
    scale = min(THUMBNAIL_SIDE, *image.shape) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return _encode(np.asarray(small, np.uint8))


def _put_thumbnail_right(thumbnail: bytes, state: GateState) -> bytes:
    """Turn or invert the thumbnail as the network's input was."""
    import cv2

    small = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_GRAYSCALE)
    return _encode(put_right(np.asarray(small, np.uint8), state))


def _encode(small: NDArray[np.uint8]) -> bytes:
    import cv2

    encoded, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert encoded, "JPEG encoding of a small grey picture cannot fail"
    return jpeg.tobytes()


def _without_identity(study: StudyInfo) -> StudyInfo:
    return replace(study, identity=Identity())
