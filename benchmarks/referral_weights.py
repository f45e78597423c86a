"""Choose the weights of the TB score on left-out hospitals, by the rule in the code.

    python -m benchmarks.referral_weights DATA --val RUN --fold RUN=Sakha-TB --fold RUN=Shenzhen

RUN is a run folder or an .onnx. `--val` is the network to be released; each `--fold` was trained by
the same recipe without the sources named (several: parted by commas), whose films of DATA's train
and val splits judge it. Its temperature comes from the validation films of the sources it knows.
Prints everything tried and the line for the recipe.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cxr_train.data.manifest import Example, read_data, select
from cxr_train.evaluate.scoring import Model, load_films, open_model
from cxr_train.figures.referral_weights import (
    LEAST_AGAINST_OTHER,
    JudgedFilms,
    choose_referral_weights,
    describe_choice,
    judged,
)


def ask(
    model: Model,
    examples: Sequence[Example],
    name: str,
    cache: Path | None,
    val: JudgedFilms | None = None,
) -> JudgedFilms:
    """Return what `model` says of films."""
    loaded = load_films(examples, model.side, what=name, cache=cache)
    return judged(name, model.ask(loaded.pixels), loaded.examples, val)


def ask_fold(text: str, examples: Sequence[Example], cache: Path | None) -> JudgedFilms:
    """Return what a network says of the films it was trained without."""
    path, _, names = text.rpartition("=")
    sources = [name.strip() for name in names.split(",")]
    model = open_model(Path(path), cache=cache)
    known = [e for e in select(examples, "val") if e.source not in sources]
    out = [e for e in examples if e.source in sources and e.split in ("train", "val")]
    if not path or not out:
        raise SystemExit(f"--fold {text}: no film of these sources, or no RUN=SOURCE")
    val = ask(model, known, f"{names}: val of the others", cache)
    return ask(model, out, names, cache, val)


def main() -> None:
    """Parse the command line, ask, choose, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--fold", action="append", required=True)
    parser.add_argument("--least-against-other", type=float, default=LEAST_AGAINST_OTHER)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    examples = read_data(options.data)
    folds = [ask_fold(text, examples, options.cache) for text in options.fold]
    released = open_model(options.val, cache=options.cache)
    val = ask(released, select(examples, "val"), "val", options.cache)
    choice = choose_referral_weights(val, folds, least_against_other=options.least_against_other)
    for line in describe_choice(choice, [fold.name for fold in folds]):
        print(line)


if __name__ == "__main__":
    main()
