"""`cxr-train lung-head`, read top to bottom: films with masks, what the layer sees, the layer."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from cxr_train.config import Augment, check_settings, read_recipe
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, fingerprint, read_data, select
from cxr_train.errors import DataError
from cxr_train.evaluate.views import View, show
from cxr_train.fit.augment import shrink, vary_with_guides
from cxr_train.fit.guides import draw_guides, films_in
from cxr_train.fit.lungs import MASK_SIDE
from cxr_train.fit.objectives import BOXES, LUNGS
from cxr_train.int8_layers import Tap, input_side, open_with_layers
from cxr_train.lung_head.layer import (
    LungHeadConfig,
    TaughtPlaces,
    choose_layer,
    dice,
    find_places,
    teach_layer,
)
from cxr_train.lung_head.prepare_input import prepare_input
from cxr_train.result_files import require_writable, write_file, write_json
from cxr_train.revision import git_revision
from cxr_train.terminal import say, working
from edge_infer.model.model_file import load_model_file

HEAD_FILE, WEIGHTS_FILE = "lung_head.json", "lung_head.npz"
FEWEST_FILMS = 20
_AT_ONCE = 64


def lung_head_run(
    model: Path,
    data: Path,
    out: Path,
    *,
    lungs: Path,
    boxes: Path | None = None,
    recipe: Path | None = None,
    without: Sequence[str] = (),
    cache: Path | None = None,
) -> None:
    """Teach an exported model where lungs are, and write the layer to `out`, for `cxr-export`.

    Learns from the train films of `data` that have a mask in `lungs`, and from those with `boxes`
    round lesions, whose places count as lung however white it is there. The sources in `without`
    are left out, as they were of the model's training. The val films with masks say how well it
    does. Raises ConfigError, DataError, ModelError, ReportError.
    """
    settings = read_recipe(recipe) if recipe else {}
    config = LungHeadConfig(**check_settings(LungHeadConfig, settings))
    file = load_model_file(model)
    graph = onnx.load(model)
    if config.prepares:
        prepare_input(graph, smooth=config.smooth, standardize=config.standardize)
    layer, side = choose_layer(graph), input_side(graph)
    examples = [one for one in read_data(data, without=without) if one.source not in without]
    require_writable(out)
    masked = films_in(lungs / "manifest.csv")
    known = masked | (films_in(boxes) if boxes else frozenset())
    train = select(examples, "train")
    taught = [one for one in train if one.name in known]
    if len(taught) < FEWEST_FILMS:
        raise DataError(
            f"Only {len(taught)} training films of {data} have a lung mask or a box, "
            f"{FEWEST_FILMS} are needed: are the names in {lungs} those of {data}?"
        )
    network = _Layer(graph, layer)
    films = load_films(taught, side, what="training", cache=cache)
    guides = _guides(films, lungs, boxes)
    parts = [
        _see(network, films, guides, what="training films"),
        _see(network, films, guides, what="varied training films", seed=config.seed),
    ]
    border = [train[index] for index in _some(len(train), config)]
    if border:
        bordered = load_films(border, side, what="border", cache=cache)
        parts.append(_see_borders(network, bordered, weight=float(parts[0].weights.mean())))
    with working("teaching the layer"):
        weights, bias = teach_layer(parts, config)
    val = [one for one in select(examples, "val") if one.name in masked]
    figures = {}
    if val:
        judged = load_films(val, side, what="val", cache=cache)
        figures = _measure(network, judged, lungs, (weights, bias))
    write_file(
        out / WEIGHTS_FILE,
        lambda place: np.savez(
            place, allow_pickle=False, weight=weights, bias=np.array([bias], np.float32)
        ),
    )
    write_json(
        {
            "model": {"name": file.card.name, "version": file.card.version, "sha256": file.sha256},
            "layer": dataclasses.asdict(layer),
            "settings": dataclasses.asdict(config),
            "data": str(data),
            "without": list(without),
            "films": len(films.examples),
            "statement": _state(films.examples, figures),
            "fingerprint": fingerprint(examples),
            "git_revision": git_revision(Path(__file__)),
        },
        out / HEAD_FILE,
    )
    for source, (share, count) in figures.items():
        say(f"  lungs of {count} val films of {source}: Dice {share:.3f}")
    say(f"Next: cxr-export {out} --model {model} --out MODEL.onnx")


def read_lung_head(folder: Path) -> tuple[dict[str, Any], NDArray[np.float32], float]:
    """Return the facts, weights and bias of a finished run; DataError where they are not whole."""
    try:
        facts = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
        with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as saved:
            weights = np.asarray(saved["weight"], np.float32)
            bias = float(saved["bias"][0])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder} holds no finished lung head: run cxr-train lung-head again."
        ) from error
    return facts, weights, bias


class _Layer:
    """The model, asked for one of its layers."""

    def __init__(self, graph: onnx.ModelProto, tap: Tap) -> None:
        self._session = open_with_layers(graph, [tap.name])
        self.tap = tap

    def see(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the layer [N, C, h, w] of inputs [N, 1, H, W], one film at a time."""
        rows = [self._session.run([self.tap.name], {"image": one[None]})[0] for one in images]
        return np.concatenate(rows)

    def shrink(self, guides: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average guides [N, k, H, W] over the layer's places."""
        return shrink(torch.from_numpy(guides), self.tap.side).numpy()


def _some(count: int, config: LungHeadConfig) -> list[int]:
    random = np.random.default_rng(config.seed)
    return sorted(random.permutation(count)[: config.border_films].tolist())


def _guides(films: LoadedImages, lungs: Path, boxes: Path | None) -> NDArray[np.float32]:
    """Return masks and boxes [N, 2, 64, 64], 0..1; what a film has none of is 0."""
    drawn = draw_guides(films.examples, lungs=lungs, boxes=boxes)
    return (drawn.maps / np.float32(255)).astype(np.float32)


def _see(
    network: _Layer,
    films: LoadedImages,
    guides: NDArray[np.float32],
    *,
    what: str,
    seed: int | None = None,
) -> TaughtPlaces:
    """Show the network all films, varied by `seed` where one is given."""
    side = films.pixels.shape[-1]
    generator = torch.Generator().manual_seed(seed or 0)
    augment = Augment.NONE if seed is None else Augment.STRONG
    layers, maps = [], []
    with working(what) as task:
        for start in range(0, len(films.pixels), _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            pixels, moved = vary_with_guides(
                torch.from_numpy(np.array(films.pixels[chosen])),
                torch.from_numpy(guides[chosen]),
                augment,
                size=side,
                generator=generator,
            )
            layers.append(network.see(pixels.round().clamp(0, 255).to(torch.uint8).numpy()))
            maps.append(network.shrink(moved.numpy()))
            task.at(min(start + _AT_ONCE, len(films.pixels)), len(films.pixels))
    return _taught(np.concatenate(layers), np.concatenate(maps), films.examples, guides)


def _taught(
    layer: NDArray[np.uint8],
    maps: NDArray[np.float32],
    examples: Sequence[Example],
    guides: NDArray[np.float32],
) -> TaughtPlaces:
    """Say what is known: all places of a film with a mask, and those in boxes of another.

    A source of n films counts as n ** 0.5.
    """
    has_mask = (guides[:, LUNGS].max((1, 2)) > 0)[:, None, None]
    in_box = maps[:, BOXES] > 0.5
    counts = Counter(example.source for example in examples)
    weight = np.array([counts[example.source] ** -0.5 for example in examples], np.float32)
    known = np.where(has_mask, 1.0, in_box)
    return TaughtPlaces(
        layer=layer,
        lungs=np.where(has_mask, np.maximum(maps[:, LUNGS], in_box), in_box).astype(np.float32),
        weights=(known * weight[:, None, None]).astype(np.float32),
    )


def _see_borders(network: _Layer, films: LoadedImages, *, weight: float) -> TaughtPlaces:
    """Show the network films without their lungs; together they count half as much as the films."""
    covered = dataclasses.replace(films, pixels=show(np.array(films.pixels), View.BORDER_ONLY))
    nothing = np.zeros((len(covered.pixels), 2, MASK_SIDE, MASK_SIDE), np.float32)
    layer = _see(network, covered, nothing, what="borders").layer
    shape = (len(layer), network.tap.side, network.tap.side)
    return TaughtPlaces(
        layer=layer,
        lungs=np.zeros(shape, np.float32),
        weights=np.full(shape, weight / 2, np.float32),
    )


def _measure(
    network: _Layer, films: LoadedImages, lungs: Path, taught: tuple[NDArray[np.float32], float]
) -> dict[str, tuple[float, int]]:
    """Return each source's mean Dice and number of films; all of them have a mask."""
    seen = _see(network, films, _guides(films, lungs, None), what="val films")
    shares = dice(find_places(seen.layer, *taught), seen.lungs)
    sources = np.array([example.source or "an unnamed source" for example in films.examples])
    return {
        str(source): (float(shares[sources == source].mean()), int((sources == source).sum()))
        for source in sorted(set(sources))
    }


def _state(examples: Sequence[Example], figures: dict[str, tuple[float, int]]) -> str:
    sources = sorted({example.source or "an unnamed source" for example in examples})
    told = ", ".join(f"{source} {share:.2f} ({n})" for source, (share, n) in figures.items())
    return (
        f"Where the lungs are was learnt from {len(examples):,} training films with a lung mask or "
        f"boxes round lesions ({', '.join(sources)})"
        + (f"; Dice on validation films with masks: {told}." if told else ".")
    )
