"""`cxr-infer`: options, progress and exit code; the work is in `flow`.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from edge_infer.commands.ending import (
    CANNOT_START,
    INTERRUPTED,
    exit_when_interrupted,
    run_command,
)
from edge_infer.commands.options import (
    DicomOutOption,
    IncludePatientOption,
    ModelOption,
    NoHeatmapOption,
    QuietOption,
    SendTlsCaOption,
    SendTlsCertOption,
    SendTlsKeyOption,
    SendToOption,
    SiteOption,
    WorkersOption,
    version_option,
)
from edge_infer.commands.paths import choose_folder, require_films
from edge_infer.commands.sender import (
    RESULTS_FOLDER,
    Sending,
    following,
    node_tls,
    require_ready,
    send_days,
)
from edge_infer.commands.terminal import (
    Progress,
    WatchLine,
    describe_model_faults,
    say_in_red,
    speaker,
    summarise,
)
from edge_infer.pc.language import Lang, default_language
from edge_infer.pc.machine import default_workers
from edge_infer.pc.native_code import limit_threads
from edge_infer.version import package_version

if TYPE_CHECKING:
    from edge_infer.films.find import FoundFilms
    from edge_infer.flow.keep_day import DaySettings, WrittenDay
    from edge_infer.model.model_file import ModelFile
    from edge_infer.workers.pool import Crew
    from edge_infer.worklist.site import Site

# Rich would colour the help, whatever NO_COLOR says.
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def infer(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INPUT", help="Folders of films, or single films."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the results; default: cxr-YYYY-MM-DD here, never inside an input.",
        ),
    ] = None,
    model: ModelOption = None,
    site: SiteOption = None,
    workers: WorkersOption = None,
    file_timeout: Annotated[
        float,
        typer.Option(
            min=0.1, metavar="SECONDS", help="A file that takes longer to read is given up."
        ),
    ] = 30.0,
    include_patient: IncludePatientOption = False,
    full_decode: Annotated[
        bool,
        typer.Option(
            "--full-decode", help="Read every pixel: the slow, exact path, to compare with."
        ),
    ] = False,
    no_gate: Annotated[
        bool,
        typer.Option(
            "--no-gate",
            help="Score pictures too that are no upright frontal chest film; every row says so.",
        ),
    ] = False,
    no_age_sex: Annotated[
        bool,
        typer.Option(
            "--no-age-sex", help="Leave age, sex and the film's time out of page and JSON."
        ),
    ] = False,
    lang: Annotated[
        Lang | None,
        typer.Option(help="Language of page and terminal; default: this PC's, else English."),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Also write each film's heat map as a PNG, in DIR/pictures."
        ),
    ] = False,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Also write summary.html, the day on one A4 page."),
    ] = False,
    slips: Annotated[
        bool,
        typer.Option(
            "--slips", help="Also write slips.html, a request to the laboratory per referral."
        ),
    ] = False,
    dicom_out: DicomOutOption = None,
    send_to: SendToOption = None,
    send_tls_ca: SendTlsCaOption = None,
    send_tls_cert: SendTlsCertOption = None,
    send_tls_key: SendTlsKeyOption = None,
    no_heatmap: NoHeatmapOption = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Go on, and screen films as they arrive, until Control-C is pressed."
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Test this PC instead: model, decoders, memory, films per hour."
        ),
    ] = False,
    support: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what a helper needs: versions, processor, counts; no name, no path.",
        ),
    ] = None,
    quiet: QuietOption = False,
    version: Annotated[bool, version_option("cxr-infer")] = False,  # noqa: ARG001 - its callback works
) -> None:
    """Screen a folder of chest X-rays into a worklist, the most urgent film first.

    Writes worklist.csv, worklist.json and report.html, from the day's record in day.sqlite: run
    again, it screens only what is new. Research use only; not a medical device; not a diagnosis.
    The input is never written to, and no connection is opened (--send-to: by a process apart).

    Exit code 0: every film screened; 4: some file was not, the list says why; 2: wrong command
    line; 3: no usable model; 5: no film found; 6: cannot write; 130: interrupted, rows so far
    written.
    """
    limit_threads()
    lang = lang or default_language()
    with exit_when_interrupted("Interrupted: no new list was written.", lang):
        if check:
            _check_this_pc(model, lang)
        if support is not None:
            _write_support(support, out, model)
        if not inputs:
            raise typer.BadParameter("name a folder of films, or a film.", param_hint="INPUT")
        from edge_infer.workers.pool import run_isolated, start_workers

        folder = choose_folder(inputs, out)
        sending = None
        if dicom_out is not None or send_to:
            sending = Sending(
                folder=choose_folder(inputs, dicom_out or folder / RESULTS_FOLDER),
                nodes=send_to or (),
                node_tls=node_tls(send_tls_ca, send_tls_cert, send_tls_key),
                with_heat=not no_heatmap,
                model=model,
                site=site,
                full_decode=full_decode,
                has_gate=not no_gate,
            )
            require_ready(sending)
        workers = workers or default_workers()
        # The inputs are looked through, and what is imported from here on is loaded, while the
        # workers load their own. Every run but one of no film needs the first.
        with closing(start_workers(1)) as crew:
            found = require_films(inputs, may_be_empty=watch, lang=lang)
            if not watch:  # most of its files are often known already, and workers would sit idle
                crew.grow(min(workers, len(found.films)))
            from edge_infer.flow.keep_day import DaySettings
            from edge_infer.flow.write_lists import check_writable
            from edge_infer.model.bundled import bundled_model
            from edge_infer.model.model_file import load_model_file

            file = load_model_file(model or bundled_model())
            clinic = _load_site(site, file)
            check_writable(folder)
            settings = DaySettings(
                model=file,
                card=clinic.apply(file.card) if clinic else file.card,
                site=clinic,
                package_version=package_version(),
                workers=workers,
                file_timeout_s=file_timeout,
                include_patient=include_patient,
                full_decode=full_decode,
                has_gate=not no_gate,
                with_age_sex=not no_age_sex,
                lang=lang,
                with_pictures=pictures,
                with_summary=summary,
                with_slips=slips,
                pool=run_isolated,
            )
            run = _Run(crew=crew, is_dated=out is None, is_quiet=quiet, lang=lang, sending=sending)
            if watch:
                written = _watch(inputs, folder, settings, run)
            else:
                written = _screen(found, folder, settings, run)
        for one in written:
            _tell(one, is_quiet=quiet)
        unsent = 0
        if sending is not None and not watch:
            unsent = send_days([one.folder for one in written], sending)
        if watch:
            say = speaker(lang)
            typer.echo(say("Stopped: the list holds every film that had arrived."), err=True)
            raise typer.Exit(INTERRUPTED)
        raise typer.Exit(max(unsent, _exit_code(written, lang)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    run_command("cxr-infer", app, arguments)


def _load_site(site: Path | None, model: ModelFile) -> Site | None:
    if site is None:
        return None
    from edge_infer.worklist.site import load_site

    return load_site(site, model.card, model.sha256)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What a run has beside its settings."""

    crew: Crew
    is_dated: bool
    is_quiet: bool
    lang: Lang
    sending: Sending | None

    def open_line(self, total: int) -> Progress:
        is_shown = not self.is_quiet and sys.stderr.isatty()
        return Progress(total, is_shown=is_shown, lang=self.lang)


def _screen(found: FoundFilms, folder: Path, settings: DaySettings, run: _Run) -> list[WrittenDay]:
    from edge_infer.flow.run_day import run_day

    with run.open_line(len(found.films)) as line:
        line.say("Starting ...")
        return run_day(
            found,
            folder,
            settings,
            is_dated=run.is_dated,
            today=datetime.now().date(),
            progress=line,
            crew=run.crew,
        )


def _watch(
    inputs: Sequence[Path], folder: Path, settings: DaySettings, run: _Run
) -> list[WrittenDay]:
    from edge_infer.flow.screen import open_model
    from edge_infer.flow.watch import Clock, Watch
    from edge_infer.workers.pool import start_workers

    settings = replace(settings, model=open_model(settings.model))  # once, not for every arrival
    with run.open_line(0) as line, following(folder, run.sending, is_dated=run.is_dated):
        line_of_watch = WatchLine(line, is_quiet=run.is_quiet, lang=run.lang)
        return Watch(
            inputs,
            folder,
            settings,
            is_dated=run.is_dated,
            say=line_of_watch.say,
            warn=line_of_watch.warn,
            clock=Clock(),
            crew=run.crew,
            start_crew=start_workers,
        ).run()


def _tell(written: WrittenDay, *, is_quiet: bool) -> None:
    from edge_infer.worklist.lists import CSV_NAME

    say = speaker(written.day.lang)
    if written.csv.name != CSV_NAME:
        sentence = say(
            f"{CSV_NAME} is open in another program, so this list is in {written.csv.name}: "
            "close it there and run again."
        )
        typer.echo(f"cxr-infer: {sentence}", err=True)
    if not is_quiet:
        lines = summarise(written.day, written.folder, written.csv)
        lines[-1:-1] = [say(f"Paper: {paper}") for paper in written.papers]
        typer.echo("\n".join(lines))
    # Quiet or not: nobody is to work with such a list unwarned.
    for line in describe_model_faults(written.day):
        say_in_red(line)


def _exit_code(written: Sequence[WrittenDay], lang: Lang) -> int:
    from edge_infer.worklist.rows import exit_code

    if not written[-1].day.is_complete:
        say = speaker(lang)
        typer.echo(say("Interrupted: the list holds only the films screened so far."), err=True)
        return INTERRUPTED
    return max(exit_code(one.day.rows, one.day.unreadable_folders) for one in written)


def _check_this_pc(model: Path | None, lang: Lang) -> NoReturn:
    from edge_infer.commands.check import check_this_pc

    say = speaker(lang)
    report = check_this_pc(
        model, package_version=package_version(), say=lambda line: typer.echo(say(line))
    )
    raise typer.Exit(0 if report.is_usable else CANNOT_START)


def _write_support(place: Path, out: Path | None, model: Path | None) -> NoReturn:
    """Write the report, in English whatever the language: whoever helps reads it."""
    from edge_infer.commands.check import check_this_pc
    from edge_infer.commands.support import write_support

    folder = out if out is not None else choose_folder((), None)
    write_support(
        place,
        folder,
        check=lambda say: check_this_pc(model, package_version=package_version(), say=say),
    )
    typer.echo(str(place))
    raise typer.Exit


if __name__ == "__main__":
    main()
