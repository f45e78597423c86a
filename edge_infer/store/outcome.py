"""What the day's store keeps of a film, and how that becomes columns and comes back exactly.

Logits and class activation maps are kept as their own float32 bytes, so that a decision computed
from the store is the one computed on the day. The patient's identity is no part of the study that
is kept here: the store has a table of its own for it, filled only where it was asked for.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.study import Identity, InputType, StudyInfo
from edge_infer.model.gate import Remark

_FLOAT: Final = np.dtype("<f4")
_KINDS: Final = {"unreadable": UnreadableImage, "unsupported": UnsupportedImage}


@dataclass(frozen=True, kw_only=True)
class ReadingMode:
    """With the file's SHA-256 the key of a film: a result holds for no other model or reading."""

    model_sha256: str
    preprocessing: int
    decode_mode: str

    def as_text(self) -> str:
        """Return the key's part that all films of a run share."""
        return f"{self.model_sha256}/{self.preprocessing}/{self.decode_mode}"


@dataclass(frozen=True, kw_only=True)
class ScoredFilm:
    """What the network said of one film; decisions are not kept, they follow the thresholds."""

    logits: NDArray[np.float32] = field(repr=False)
    """[K]: the classes in order of CLASSES, then the referral logit where there is one."""
    cam: NDArray[np.float32] | None = field(default=None, repr=False)
    """[K, h, w], in the same order; None where the store of an earlier version has none."""
    thumbnail: bytes = field(repr=False)
    study: StudyInfo
    remark: Remark | None = None


FilmOutcome: TypeAlias = ScoredFilm | ImageError


def to_columns(outcome: FilmOutcome) -> dict[str, Any]:
    """Return the outcome as columns: those of a score or those of a refusal, the others None."""
    columns: dict[str, Any] = dict.fromkeys(
        ("logits", "cam", "cam_shape", "thumbnail", "refusal", "reason_code", "reason")
    )
    columns["study"] = _study_to_text(outcome.study)
    if isinstance(outcome, ImageError):
        kind = "unsupported" if isinstance(outcome, UnsupportedImage) else "unreadable"
        # A lone surrogate, out of a header that lies about its character set, is no UTF-8.
        reason = str(outcome).encode("utf-8", "backslashreplace").decode("utf-8")
        columns |= {"refusal": kind, "reason_code": outcome.code.value, "reason": reason}
        return columns | {"thumbnail": outcome.thumbnail or None}
    columns |= {"logits": _to_bytes(outcome.logits), "thumbnail": outcome.thumbnail}
    if outcome.remark is not None:
        columns["reason_code"] = outcome.remark.code.value
        columns["reason"] = outcome.remark.reason
    if outcome.cam is not None:
        columns["cam"] = _to_bytes(outcome.cam)
        columns["cam_shape"] = json.dumps(outcome.cam.shape)
    return columns


def from_columns(columns: dict[str, Any], identity: Identity | None = None) -> FilmOutcome | None:
    """Build the outcome out of its columns; None where they hold neither score nor refusal."""
    study = _study_from_text(columns["study"], identity or Identity())
    if columns["refusal"] is not None:
        kind = _KINDS[columns["refusal"]]
        code = ReasonCode(columns["reason_code"])
        return kind(columns["reason"], code, study, columns["thumbnail"] or b"")
    if columns["logits"] is None:
        return None
    assert study is not None, "a scored film has a study"
    cam = None
    if columns["cam"] is not None:
        cam = read_map(columns["cam"], columns["cam_shape"])
    return ScoredFilm(
        logits=_from_bytes(columns["logits"]),
        cam=cam,
        thumbnail=columns["thumbnail"],
        study=study,
        remark=_to_remark(columns["reason_code"], columns["reason"]),
    )


def read_map(cam: bytes, shape: str) -> NDArray[np.float32]:
    """Return class activation maps [K, h, w] out of their two columns."""
    return _from_bytes(cam).reshape(json.loads(shape))


def _to_remark(code: str | None, reason: str | None) -> Remark | None:
    return None if code is None else Remark(reason or "", ReasonCode(code))


def _to_bytes(numbers: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(numbers, dtype=_FLOAT).tobytes()


def _from_bytes(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, _FLOAT).astype(np.float32)


def _study_to_text(study: StudyInfo | None) -> str | None:
    if study is None:
        return None
    facts = {
        one.name: getattr(study, one.name)
        for one in dataclasses.fields(study)
        if one.name != "identity"
    }
    return json.dumps(facts)  # ASCII: lone surrogates come back as they were


def _study_from_text(text: str | None, identity: Identity) -> StudyInfo | None:
    if text is None:
        return None
    known = {one.name for one in dataclasses.fields(StudyInfo)}
    facts = {name: value for name, value in json.loads(text).items() if name in known}
    facts["input_type"] = InputType(facts["input_type"])
    return StudyInfo(**facts, identity=identity)
