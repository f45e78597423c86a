"""Read a folder of class folders or a CSV manifest into examples with a split and a group."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxr_train.errors import DataError
from cxr_train.terminal import say
from edge_infer.films.system_folders import is_of_system
from edge_infer.model.model_card import CLASSES

SPELLINGS = {
    "normal": ("normal", "healthy", "nofinding", "negative"),
    "pneumonia": ("pneumonia", "pneumonie", "bacterialpneumonia", "viralpneumonia"),
    "covid19": ("covid19", "covid", "corona", "coronavirus", "sarscov2", "covid19positive"),
    "tuberculosis": ("tuberculosis", "turberculosis", "tuberculose", "tb", "ptb"),
}
"""Known spellings per class, compared in lower case with everything but letters and digits gone.
`TURBERCULOSIS` is how the public four-class set spells it."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
IMAGE_SUFFIXES = frozenset(
    {".dcm", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
)
_MASK_FOLDERS = frozenset(
    {"mask", "masks", "lung masks", "lung_masks", "lungmasks", "lung mask", "segmentation"}
    | {"segmentations", "labels", "annotations", "contours"}
)
VAL_SHARE, TEST_SHARE = 0.15, 0.15
MIN_AGE_YEARS = 15
"""WHO: computer-aided detection of tuberculosis is for people of 15 years and older. A DICOM film
that says it is of somebody younger is not read, and the model's card states this age."""
_BY_SPELLING = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}
_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_AGE = re.compile(r"^(\d{1,3}(?:\.\d+)?)\s*([YMWD]?)$", re.IGNORECASE)
_PER_YEAR = {"": 1.0, "Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
_KERMANY_FILE = re.compile(
    r"^(person\d+_(bacteria|virus)_\d+|NORMAL2-IM-\d{4}-\d{4}.*|kermany.*)$", re.IGNORECASE
)
_KERMANY_FILE_NORMAL = re.compile(r"^IM-\d{4}-\d{4}(-\d{4})?$")
"""A viewer exports films under such names too: it counts beside the names above only."""
# Kermany names its files person123_bacteria_45.jpeg: several films of one child.
_KERMANY_PERSON = re.compile(r"^(person\d+)_", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled film."""

    path: Path
    """Absolute."""
    name: str
    """Relative to the data, with `/`: the same on every machine, so it can be hashed."""
    label: int
    """Index into `CLASSES`."""
    split: str
    """`train`, `val`, `test`, or a further evaluation split named in the manifest."""
    group: str
    """Films of one group (patient and look-alikes) never stand in two splits."""
    source: str = ""
    """Where the film was collected; empty when unknown."""
    squashed: bool | None = None
    """Published with its aspect ratio lost (column `squashed`); None when the data does not say."""
    age: float | None = None
    """In years, at the time of the film; None when the data does not say."""


def read_data(
    data: Path, *, check_groups: bool = True, without: Collection[str] = ()
) -> tuple[Example, ...]:
    """Read `data`, a folder of class folders or a CSV manifest, sorted by name.

    Folders of a system (`__MACOSX`, `.ipynb_checkpoints`, ...) are passed over among class folders,
    folders of masks aloud, and those named in `without`, which in a manifest names sources.

    Films without a source that bear a known set's file names get its name; a column `age` is read.

    Splits come from the folder or column; films without one are split by a hash of their group:
    70 % train, 15 % val, 15 % test, unchanged for a group when images are added.
    Raises DataError for a missing path or column, an unknown class, or a group in two splits;
    the last is left to the caller where `check_groups` is False.
    """
    data = data.absolute()
    if data.is_file():
        examples = _read_manifest(data)
    elif data.is_dir() and (data / "manifest.csv").is_file():
        examples = _read_manifest(data / "manifest.csv")
    elif data.is_dir():
        examples = _read_class_folders(data, frozenset(without))
    else:
        raise DataError(f"There is no data at {data}: give a folder of class folders or a CSV.")
    if not examples:
        raise DataError(f"No images were found in {data}.")
    if check_groups:
        _check_groups(examples)
    return tuple(sorted(_name_sources(examples), key=lambda example: example.name))


def class_index(spelling: str, *, where: str) -> int:
    """Map a class spelling to its index in CLASSES; an unknown one is a DataError."""
    key = re.sub(r"[^a-z0-9]", "", spelling.lower())
    if key not in _BY_SPELLING:
        known = "; ".join(f"{name} ({', '.join(SPELLINGS[name])})" for name in CLASSES)
        raise DataError(f"Unknown class '{spelling}' in {where}. Known: {known}.")
    return CLASSES.index(_BY_SPELLING[key])


def split_by_hash(group: str) -> str:
    """Assign a group to train, val or test by its SHA-256, whatever else is in the data."""
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if share < TEST_SHARE:
        return "test"
    return "val" if share < TEST_SHARE + VAL_SHARE else "train"


def select(examples: Iterable[Example], split: str) -> tuple[Example, ...]:
    """Return the examples of one split, in order."""
    return tuple(example for example in examples if example.split == split)


def own_examples(
    examples: Iterable[Example], without: Sequence[str], split: str
) -> tuple[Example, ...]:
    """Return the examples of one split whose source is not left out."""
    return tuple(example for example in select(examples, split) if example.source not in without)


def fingerprint(examples: Sequence[Example]) -> str:
    """Hash names, classes, splits and groups: two runs with the same value saw the same data."""
    lines = sorted(f"{e.name}\t{CLASSES[e.label]}\t{e.split}\t{e.group}" for e in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def require_every_class(examples: Sequence[Example], split: str) -> None:
    """Raise DataError unless every class has a film in `split`."""
    counts = Counter(example.label for example in examples if example.split == split)
    missing = [name for index, name in enumerate(CLASSES) if not counts[index]]
    if missing:
        raise DataError(
            f"The {split} split has no image of {', '.join(missing)}: "
            "every class needs at least one image there."
        )


def _read_manifest(manifest: Path) -> list[Example]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            for column in ("path", "class"):
                if column not in columns:
                    raise DataError(
                        f"{manifest} has no column '{column}'; it has: {', '.join(columns)}."
                    )
            return [_manifest_row(manifest, number, row) for number, row in enumerate(reader, 2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{manifest} is not a readable UTF-8 CSV file: {error}.") from error


def _manifest_row(manifest: Path, number: int, row: dict[str, str | None]) -> Example:
    name = (row["path"] or "").replace("\\", "/")
    if not name:
        raise DataError(f"{manifest}, line {number}: the path is empty.")
    group = row.get("group_id") or row.get("patient_id") or name
    split = (row.get("split") or "").strip().lower()
    return Example(
        path=manifest.parent / name,
        name=name,
        label=class_index(row["class"] or "", where=f"{manifest}, line {number}"),
        split=SPLIT_NAMES.get(split, split) or split_by_hash(group),
        group=group,
        source=row.get("source") or "",
        squashed=_TRUTH.get((row.get("squashed") or "").strip().lower()),
        age=_read_age(row.get("age") or ""),
    )


def _read_age(text: str) -> float | None:
    """Return years: of `36`, of DICOM's `036Y`, `018M`; None for anything else."""
    match = _AGE.match(text.strip())
    return float(match[1]) / _PER_YEAR[match[2].upper()] if match else None


def _read_class_folders(data: Path, without: frozenset[str]) -> list[Example]:
    examples = []
    for folder in _folders_in(data, without):
        split = SPLIT_NAMES.get(folder.name.lower())
        if split is None:
            examples += _read_class_folder(data, folder, without, split=None)
            continue
        for class_folder in _folders_in(folder, without):
            examples += _read_class_folder(data, class_folder, without, split=split)
    return examples


def _folders_in(folder: Path, without: frozenset[str]) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not is_of_system(path.name) and path.name not in without
    )


def _films_below(folder: Path, without: frozenset[str]) -> list[Path]:
    """Return the images of a class folder and of the folders in it, sorted."""
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if not path.is_dir():
                found.append(path)
            elif path.name.lower() in _MASK_FOLDERS:
                say(f"Masks are no films, so this folder is passed over: {path}")
            elif not is_of_system(path.name) and path.name not in without:
                waiting.append(path)
    return sorted(
        path
        for path in found
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("._")
    )


def _read_class_folder(
    data: Path, folder: Path, without: frozenset[str], *, split: str | None
) -> list[Example]:
    try:
        label = class_index(folder.name, where=str(folder.parent))
    except DataError as error:
        raise DataError(
            f"{error} Move the folder away, or leave it out with --without '{folder.name}', which "
            "fit and audit have."
        ) from error
    examples = []
    for path in _films_below(folder, without):
        group = _group_of(path)
        examples.append(
            Example(
                path=path,
                name=path.relative_to(data).as_posix(),
                label=label,
                split=split or split_by_hash(group),
                # Published folders have no patient ids across splits: there a name is only known
                # to be one patient inside its own split.
                group=f"{split}/{group}" if split else group,
            )
        )
    return examples


def _group_of(path: Path) -> str:
    match = _KERMANY_PERSON.match(path.name)
    return match.group(1).lower() if match else path.stem


def _name_sources(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Give films without a source the public set whose file names they bear.

    Known is Kermany's set of children, half of the public four-class set: without its name its
    films would pass for adults'.
    """
    is_there = any(_KERMANY_FILE.match(one.path.stem) for one in examples)
    return tuple(
        replace(one, source="Kermany")
        if not one.source
        and (
            _KERMANY_FILE.match(one.path.stem)
            or (is_there and _KERMANY_FILE_NORMAL.match(one.path.stem))
        )
        else one
        for one in examples
    )


def _check_groups(examples: Sequence[Example]) -> None:
    seen: dict[str, Example] = {}
    for example in examples:
        first = seen.setdefault(example.group, example)
        if first.split != example.split:
            raise DataError(
                f"Group '{example.group}' is in two splits: {first.name} in {first.split} and "
                f"{example.name} in {example.split}. One patient must stay in one split."
            )
