"""`TITLE@HOST:PORT`, as another node is named on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from edge_infer.net.peers import check_ae_title

_FORM = re.compile(r"(?:(?P<title>[^@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:\s]+):(?P<port>\d{1,5})")
_ANY_TITLE: Final = "ANY-SCP"
"""What is called where no title is named; most nodes ask for their own."""


@dataclass(frozen=True, kw_only=True)
class NodeAddress:
    """Another DICOM node."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


def parse_node(text: str, *, needs_title: bool) -> NodeAddress:
    """Read `TITLE@HOST:PORT`, or `HOST:PORT` where it may; ValueError where it is neither."""
    match = _FORM.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"]) < 2**16 or (needs_title and not match["title"]):
        form = "TITLE@HOST:PORT" if needs_title else "HOST:PORT or TITLE@HOST:PORT"
        raise ValueError(f"'{text}' is not {form}.")
    title = check_ae_title(match["title"]) if match["title"] else _ANY_TITLE
    return NodeAddress(ae_title=title, host=match["host"].strip("[]"), port=int(match["port"]))
