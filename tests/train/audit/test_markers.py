"""Among which films a marker was found is said of each."""

from __future__ import annotations

from dataclasses import replace

from cxr_train.audit.markers import Marker, Patch


def test_films_without_a_source_are_not_all_films() -> None:
    marker = Marker(
        patch=Patch.WHITE,
        class_name="tuberculosis",
        within=None,
        box=(1, 13, 3, 14),
        films=22,
        precision=1.0,
        recall=0.3,
        base_rate=0.25,
        p_value=1e-9,
        sources=(),
        examples=(),
    )
    assert marker.scope == "over all films"
    assert replace(marker, within="").scope == "within films of unknown source"
    assert replace(marker, within="Kermany").scope == "within Kermany"
