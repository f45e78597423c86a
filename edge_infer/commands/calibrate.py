"""`cxr-calibrate`: options and exit code; the work is in `calibration`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_infer.commands.ending import exit_when_interrupted, run_command
from edge_infer.commands.terminal import speaker
from edge_infer.errors import SiteError
from edge_infer.pc.language import Lang, default_language

if TYPE_CHECKING:
    from edge_infer.calibration.labels import Labelled
    from edge_infer.calibration.listed_films import ListedFilms
    from edge_infer.calibration.thresholds import Calibration

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def calibrate(
    worklists: Annotated[
        list[Path],
        typer.Argument(
            metavar="WORKLIST", help="worklist.json or .csv files, or folders that hold one."
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV with path or sop_instance_uid, and tb: 1 with, 0 without; "
            "default: what was ticked in cxr-desk.",
        ),
    ] = None,
    label_sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only write a label file to fill in: every screened film, ticks filled in.",
        ),
    ] = None,
    target_sensitivity: Annotated[
        float,
        typer.Option(min=0.5, max=1.0, help="Share of the films with TB that must be referred."),
    ] = 0.95,
    prevalence: Annotated[
        float,
        typer.Option(min=0.0001, max=0.9999, help="Share of your patients that have TB."),
    ] = 0.01,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Site file to write; its page goes beside it.")
    ] = Path("site.json"),
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Model of a worklist.csv that has no worklist.json beside it; "
            "default: the bundled one.",
        ),
    ] = None,
    lang: Annotated[
        Lang | None,
        typer.Option(help="Language of page and terminal; default: this PC's, else English."),
    ] = None,
) -> None:
    """Choose your clinic's own TB threshold from films whose truth is known.

    Prints a table over thresholds and writes a site file for `cxr-infer --site` with its page.
    Research use only; not a medical device.

    Exit code 0: site file written; 3: no site file, the reason is said; 2: wrong command line; 6:
    cannot write.
    """
    if label_sheet is not None:
        with exit_when_interrupted("Interrupted: nothing was written."):
            _write_sheet(worklists, label_sheet, model)
        return
    _check_out(out)
    lang = lang or default_language()
    with exit_when_interrupted("Interrupted: nothing was written.", lang):
        _run(worklists, labels, target_sensitivity, prevalence, out=out, model=model, lang=lang)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    run_command("cxr-calibrate", app, arguments)


def _run(
    worklists: Sequence[Path],
    labels: Path | None,
    target: float,
    prevalence: float,
    *,
    out: Path,
    model: Path | None,
    lang: Lang,
) -> None:
    from edge_infer.calibration import thresholds as rule
    from edge_infer.calibration.label_sheet import read_ticks
    from edge_infer.calibration.labels import match_labels, read_labels
    from edge_infer.calibration.listed_films import read_worklists

    listed = read_worklists(worklists, model)
    label_file = read_labels(labels) if labels is not None else read_ticks(listed.films)
    labelled = match_labels(listed.films, label_file)
    _report_problems(labelled, lang)
    calibration = rule.calibrate(
        labelled,
        listed.films,
        target=target,
        prevalence=prevalence,
        in_use=listed.model.refer_tenths,
    )
    _print(calibration, listed, lang)
    _write(calibration, listed, labelled, label_file.sha256, out=out, lang=lang)


def _write_sheet(worklists: Sequence[Path], sheet: Path, model: Path | None) -> None:
    from edge_infer.calibration.label_sheet import write_sheet
    from edge_infer.calibration.listed_films import read_worklists

    if sheet.exists():
        raise typer.BadParameter(
            f"'{sheet}' exists, and may hold results: name another file.",
            param_hint="--label-sheet",
        )
    films = read_worklists(worklists, model).films
    write_sheet(films, sheet)
    n, known = sum(film.tb_tenths is not None for film in films), sum(bool(f.tb) for f in films)
    typer.echo(
        f"Label sheet: {sheet}\n{n} films, {known} of them ticked already. Fill in tb (1 with, 0 "
        f"without, empty not known), then: cxr-calibrate ... --labels {sheet}"
    )


def _check_out(out: Path) -> None:
    """Refuse to write over anything but an earlier site file."""
    from edge_infer.calibration.site_file import is_site_file

    if out.is_dir() or (out.exists() and not is_site_file(out)):
        raise typer.BadParameter(
            f"'{out}' exists and is not a site file: name another file.", param_hint="--out"
        )
    if out.suffix.lower() != ".json":
        raise typer.BadParameter(f"'{out}' must end in .json.", param_hint="--out")


def _report_problems(labelled: Labelled, lang: Lang) -> None:
    from edge_infer.calibration.labels import MOST_UNMATCHED
    from edge_infer.calibration.text import describe_problems, percent

    for sentence in describe_problems(labelled):
        told = speaker(lang)(f"Label file, {sentence}")
        typer.echo(f"cxr-calibrate: {told}", err=True)
    if not labelled.is_mostly_matched:
        raise SiteError(
            f"{labelled.n_unusable} of {labelled.n_rows} rows of the label file fit no film, more "
            f"than {percent(MOST_UNMATCHED)}, so nothing was written: check that it belongs to "
            "these worklists."
        )


def _print(calibration: Calibration, listed: ListedFilms, lang: Lang) -> None:
    from edge_infer.calibration import text as words

    if not calibration.n_positive + calibration.n_negative:
        raise SiteError("No screened film has a label, so there is nothing to count.")
    lines = [
        words.describe_films(calibration, listed),
        "",
        *words.table_lines(calibration),
        "",
        *words.describe_rule(calibration),
        words.describe_choice(calibration),
    ]
    typer.echo("\n".join(map(speaker(lang), lines)))


def _write(
    calibration: Calibration,
    listed: ListedFilms,
    labelled: Labelled,
    labels_sha256: str,
    *,
    out: Path,
    lang: Lang,
) -> None:
    from edge_infer.calibration import text as words
    from edge_infer.calibration.page import render_calibration
    from edge_infer.calibration.site_file import make_site, to_text, write_results

    say = speaker(lang)
    if not calibration.can_be_used:
        obstacles = " ".join(map(say, words.describe_obstacles(calibration)))
        raise SiteError(f"No site file: {obstacles}")
    for warning in words.describe_warnings(calibration):
        told = say(f"warning: {warning}")
        typer.echo(f"cxr-calibrate: {told}", err=True)
    site = make_site(calibration, listed, labels_sha256=labels_sha256, created=date.today())
    page = out.with_name(f"{out.stem}-calibration.html")
    text = render_calibration(calibration, listed, labelled, site, lang=lang)
    write_results({page: text, out: to_text(site)})
    typer.echo(say(f"Site file: {out} ({site.site_id})"))
    typer.echo(say(f"Page: {page}"))
    typer.echo(say(f"Use it: cxr-infer FOLDER --site {out}"))
    typer.echo(say("Research use only: not a diagnosis."))


if __name__ == "__main__":
    main()
