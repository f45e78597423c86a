"""The peers file and the names of nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_infer.errors import NetError
from edge_infer.net.address import NodeAddress, parse_node
from edge_infer.net.peers import check_ae_title, load_peers

GOOD = """
[[peer]]
ae_title = "XRAY1"
address = "192.168.10.21"
[[peer]]
ae_title = "PACS"
address = "10.1.0.0/16"
[[peer]]
ae_title = "SIX"
address = "fd00::/8"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "peers.toml").write_text(text, encoding="utf-8")
    return folder / "peers.toml"


@pytest.mark.parametrize(
    ("title", "address", "is_known"),
    [
        ("XRAY1", "192.168.10.21", True),
        ("XRAY1 ", "::ffff:192.168.10.21", True),
        ("XRAY1", "192.168.10.22", False),
        ("PACS", "10.1.255.7", True),
        ("PACS", "10.2.0.1", False),
        ("XRAY1", "10.1.255.7", False),
        ("SIX", "fd12::1%eth0", True),
        ("SIX", "192.168.10.21", False),
    ],
)
def test_a_peer_is_title_and_address_together(
    tmp_path: Path, title: str, address: str, is_known: bool
) -> None:
    peers = load_peers(write(tmp_path, GOOD))
    assert any(peer.is_this(title, address) for peer in peers) is is_known


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must hold"),
        ("peer = 3", "must hold"),
        (GOOD + "[other]\n", "must hold"),
        ("[[peer]]\nae_title = 'X'\n", "peer 1"),
        ("[[peer]]\nae_title = 'X'\naddress = 'somewhere'\n", "peer 1"),
        ("[[peer]]\nae_title = 'SEVENTEEN_LETTERS'\naddress = '10.0.0.1'\n", "AE title"),
        ("not toml", "TOML"),
    ],
)
def test_what_is_wrong_with_a_peers_file_is_said(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(NetError, match=told):
        load_peers(write(tmp_path, text))


def test_a_missing_peers_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NetError, match="cannot be opened"):
        load_peers(tmp_path / "peers.toml")


@pytest.mark.parametrize("title", ["", "  ", "A\\B", "Röntgen", "SEVENTEEN_LETTERS", "A\tB"])
def test_what_is_no_ae_title(title: str) -> None:
    with pytest.raises(ValueError, match="no AE title"):
        check_ae_title(title)


def test_nodes_are_named_by_title_host_and_port() -> None:
    node = NodeAddress(ae_title="PACS", host="10.0.0.1", port=104)
    assert parse_node("PACS@10.0.0.1:104", needs_title=True) == node
    assert parse_node("pacs.local:104", needs_title=False).host == "pacs.local"
    assert str(parse_node("A@[::1]:104", needs_title=True)) == "A@[::1]:104"


@pytest.mark.parametrize("text", ["10.0.0.1:104", "A@host", "A@host:0", "A@host:70000", "@h:1"])
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(ValueError, match=r"TITLE@HOST:PORT|AE title"):
        parse_node(text, needs_title=True)
