"""The conformance statement, written from the tables that the code itself goes by.

`python -m edge_infer.net.conformance > docs/dicom-conformance.md`; a test compares.
"""

from __future__ import annotations

from edge_infer.net.dicomweb import FILM_MODALITIES
from edge_infer.net.limits import Limits
from edge_infer.net.services import (
    DEFAULT_AE_TITLE,
    DEFAULT_PORT,
    FILM_CLASSES,
    FILM_SYNTAXES,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION,
    RESULT_CLASSES,
    RESULT_SYNTAXES,
    VERIFICATION_CLASS,
    VERIFICATION_SYNTAXES,
    Rejection,
    StoreStatus,
)


def write_statement() -> str:
    """Return the statement as Markdown."""
    limits = Limits()
    return "\n".join(
        [
            "# DICOM conformance statement of cxr-edge",
            "",
            "Written by `python -m edge_infer.net.conformance` from the code; a test compares the "
            "two. In words, with what to enter where: [pacs.md](pacs.md). Research use only.",
            "",
            f"Implementation class UID `{IMPLEMENTATION_CLASS_UID}`, implementation version name "
            f"`{IMPLEMENTATION_VERSION}`.",
            "",
            "## As acceptor: `cxr-listen`",
            "",
            f"AE title `{DEFAULT_AE_TITLE}`, TCP port {DEFAULT_PORT} (both can be set); "
            f"{limits.associations} associations at a time, largest PDU "
            f"{limits.pdu_bytes} bytes, one operation at a time in each; no extended negotiation.",
            "",
            *_classes("SCP", {VERIFICATION_CLASS: "Verification", **FILM_CLASSES}),
            "",
            "Transfer syntaxes of Verification: "
            + ", ".join(f"`{one.uid}`" for one in VERIFICATION_SYNTAXES)
            + ". Of the storage classes, of several in one presentation context the first here:",
            "",
            "| transfer syntax | |",
            "| --- | --- |",
            *(f"| `{one.uid}` | {_in_words(one.name)} |" for one in FILM_SYNTAXES),
            "",
            "Answers to C-STORE (C-ECHO is answered with 0000):",
            "",
            "| status | | when |",
            "| --- | --- | --- |",
            *(f"| {one.code:04X} | {one.title} | {one.when} |" for one in StoreStatus),
            "",
            "Associations are rejected, with result, source and reason:",
            "",
            "| | | when |",
            "| --- | --- | --- |",
            *(
                f"| {one.result}, {one.source}, {one.reason} | {one.title} | {one.when} |"
                for one in Rejection
            ),
            "",
            f"They are aborted after {limits.silence_s:.0f} s of silence, by a PDU that is "
            "malformed or longer than agreed, and by an object that goes on far beyond the limit "
            f"({limits.object_bytes >> 20} MB unless set). TLS 1.2 and later by certificate files; "
            "no user identity, no storage commitment.",
            "",
            "## As requestor: `--send-to`, `cxr-listen --check`",
            "",
            *_classes("SCU", {VERIFICATION_CLASS: "Verification", **RESULT_CLASSES}),
            "",
            "Transfer syntaxes: " + ", ".join(f"`{one.uid}`" for one in RESULT_SYNTAXES) + ". "
            "Status 0000 and warnings (Bxxx) end the sending of an object; A7xx, no answer and "
            "aborts are tried again with growing waits; other statuses some times, then no more. "
            "TLS 1.2 and later by certificate files.",
            "",
            "## DICOMweb client: `cxr-fetch`",
            "",
            "| service | request |",
            "| --- | --- |",
            "| QIDO-RS | studies by StudyDate and ModalitiesInStudy "
            f"({', '.join(FILM_MODALITIES)}), their series by Modality, instances; "
            "`application/dicom+json`, pages as long as the archive makes them, then `offset` |",
            "| WADO-RS | instances, `multipart/related; type=application/dicom; "
            "transfer-syntax=*` |",
            "| STOW-RS | results, one instance a request |",
            "",
        ]
    )


def _classes(role: str, classes: dict[str, str]) -> list[str]:
    rows = [f"| `{uid}` | {name} | {role} |" for uid, name in classes.items()]
    return ["| SOP class | | role |", "| --- | --- | --- |", *rows]


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Jpeg", "JPEG").replace("Htj2k", "HTJ2K")


if __name__ == "__main__":
    import sys

    sys.stdout.write(write_statement())
