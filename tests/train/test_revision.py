"""The revision in a card is that of this program's own checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cxr_train.revision import git_revision


def test_the_revision_is_that_of_the_checkout_that_tracks_the_file(tmp_path: Path) -> None:
    assert git_revision(tmp_path / "nowhere.py") == ""
    stranger = tmp_path / "stranger.py"
    stranger.touch()

    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(("git", *identity, *words), cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "somebody else's work")
    assert git_revision(stranger) == ""
    git("add", "stranger.py")
    git("commit", "-q", "-m", "ours now")
    assert len(git_revision(stranger)) >= 7
