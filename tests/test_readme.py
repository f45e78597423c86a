"""README and docs stay true: every command and option exists; the first screen is honest."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]


def load_command(name: str) -> Any:
    # `__main__` imports the command late, so that worker processes need not.
    module = SCRIPTS[name].partition(":")[0].replace("__main__", "commands.infer")
    app = __import__(module, fromlist=["app"]).app
    return typer.main.get_command(app)


def command_in(words: list[str]) -> tuple[str, list[str]] | None:
    """Return one of our commands and its words; on Windows it has a whole path and a suffix."""
    words = words[1:] if words[:1] == ["&"] else words
    name = re.split(r"[\\/]", words[0])[-1].removesuffix(".exe") if words else ""
    if name in SCRIPTS:
        return name, words[1:]
    if words[:3] == ["python", "-m", "edge_infer"]:
        return "cxr-infer", words[3:]
    return None


def uses() -> list[tuple[str, str, list[str]]]:
    """Every use of one of our commands in a code block: its page, its name and its words."""
    found = []
    for page, text in PAGES.items():
        for block in BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|\||;|\|", line.partition(" #")[0]):
                    use = command_in(shlex.split(part.strip().removeprefix("$ "), posix=True))
                    if use is not None:
                        found.append((page, *use))
    return found


def test_readme_and_docs_show_every_command() -> None:
    assert {name for _, name, _ in uses()} == set(SCRIPTS)


@pytest.mark.parametrize(("page", "name", "words"), uses())
def test_every_option_shown_exists(page: str, name: str, words: list[str]) -> None:
    command = load_command(name)
    if hasattr(command, "commands"):
        assert words[0] in command.commands, f"{page}: {name} has no subcommand {words[0]}"
        command = command.commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known, f"{page}, {name}: unknown {used - known}"


@pytest.mark.parametrize("page", PAGES)
def test_options_named_in_the_text_exist(page: str) -> None:
    known = {"--help"}
    for name in SCRIPTS:
        command = load_command(name)
        for part in [command, *getattr(command, "commands", {}).values()]:
            known |= {option for parameter in part.params for option in parameter.opts}
    # pip's, where a page tells how to install.
    known |= {"--no-index", "--upgrade"} if "pip install" in PAGES[page] else set()
    text = BLOCK.sub("", PAGES[page])
    named = set(re.findall(r"`(--[a-z][a-z-]*)", text))
    assert named or page != "README.md", "the README explains no option"
    assert named <= known, f"{page}: unknown {named - known}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_named_in_a_page_exist(page: str) -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", PAGES[page]) + re.findall(
        r'src="([^":]+)"', PAGES[page]
    )
    assert linked or page != "README.md"
    for path in linked:
        assert (ROOT / page).parent.joinpath(path).exists(), path


def test_the_first_screen_says_what_it_is_not() -> None:
    first_screen = "\n".join(PAGES["README.md"].splitlines()[:40]).lower()
    assert "not a medical device" in first_screen
    assert "research use only" in first_screen
    assert "cxr-infer examples/day" in first_screen


@pytest.mark.parametrize("name", ["screen", "test"])
def test_ci_finds_its_lines(name: str) -> None:
    match = re.search(rf"<!-- ci: {name} -->\n```[a-z]*\n(.+?)\n```", PAGES["README.md"], re.DOTALL)
    assert match, name
    assert "\n" not in match.group(1), "the line must be one line"
    assert match.group(1).startswith("pip install")
