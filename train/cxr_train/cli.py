"""`cxr-train`: options, progress and exit codes; the work is in the sibling files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cxr_train.errors import ConfigError, DataError
from edge_infer.errors import CxrError, ModelError, ReportError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train chest X-ray classifiers. Research use only; not a medical device.",
)
INTERRUPTED = 130
EXIT_CODES: tuple[tuple[type[CxrError], int], ...] = (
    (ConfigError, 2),
    (DataError, 3),
    (ModelError, 3),
    (ReportError, 6),
)


@app.callback()
def commands() -> None:
    """Train chest X-ray classifiers. Research use only; not a medical device."""


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(help="Folder of class folders, or a CSV manifest.")],
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    arch: Annotated[
        str | None, typer.Option(help="cnn5, resnet18 or another torchvision classifier.")
    ] = None,
    augment: Annotated[str | None, typer.Option(help="none, standard or strong.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Settings as TOML; options here override them.")
    ] = None,
    extra: Annotated[
        list[Path] | None, typer.Option(help="Further data, its train split only; repeatable.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of the input in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs, all at --size.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Films per step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained", help="Start from ImageNet weights (online).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on exactly where --out stopped.")
    ] = False,
    start_from: Annotated[
        Path | None, typer.Option(help="Run folder whose best weights to begin with.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded films; default: the user's cache.")
    ] = None,
) -> None:
    """Train one network and write its run folder."""
    from cxr_train.config import make_config, read_recipe
    from cxr_train.fit import fit_run

    settings: dict[str, Any] = read_recipe(recipe) if recipe else {}
    options = {
        "arch": arch,
        "augment": augment,
        "batch_size": batch_size,
        "seed": seed,
        "pretrained": pretrained,
    }
    settings |= {key: value for key, value in options.items() if value is not None}
    if size is not None or epochs is not None:
        side = size if size is not None else settings.get("input_size", 224)
        settings["input_size"] = side
        settings["stages"] = [{"size": side, "epochs": epochs if epochs is not None else 20}]
    try:
        fit_run(
            make_config(settings),
            data,
            out,
            extra=tuple(extra or ()),
            resume=resume,
            start_from=start_from,
            cache=cache,
        )
    except KeyboardInterrupt:
        typer.echo("\nInterrupted: go on with --resume.", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="Run folder, or an exported .onnx.")],
    data: Annotated[Path, typer.Argument(help="Folder of class folders, or a CSV manifest.")],
    split: Annotated[
        list[str] | None,
        typer.Option(help="Split to measure on; repeatable. Default: all but train."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json and evaluation.csv.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded films; default: the user's cache.")
    ] = None,
) -> None:
    """Measure one finished model: per source, per pair, with intervals; nothing is chosen."""
    from cxr_train.evaluate import evaluate as measure_model
    from cxr_train.evaluate_text import describe_evaluation

    evaluation = measure_model(model, data, splits=tuple(split or ()), out=out, cache=cache)
    for line in describe_evaluation(evaluation):
        typer.echo(line)


def main() -> None:
    """Run the command; every error of ours becomes one sentence and an exit code, here only."""
    try:
        app()
    except CxrError as error:
        print(f"cxr-train: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(next(code for kind, code in EXIT_CODES if isinstance(error, kind)))
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision"):
            raise
        print(  # noqa: T201
            f'cxr-train: {error.name} is missing: pip install "cxr-edge[train]"', file=sys.stderr
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
