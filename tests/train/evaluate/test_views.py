"""What covered films still show."""

from __future__ import annotations

import numpy as np

from cxr_train.evaluate.views import FILL, View, hidden_part, show

FILMS = np.random.default_rng(0).integers(0, 255, (3, 1, 64, 64), dtype=np.uint8)


def test_the_whole_film_is_untouched_and_covers_never_write_into_it() -> None:
    before = FILMS.copy()
    assert show(FILMS, View.WHOLE) is FILMS
    for view in View:
        show(FILMS, view)
    assert (before == FILMS).all()


def test_border_only_keeps_an_eighth_on_each_edge() -> None:
    hidden = hidden_part(View.BORDER_ONLY, 64, 64)
    assert hidden[8:56, 8:56].all()
    assert hidden.sum() == 48 * 48
    shown = show(FILMS, View.BORDER_ONLY)
    assert (shown[:, :, hidden] == FILL).all()
    assert (shown[:, :, ~hidden] == FILMS[:, :, ~hidden]).all()


def test_masked_lungs_leave_frame_mediastinum_and_abdomen() -> None:
    hidden = hidden_part(View.LUNGS_MASKED, 100, 100)
    assert hidden[46, 29] and hidden[46, 71] and hidden[15, 29] and hidden[85, 71]
    assert not hidden[:10].any() and not hidden[90:].any()
    assert not hidden[:, 50].any() and not hidden[:, :6].any()
    assert 0.4 < hidden.mean() < 0.65
    assert (hidden == hidden[:, ::-1]).all(), "both sides alike: films may be flipped"
