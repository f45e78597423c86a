"""`cxr-export`: options and exit codes; the work is in `export_run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr_train.cli import CacheOption
from cxr_train.terminal import leave_quickly, starting
from edge_infer.commands.ending import exit_when_interrupted, run_command
from edge_infer.commands.options import version_option

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
EXTRA_MODULES = ("torch", "torchvision", "timm", "onnx", "onnxscript", "sympy", "scipy")

FIRST_VERSION = "0.1.0"
"""Of a model with a gate or a lung head, unless it is said."""


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder of cxr-train: fit, gate or lung-head.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Data with train and val films.", show_default="what the run was trained on"
        ),
    ] = None,
    fp32_too: Annotated[
        bool, typer.Option("--fp32-too", help="Also write the fp32 graph beside it (no card).")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Try less before a model passes every gate or is refused: the network as it is, "
            "then what makes INT8 lose less, once. `cxr-train compare` does; a release should not.",
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(help="Name in the model card.", show_default="the run's"),
    ] = None,
    model_version: Annotated[
        str | None,
        typer.Option(
            help="Version in the model card.",
            show_default="the day the training ended, and a part of its weights' hash",
        ),
    ] = None,
    sensitivity: Annotated[
        float, typer.Option(help="What both thresholds are chosen for on validation films.")
    ] = 0.95,
    referral_score: Annotated[
        str | None,
        typer.Option(
            help="Weights a,b,c,d of the TB score, instead of the recipe's referral_score: "
            "z = a r + b logit(p_tb) + c logit(1 - p_normal) + d.",
            show_default="the recipe's, else p_tb",
        ),
    ] = None,
    referral_map: Annotated[
        str,
        typer.Option(help="Map shown of a referred film with --referral-score: or referral."),
    ] = "tuberculosis",
    referral_chosen_on: Annotated[
        str,
        typer.Option(
            help="On which films --referral-score was chosen, for the card.",
            show_default="it is not said",
        ),
    ] = "",
    model: Annotated[
        Path | None,
        typer.Option(
            help="For a gate or a lung head: the model it is for, which is not changed.",
            show_default="the bundled one",
        ),
    ] = None,
    cache: CacheOption = None,
    version: Annotated[bool, version_option("cxr-export")] = False,  # noqa: ARG001 - its callback works
) -> None:
    """Turn a training run into one quantized, self-describing .onnx, or say why not.

    Of a gate's run: a copy of its model that has the gate too, its scores unchanged. Of a lung
    head's: a copy whose scores and maps come from the lungs, its gate unchanged.
    """
    with exit_when_interrupted(f"Interrupted: {out} was not finished."):
        # Inside the try: importing torch takes seconds, in which Control-C comes too.
        if (run / "gate.json").is_file():
            from cxr_export.gate_graph import export_gate
            from edge_infer.model.bundled import bundled_model

            export_gate(
                run,
                model or bundled_model(),
                out,
                name=name,
                version=model_version or FIRST_VERSION,
            )
            return
        with starting():
            from cxr_train.figures.referral import make_referral, parse_weights

        if (run / "lung_head.json").is_file():
            from cxr_export.lung_head_run import ALONE, export_lung_head
            from edge_infer.model.bundled import bundled_model

            export_lung_head(
                run,
                model or bundled_model(),
                out,
                name=name,
                version=model_version or FIRST_VERSION,
                target_sensitivity=sensitivity,
                data=calibration,
                cache=cache,
                weights=ALONE if referral_score is None else parse_weights(referral_score),
                shown_map=referral_map,
                chosen_on=referral_chosen_on,
            )
            return
        with starting():
            from cxr_export.export_run import export_run

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
            quick=quick,
        )


def main() -> None:
    """Run the command."""
    with leave_quickly():
        run_command("cxr-export", app, extra_modules=EXTRA_MODULES)


if __name__ == "__main__":
    main()
