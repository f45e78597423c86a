"""`cxr-export`: options and exit codes; the work is in `export_run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cxr_export.errors import ParityError
from cxr_train.errors import ConfigError, DataError
from edge_infer.errors import CxrError, ModelError, ReportError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
EXIT_CODES: tuple[tuple[type[CxrError], int], ...] = (
    (ConfigError, 2),
    (DataError, 3),
    (ModelError, 3),
    (ParityError, 4),
    (ReportError, 6),
)
MISSING_EXTRA, INTERRUPTED = 3, 130
EXTRA_MODULES = ("torch", "torchvision", "timm", "onnx", "onnxscript", "sympy", "scipy")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder made by `cxr-train fit`.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    calibration: Annotated[
        Path | None,
        typer.Option(help="Data with train and val films; default: what the run was trained on."),
    ] = None,
    fp32_too: Annotated[
        bool, typer.Option("--fp32-too", help="Also write the fp32 graph beside it (no card).")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name in the model card.")] = None,
    model_version: Annotated[str, typer.Option(help="Version in the model card.")] = "0.1.0",
    sensitivity: Annotated[
        float, typer.Option(help="What both thresholds are chosen for on validation films.")
    ] = 0.95,
    referral_score: Annotated[
        str | None,
        typer.Option(
            help="Weights a,b,c,d of the TB score, instead of the recipe's referral_score: "
            "z = a r + b logit(p_tb) + c logit(1 - p_normal) + d."
        ),
    ] = None,
    referral_map: Annotated[
        str,
        typer.Option(help="Map shown of a referred film with --referral-score: or referral."),
    ] = "tuberculosis",
    referral_chosen_on: Annotated[
        str, typer.Option(help="On which films --referral-score was chosen, for the card.")
    ] = "",
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded films; default: the user's cache.")
    ] = None,
) -> None:
    """Turn a training run into one quantized, self-describing .onnx, or say why not."""
    try:
        # Inside the try: importing torch takes seconds, in which Control-C comes too.
        from cxr_export.export_run import export_run
        from cxr_train.figures.referral import make_referral, parse_weights

        referral = None
        if referral_score is not None:
            referral = make_referral(
                parse_weights(referral_score),
                shown_map=referral_map,
                chosen_on=referral_chosen_on,
            )
        export_run(
            run,
            out,
            data=calibration,
            cache=cache,
            fp32_too=fp32_too,
            name=name,
            version=model_version,
            target_sensitivity=sensitivity,
            referral=referral,
        )
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted: {out} was not finished.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def main() -> None:
    """Run the command; every error of ours becomes one sentence and an exit code, here only."""
    try:
        app()
    except CxrError as error:
        print(f"cxr-export: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(next(code for kind, code in EXIT_CODES if isinstance(error, kind)))
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_MODULES:
            raise
        print(  # noqa: T201
            f'cxr-export: {error.name} is missing: pip install "cxr-edge[train]"', file=sys.stderr
        )
        sys.exit(MISSING_EXTRA)


if __name__ == "__main__":
    main()
