"""The worklist: what one film's row says, which decision its numbers mean, and who comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from edge_infer.errors import ImageError, ReasonCode, UnsupportedImage
from edge_infer.model.gate import is_doubt
from edge_infer.model.model_card import CLASSES
from edge_infer.model.referred import is_referred
from edge_infer.pc.language import Lang

if TYPE_CHECKING:
    # Most of them import numpy; a reader of finished rows needs none.
    import numpy as np
    from numpy.typing import NDArray

    from edge_infer.films.study import StudyInfo
    from edge_infer.model.findings import Finding
    from edge_infer.model.gate import Remark
    from edge_infer.model.model_card import ModelCard, UncertainBand
    from edge_infer.worklist.drift import Drift
    from edge_infer.worklist.marks import Marks
    from edge_infer.worklist.picture_spool import SpooledPicture
    from edge_infer.worklist.site import Site


class Status(StrEnum):
    """Whether the model saw the film."""

    SCREENED = "screened"
    UNSUPPORTED = "unsupported"
    """Sound, but not an image the model is for."""
    UNREADABLE = "unreadable"


class Decision(StrEnum):
    """What to do with a screened film; where several fit, the first named here holds."""

    REFER_TB = "refer_tb"
    """Second test for tuberculosis first."""
    ABNORMAL = "abnormal"
    """Another class than normal is likely: a doctor looks."""
    UNCERTAIN = "uncertain"
    """Repeat or refer: by the card's `uncertain` band another class than normal is possible."""
    CLEAR = "clear"


ORDER: tuple[Decision | None, ...] = (
    Decision.REFER_TB,
    Decision.ABNORMAL,
    Decision.UNCERTAIN,
    None,
    Decision.CLEAR,
)
"""The groups of the worklist; None is not screened: nobody has looked, so it stands above clear."""

DEFAULT_PREVALENCE: Final = 0.01
"""Share of people with tuberculosis among those screened, where no site file states it."""
ALL_SCREENED, HAS_GAPS, NOTHING_FOUND = 0, 4, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class WorklistRow:
    """One film; a screened one has finding and decision, any other a reason.

    A screened one has a reason too where the gate doubts it, put it right, or was off.
    """

    path: str
    """Relative to the input, with `/`."""
    status: Status
    finding: Finding | None = None
    decision: Decision | None = None
    reason: str = ""
    reason_code: ReasonCode | None = None
    study: StudyInfo | None = None
    """Its identity is filled only when it was asked for."""
    thumbnail: bytes | SpooledPicture = field(default=b"", repr=False)
    """JPEG of at most 160 pixels a side, got by `bytes()`; empty where nothing could be read."""
    heat: bytes | SpooledPicture = field(default=b"", repr=False)
    """The thumbnail with the class activation map over it, JPEG of the same size; empty where no
    place of the film adds to the score."""
    heat_class: str = ""
    """Whose map `heat` shows: a class, or `referral`."""
    marks: Marks = field(default_factory=dict, hash=False)
    """What people at the desk said of it."""


MOST_ARCHIVES = 20
"""Named on the page and the terminal; the JSON has all."""


@dataclass(frozen=True, kw_only=True)
class ScreenedDay:
    """All that the three written forms of a worklist say."""

    rows: tuple[WorklistRow, ...]
    """In worklist order; a row's rank is its position, from 1."""
    n_files: int
    """Files that get a row; more than there are rows only after an interruption."""
    ignored: int
    unreadable_folders: tuple[str, ...]
    card: ModelCard
    model_sha256: str
    """Of the whole model file."""
    package_version: str
    generated_at: datetime
    """Local time, with its zone."""
    include_patient: bool = False
    lang: Lang = Lang.EN
    """Of the page; the CSV and the JSON are the same for every language."""
    prevalence: float = DEFAULT_PREVALENCE
    """Assumed share of people with tuberculosis among those screened, 0..1."""
    has_pictures: bool = False
    """Whether the heat maps lie beside the page as files, to be linked from it."""
    site: Site | None = None
    """The site file whose TB threshold `card` holds already."""
    with_age_sex: bool = True
    """Whether age, sex and the film's time are shown, and stand in the JSON."""
    is_gate_off: bool = False
    """Whether pictures were scored although the model's gate would hold them back (--no-gate)."""
    archives: tuple[str, ...] = ()
    """Zip, gz and the like that lie among the films, by name: what is in them has no row."""

    @property
    def is_complete(self) -> bool:
        """Whether every file that was found has its row."""
        return len(self.rows) == self.n_files

    @cached_property
    def has_marks(self) -> bool:
        """Whether anything is said of any film: only then the lists have columns for it."""
        return any(row.marks for row in self.rows)

    @cached_property
    def drift(self) -> Drift | None:
        """How the day's scores compare with those expected, see `describe_drift`.

        Computed once (8 ms) for the JSON, the page and the summary.
        """
        from edge_infer.worklist.drift import describe_drift

        scores = (row.finding.tb_tenths for row in self.rows if row.finding is not None)
        return describe_drift(scores, self.card, self.site)


def screened_row(
    path: str,
    finding: Finding,
    card: ModelCard,
    *,
    study: StudyInfo,
    thumbnail: bytes,
    cam: NDArray[np.float32] | None = None,
    remark: Remark | None = None,
) -> WorklistRow:
    """Return the row of a film that the model saw; `cam` [K, h, w] is drawn over its thumbnail.

    A film that the gate doubts is uncertain whatever its scores.
    """
    is_doubtful = remark is not None and is_doubt(remark.code)
    decision = Decision.UNCERTAIN if is_doubtful else decide(finding, card)
    heat, shown_class = b"", ""
    if cam is not None:
        from edge_infer.model.heatmap import draw_heat, heat_class

        is_referred = decision is Decision.REFER_TB
        shown_class = heat_class(finding, is_referred=is_referred, referral=card.referral)
        heat = draw_heat(thumbnail, cam, shown_class)
    return WorklistRow(
        path=path,
        status=Status.SCREENED,
        finding=finding,
        decision=decision,
        reason=remark.reason if remark is not None else "",
        reason_code=remark.code if remark is not None else None,
        study=study,
        thumbnail=thumbnail,
        heat=heat,
        heat_class=shown_class,
    )


def refused_row(path: str, error: ImageError) -> WorklistRow:
    """Return the row of a file that could not be screened, with the reason."""
    is_sound = isinstance(error, UnsupportedImage)
    return WorklistRow(
        path=path,
        status=Status.UNSUPPORTED if is_sound else Status.UNREADABLE,
        reason=str(error),
        reason_code=error.code,
        study=error.study,
        thumbnail=error.thumbnail,
    )


def decide(finding: Finding, card: ModelCard) -> Decision:
    """Compare the printed scores with the card's thresholds, in whole tenths of a point.

    A likeliest class of tuberculosis is referred, and one other than normal is never clear, however
    high the thresholds are. What would be clear is uncertain where the card's conformal sets leave
    another class than normal possible, or none.
    """
    points = card.operating_points
    likeliest = finding.prediction
    if is_referred(finding.tb_tenths, likeliest == "tuberculosis", points.refer_tb.tenths):
        return Decision.REFER_TB
    if is_referred(finding.abnormal_tenths, likeliest != "normal", points.abnormal.tenths):
        return Decision.ABNORMAL
    if card.uncertain is not None and possible_classes(finding, card.uncertain) != {"normal"}:
        return Decision.UNCERTAIN
    return Decision.CLEAR


def possible_classes(finding: Finding, band: UncertainBand) -> set[str]:
    """Return the classes whose printed probability reaches their threshold in the band."""
    units = dict(zip(CLASSES, finding.units, strict=True))
    return {one.class_name for one in band.classes if units[one.class_name] >= one.threshold_units}


def in_order(rows: Iterable[WorklistRow]) -> tuple[WorklistRow, ...]:
    """Sort rows: by group, inside each by TB score, highest first, then by path's code points."""
    return tuple(sorted(rows, key=_place))


def count_decisions(rows: Sequence[WorklistRow]) -> dict[Decision | None, int]:
    """Count rows per group in worklist order, zeros too; None counts those not screened."""
    counts = Counter(row.decision for row in rows)
    return {decision: counts[decision] for decision in ORDER}


def count_reasons(rows: Sequence[WorklistRow]) -> dict[ReasonCode, int]:
    """Count rows not screened per reason, the most frequent first, then by code."""
    counts = Counter(
        row.reason_code
        for row in rows
        if row.reason_code is not None and row.status is not Status.SCREENED
    )
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def exit_code(rows: Sequence[WorklistRow], unreadable_folders: Sequence[str] = ()) -> int:
    """Derive 0 (every film screened), 4 (some film was not, or may be missing) or 5 (no file)."""
    if not rows:
        return NOTHING_FOUND
    has_gap = any(row.status is not Status.SCREENED for row in rows) or bool(unreadable_folders)
    return HAS_GAPS if has_gap else ALL_SCREENED


def _place(row: WorklistRow) -> tuple[int, int, str]:
    tb_tenths = row.finding.tb_tenths if row.finding is not None else 0
    return ORDER.index(row.decision), -tb_tenths, row.path
