"""The settings of one training, read from a recipe (TOML) and options, checked before any work."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cxr_train.errors import ConfigError
from edge_infer.model.model_card import CLASSES


class Augment(StrEnum):
    """How training films are varied; see `cxr_train.fit.augment`."""

    NONE = "none"
    STANDARD = "standard"
    STRONG = "strong"
    HOSPITAL = "hospital"


class Balance(StrEnum):
    """What sampling is balanced over."""

    NONE = "none"
    CLASS = "class"
    SOURCE = "source"
    """Cells of source x class, so that neither a class nor a source drowns the others."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of epochs at one picture size; small pictures first train several times faster."""

    size: int
    epochs: int
    augment: Augment | None = None
    """Instead of the training's own; milder at the end, for instance."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides what a training computes, apart from the images."""

    name: str = "model"
    """What the model is called in its card; without it `fit` gives the run folder's name."""
    arch: str = "resnet18"
    """The network: cnn5, efficientnet_lite0 (1, 2), or a torchvision classifier that ends in global
    pooling and one linear layer."""
    augment: Augment = Augment.STANDARD
    """How training films are varied."""
    pretrained: bool = False
    """Whether to begin with ImageNet weights."""
    referral: bool = False
    """A fifth output, the referral logit, trained to rank diseased over normal films of the same
    hospital; it needs `hospitals`."""
    hospitals: tuple[str, ...] = ()
    """Sources whose normal and diseased films come from the same machines."""
    referral_weight: float = 1.0
    """Of the ranking within hospitals, beside the classes' cross entropy of weight 1."""
    separate_weight: float = 0.0
    """Of the balanced cross entropy within hospitals, which gives all of them one scale."""
    distill_weight: float = 0.0
    """Share of the loss that follows teachers (`--teacher`) instead of the labels, 0..1."""
    align_weight: float = 0.0
    """Of the spread of sources' mean referral logit over normal films."""
    lung_weight: float = 0.0
    """Of the share of evidence outside the lungs; it needs lung masks."""
    box_weight: float = 0.0
    """Of TB evidence outside the boxes round lesions; it needs boxes."""
    input_size: int = 224
    """Side of the exported model's square input; the last stage must have this size."""
    standardize: bool = False
    """Whether the network gives every film the same brightness and contrast in its middle first."""
    stages: tuple[Stage, ...] = (Stage(size=224, epochs=20),)
    """Stretches of epochs at one picture size each, perhaps with an `augment` of their own; small
    pictures first train several times faster."""
    samples_per_epoch: int = 0
    """Films drawn (with replacement unless balance is none) per epoch; 0: as many as there are."""
    batch_size: int = 64
    """Films per step, over all processes."""
    learning_rate: float = 1e-3
    """The highest, after warming up; it falls to a hundredth along half a cosine."""
    weight_decay: float = 0.05
    """Of AdamW, on weights of two and more dimensions."""
    warmup_epochs: float = 1.0
    """Over which the learning rate rises to its highest."""
    label_smoothing: float = 0.05
    """Share of the truth spread over all classes, 0 to below 1."""
    gradient_clip: float = 1.0
    """Largest gradient norm; 0: no clipping."""
    balance: Balance = Balance.CLASS
    """What the drawing of films is balanced over."""
    balance_power: float = 0.5
    """A cell of n films is drawn with weight n ** (1 - power): 0 as it is, 1 fully balanced."""
    correct_prior: bool = False
    """Shift logits by the logarithm of each class's share in the data's train split over its share
    of the drawn films: probabilities are then those of the data, not of the sampling."""
    shift_classes: bool = False
    """The export fits each class's bias on the validation films' INT8 logits."""
    keep_start: float = 0.0
    """Share of the starting weights in the released ones (--start-from): weights between a network
    and its fine-tuned copy hold up better on other data than either (Wortsman et al. 2022)."""
    ema_decay: float = 0.998
    """Weights are averaged over about 1 / (1 - decay) steps and the average is used; 0: off."""
    quantize_aware: int = 0
    """This many of the last epochs see the network as its INT8 export will compute it; only they
    choose the best weights then."""
    patience: int = 6
    """Epochs of the last stage without a better validation macro-F1 before stopping."""
    precision: str = "auto"
    """auto, fp32 or bf16; auto is bf16 where the device computes it natively."""
    compile: str = "auto"
    """auto, on or off: torch.compile for the training steps; auto is on where it can pay."""
    seed: int = 0
    """Of everything random."""
    referral_score: tuple[float, ...] = ()
    """Weights a, b, c, d of the TB score (`cxr_train.figures.referral`); none: p_tuberculosis."""
    referral_map: str = "tuberculosis"
    """Whose map is shown of a referred film, where referral_score is given; or `referral`."""
    referral_chosen_on: str = ""
    """In words for the card: on which films those weights were chosen."""

    def __post_init__(self) -> None:
        problems = [
            (not self.stages, "stages must not be empty"),
            (any(s.size < 32 or s.size > 1024 for s in self.stages), "stage size: 32 to 1024"),
            (any(s.epochs < 1 for s in self.stages), "stage epochs: at least 1"),
            (
                bool(self.stages) and self.stages[-1].size != self.input_size,
                "the last stage's size must equal input_size",
            ),
            (self.referral and not self.hospitals, "referral needs hospitals"),
            (
                min(
                    self.referral_weight,
                    self.separate_weight,
                    self.align_weight,
                    self.lung_weight,
                    self.box_weight,
                )
                < 0,
                "referral, separate, align, lung and box weights: 0 or more",
            ),
            (not 0 <= self.distill_weight <= 1, "distill_weight: 0 to 1"),
            (self.batch_size < 2, "batch_size: at least 2"),
            (self.samples_per_epoch < 0, "samples_per_epoch: 0 or more"),
            (self.learning_rate <= 0, "learning_rate: above 0"),
            (self.weight_decay < 0, "weight_decay: 0 or more"),
            (self.warmup_epochs < 0, "warmup_epochs: 0 or more"),
            (not 0 <= self.label_smoothing < 1, "label_smoothing: 0 to below 1"),
            (not 0 <= self.balance_power <= 1, "balance_power: 0 to 1"),
            (not 0 <= self.ema_decay < 1, "ema_decay: 0 to below 1"),
            (not 0 <= self.keep_start < 1, "keep_start: 0 to below 1"),
            (self.gradient_clip < 0, "gradient_clip: 0 or more"),
            (
                not 0 <= self.quantize_aware <= (self.stages[-1].epochs if self.stages else 0),
                "quantize_aware: 0 to the last stage's epochs",
            ),
            (self.patience < 1, "patience: at least 1"),
            (self.precision not in ("auto", "fp32", "bf16"), "precision: auto, fp32 or bf16"),
            (self.compile not in ("auto", "on", "off"), "compile: auto, on or off"),
            (self.seed < 0, "seed: 0 or more"),
            (len(self.referral_score) not in (0, 4), "referral_score: four numbers"),
        ]
        for wrong, rule in problems:
            if wrong:
                raise ConfigError(f"Impossible setting: {rule}.")

    @property
    def epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def outputs(self) -> int:
        """Outputs of the network: the classes and perhaps the referral logit."""
        return len(CLASSES) + self.referral

    @property
    def choosing_from(self) -> int:
        """Number of the first epoch (from 0) whose weights may be the best ones."""
        return self.epochs - (self.quantize_aware or self.stages[-1].epochs)

    def rounds_in(self, epoch: int) -> bool:
        """Say whether epoch number `epoch` (from 0) is trained quantization-aware."""
        return epoch >= self.epochs - self.quantize_aware

    def stage_of(self, epoch: int) -> Stage:
        """Return the stage that epoch number `epoch` (from 0) belongs to."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage
            epoch -= stage.epochs
        raise IndexError("epoch past the last stage")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


def read_recipe(recipe: Path) -> dict[str, Any]:
    """Read a recipe's settings as plain values; ConfigError when it is not readable TOML."""
    try:
        return tomllib.loads(recipe.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The recipe {recipe} cannot be read: {error}.") from error


def make_config(settings: dict[str, Any]) -> TrainConfig:
    """Build a checked TrainConfig; an unknown key or wrong type is a ConfigError."""
    return TrainConfig(**check_settings(TrainConfig, settings))


def check_settings(kind: type[Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Check names and types of a recipe's settings against a dataclass whose fields have defaults.

    An unknown key or wrong type is a ConfigError.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    checked: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in fields:
            raise ConfigError(f"Unknown setting '{key}'. Known: {', '.join(sorted(fields))}.")
        checked[key] = _check_type(key, value, fields[key].default)
    return checked


def _check_type(key: str, value: Any, default: Any) -> Any:
    if key == "stages":
        return _make_stages(value)
    if key == "hospitals":
        return _make_names(key, value)
    if isinstance(default, StrEnum):
        kind = type(default)
        if value not in [member.value for member in kind]:
            raise ConfigError(f"'{key}' is {value!r}; it can be: {', '.join(kind)}.")
        return kind(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(_check_type(key, item, 0.0) for item in value)
    if type(value) is not type(default):
        raise ConfigError(f"'{key}' is {value!r}; it must be of type {type(default).__name__}.")
    return value


def _make_names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"'{key}' is {value!r}; it must be a list of names.")
    return tuple(value)


def _make_stage(size: int, epochs: int, augment: str | None = None) -> Stage:
    if augment is None:
        return Stage(size=size, epochs=epochs)
    kind = _check_type("augment", augment, Augment.NONE)
    return Stage(size=size, epochs=epochs, augment=kind)


def _make_stages(value: Any) -> tuple[Stage, ...]:
    try:
        stages = tuple(_make_stage(**stage) for stage in value)
    except TypeError as error:
        raise ConfigError(
            "'stages' must be a list of tables with size, epochs and perhaps augment."
        ) from error
    if not all(type(s.size) is int and type(s.epochs) is int for s in stages):
        raise ConfigError("'stages': size and epochs must be whole numbers.")
    return stages
