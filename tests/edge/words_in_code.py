"""What the clinic's code says in English, read out of its source: each sentence with its blanks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "edge_infer"
SAYS = frozenset(
    {
        *(
            "UnreadableImage",
            "UnsupportedImage",
            "ModelError",
            "ReportError",
            "FileInUse",
            "DayInUse",
        ),
        *("SiteError", "too_large", "Lost", "_no_decoder", "_not_ours", "_Said", "Remark"),
        *("say", "kind"),
    }
)
"""What is called with a sentence, or with the part of one, as its first argument."""
RETURNS = frozenset(
    {
        *("_explain", "_quote", "_name_voi", "sentence", "trouble"),
        *("_describe_pc", "_check_model", "_measure"),
        *("_describe_problem", "describe_films", "describe_rule", "describe_choice"),
        *("describe_obstacles", "describe_warnings", "table_lines", "_yields"),
    }
)
"""Functions that return or yield such sentences and parts."""
PASSED_ON = frozenset(
    {
        *("{}: {}", "{}{}{}{}{}{}  {}  {}", "{}{} {}  {}  {}"),
        "  {}{}{}{}",
        "  {}{} ms{} ms{}",
    }
)
"""A name before a sentence that is raised elsewhere, and lines of a table."""


def sentences_in_code(root: Path = ROOT) -> dict[str, str]:
    """Return every sentence with `{}` for its blanks, and where it is said first."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for text in _said_by(node):
                place = f"{path.relative_to(root).as_posix()}:{getattr(node, 'lineno', 0)}"
                found.setdefault(text, place)
    has_words = re.compile(r"[A-Za-z]")
    return {
        text: place
        for text, place in found.items()
        if has_words.search(text) and text not in PASSED_ON
    }


def _said_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and _name_of(node.func) in SAYS and node.args:
        yield from _templates(node.args[0])
    if isinstance(node, ast.Assign) and _name_of(node.targets[0]) == "_trouble":
        yield from _templates(node.value)
    if isinstance(node, ast.FunctionDef) and node.name in RETURNS:
        for part in ast.walk(node):
            if isinstance(part, ast.Return | ast.Yield) and part.value is not None:
                yield from _templates(part.value)
            if isinstance(part, ast.Call) and _name_of(part.func) in ("append", "_yields"):
                yield from _templates(part.args[0])
    if isinstance(node, ast.ClassDef) and node.name == "Problem":
        for part in node.body:
            if isinstance(part, ast.Assign):
                yield from _templates(part.value)


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _templates(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Tuple | ast.List):
        for part in value.elts:
            yield from _templates(part)
    elif isinstance(value, ast.IfExp):
        yield from _templates(value.body)
        yield from _templates(value.orelse)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"
            for part in value.values
        )
