"""Fill a page's template, which lies beside the room that shows it, as `audit/page.html`."""

from __future__ import annotations

from base64 import b64encode
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from cxr_train.figures.metrics import show_interval


def load_template(name: str) -> Template:
    """Return the template `name`, a path inside this package; it escapes every value.

    Filters: `interval`, `percent`; in Markdown, where quotes do no harm, `sentence` leaves them
    as they are, and `code` shows a value letter by letter.
    """
    return _environment().get_template(name)


def picture_address(content: bytes, kind: str) -> str:
    """Return a picture's bytes as an address that needs no file; `kind` is png or jpeg."""
    return f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cxr_train", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "interval": show_interval,
        "percent": "{:.0%}".format,
        "sentence": _sentence,
        "code": _code,
    }
    return environment


def _sentence(text: str) -> Markup:
    return Markup(str(escape(text)).replace("&#39;", "'").replace("&#34;", '"'))


def _code(text: str) -> Markup:
    return Markup(f"`{text}`")
