"""What the papers beside the page share: one self-contained file for A4, without a script."""

from __future__ import annotations

import base64
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from edge_infer.page.html_rows import may_hold_text
from edge_infer.page.identity import identity_parts
from edge_infer.page.studies import Study
from edge_infer.words.form import PageWords
from edge_infer.worklist.rows import ScreenedDay, WorklistRow

SUMMARY_NAME: Final = "summary.html"
SLIPS_NAME: Final = "slips.html"


def render_paper(title: str, kind: str, body: str, day: ScreenedDay) -> str:
    """Return a whole page of `body`, which is markup; `kind` is its style."""
    style = Path(__file__).with_name("paper.css")
    return _PAGE.format(
        lang=day.lang.value, title=escape(title), kind=kind, style=_read(style), body=body
    )


def picture(row: WorklistRow, day: ScreenedDay, words: PageWords, *, number: int) -> str:
    """Return the film's small picture, or an empty frame where none may be shown."""
    if not row.thumbnail or (may_hold_text(row) and not day.include_patient):
        return '<span class="film none"></span>'
    data = base64.b64encode(bytes(row.thumbnail)).decode("ascii")
    alt = words.film_picture.format(rank=number)
    return f'<span class="film"><img src="data:image/jpeg;base64,{data}" alt="{alt}"></span>'


def describe_who(study: Study, day: ScreenedDay, words: PageWords) -> tuple[str, str]:
    """Return the identity line, and name with birth date where they were asked for; both escaped.

    Of the first film that says anything: one examination is of one patient.
    """
    for _, row in study.films:
        if parts := identity_parts(row, day, words):
            who = row.study.identity if row.study is not None and day.include_patient else None
            named = (who.patient_name, who.patient_birth_date) if who is not None else ()
            return (
                " · ".join(escape(part) for part in parts),
                " · ".join(escape(part) for part in named if part),
            )
    return "", ""


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


_PAGE = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';
 form-action 'none'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body class="{kind}">
{body}</body>
</html>
"""
