"""`cxr-infer`: options, progress and exit code; the work is in `screen` and `day`.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from edge_infer.errors import CxrError, ModelError, ReportError
from edge_infer.machine import MOST_WORKERS, default_workers
from edge_infer.native_code import limit_threads
from edge_infer.result_folder import choose_folder
from edge_infer.terminal import Progress, printable, summarise

if TYPE_CHECKING:
    from edge_infer.day.picture_spool import PictureSpool
    from edge_infer.day.worklist import ScreenedDay, WorklistRow
    from edge_infer.films.find_images import FoundImages
    from edge_infer.films.isolation import Crew
    from edge_infer.model.model_file import ModelFile

USAGE, UNUSABLE, INTERRUPTED = 2, 3, 130
EXIT_CODES: tuple[tuple[type[CxrError], int], ...] = ((ModelError, UNUSABLE), (ReportError, 6))

# No colour is ever written, so NO_COLOR has nothing to switch off (rich would colour the help).
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr-infer {_package_version()}")
        raise typer.Exit


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
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model file; default: the bundled one.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_WORKERS, metavar="N", help="Processes; default: the physical cores."
        ),
    ] = None,
    file_timeout: Annotated[
        float,
        typer.Option(
            min=0.1, metavar="SECONDS", help="A file that takes longer to read is given up."
        ),
    ] = 30.0,
    include_patient: Annotated[
        bool,
        typer.Option(
            "--include-patient", help="Add name, id, birth date and accession number to the list."
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Test this PC instead: model, decoders, memory, films per hour."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback has done the work
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Screen a folder of chest X-rays into a worklist, the most urgent film first.

    Writes worklist.csv, worklist.json and report.html. Research use only; not a medical device; not
    a diagnosis. The input is never written to, and no connection is opened.

    Exit code 0: every film screened; 4: some file was not, the list says why; 2: wrong command
    line; 3: no usable model; 5: no film found; 6: cannot write; 130: interrupted, rows so far
    written.
    """
    limit_threads()
    with _exit_when_interrupted():
        if check:
            _check_this_pc(model)
        if not inputs:
            raise typer.BadParameter("name a folder of films, or a film.", param_hint="INPUT")
        from edge_infer.films.isolation import start_workers

        folder = choose_folder(inputs, out)
        found = _find(inputs)
        workers = min(workers or default_workers(), len(found.images))
        # What is imported from here on is loaded while the workers load their own.
        with closing(start_workers(workers)) as crew:
            from edge_infer.day.picture_spool import PictureSpool
            from edge_infer.day.report import check_writable, write_report
            from edge_infer.day.worklist import exit_code
            from edge_infer.model.bundled import bundled_model
            from edge_infer.model.model_file import load_model_file

            file = load_model_file(model or bundled_model())
            check_writable(folder)
            is_watched = not quiet and sys.stderr.isatty()
            with (
                PictureSpool(folder) as spool,
                Progress(len(found.images), is_shown=is_watched) as progress,
            ):
                progress.say("Starting ...")
                run = _Run(
                    crew=crew,
                    workers=workers,
                    include_patient=include_patient,
                    file_timeout_s=file_timeout,
                )
                rows = _screen_until_interrupted(found, file, run, spool, progress)
                day = _to_day(found, rows, file, include_patient=include_patient)
                write_report(day, folder)
        if not quiet:
            typer.echo("\n".join(summarise(day, folder)))
        if not day.is_complete:
            typer.echo("Interrupted: the list holds only the films screened so far.", err=True)
            raise typer.Exit(INTERRUPTED)
        raise typer.Exit(exit_code(rows, found.unreadable_folders))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; every error of ours becomes one sentence and an exit code, here only."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows code page lacks most of the world's file names; `?` is better than a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(args=arguments)
    except CxrError as error:
        typer.echo(f"cxr-infer: {printable(str(error))}", err=True)
        sys.exit(next(code for kind, code in EXIT_CODES if isinstance(error, kind)))


@contextmanager
def _exit_when_interrupted() -> Iterator[None]:
    """End with 130 wherever Control-C comes; left to Typer, older versions would end with 1."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("\nInterrupted: no new list was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _find(inputs: Sequence[Path]) -> FoundImages:
    from edge_infer.day.worklist import NOTHING_FOUND
    from edge_infer.films.find_images import find_images

    try:
        found = find_images(inputs)
    except OSError as error:
        raise typer.BadParameter(
            f"'{printable(str(error.filename))}' cannot be opened ({error.strerror}): "
            "check the spelling, and that the drive is connected.",
            param_hint="INPUT",
        ) from error
    for name in found.unreadable_folders:
        typer.echo(f"cxr-infer: the folder {printable(name)} cannot be opened.", err=True)
    if not found.images:
        passed = f" (other files: {found.ignored})" if found.ignored else ""
        typer.echo(
            f"cxr-infer: no X-ray film found{passed}, so nothing was written: check the folder.",
            err=True,
        )
        raise typer.Exit(NOTHING_FOUND)
    return found


@dataclass(frozen=True, kw_only=True)
class _Run:
    """How the films are to be read."""

    crew: Crew
    workers: int
    include_patient: bool
    file_timeout_s: float


def _screen_until_interrupted(
    found: FoundImages, file: ModelFile, run: _Run, spool: PictureSpool, progress: Progress
) -> list[WorklistRow]:
    """Return the rows in order of completion; after Control-C those there are, if any."""
    from edge_infer.screen import screen

    rows: list[WorklistRow] = []
    screening = screen(
        found.images,
        file,
        workers=run.workers,
        include_patient=run.include_patient,
        file_timeout_s=run.file_timeout_s,
        crew=run.crew,
    )
    try:
        with closing(screening):
            for row in screening:
                rows.append(replace(row, thumbnail=spool.keep(bytes(row.thumbnail))))
                progress.advance()
    except KeyboardInterrupt:
        if not rows:
            raise
        # Otherwise the caller sees that rows are missing.
    return rows


def _to_day(
    found: FoundImages,
    rows: Sequence[WorklistRow],
    file: ModelFile,
    *,
    include_patient: bool,
) -> ScreenedDay:
    from edge_infer.day.worklist import ScreenedDay, in_order

    return ScreenedDay(
        rows=in_order(rows),
        due=len(found.images),
        ignored=found.ignored,
        unreadable_folders=found.unreadable_folders,
        card=file.card,
        model_sha256=file.sha256,
        package_version=_package_version(),
        generated_at=datetime.now().astimezone(),
        include_patient=include_patient,
    )


def _check_this_pc(model: Path | None) -> NoReturn:
    from edge_infer.self_check import check_this_pc

    report = check_this_pc(model, package_version=_package_version(), say=typer.echo)
    raise typer.Exit(0 if report.is_usable else UNUSABLE)


def _package_version() -> str:
    """Return the version from the installed package, or from pyproject.toml beside a clone."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cxr-edge")
    except PackageNotFoundError:
        import tomllib

        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


if __name__ == "__main__":
    main()
