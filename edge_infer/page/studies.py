"""Films of one examination stand together; the most urgent of them decides where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from edge_infer.worklist.rows import ORDER, Decision, WorklistRow


@dataclass(frozen=True, kw_only=True)
class Study:
    """The films of one StudyInstanceUID, most urgent first; a film without one stands alone."""

    films: tuple[tuple[int, WorklistRow], ...]
    """Each with its number, from 1: its rank in the worklist, or its place in the page."""

    @property
    def decision(self) -> Decision | None:
        """The most urgent film's."""
        return self.films[0][1].decision


def group_by_study(rows: Sequence[WorklistRow]) -> tuple[Study, ...]:
    """Group rows, which are in worklist order; studies come in the order of their first film."""
    studies: dict[object, list[tuple[int, WorklistRow]]] = {}
    for rank, row in enumerate(rows, start=1):
        uid = row.study.study_instance_uid if row.study is not None else ""
        studies.setdefault(uid or rank, []).append((rank, row))
    return tuple(Study(films=tuple(films)) for films in studies.values())


def in_page_order(studies: Iterable[Study]) -> tuple[Study, ...]:
    """Put the abnormal ones in order of their abnormal score, and number films from top to bottom.

    worklist.csv keeps its own order and ranks, where TB scores decide inside every group.
    """
    numbers, ordered = count(1), [_most_abnormal_first(study) for study in studies]
    ordered.sort(key=lambda study: (ORDER.index(study.decision), -_abnormal_tenths(study)))
    return tuple(
        Study(films=tuple((next(numbers), row) for _, row in study.films)) for study in ordered
    )


def count_examinations(studies: Iterable[Study]) -> dict[Decision | None, int]:
    """Count examinations per group in worklist order, zeros too; None counts those not screened."""
    counts: dict[Decision | None, int] = dict.fromkeys(ORDER, 0)
    for study in studies:
        counts[study.decision] += 1
    return counts


def _most_abnormal_first(study: Study) -> Study:
    if study.decision is not Decision.ABNORMAL:
        return study
    return Study(
        films=tuple(
            sorted(
                study.films, key=lambda film: (ORDER.index(film[1].decision), -_tenths_of(film[1]))
            )
        )
    )


def _abnormal_tenths(study: Study) -> int:
    """Return what decides inside the group of abnormal ones; elsewhere their order stands."""
    return _tenths_of(study.films[0][1]) if study.decision is Decision.ABNORMAL else 0


def _tenths_of(row: WorklistRow) -> int:
    if row.finding is None or row.decision is not Decision.ABNORMAL:
        return 0
    return row.finding.abnormal_tenths
