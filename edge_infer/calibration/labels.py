"""Which film each row of the label file is about, and every row that cannot be used."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_infer.calibration.listed_films import ListedFilm
from edge_infer.calibration.rewritten import may_have_become
from edge_infer.errors import SiteError
from edge_infer.worklist.cells import rearm
from edge_infer.worklist.tables import parse_table, read_bytes

MOST_UNMATCHED = 0.05
"""A larger share of rows without a film means the wrong list or the wrong label file."""


class Problem(StrEnum):
    """Why a row of the label file does not count."""

    UNMATCHED = "no film of the worklists has this path or UID"
    AMBIGUOUS = "several films have this path or UID"
    REWRITTEN = "a spreadsheet has rewritten the path (0012345 becomes 12345, 3-11 a date)"
    NO_VALUE = "tb is neither 0 nor 1"
    BLANK = "tb is empty: no result yet"
    DUPLICATE = "the film has this label already"
    CONFLICT = "the film is labelled both 0 and 1, so it is left out"
    NOT_SCREENED = "the film was not screened"


_UNUSABLE = (Problem.UNMATCHED, Problem.AMBIGUOUS, Problem.REWRITTEN, Problem.NO_VALUE)


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """One row of the label file."""

    line: int
    path: str
    sop_instance_uid: str
    tb: str


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """The rows of a label file, in its order."""

    rows: tuple[LabelRow, ...]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class LabelledFilm:
    """A screened film whose truth is known."""

    film: ListedFilm
    has_tb: bool


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What the label file says about the worklists."""

    films: tuple[LabelledFilm, ...]
    lines: dict[Problem, tuple[int, ...]]
    """Lines of the label file per problem, ascending; without a line, absent."""
    n_rows: int
    """Rows that state a result, usable or not: all but those left blank."""

    @property
    def n_unusable(self) -> int:
        """Rows that state a result about no film, about several, or no result that is known."""
        return sum(len(self.lines.get(problem, ())) for problem in _UNUSABLE)

    @property
    def is_mostly_matched(self) -> bool:
        """Whether at most 5 % of the rows are unusable."""
        return self.n_unusable <= MOST_UNMATCHED * self.n_rows


def read_labels(path: Path) -> LabelFile:
    """Read `path` and/or `sop_instance_uid`, and `tb` of each row; SiteError where there is none.

    Encodings and separators as in `parse_table`.
    """
    data = read_bytes(path)
    table = parse_table(data, path, ("tb",))
    if not table.headings & {"path", "sop_instance_uid"}:
        raise SiteError(f"{path} must have a column path or sop_instance_uid beside tb.")
    rows = tuple(
        LabelRow(
            line=line,
            path=cells.get("path", ""),
            sop_instance_uid=cells.get("sop_instance_uid", "").strip(),
            tb=cells["tb"].strip(),
        )
        for line, cells in table.rows
    )
    if not rows:
        raise SiteError(f"{path} has no row below its headings: add one line for each film.")
    return LabelFile(rows=rows, sha256=hashlib.sha256(data).hexdigest())


def match_labels(films: Sequence[ListedFilm], labels: LabelFile) -> Labelled:
    """Find each row's film by its UID where it has one that is known, else by its path.

    With several worklists the path may begin with the name of the worklist's folder. The same film
    under several rows counts once; labelled both ways it does not count at all.
    """
    index = _Index(films, {_plain(row.path) for row in labels.rows})
    problems: dict[Problem, list[int]] = defaultdict(list)
    said: dict[int, list[LabelRow]] = {}
    for row in labels.rows:
        found = index.find(row)
        if row.tb == "":
            problems[Problem.BLANK].append(row.line)
        elif row.tb not in ("0", "1", "0.0", "1.0"):
            problems[Problem.NO_VALUE].append(row.line)
        elif isinstance(found, Problem):
            problems[found].append(row.line)
        elif films[found].tb_tenths is None:
            problems[Problem.NOT_SCREENED].append(row.line)
        else:
            said.setdefault(found, []).append(row)
    usable = []
    for place, rows in said.items():
        if len({row.tb[0] for row in rows}) > 1:
            problems[Problem.CONFLICT] += [row.line for row in rows]
            continue
        problems[Problem.DUPLICATE] += [row.line for row in rows[1:]]
        usable.append(LabelledFilm(film=films[place], has_tb=rows[0].tb[0] == "1"))
    return Labelled(
        films=tuple(usable),
        lines={kind: tuple(sorted(problems[kind])) for kind in Problem if problems[kind]},
        n_rows=len(labels.rows) - len(problems[Problem.BLANK]),
    )


class _Index:
    """Films by path and by UID; each entry is the first of the rows that are one film."""

    def __init__(self, films: Sequence[ListedFilm], named: Collection[str]) -> None:
        """`named` are all paths of the label file."""
        self._films = films
        self._paths: dict[str, list[int]] = defaultdict(list)
        self._uids: dict[str, list[int]] = defaultdict(list)
        several = len({film.day for film in films}) > 1
        for place, film in enumerate(films):
            self._paths[_plain(film.path)].append(place)
            if several:
                self._paths[_plain(f"{film.day}/{_plain(film.path)}")].append(place)
            if film.sop_instance_uid:
                self._uids[film.sop_instance_uid].append(place)
        # Of these a row that says something else may be meant.
        self._unnamed = [path for path in self._paths if path not in named]

    def find(self, row: LabelRow) -> int | Problem:
        """Return the place of the row's film, or why there is none."""
        named = self._uids.get(row.sop_instance_uid, []) if row.sop_instance_uid else []
        if not named and row.path:
            path = _plain(row.path)
            if any(may_have_become(other, path) for other in self._unnamed):
                return Problem.REWRITTEN
            named = self._paths.get(path, [])
        if not named:
            return Problem.UNMATCHED
        if not self._are_one_film(named):
            return Problem.AMBIGUOUS
        # The same file under another path is the same film, unless the UID is shared by many.
        uid = self._films[named[0]].sop_instance_uid
        same = self._uids.get(uid, named) if uid else named
        return min(same) if self._are_one_film(same) else named[0]

    def _are_one_film(self, places: Sequence[int]) -> bool:
        return len({self._films[place].numbers for place in places}) == 1


def _plain(path: str) -> str:
    """Undo what file managers and spreadsheets do to a path."""
    plain = unicodedata.normalize("NFC", path).replace("\\", "/").removeprefix("./")
    # The CSV disarms formulas; the label file may have their apostrophes or not.
    return unicodedata.normalize("NFC", rearm(plain))
