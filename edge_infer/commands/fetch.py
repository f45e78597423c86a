"""`cxr-fetch`: options; what is fetched is in `net`, what is done with it in `flow`.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_infer.commands.day_settings import load_day_settings
from edge_infer.commands.ending import INTERRUPTED, exit_when_interrupted, run_command
from edge_infer.commands.options import (
    DicomOutOption,
    IncludePatientOption,
    KeepDaysOption,
    ModelOption,
    NoHeatmapOption,
    PageLangOption,
    QuietOption,
    SiteOption,
    WorkersOption,
    version_option,
)
from edge_infer.commands.sender import RESULTS_FOLDER, Sending, require_ready, send_days
from edge_infer.commands.terminal import Progress, summarise
from edge_infer.pc.native_code import limit_threads

if TYPE_CHECKING:
    from edge_infer.flow.keep_day import DaySettings, WrittenDay
    from edge_infer.net.dicomweb import Archive
    from edge_infer.net.fetch import Fetched
    from edge_infer.net.spool import Spool

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_HAS_GAPS, _NOTHING_FOUND = 4, 5
_MIN_FREE_MB = 1024
"""Free disk below which nothing is fetched and no result made."""


@app.command()
def fetch(
    dicomweb: Annotated[
        str, typer.Option(metavar="URL", help="DICOMweb of the archive: http://pacs/dicom-web.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the films fetched and the days' lists.")
    ],
    day: Annotated[
        str,
        typer.Option("--date", metavar="DAY", help="Of the studies: today, yesterday, 2026-11-23."),
    ] = "today",
    send_back: Annotated[
        bool, typer.Option("--send-back", help="Put the results into their studies (STOW-RS).")
    ] = False,
    keep_days: KeepDaysOption = 30,
    dicom_out: DicomOutOption = None,
    no_heatmap: NoHeatmapOption = False,
    credentials: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="User and password, or token: see docs/pacs.md."),
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Authority (PEM) of the archive.")
    ] = None,
    model: ModelOption = None,
    site: SiteOption = None,
    workers: WorkersOption = None,
    include_patient: IncludePatientOption = False,
    lang: PageLangOption = None,
    quiet: QuietOption = False,
    version: Annotated[bool, version_option("cxr-fetch")] = False,  # noqa: ARG001 - its callback works
) -> None:
    """Fetch a day's chest X-rays from an archive (DICOMweb) and screen them into a worklist.

    Films are kept in DIR/fetched for --keep-days, the list in DIR/cxr-YYYY-MM-DD. Run again, also
    after an interruption, it reads and screens only what is new. Research use only; not a medical
    device; not a diagnosis.

    Exit code 0: every film screened; 4: some film was not given, not screened or not sent back; 2:
    wrong command line; 3: the archive does not answer, or no usable model; 5: no film of that day;
    6: cannot write; 130: interrupted.
    """
    limit_threads()
    wanted = _parse_day(day)
    with exit_when_interrupted("Interrupted: run again, and it goes on where it stopped."):
        from edge_infer.net.dicomweb import open_archive
        from edge_infer.net.spool import Spool, remove_older_spools

        archive = open_archive(dicomweb, credentials, tls_ca)
        sending = None
        if send_back or dicom_out is not None:
            sending = Sending(
                folder=dicom_out or out / RESULTS_FOLDER,
                archive=dicomweb if send_back else "",
                credentials=credentials,
                authority=tls_ca,
                with_heat=not no_heatmap,
                model=model,
                site=site,
                min_free_mb=_MIN_FREE_MB,
                keep_days=keep_days if dicom_out is None else None,
            )
            require_ready(sending)
        settings = load_day_settings(
            model, site, workers=workers, include_patient=include_patient, lang=lang
        )
        folder = out / "fetched" / f"{wanted:%Y-%m-%d}"
        spool = Spool(folder)
        remove_older_spools(folder.parent, keep_days, but=folder)
        fetched = _fetch(archive, wanted, spool, out, is_quiet=quiet)
        code = _HAS_GAPS if fetched.failed else 0
        written = _screen(spool, out / f"cxr-{wanted:%Y-%m-%d}", settings, wanted, is_quiet=quiet)
        if sending is not None:
            code = max(code, send_days([one.folder for one in written], sending))
        raise typer.Exit(max(code, *(_exit_code(one) for one in written)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    run_command(
        "cxr-fetch", app, arguments, extra="dicom", extra_modules=("pynetdicom", "highdicom")
    )


def _parse_day(text: str) -> date:
    today = datetime.now().date()
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return named[text] if text in named else date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"'{text}' is no day: today, yesterday, or such as 2026-11-23.", param_hint="--date"
        ) from error


def _fetch(archive: Archive, day: date, spool: Spool, out: Path, *, is_quiet: bool) -> Fetched:
    from edge_infer.net.fetch import fetch_day
    from edge_infer.net.limits import Limits
    from edge_infer.net.support_log import SupportLog

    with (
        closing(SupportLog(out)) as log,
        Progress(0, is_shown=not is_quiet and sys.stderr.isatty()) as line,
    ):
        fetched = fetch_day(
            archive,
            day,
            spool,
            log,
            limits=Limits(free_bytes=_MIN_FREE_MB * 2**20),
            say=lambda now: line.say(f"{now.found} films found, {now.new} fetched"),
        )
    films = fetched.found - fetched.own
    if not films:
        typer.echo(f"cxr-fetch: {archive} has no CR or DX film of {day}.", err=True)
        raise typer.Exit(_NOTHING_FOUND)
    if not is_quiet:
        typer.echo(f"{films} films of {day}: {fetched.new} fetched, {fetched.failed} not given.")
    return fetched


def _screen(
    spool: Spool, folder: Path, settings: DaySettings, day: date, *, is_quiet: bool
) -> list[WrittenDay]:
    from edge_infer.films.find import find_films
    from edge_infer.flow.run_day import run_day

    found = find_films([spool.films])
    with Progress(len(found.films), is_shown=not is_quiet and sys.stderr.isatty()) as line:
        written = run_day(found, folder, settings, is_dated=False, today=day, progress=line)
    for one in written if not is_quiet else ():
        typer.echo("\n".join(summarise(one.day, one.folder, one.csv)))
    return written


def _exit_code(written: WrittenDay) -> int:
    from edge_infer.worklist.rows import exit_code

    if not written.day.is_complete:
        return INTERRUPTED
    return exit_code(written.day.rows, written.day.unreadable_folders)


if __name__ == "__main__":
    main()
