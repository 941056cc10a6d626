"""What could have broken it: the commits between the last good run and the first bad one, those that touch the trace first.

git is asked with fixed arguments; a commit's name comes from result files, so anything but hex digits is refused.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

MAX_COMMITS = 200
SHOWN = 5
SECONDS = 20
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_RECORD, _FIELD = "\x1e", "\x1f"


class Suspect(BaseModel):
    """One commit that lies between good and bad."""

    model_config = ConfigDict(frozen=True)

    commit: str
    author: str
    at: int
    """Seconds since the epoch."""
    subject: str
    files: tuple[str, ...] = ()
    """The files it changes that the failure names, or that hold the failing test."""
    why: str


class Between(BaseModel):
    """The commits after the last good one, up to and with the first bad one, newest first."""

    model_config = ConfigDict(frozen=True)

    good: str
    bad: str
    commits: tuple[tuple[Suspect, tuple[str, ...]], ...] = ()
    """Each with every file it changes."""
    note: str = ""
    """Why there are none, or not all; "" where nothing is missing."""


def commits_between(repository: Path, good: str, bad: str) -> Between:
    """Ask git. Never raises: what could not be found out stands in `note`."""
    if not (_COMMIT.fullmatch(good) and _COMMIT.fullmatch(bad)):
        return Between(good=good, bad=bad, note="The runs do not name their commits, so no commit can be suspected.")
    form = f"--format={_RECORD}%H{_FIELD}%an{_FIELD}%at{_FIELD}%s"
    command = ["git", "-C", str(repository), "log", "--no-color", "--no-ext-diff", "--no-show-signature", form]
    command += ["--name-only", "--no-renames", f"--max-count={MAX_COMMITS}", f"{good}..{bad}", "--"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Between(good=good, bad=bad, note=f"git could not be asked ({type(error).__name__}).")
    if done.returncode:
        return Between(good=good, bad=bad, note=f"The repository does not know {good[:12]} or {bad[:12]}.")
    commits = tuple(_parsed(record) for record in done.stdout.decode("utf-8", "replace").split(_RECORD)[1:])
    note = f"Only the newest {MAX_COMMITS} commits were looked at." if len(commits) == MAX_COMMITS else ""
    if not commits:
        note = "There is no commit between the last good run and the first bad one: the code did not change."
    return Between(good=good, bad=bad, commits=commits, note=note)


def ranked(between: Between, named: Sequence[str], tests: Sequence[str]) -> list[Suspect]:
    """At most SHOWN suspects: those that change a file which the trace names (deeper in the trace counts more), then those that
    change a file of the failing tests, then the newest. With more than SHOWN commits, those that touch neither are left out.
    """
    scored: list[tuple[float, int, Suspect]] = []
    for place, (commit, files) in enumerate(between.commits):
        touched = {file: depth for depth, name in enumerate(named, start=1) for file in files if _is_same(file, name)}
        own = [file for file in files if any(_holds(file, test) for test in tests)]
        score = max(touched.values(), default=0) / max(1, len(named)) * 2 + (1 if own else 0)
        why = "the only commit between" if len(between.commits) == 1 else "between the last good run and this one"
        if own:
            why = f"changes {own[0]}, where the failing test stands"
        if touched:
            why = f"changes {max(touched, key=lambda file: touched[file])}, which the failure names"
        shown = tuple(dict.fromkeys([*sorted(touched, key=lambda file: -touched[file]), *own]))[:5]
        scored.append((score, place, commit.model_copy(update={"files": shown, "why": why})))
    scored.sort(key=lambda one: (-one[0], one[1]))
    few = len(scored) <= SHOWN
    return [suspect for score, _, suspect in scored if few or score > 0][:SHOWN]


def _parsed(record: str) -> tuple[Suspect, tuple[str, ...]]:
    head, _, rest = record.partition("\n")
    commit, author, at, subject = (*head.split(_FIELD), "", "", "", "")[:4]
    files = tuple(line for line in rest.splitlines() if line.strip())
    when = int(at) if at.isdigit() else 0
    return Suspect(commit=commit, author=author[:200], at=when, subject=subject[:300], why=""), files


def _is_same(file: str, named: str) -> bool:
    """Whether a path of the repository is what a trace names: the shorter of the two paths ends the longer one."""
    mine, theirs = PurePosixPath(file).parts, PurePosixPath(named.replace("\\", "/")).parts
    n = min(len(mine), len(theirs))
    if n == 0 or mine[-n:] != theirs[-n:]:
        return False
    return n > 1 or len(mine) == 1 or len(theirs) == 1


def _holds(file: str, test_id: str) -> bool:
    """Whether a file is where a test stands, by the test's id: a path, a dotted module or class, or the file's bare name."""
    suite = test_id.rpartition("::")[0] or test_id
    path = PurePosixPath(file)
    dotted = ".".join(path.with_suffix("").parts)
    if _is_same(file, suite.split("::")[0]):
        return True
    return dotted == suite or suite.endswith(f".{path.stem}") or f".{dotted}." in f".{suite}." or suite == path.stem
