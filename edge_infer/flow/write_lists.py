"""Write a screened day as worklist.csv, worklist.json and report.html: all three, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from edge_infer.errors import FileInUse, ReportError
from edge_infer.page.html import render_page
from edge_infer.page.paper import SLIPS_NAME, SUMMARY_NAME
from edge_infer.page.slips import render_slips
from edge_infer.page.summary import render_summary
from edge_infer.pc.whole_files import (
    patiently,
    put_in_place,
    remove,
    require_free,
    require_writable,
    sync_folder,
    write_together,
)
from edge_infer.worklist.lists import CSV_NAME, JSON_NAME, PAGE_NAME, to_csv, to_json
from edge_infer.worklist.rows import ScreenedDay

SECOND_CSV_NAMES: Final = tuple(f"worklist-new{end}.csv" for end in ("", "-2", "-3", "-4"))
"""Where the CSV goes while a spreadsheet holds the first name; removed once that is free again."""


def check_writable(folder: Path) -> None:
    """Make `folder` and see that a list can be written there, before hours of screening.

    Raises ReportError, or FileInUse where another program has an earlier JSON or page there open;
    a CSV held open will have a second name.
    """
    try:
        require_writable(folder)
        for name in (CSV_NAME, JSON_NAME, PAGE_NAME):
            if (folder / name).exists() and not (name == CSV_NAME and (folder / name).is_file()):
                patiently(partial(require_free, folder / name))
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write_lists(day: ScreenedDay, folder: Path) -> Path:
    """Write the three files into `folder`, which exists; return where the CSV went.

    Each is written whole beside its place and synced to the disk before the first one is put in
    place. Raises ReportError, or FileInUse where another program has the JSON or the page open;
    until the first is in place, an earlier list stays as it was. A CSV that Excel holds open keeps
    its content, and the new one has one of SECOND_CSV_NAMES.
    """
    # The CSV is put in place first: it is the one that a spreadsheet may hold open.
    contents: dict[Path, Iterable[str]] = {
        folder / CSV_NAME: [to_csv(day)],
        folder / JSON_NAME: [to_json(day)],
        folder / PAGE_NAME: render_page(day),
    }
    try:
        csv_place, *_ = write_together(contents, put=_put)
        sync_folder(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return csv_place


def write_papers(
    day: ScreenedDay, folder: Path, *, with_summary: bool, with_slips: bool
) -> tuple[Path, ...]:
    """Write the doctor's summary and the laboratory's slips where wanted; return where they are.

    One that an earlier run of the day left is written anew as well: a paper must not say what the
    list no longer says. Raises ReportError, or FileInUse where another program has one open.
    """
    papers: dict[Path, Callable[[ScreenedDay], str]] = {
        folder / name: render
        for name, render, is_wanted in (
            (SUMMARY_NAME, render_summary, with_summary),
            (SLIPS_NAME, render_slips, with_slips),
        )
        if is_wanted or (folder / name).exists()
    }
    for place, render in papers.items():
        unfinished = place.with_name(f".{place.name}.part")
        try:
            unfinished.write_text(render(day), encoding="utf-8")
            put_in_place(unfinished, place)
        except OSError as error:
            kind = FileInUse if isinstance(error, PermissionError) else ReportError
            raise kind(
                f"The list is written, but {place.name} in {folder} is not "
                f"({error.strerror or type(error).__name__}): close it in the program that shows "
                "it, or free the disk, and run again."
            ) from error
    return tuple(papers)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed run had half written beside the lists."""
    for name in (CSV_NAME, JSON_NAME, PAGE_NAME):
        remove(folder.glob(f".{name}.*.part"))
    remove(folder / f".{name}.part" for name in (SUMMARY_NAME, SLIPS_NAME))


def _put(temporary: Path, place: Path) -> Path:
    """Put a file in place; the CSV under a second name where a spreadsheet holds the first open."""
    if place.name != CSV_NAME:
        return put_in_place(temporary, place)
    try:
        put_in_place(temporary, place)
    except PermissionError:
        for name in SECOND_CSV_NAMES if place.is_file() else ():
            with contextlib.suppress(PermissionError):
                return temporary.replace(place.with_name(name))
        raise
    # One that is still open stays, and goes next time.
    remove(place.with_name(name) for name in SECOND_CSV_NAMES)
    return place


def _cannot_write(folder: Path, error: OSError) -> ReportError:
    named = error.filename2 or error.filename  # a rename names its target second
    what = Path(named).name if named else ""
    why = error.strerror or type(error).__name__
    if isinstance(error, PermissionError) and what in (CSV_NAME, JSON_NAME, PAGE_NAME):
        return FileInUse(
            f"The worklist cannot be written into {folder} ({why}): close {what} in the program "
            "that shows it and run again."
        )
    return ReportError(
        f"The worklist cannot be written into {folder} ({why}): free the disk or name another "
        "folder with --out."
    )
