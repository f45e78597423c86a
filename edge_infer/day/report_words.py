"""The page's words for decisions, classes and statuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_infer.day.worklist import Decision, Status


@dataclass(frozen=True, kw_only=True)
class GroupWords:
    """How a group of the worklist is called, what it means and what to do."""

    key: str
    """Class and anchor in the page."""
    label: str
    heading: str
    meaning: str
    todo: str


WORDS: Final[dict[Decision | None, GroupWords]] = {
    Decision.REFER_TB: GroupWords(
        key="refer",
        label="Refer for TB",
        heading="Second test for tuberculosis first",
        meaning="The TB score reached the threshold, or tuberculosis is the likeliest class.",
        todo="Order the second test (sputum or blood, as your programme says); a doctor looks too.",
    ),
    Decision.ABNORMAL: GroupWords(
        key="abnormal",
        label="Abnormal",
        heading="Abnormal: a doctor looks",
        meaning="The film may not be normal; the TB threshold was not reached.",
        todo="Show these films to a doctor today.",
    ),
    Decision.UNCERTAIN: GroupWords(
        key="uncertain",
        label="Uncertain",
        heading="Uncertain: repeat or refer",
        meaning="No threshold was reached, but another class than normal stays possible.",
        todo="Repeat the film (PA, full breath), or refer.",
    ),
    None: GroupWords(
        key="unseen",
        label="Not screened",
        heading="Not screened: read by a person",
        meaning="The model has not looked at these files. Not screened is not clear.",
        todo="Read these films as you would without this program, or export them again.",
    ),
    Decision.CLEAR: GroupWords(
        key="clear",
        label="Clear",
        heading="Clear: the usual reading",
        meaning="No threshold was reached and normal is the likeliest class.",
        todo="Go on as usual. Clear does not mean healthy: some disease is missed.",
    ),
}

CLASS_WORDS: Final = {
    "normal": "Normal",
    "pneumonia": "Pneumonia",
    "covid19": "COVID-19",
    "tuberculosis": "Tuberculosis",
}
STATUS_WORDS: Final = {
    Status.UNSUPPORTED: "Not for this model",
    Status.UNREADABLE: "Unreadable",
}
