"""The conformance statement is the code's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_infer.commands.listen import app
from edge_infer.net.conformance import write_statement
from edge_infer.net.limits import Limits
from edge_infer.net.services import DEFAULT_AE_TITLE, DEFAULT_PORT
from tests.edge.net.made_nodes import listening

CT = "1.2.840.10008.5.1.4.1.1.2"
DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
ROOT = Path(__file__).resolve().parents[3]


def test_the_statement_in_the_docs_is_the_one_the_code_writes() -> None:
    assert (ROOT / "docs/dicom-conformance.md").read_text(encoding="utf-8") == write_statement()


def test_the_command_s_defaults_are_those_of_the_statement() -> None:
    import typer

    command = typer.main.get_command(app)
    options: dict[str | None, Any] = {one.name: one.default for one in command.params}
    assert (options["ae_title"], options["port"]) == (DEFAULT_AE_TITLE, DEFAULT_PORT)
    assert options["max_associations"] == Limits().associations
    assert options["max_object_mb"] * 2**20 == Limits().object_bytes
    assert options["min_free_mb"] * 2**20 == Limits().free_bytes


def test_a_running_listener_offers_what_the_statement_says(tmp_path: Path) -> None:
    """Every class and syntax of the tables is accepted, and nothing else that we know of."""
    from pynetdicom.ae import ApplicationEntity

    text = write_statement()
    with listening(tmp_path) as node:
        entity = ApplicationEntity()
        for sop_class in (
            "1.2.840.10008.5.1.4.1.1.1",
            "1.2.840.10008.5.1.4.1.1.1.1",
            "1.2.840.10008.5.1.4.1.1.7",
        ):
            for line in (
                text.partition("| transfer syntax | |")[2].partition("Answers")[0].split("`")
            ):
                if line.startswith("1.2."):
                    entity.add_requested_context(sop_class, line)
        offered = len(entity.requested_contexts)
        entity.add_requested_context(CT)
        entity.add_requested_context(DX_FOR_PROCESSING)
        association = entity.associate("127.0.0.1", node.port, ae_title="CXREDGE")
        accepted, rejected = association.accepted_contexts, association.rejected_contexts
        association.release()
    assert offered and len(rejected) == 2
    assert sum(len(one.transfer_syntax) for one in accepted) == offered
