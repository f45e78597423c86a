"""Films of one examination stand together; the most urgent of them decides where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_infer.worklist.rows import Decision, WorklistRow


@dataclass(frozen=True, kw_only=True)
class Study:
    """The films of one StudyInstanceUID, most urgent first; a film without one stands alone."""

    films: tuple[tuple[int, WorklistRow], ...]
    """Each with its rank in the worklist, from 1."""

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
