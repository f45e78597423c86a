"""Options that several commands have, each with one name, one range and one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_infer.pc.language import Lang
from edge_infer.pc.machine import MOST_WORKERS
from edge_infer.version import package_version

ModelOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Model file; default: the bundled one.")
]
SiteOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Site file with your own TB threshold: cxr-calibrate."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_WORKERS, metavar="N", help="Processes; default: the physical cores."
    ),
]
IncludePatientOption = Annotated[
    bool,
    typer.Option(
        "--include-patient", help="Add name, id, birth date and accession number to the list."
    ),
]
PageLangOption = Annotated[
    Lang | None,
    typer.Option(help="Language of the page; default: this PC's, English if not Korean."),
]
KeepDaysOption = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", help="Films received longer ago are removed, and results sent."
    ),
]
DicomOutOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Also write each result as DICOM (report, picture) into DIR."),
]
SendToOption = Annotated[
    list[str] | None,
    typer.Option(metavar="AE@HOST:PORT", help="Send the results to this DICOM node."),
]
SendTlsCaOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Authority (PEM) of --send-to's nodes: TLS is spoken there."),
]
SendTlsCertOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Our certificate (PEM), where they ask for one.")
]
SendTlsKeyOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")
]
NoHeatmapOption = Annotated[
    bool, typer.Option("--no-heatmap", help="DICOM pictures show the film without heat map.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]


def version_option(command: str) -> Any:
    """Return the option by which a command prints its name and version and stops."""

    def print_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{command} {package_version()}")
            raise typer.Exit

    return typer.Option(
        "--version", callback=print_version, is_eager=True, help="Print the version and stop."
    )
