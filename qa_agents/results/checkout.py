"""What git says of the folder one stands in: commit and branch, so that nobody has to type them."""

import subprocess
from pathlib import Path
from typing import NamedTuple

SECONDS = 10


class Checkout(NamedTuple):
    """A working tree."""

    root: Path
    commit: str
    branch: str
    """"" where no branch is checked out."""


def checkout_at(folder: Path) -> Checkout | None:
    """The working tree that a folder belongs to; None where there is none, no git, or no commit yet."""
    root = _asked(folder, "rev-parse", "--show-toplevel")
    commit = _asked(folder, "rev-parse", "--verify", "HEAD")
    if not root or not commit:
        return None
    return Checkout(Path(root), commit, _asked(folder, "symbolic-ref", "--quiet", "--short", "HEAD"))


def _asked(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
