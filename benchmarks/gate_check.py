"""The gate of a released model, tried as the clinic runs it.

    python -m benchmarks.gate_check DATA/cxr4 [--others DATA/gate] [--model FILE] [--without FILE]

Prints, for films of `test` made wrong in each way (200 each), how many are refused, put right and
doubtful; how far the scores of those put right lie from the upright film's; for sound films of
`test`, `published` and `site` how many are held back, per source, tuberculosis by name; other
pictures per kind (the shipped gate has learnt from them: the card's figures of pictures not learnt
are the honest ones); and what the gate costs, against the same model without one (`--without`).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxr_train.data.manifest import read_data, select
from cxr_train.gate.pictures import (
    GateConfig,
    Picture,
    make_grey,
    make_picture,
    read_others,
    tried_pictures,
)
from edge_infer.errors import UnsupportedImage
from edge_infer.films.study import InputType, StudyInfo
from edge_infer.flow.pass_gate import pass_gate
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import printed_scores
from edge_infer.model.gate import is_doubt
from edge_infer.model.proportions import wilson_interval
from edge_infer.model.self_test import self_test_inputs

_STUDY = StudyInfo(input_type=InputType.RASTER)
_RUNS = 60


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--others", type=Path)
    parser.add_argument("--model", type=Path, default=bundled_model())
    parser.add_argument("--without", type=Path, help="the same model before it had a gate")
    parser.add_argument("--films", type=int, default=200, help="made wrong in each way")
    options = parser.parse_args()
    classifier = Classifier.load(options.model)
    side = classifier.card.input.height
    examples = read_data(options.data)
    config = GateConfig(tried_films=options.films)
    names = {example.path: example.name for example in examples}
    for split in ("test", "published", "site"):
        pictures = tried_pictures(select(examples, split), config)
        sound = [one for one in pictures if one.made == "as it is"]
        _print_sound(split, sound, classifier, side, names)
        if split == "test":
            wrong = [one for one in pictures if one.made != "as it is"]
            _print_wrong(wrong, classifier, side)
    if options.others:
        _print_others(options.others, classifier, side)
    if options.without:
        _print_cost(classifier, Classifier.load(options.without), options)


def _pass(picture: Picture, classifier: Classifier, side: int) -> tuple[str, str, int | None]:
    """Return what became of a picture, by which reason, and its TB score in tenths of a point."""
    grey = make_grey(picture, side)
    try:
        output, remark, righted = pass_gate(grey, _STUDY, b"", classifier, has_gate=True)
    except UnsupportedImage as refusal:
        return "refused", refusal.code.value, None
    tenths, _ = printed_scores(output.logits, classifier.card.score_rule)
    if remark is not None and is_doubt(remark.code):
        return "doubtful", remark.code.value, int(tenths[0])
    return "put right" if righted else "passed", remark.code.value if remark else "", int(tenths[0])


def _print_wrong(pictures: Sequence[Picture], classifier: Classifier, side: int) -> None:
    print("\ntest, made wrong: held back = refused, put right or doubtful")
    became: dict[str, Counter[str]] = defaultdict(Counter)
    codes: dict[str, Counter[str]] = defaultdict(Counter)
    away: dict[str, list[int]] = defaultdict(list)
    for picture in pictures:
        what, code, tenths = _pass(picture, classifier, side)
        became[picture.made][what] += 1
        codes[picture.made][code] += 1
        if what == "put right" and tenths is not None:
            upright = _upright_tenths(picture, classifier, side)
            away[picture.made].append(abs(tenths - upright))
    for made, counts in became.items():
        n = counts.total()
        held = n - counts["passed"]
        print(
            f"  {made:14} {100 * held / n:5.1f} % {_interval(held, n)}  refused "
            f"{counts['refused']:3}, put right {counts['put right']:3}, doubtful "
            f"{counts['doubtful']:3}, passed {counts['passed']:3}   {dict(codes[made])}"
        )
    for made, tenths in away.items():
        near = np.mean(np.array(tenths) <= 10)
        print(
            f"  {made}: TB score within 1.0 of the upright film's on {100 * near:.1f} % of "
            f"{len(tenths)} put right, at most {max(tenths) / 10:.1f} away"
        )


def _upright_tenths(picture: Picture, classifier: Classifier, side: int) -> int:
    image = make_picture(replace(picture, made="as it is"), side)
    tenths, _ = printed_scores(classifier.run(image[None]).logits, classifier.card.score_rule)
    return int(tenths[0])


def _print_sound(
    split: str,
    pictures: Iterable[Picture],
    classifier: Classifier,
    side: int,
    names: dict[Path, str],
) -> None:
    print(f"\n{split}, sound films: refused, doubtful, put right by mistake")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in pictures:
        what, code, _ = _pass(picture, classifier, side)
        counts[picture.kind][what] += 1
        if what != "passed":
            tb = "TB  " if picture.is_tuberculosis else "    "
            print(f"    {tb}{what:9} {code:20} {names[picture.path]}")
    counts["all of it"] = sum(counts.values(), Counter())
    for source, of_source in counts.items():
        n = of_source.total()
        refused = of_source["refused"]
        print(
            f"  {source:28} {n:5} films: refused {refused:3} {_interval(refused, n)}, doubtful "
            f"{of_source['doubtful']:3}, put right {of_source['put right']:3}"
        )


def _print_others(folder: Path, classifier: Classifier, side: int) -> None:
    print("\nother pictures (learnt from): refused, doubtful, put right, passed")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for other in read_others(folder, 1):
        picture = Picture(
            path=other.path, made="as it is", state=other.state, seed=0, split="", kind=other.kind
        )
        counts[other.kind][_pass(picture, classifier, side)[0]] += 1
    for kind, of_kind in sorted(counts.items()):
        numbers = " ".join(
            f"{of_kind[what]:4}" for what in ("refused", "doubtful", "put right", "passed")
        )
        print(f"  {kind:20} {numbers} of {of_kind.total()}")


def _print_cost(gated: Classifier, bare: Classifier, options: argparse.Namespace) -> None:
    image = self_test_inputs(gated.card.input.height, gated.card.input.width)[:1]
    times: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(_RUNS):
        for name, classifier in (("without", bare), ("with", gated)):
            start = time.perf_counter()
            classifier.run(image)
            times[name].append(time.perf_counter() - start)
    without, with_it = (1000 * float(np.median(times[name])) for name in ("without", "with"))
    grown = options.model.stat().st_size - options.without.stat().st_size
    print(
        f"\none film, one thread, medians of {_RUNS} in turns: {without:.2f} ms without, "
        f"{with_it:.2f} with the gate: {with_it / without:.3f} times; file {grown / 1e6:+.2f} MB"
    )


def _interval(count: int, n: int) -> str:
    share = wilson_interval(count, n)
    return f"({100 * share.low:.1f} to {100 * share.high:.1f})"


if __name__ == "__main__":
    main()
