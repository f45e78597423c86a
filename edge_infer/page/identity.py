"""Which film a row is of, in a line that a nurse finds a patient by: `ID 61 · M 54 · 09:42`."""

from __future__ import annotations

from datetime import datetime

from edge_infer.films.study import StudyInfo
from edge_infer.words.form import PageWords
from edge_infer.worklist.rows import ScreenedDay, WorklistRow


def identity_parts(row: WorklistRow, day: ScreenedDay, words: PageWords) -> tuple[str, ...]:
    """Return patient id, sex with age, and time, as far as known and asked for; plain text.

    The id needs `--include-patient`; the others name nobody, and `--no-age-sex` drops them.
    """
    if row.study is None:
        return ()
    parts = []
    if day.include_patient and row.study.identity.patient_id:
        parts.append(words.patient_id.format(id=row.study.identity.patient_id))
    if day.with_age_sex:
        parts += [_sex_and_age(row.study, words), _time(row.study, day.generated_at)]
    return tuple(part for part in parts if part)


def _sex_and_age(study: StudyInfo, words: PageWords) -> str:
    # DICOM's "O" finds nobody, and stands where nobody asked as well; worklist.json keeps it.
    sex = words.sexes.get(study.sex, "")
    if study.age_years is None:
        return sex
    if not sex:
        return words.age.format(years=int(study.age_years))
    return words.sex_and_age.format(sex=sex, years=int(study.age_years))


def _time(study: StudyInfo, listed_at: datetime) -> str:
    """Return the hour, and the date where the film is of another day than the list."""
    date, _, clock = study.taken_at.partition("T")
    is_today = date in ("", f"{listed_at:%Y-%m-%d}")
    return clock[:5] if is_today else f"{date} {clock[:5]}"
