"""Ask a model about labelled films: a checkpoint through torch, an .onnx through the runner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, own_examples, read_data
from cxr_train.errors import DataError
from cxr_train.figures.measures import MeasuredFilms, ModelScores
from cxr_train.figures.operating_point import TARGET_SENSITIVITY
from cxr_train.figures.referral import referral_of
from cxr_train.figures.tb_threshold import choose_tb_point, fit_rule
from cxr_train.terminal import working
from edge_infer.films.sniff import HEAD_BYTES, FileKind, sniff
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import ModelCard, Referral, ScoreRule

Images = NDArray[np.uint8]
"""[N, 1, height, width], the network's input."""

_AT_ONCE = 64
"""Films asked about between two looks at how far it is; as many as a checkpoint takes at once."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that can be asked, with the rule and threshold its scores are read by."""

    name: str
    side: int
    """Of its square input, in pixels."""
    sha256: str
    """Of the model file, or of the checkpoint."""
    ask: Callable[[Images], NDArray[np.float32]]
    """Return logits [N, K]: the classes in order of CLASSES, then perhaps the referral logit."""
    rule: ScoreRule
    tb_threshold: int | None
    """In tenths of a score point."""
    card: ModelCard | None
    """None for a checkpoint."""
    fitted_on: tuple[Images, NDArray[np.float32]] | None = None
    """Films that a checkpoint's threshold was fitted on, and its logits: not asked about twice."""

    def score(self, images: Images) -> ModelScores:
        """Ask about `images`, with progress."""
        logits = self._ask_in_parts(images)
        return ModelScores(logits=logits, rule=self.rule, tb_threshold=self.tb_threshold)

    def _ask_in_parts(self, images: Images) -> NDArray[np.float32]:
        if self.fitted_on is not None and images is self.fitted_on[0]:
            return self.fitted_on[1]
        parts = [self.ask(images[:0])]
        with working(f"asking {self.name} about films") as task:
            for start in range(0, len(images), _AT_ONCE):
                parts.append(self.ask(images[start : start + _AT_ONCE]))
                task.at(min(start + _AT_ONCE, len(images)), len(images))
        return np.concatenate(parts)


def open_model(path: Path, *, cache: Path | None = None) -> Model:
    """Open a run folder or an .onnx file.

    A checkpoint's temperature and TB threshold are fitted on the validation films of the data it
    was trained on; an .onnx carries its own. DataError or ModelError says what is missing.
    """
    return _open_checkpoint(path, cache) if path.is_dir() else open_onnx(path)


def fit_reading(
    logits: NDArray[np.float32], examples: Sequence[Example], referral: Referral | None = None
) -> tuple[ScoreRule, int | None]:
    """Fit the temperature and, where adults' films suffice, the TB threshold on validation films.

    `referral` is what the TB score is made of (None: p_tuberculosis). The threshold is the highest
    with a sensitivity of 0.95 on adult sources and in each hospital among them; None when they hold
    too few TB films.
    """
    rule = fit_rule(logits, examples, referral)
    scored = ModelScores(logits=logits, rule=rule, tb_threshold=None)
    try:
        point = choose_tb_point(
            scored,
            examples,
            target_sensitivity=TARGET_SENSITIVITY,
            population="validation films",
        )
    except DataError:
        return rule, None
    return rule, point.tenths


def by_input_type(
    split: str, examples: Sequence[Example], models: Sequence[ModelScores]
) -> Iterator[MeasuredFilms]:
    """Part scored films into DICOM and raster files: their scores may differ (`pitfalls`)."""
    kinds = np.array([input_type(example.path) for example in examples], dtype=np.str_)
    for kind in sorted(set(kinds)):
        films = MeasuredFilms(
            split=split, input_type=str(kind), examples=tuple(examples), models=tuple(models)
        )
        yield films if len(set(kinds)) == 1 else films.only(kinds == kind)


def input_type(path: Path) -> str:
    """Return `dicom` or `raster`, by content as the runner decides it."""
    with path.open("rb") as file:
        return "dicom" if sniff(file.read(HEAD_BYTES)) is FileKind.DICOM else "raster"


def open_onnx(path: Path) -> Model:
    """Open a model file through the runner's own code; ModelError when it is unusable."""
    classifier = Classifier.load(path, threads=1)
    card = classifier.card
    if card.input.height != card.input.width:
        raise DataError(f"{path} takes oblong images: only square inputs can be evaluated.")

    def ask(images: Images) -> NDArray[np.float32]:
        # One film at a time, as the clinic runs it.
        rows = [classifier.run(np.array(image[None])).logits for image in images]
        outputs = len(card.self_test.logits[0])
        return np.concatenate(rows) if rows else np.zeros((0, outputs), dtype=np.float32)

    return Model(
        name=f"{card.name} {card.version} INT8",
        side=card.input.height,
        sha256=classifier.sha256,
        ask=ask,
        rule=card.score_rule,
        tb_threshold=card.operating_points.refer_tb.tenths,
        card=card,
    )


def read_checkpoint(folder: Path, val: LoadedImages) -> Model:
    """Open a run folder and fit temperature and TB threshold on `val`, at the run's input size."""
    import torch

    from cxr_train.fit.checkpoint import BEST_FILE, load_run
    from cxr_train.fit.loop import predict

    run = load_run(folder)
    side = run.config.input_size
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = run.network.to(device)

    on_val = predict(network, val.pixels, size=side, device=device)

    def ask(images: Images) -> NDArray[np.float32]:
        return predict(network, images, size=side, device=device)

    rule, tb_threshold = fit_reading(on_val, val.examples, referral_of(run.config))
    return Model(
        name=f"{run.config.name} ({run.config.arch}, checkpoint)",
        side=side,
        sha256=hashlib.sha256((folder / BEST_FILE).read_bytes()).hexdigest(),
        ask=ask,
        rule=rule,
        tb_threshold=tb_threshold,
        card=None,
        fitted_on=(val.pixels, on_val),
    )


def _open_checkpoint(folder: Path, cache: Path | None) -> Model:
    from cxr_train.fit.checkpoint import load_run

    run = load_run(folder)
    if run.data is None or not run.data.exists():
        raise DataError(
            f"The data of {folder} is not at {run.data}: its validation films are needed to fit "
            "temperature and threshold. Put them back, or evaluate the exported .onnx."
        )
    val = own_examples(read_data(run.data, without=run.without), run.without, "val")
    return read_checkpoint(folder, load_films(val, run.config.input_size, what="val", cache=cache))
