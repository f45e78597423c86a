"""The peers file: which AE titles may send, and from where.

TOML, one table a peer:

    [[peer]]
    ae_title = "XRAY1"
    address = "192.168.10.21"      # or a network: "192.168.10.0/24"
"""

from __future__ import annotations

import ipaddress
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from edge_infer.errors import NetError

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_KEYS = {"ae_title", "address"}
_LONGEST_TITLE = 16


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A node that may send."""

    ae_title: str
    network: _Network

    def is_this(self, ae_title: str, address: str) -> bool:
        return ae_title.strip() == self.ae_title and _to_address(address) in self.network


def load_peers(file: Path) -> tuple[Peer, ...]:
    """Read a peers file; NetError names what is wrong with it."""
    try:
        plain = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NetError(f"The peers file {file} cannot be opened ({error.strerror}).") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise NetError(f"The peers file {file} is not readable as TOML: {error}.") from error
    tables = plain.get("peer")
    if set(plain) != {"peer"} or not isinstance(tables, list) or not tables:
        raise NetError(f"The peers file {file} must hold [[peer]] tables and nothing else.")
    return tuple(_to_peer(table, f"peer {n} of {file}") for n, table in enumerate(tables, start=1))


def check_ae_title(title: str) -> str:
    """Return an AE title without outer blanks; ValueError where it is none (PS3.5 6.2, AE)."""
    title = title.strip()
    is_plain = title.isascii() and title.isprintable() and "\\" not in title
    if not title or len(title) > _LONGEST_TITLE or not is_plain:
        raise ValueError(f"'{title}' is no AE title: 1 to 16 letters, digits and the like.")
    return title


def _to_peer(table: Any, where: str) -> Peer:
    if not isinstance(table, dict) or set(table) != _KEYS:
        raise NetError(f"The {where} must have ae_title and address, and nothing else.")
    try:
        title = check_ae_title(str(table["ae_title"]))
        network = ipaddress.ip_network(str(table["address"]), strict=False)
    except ValueError as error:
        raise NetError(f"The {where} is wrong: {error}") from error
    return Peer(ae_title=title, network=network)


def _to_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
