"""The TB score of a network that was made for hospitals it never saw: what it is put together of.

That something is wrong carries over to a new hospital, which class it is does not: the classes came
from different machines. So the score may take in, beside the share for tuberculosis, how far the
film is from normal, and a referral logit trained within hospitals (TB against normal of one
hospital), or what a lung head makes of it. The weights are facts of a recipe, chosen on left-out
folds and validation films.
"""

from __future__ import annotations

from collections.abc import Sequence

from cxr_train.config import TrainConfig
from cxr_train.errors import ConfigError
from edge_infer.model.model_card import REFERRAL, Referral

WEIGHTS = 4
_MAPS = ("tuberculosis", REFERRAL)
TRAINED_WITHIN_HOSPITALS = (
    "r is the network's referral logit, trained to tell disease from normal within one hospital"
)


def make_referral(
    weights: Sequence[float],
    *,
    shown_map: str = "tuberculosis",
    chosen_on: str = "",
    head_is: str = TRAINED_WITHIN_HOSPITALS,
) -> Referral:
    """Build the card's block from weights a, b, c, d and say in words what the score is.

    z = a r + b logit(p_tuberculosis) + c logit(1 - p_normal) + d; `head_is` says what r is.
    ConfigError where a number is missing, a weight is negative, or all are 0.
    """
    if len(weights) != WEIGHTS:
        raise ConfigError(f"A referral score has four weights a, b, c, d, not {len(weights)}.")
    head, tuberculosis, abnormal, offset = (float(weight) for weight in weights)
    if not all(0 <= one <= 100 for one in (head, tuberculosis, abnormal)) or not (
        head + tuberculosis + abnormal > 0 and abs(offset) <= 100
    ):
        raise ConfigError(
            "Weights a, b, c of a referral score lie in 0 to 100 and are not all 0; d is at most "
            f"100 away from 0: {', '.join(f'{weight:g}' for weight in weights)}."
        )
    if shown_map not in _MAPS:
        raise ConfigError(f"The map of a referred film can be: {', '.join(_MAPS)}.")
    return Referral(
        statement=_describe((head, tuberculosis, abnormal, offset), chosen_on, head_is),
        head=head,
        tuberculosis=tuberculosis,
        abnormal=abnormal,
        offset=offset,
        map=shown_map,
    )


def parse_weights(text: str) -> tuple[float, ...]:
    """Read `a,b,c,d`; ConfigError when it is not numbers parted by commas."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"'{text}' is not four numbers a,b,c,d.") from error


def referral_of(config: TrainConfig) -> Referral | None:
    """Return what a recipe says of the TB score; None: it is p_tuberculosis."""
    if not config.referral_score:
        return None
    return make_referral(
        config.referral_score,
        shown_map=config.referral_map,
        chosen_on=config.referral_chosen_on,
    )


def _describe(weights: tuple[float, float, float, float], chosen_on: str, head_is: str) -> str:
    head, tuberculosis, abnormal, offset = weights
    terms = (
        (head, "r"),
        (tuberculosis, "logit(p_tuberculosis)"),
        (abnormal, "logit(1 - p_normal)"),
    )
    formula = " + ".join(f"{weight:g} {term}" for weight, term in terms if weight)
    if offset:
        formula += f" {'-' if offset < 0 else '+'} {abs(offset):g}"
    sentences = [
        "How strongly the film asks for a second test for tuberculosis, not a probability",
        f"100 / (1 + exp(-z)) with z = {formula}, p calibrated",
        head_is if head else "",
        f"Weights chosen on {chosen_on}" if chosen_on else "",
    ]
    return ". ".join(filter(None, sentences)) + "."
