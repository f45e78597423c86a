"""`cxr-infer`: options, progress and exit code; the work is in `screen` and `day`.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_infer.errors import CxrError, ModelError, ReportError, SiteError
from edge_infer.terminal import Progress, printable, summarise

if TYPE_CHECKING:
    from edge_infer.day.site import Site
    from edge_infer.day.worklist import ScreenedDay, WorklistRow
    from edge_infer.films.find_images import FoundImages
    from edge_infer.model.classifier import Classifier

EXIT_CODES: tuple[tuple[type[CxrError], int], ...] = (
    (ModelError, 3),
    (SiteError, 3),
    (ReportError, 6),
)
USAGE, INTERRUPTED = 2, 130
_MOST_WORKERS = 4
"""Four decoders keep the one network busy, and each takes some 100 MB."""

# No colour is ever written, so NO_COLOR has nothing to switch off (rich would colour the help).
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr-infer {_package_version()}")
        raise typer.Exit


@app.command()
def infer(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Folders of films, or single films.")
    ],
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
    site: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Site file with your own TB threshold: cxr-calibrate."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, metavar="N", help="Reading processes; default: 1 to 4, by processor."
        ),
    ] = None,
    include_patient: Annotated[
        bool,
        typer.Option(
            "--include-patient", help="Add name, id, birth date and accession number to the list."
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
    with _exit_when_interrupted():
        from edge_infer.day.report import check_writable, write_report
        from edge_infer.day.worklist import exit_code

        folder = _choose_folder(inputs, out)
        found = _find(inputs)
        with Progress(len(found.images), is_shown=not quiet and sys.stderr.isatty()) as progress:
            progress.say("Checking the model ...")
            classifier, site_file = _open_model(model, site)
            check_writable(folder)
            rows = _screen_until_interrupted(
                found, classifier, progress, workers=workers, include_patient=include_patient
            )
        day = _to_day(found, rows, classifier, site_file, include_patient=include_patient)
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


def _choose_folder(inputs: Sequence[Path], out: Path | None) -> Path:
    """Return where the results go; a usage error where that would be inside an input."""
    if out is not None:
        holder = _input_holding(out, inputs)
        if holder is not None:
            raise typer.BadParameter(
                f"'{out}' is inside the input '{holder}', which is never written to: "
                "name a folder outside it.",
                param_hint="--out",
            )
        return out
    folder = Path(f"cxr-{datetime.now():%Y-%m-%d}")
    while (holder := _input_holding(folder, inputs)) is not None:
        beside = holder.resolve().parent / folder.name
        if beside == folder.resolve():
            raise typer.BadParameter(
                f"there is no place beside '{holder}': name a folder with --out.",
                param_hint="INPUT",
            )
        folder = beside
    return folder


def _input_holding(folder: Path, inputs: Sequence[Path]) -> Path | None:
    """Return the input that `folder` is or lies in; links and other spellings do not hide it."""
    place = folder.resolve()
    for candidate in (place, *place.parents):
        for path in inputs:
            try:
                if candidate.samefile(path):
                    return path
            except OSError:
                continue  # one of them does not exist yet
    return None


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


def _open_model(model: Path | None, site: Path | None) -> tuple[Classifier, Site | None]:
    """Open the model, its card with the site's TB threshold where a site file is named."""
    from edge_infer.screen import open_model

    classifier = open_model(model)
    if site is None:
        return classifier, None
    from edge_infer.day.site import load_site

    chosen = load_site(site, classifier.card, classifier.sha256)
    return classifier.with_card(chosen.apply(classifier.card)), chosen


def _screen_until_interrupted(
    found: FoundImages,
    classifier: Classifier,
    progress: Progress,
    *,
    workers: int | None,
    include_patient: bool,
) -> list[WorklistRow]:
    """Return the rows in order of completion; after Control-C those there are, if any."""
    from edge_infer.screen import screen

    rows: list[WorklistRow] = []
    screening = screen(
        found.images,
        classifier,
        workers=workers or _default_workers(),
        include_patient=include_patient,
    )
    try:
        with closing(screening):
            for row in screening:
                rows.append(row)
                progress.advance()
    except KeyboardInterrupt:
        if not rows:
            raise
        # Otherwise the caller sees that rows are missing.
    return rows


def _to_day(
    found: FoundImages,
    rows: Sequence[WorklistRow],
    classifier: Classifier,
    site: Site | None,
    *,
    include_patient: bool,
) -> ScreenedDay:
    from edge_infer.day.worklist import ScreenedDay, in_order

    return ScreenedDay(
        rows=in_order(rows),
        due=len(found.images),
        ignored=found.ignored,
        unreadable_folders=found.unreadable_folders,
        card=classifier.card,
        model_sha256=classifier.sha256,
        package_version=_package_version(),
        generated_at=datetime.now().astimezone(),
        include_patient=include_patient,
        site=site,
    )


def _default_workers() -> int:
    """Guess the physical cores: half of the logical ones, but both of two."""
    logical = os.cpu_count() or 1
    return min(logical if logical <= 2 else logical // 2, _MOST_WORKERS)


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
