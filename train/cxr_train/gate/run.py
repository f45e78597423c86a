"""`cxr-train gate`, read top to bottom: pictures, what the network sees of them, heads, figures."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr_train.config import check_settings, read_recipe
from cxr_train.data.manifest import Example, fingerprint, read_data, select
from cxr_train.errors import DataError
from cxr_train.gate.features import compute_features
from cxr_train.gate.figures import (
    Thresholds,
    choose_thresholds,
    figures_of,
    figures_of_kinds,
    gate_tenths,
)
from cxr_train.gate.head import Features, TrainedHead, train_head
from cxr_train.gate.pictures import (
    OTHERS,
    GateConfig,
    OtherPicture,
    Picture,
    read_others,
    training_pictures,
    tried_pictures,
)
from cxr_train.gate.taps import TappedNetwork, Taps
from cxr_train.result_files import require_writable, write_file, write_json
from cxr_train.revision import git_revision
from cxr_train.terminal import say, working
from edge_infer.model.card_json import to_plain
from edge_infer.model.gate import GateFigure, GateState
from edge_infer.model.model_file import load_model_file
from edge_infer.pc.machine import default_workers

GATE_FILE, WEIGHTS_FILE = "gate.json", "gate.npz"
_STATES = list(GateState)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Pictures and what the taps see of them."""

    pictures: list[Picture]
    features: Features
    taps: Taps
    config: GateConfig

    @property
    def states(self) -> NDArray[np.int64]:
        return np.array([_STATES.index(one.state) for one in self.pictures], dtype=np.int64)

    def having(self, name: str, *values: object) -> NDArray[np.bool_]:
        """Tell which pictures [N] have one of these values."""
        return np.array([getattr(one, name) in values for one in self.pictures], dtype=bool)

    def train(self, wanted: NDArray[np.bool_], what: str) -> TrainedHead:
        say(f"training the gate on {wanted.sum():,} pictures ({what})")
        return train_head(
            self.features, self.states, np.flatnonzero(wanted), self.taps, self.config
        )

    def judge(
        self, head: TrainedHead, wanted: NDArray[np.bool_]
    ) -> tuple[list[Picture], NDArray[np.int64]]:
        """Return some pictures and their gate scores in tenths of a point."""
        rows = np.flatnonzero(wanted)
        tenths = gate_tenths(head.logits(self.features, rows))
        return [self.pictures[int(row)] for row in rows], tenths


def gate_run(
    model: Path,
    data: Path,
    others: Path,
    out: Path,
    *,
    recipe: Path | None = None,
    held_out: Sequence[str] = (),
    extra: Sequence[Path] = (),
    workers: int | None = None,
) -> None:
    """Train a gate for an exported model and write it to `out`, for `cxr-export`.

    Learns from the train films of `data` and `extra`, wrong films made of them, and `others`
    (pictures of other things); thresholds come from val films. `held_out` names further splits to
    measure once. Raises ConfigError, DataError, ModelError, ReportError.
    """
    settings = read_recipe(recipe) if recipe else {}
    config = GateConfig(**check_settings(GateConfig, settings))
    file = load_model_file(model)
    taps = TappedNetwork.open(model).taps
    examples = read_data(data)
    films = [*select(examples, "train")]
    for more in extra:
        films += select(read_data(more), "train")
    tried = {split: select(examples, split) for split in ("val", *held_out)}
    for split, some in (("train", films), *tried.items()):
        if not some:
            raise DataError(f"{data} has no film in its split '{split}'.")
    strangers = read_others(others, config.folds)
    require_writable(out)
    pictures = training_pictures(films, strangers, config)
    for some in tried.values():
        pictures += tried_pictures(some, config)
    say(
        f"{len(pictures):,} pictures: {len(films):,} training films and what is made of them, "
        f"{len(strangers):,} pictures of other things, {sum(map(len, tried.values())):,} films to "
        "measure on"
    )
    with tempfile.TemporaryDirectory(dir=out, ignore_cleanup_errors=True) as scratch:
        with working("pictures") as task:
            features = compute_features(
                pictures,
                model,
                taps,
                Path(scratch),
                workers=workers or default_workers(),
                progress=task.at,
            )
        seen = _Seen(pictures=pictures, features=features, taps=taps, config=config)
        head = seen.train(seen.having("split", "train", OTHERS), "all")
        thresholds, figures = _measure(seen, head, tuple(tried))
        del features, seen  # Windows keeps files that are still mapped
    weights = head.weights()
    write_file(out / WEIGHTS_FILE, lambda place: np.savez(place, allow_pickle=False, **weights))
    write_json(
        {
            "model": {"name": file.card.name, "version": file.card.version, "sha256": file.sha256},
            "taps": dataclasses.asdict(taps),
            "states": [state.value for state in _STATES],
            "doubt": thresholds.doubt / 10,
            "refuse": thresholds.refuse / 10,
            "statement": _state(films, strangers, config),
            "figures": [to_plain(one) for one in figures],
            "settings": dataclasses.asdict(config),
            "fingerprint": fingerprint(examples),
            "git_revision": git_revision(Path(__file__)),
        },
        out / GATE_FILE,
    )
    for line in _table(figures, thresholds):
        say(line)
    say(f"Next: cxr-export {out} --out MODEL.onnx")


def _measure(
    seen: _Seen, head: TrainedHead, splits: Sequence[str]
) -> tuple[Thresholds, list[GateFigure]]:
    """Choose thresholds on val films and count, on every split and on other pictures not learnt."""
    as_it_is = seen.having("made", "as it is")
    sound, tenths = seen.judge(head, seen.having("split", "val") & as_it_is)
    thresholds = choose_thresholds(tenths, [one.kind for one in sound], seen.config)
    figures = []
    for split in splits:
        some, tenths = seen.judge(head, seen.having("split", split))
        figures += figures_of(some, tenths, thresholds, where=split)
    thirds = [seen.having("fold", number) for number in range(seen.config.folds)]
    kinds = sorted({one.kind for one in seen.pictures if one.split == OTHERS})
    halves = [seen.having("kind", *kinds[start::2]) for start in (0, 1)]
    for where, parts in (("other images", thirds), ("kind never seen", halves)):
        some, tenths = _judge_unseen(seen, parts, where)
        figures += figures_of_kinds(some, tenths, thresholds, where=where)
    return thresholds, figures


def _judge_unseen(
    seen: _Seen, parts: Sequence[NDArray[np.bool_]], where: str
) -> tuple[list[Picture], NDArray[np.int64]]:
    """Train once without each part of the other pictures, and judge that part as it is."""
    others, as_it_is = seen.having("split", OTHERS), seen.having("made", "as it is")
    learnt = seen.having("split", "train", OTHERS)
    pictures, scores = list[Picture](), list[NDArray[np.int64]]()
    for part in parts:
        head = seen.train(learnt & ~(others & part), f"without a part: {where}")
        some, tenths = seen.judge(head, others & part & as_it_is)
        pictures += some
        scores.append(tenths)
    return pictures, np.concatenate(scores)


def _state(films: Sequence[Example], others: Sequence[OtherPicture], config: GateConfig) -> str:
    kinds = sorted({one.kind for one in others})
    sources = sorted({film.source or "an unnamed source" for film in films})
    return (
        f"Trained on {len(films):,} chest films ({', '.join(sources)}), on films made of them that "
        "are turned, inverted, cut, badly exposed, photographed or put into another picture, and "
        f"on {len(others):,} pictures of other things ({', '.join(kinds)}). Both thresholds were "
        f"chosen on validation films: at most {100 * config.most_refused:g} % of sound ones reach "
        f"the upper, {100 * config.most_doubtful:g} % the lower. 'other images': judged by gates "
        "that did not learn from that third of the pictures; 'kind never seen': by gates that "
        "learnt from half of the kinds only."
    )


def _table(figures: Sequence[GateFigure], thresholds: Thresholds) -> list[str]:
    lines = [
        f"doubtful from {thresholds.doubt / 10:.1f}, refused from {thresholds.refuse / 10:.1f}"
    ]
    for one in figures:
        share = (one.refused + one.doubtful) / one.n if one.n else 0.0
        lines.append(
            f"  {one.pictures:50} {one.refused:5} refused {one.doubtful:4} doubtful of {one.n:5}"
            f"  {100 * share:5.1f} %"
        )
    return lines


def read_gate_run(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Return the facts and weights that `gate_run` left; DataError where they are not whole."""
    try:
        facts = json.loads((folder / GATE_FILE).read_text(encoding="utf-8"))
        with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as weights:
            return facts, {name: np.asarray(weights[name], np.float32) for name in weights.files}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder} holds no finished gate: run cxr-train gate again.") from error
