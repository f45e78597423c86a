"""The films of earlier worklists, as cxr-infer wrote them, for calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.errors import SiteError
from edge_infer.model.bundled import bundled_model
from edge_infer.model.model_card import CLASSES
from edge_infer.model.model_file import load_model_file
from edge_infer.worklist.cells import rearm
from edge_infer.worklist.lists import JSON_NAME
from edge_infer.worklist.rows import Decision, Status
from edge_infer.worklist.tables import parse_table, read_bytes

_NEEDED = ("path", "status", "tb_score", "prediction", "model_name", "model_version")
_IMPOSSIBLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What reading a JSON of another shape raises."""
_PROBABILITIES = tuple(f"p_{name}" for name in CLASSES)


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """The model that made a worklist."""

    name: str
    version: str
    sha256: str
    """Of the whole model file."""
    refer_tenths: int | None
    """The TB threshold the list was decided with; None where the list does not say."""


@dataclass(frozen=True, kw_only=True)
class ListedFilm:
    """One row of a worklist."""

    path: str
    sop_instance_uid: str
    day: str
    """Name of the folder the worklist lies in."""
    tb_tenths: int | None
    """The printed TB score in tenths of a point; None where the film was not screened."""
    has_tb_class: bool
    """Whether tuberculosis is its likeliest class: then it is referred whatever the threshold."""
    was_referred: bool
    numbers: tuple[str, ...] = ()
    """Everything printed of it: rows of one film agree in all of these."""
    tb: str = ""
    """What was ticked at the desk: 1 confirmed, 0 ruled out, empty not known."""
    patient_id: str = ""
    """Where the list has it."""


@dataclass(frozen=True, kw_only=True)
class ListedFilms:
    """The rows of every worklist given, all of one model."""

    films: tuple[ListedFilm, ...]
    model: ListedModel
    worklists: int


def read_worklists(paths: Sequence[Path], model_file: Path | None = None) -> ListedFilms:
    """Read worklists (.csv or .json, or folders that hold one); one given twice counts once.

    Only the JSON names the model's SHA-256. For a CSV it is taken from the worklist.json beside it,
    whose rows must be the same; without one, from `model_file` (the bundled model where None),
    whose name and version must be those of the rows. Raises SiteError where a worklist cannot be
    read, and where the worklists are of several models.
    """
    films: list[ListedFilm] = []
    models: dict[str, tuple[ListedModel, Path]] = {}
    places = list(dict.fromkeys(_place(path) for path in paths))
    for place in places:
        if place.suffix.lower() == ".json":
            more, model = _read_json(place)
        else:
            more, model = _read_csv(place, model_file)
        films += more
        models.setdefault(model.sha256, (model, place))
    if len(models) > 1:
        (one, first), (other, second), *_ = models.values()
        raise SiteError(
            f"{first} and {second} were made by different models ({_name(one)}; {_name(other)}): "
            "calibrate each model with its own lists."
        )
    (model, _) = next(iter(models.values()))
    return ListedFilms(films=tuple(films), model=model, worklists=len(places))


def _place(path: Path) -> Path:
    place = path.resolve()
    return place / JSON_NAME if place.is_dir() else place


def _name(model: ListedModel) -> str:
    return f"{model.name} {model.version}, SHA-256 {model.sha256[:12]}"


def _read_json(path: Path) -> tuple[list[ListedFilm], ListedModel]:
    try:
        plain = json.loads(read_bytes(path))
        model = plain["model"]
        point = (model.get("operating_points") or {}).get("refer_tb") or {}
        threshold = point.get("threshold")
        listed = ListedModel(
            name=str(model["name"]),
            version=str(model["version"]),
            sha256=str(model["sha256"]),
            refer_tenths=None if threshold is None else round(float(threshold) * 10),
        )
        films = [_film(row, path) for row in plain["rows"]]
    except _IMPOSSIBLE as error:
        raise SiteError(
            f"{path} is not a worklist that cxr-infer wrote, or it is damaged: screen the films "
            "again."
        ) from error
    return films, listed


def _read_csv(path: Path, model_file: Path | None) -> tuple[list[ListedFilm], ListedModel]:
    table = parse_table(read_bytes(path), path, _NEEDED)
    try:
        films = [_film(row, path) for _, row in table.rows]
    except (ValueError, OverflowError) as error:
        raise SiteError(
            f"{path} is not a worklist that cxr-infer wrote, or it was changed: give the "
            f"{JSON_NAME} beside it instead."
        ) from error
    names = {(row["model_name"], row["model_version"]) for _, row in table.rows}
    if len(names) != 1:
        raise SiteError(f"{path} must hold rows of one model, and holds those of {len(names)}.")
    # Excel holding the first name open leaves a CSV of a second name beside the same JSON.
    places = path.with_suffix(".json"), path.with_name(JSON_NAME)
    beside = next(filter(Path.is_file, places), None)
    if beside is not None:
        exact, listed = _read_json(beside)
        if sorted(map(_facts, exact)) != sorted(map(_facts, films)):
            raise SiteError(f"{path} and {beside.name} beside it differ: give the .json instead.")
        return films, listed
    return films, _model_of(path, model_file, next(iter(names)))


def _facts(film: ListedFilm) -> tuple[int, bool]:
    # Not the path: the CSV adds apostrophes and cannot spell every name.
    return -1 if film.tb_tenths is None else film.tb_tenths, film.has_tb_class


def _model_of(path: Path, model_file: Path | None, wanted: tuple[str, str]) -> ListedModel:
    file = load_model_file(model_file or bundled_model())
    if (file.card.name, file.card.version) != wanted:
        raise SiteError(
            f"{path} was made by {' '.join(wanted)}, which is not {file.card.name} "
            f"{file.card.version}: give the {JSON_NAME} written with it, or its model with --model."
        )
    return ListedModel(name=wanted[0], version=wanted[1], sha256=file.sha256, refer_tenths=None)


def _film(row: Mapping[str, Any], path: Path) -> ListedFilm:
    """Build a film from a row of either form; ValueError where the row is impossible."""
    is_screened = row["status"] == Status.SCREENED
    tenths = _tenths(row["tb_score"]) if is_screened else None
    if is_screened and row["prediction"] not in CLASSES:
        raise ValueError(f"{row['prediction']} is no class")
    return ListedFilm(
        path=str(row["path"] or ""),
        sop_instance_uid=str(row.get("sop_instance_uid") or "").strip(),
        day=path.parent.name,
        tb_tenths=tenths,
        has_tb_class=row["prediction"] == "tuberculosis",
        was_referred=row.get("decision") == Decision.REFER_TB,
        numbers=(str(tenths), *(f"{_number(row.get(name)):.4f}" for name in _PROBABILITIES)),
        tb=_tick(row.get("tb")),
        patient_id=rearm(str(row.get("patient_id") or "")),
    )


def _tenths(cell: Any) -> int:
    tenths = round(_number(cell) * 10)
    if cell in ("", None) or not 0 <= tenths <= 1000:
        raise ValueError(f"{cell} is no score")
    return tenths


def _tick(cell: Any) -> str:
    """Return 1 or 0 as the desk wrote it, or as a spreadsheet made a number of it."""
    text = str(cell if cell is not None else "").removesuffix(".0").removesuffix(",0")
    return text if text in ("0", "1") else ""


def _number(cell: Any) -> float:
    # A spreadsheet set to German or French saves 12,3.
    return float(str(cell).replace(",", ".")) if cell not in ("", None) else 0.0
