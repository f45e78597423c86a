"""What a film's header says about itself; identity is kept apart and never printed by accident."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class InputType(StrEnum):
    """How the film arrived; thresholds are checked per input type."""

    DICOM = "dicom"
    RASTER = "raster"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who the film is of. Leaves the reader only when `--include-patient` asks for it."""

    accession_number: str = ""
    patient_name: str = ""
    patient_id: str = ""
    patient_birth_date: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyInfo:
    """Header facts of one film; unknown is an empty string or None."""

    input_type: InputType
    modality: str = ""
    view_position: str = ""
    study_instance_uid: str = ""
    sop_instance_uid: str = ""
    age_years: float | None = None
    sex: str = ""
    """M, F or O."""
    taken_at: str = ""
    """`2026-11-23T09:42:10` by the machine's clock; `T09:42:10` where the date is unknown."""
    has_burned_in_text: bool = False
    """BurnedInAnnotation (0028,0301) is YES: the picture itself may name the patient."""
    identity: Identity = field(default_factory=Identity, repr=False)
