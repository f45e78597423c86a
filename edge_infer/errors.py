"""Every error this toolkit raises on purpose; `str(error)` is ready to show to a person.

CxrError
├── ImageError                one file; becomes a row of the worklist; carries the StudyInfo read
│   ├── UnreadableImage         damaged, truncated, not an image, no decoder for its syntax
│   └── UnsupportedImage        sound, but not an image the model is for
├── ModelError                the .onnx is missing, damaged, has no card, or another schema's card
├── ReportError               the worklist cannot be written
│   ├── FileInUse               until another program closes one of its files
│   └── DayInUse                another run keeps the day
├── SiteError                 a site file, or what it is made of, is damaged or of another model
├── NetError                  an address, a peers file or a certificate, or a peer, is not as needed
├── ConfigError  (cxr_train.errors)
├── DataError    (cxr_train.errors)
└── ParityError  (cxr_export.errors)
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from edge_infer.films.study import StudyInfo


class ReasonCode(StrEnum):
    """Why a file has no score, or what else its row must say: the set behind `reason_code`."""

    # unreadable
    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    NO_DECODER = "no_decoder"
    CANNOT_OPEN = "cannot_open"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_TIMEOUT = "decoder_timeout"
    ARRIVING = "arriving"
    # unsupported
    OTHER_MODALITY = "other_modality"
    RAW = "raw"
    OTHER_BODY_PART = "other_body_part"
    LATERAL_VIEW = "lateral_view"
    SEVERAL_FRAMES = "several_frames"
    COLOUR = "colour"
    NO_PIXELS = "no_pixels"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    CHILD = "child"
    BLANK = "blank"
    # unsupported by its pixels, or doubtful by them: beside the scores then
    NOT_CHEST_PICTURE = "not_chest_picture"
    LATERAL_PICTURE = "lateral_picture"
    ON_ITS_SIDE = "on_its_side"
    UPSIDE_DOWN = "upside_down"
    INVERTED = "inverted"
    LUNGS_CUT_OFF = "lungs_cut_off"
    BAD_EXPOSURE = "bad_exposure"
    PHOTOGRAPH = "photograph"
    # beside the scores of a screened film
    PUT_UPRIGHT = "put_upright"
    MADE_POSITIVE = "made_positive"
    GATE_OFF = "gate_off"


class CxrError(Exception):
    """Anything that ends a command or a file with one sentence instead of a traceback."""

    exit_code: ClassVar[int] = 3
    """With which a command ends; 3: it cannot start as things are."""


class ImageError(CxrError):
    """One file could not be screened; the batch goes on.

    `study` holds what was read of the header before the failure, or None. `thumbnail` is a JPEG of
    what the file shows, b"" where that could not be read.
    """

    def __init__(
        self,
        message: str,
        code: ReasonCode,
        study: StudyInfo | None = None,
        thumbnail: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.study = study
        self.thumbnail = thumbnail

    def __reduce__(
        self,
    ) -> tuple[type[ImageError], tuple[str, ReasonCode, StudyInfo | None, bytes]]:
        return type(self), (str(self), self.code, self.study, self.thumbnail)


class UnreadableImage(ImageError):
    """The file is damaged, truncated, not an image, or in a syntax nothing here decodes."""


class UnsupportedImage(ImageError):
    """The file is sound, but it is not an image the model is for."""


class ModelError(CxrError):
    """The model file is missing, damaged, has no card, or a card of another schema."""


class ReportError(CxrError):
    """The worklist cannot be written where it was asked for."""

    exit_code = 6


class FileInUse(ReportError):
    """Another program has a file of the results open; what waits can be written once it closes."""


class DayInUse(ReportError):
    """Another run keeps the day; it can be looked at meanwhile."""


class SiteError(CxrError):
    """A site file, or the lists and labels one is made of, cannot be used with this model."""


class NetError(CxrError):
    """What is needed to talk to other nodes (an address, a file, a peer) is not as it should be."""
