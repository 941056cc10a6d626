"""Anchors: the chain's newest hash, written outside the database, where whoever rewrites the database does not rewrite it too."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select

from qa_agents.checkpoint.chain import Entry, Finding, FindingKind, Verification, moment
from qa_agents.errors import UnavailableError
from qa_agents.storage.canonical import canonical_json
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import ledger

EVERY = 100
"""Entries after which a long job writes an anchor without being told to."""
GIT_SECONDS = 30
_PAGE = 500
_LONGEST_LINE = 1_000


class Anchor(BaseModel):
    """Entry `seq` had this hash at that moment (seconds since the epoch, UTC)."""

    model_config = ConfigDict(frozen=True)

    seq: int = Field(ge=1)
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    at: float


class Anchors:
    """An append-only file of anchors, one JSON object a line, best kept on other media.

    With `git`, a working tree that holds the file, every `publish` commits it.
    """

    def __init__(self, path: Path, *, git: Path | None = None, every: int = EVERY) -> None:
        self.path = path
        self._git = git
        self._every = every
        self._newest: int | None = None

    def exists(self) -> bool:
        """Whether an anchor was ever written here."""
        return self.path.is_file()

    def is_due(self, seq: int) -> bool:
        """Whether `every` entries lie between the newest anchor and entry `seq`; never before the file was begun.

        Raises UnavailableError when the file cannot be read.
        """
        if self._newest is None:
            if not self.exists():
                return False
            self._newest = max((anchor.seq for anchor in self.read() if isinstance(anchor, Anchor)), default=0)
        return seq - self._newest >= self._every

    def write(self, anchor: Anchor) -> None:
        """Append one anchor; on disk when this returns. Raises UnavailableError."""
        line = canonical_json(anchor.model_dump()) + b"\n"
        try:
            fresh = not self.path.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, b"\n" * self._is_torn(descriptor) + line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if fresh:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise UnavailableError(
                f"The anchor file {self.path} cannot be written ({error.strerror}).",
                hint="The ledger itself is complete; make the file writable, or choose another with anchor_file.",
            ) from None
        self._newest = anchor.seq

    def publish(self) -> None:
        """Commit the file where a git working tree was given. Raises UnavailableError."""
        if self._git is None:
            return
        file = str(self.path.resolve())
        author = ("-c", "user.name=qa-agents", "-c", "user.email=qa-agents@localhost", "-c", "commit.gpgsign=false")
        for words in (
            ("add", "--force", "--", file),
            (*author, "commit", "--quiet", "--no-verify", "--only", "-m", "Ledger anchors", "--", file),
        ):
            self._run_git(*words)

    def read(self) -> Iterator[Anchor | int]:
        """Every anchor in the order of writing; for a line that is none, its number. Nothing when there is no file.

        Raises UnavailableError when the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=1):
                    if line.strip():
                        yield _anchor(line) or number
        except FileNotFoundError:
            return
        except OSError as error:
            raise UnavailableError(
                f"The anchor file {self.path} cannot be read ({error.strerror}).", hint="Check its path and its rights."
            ) from None

    @staticmethod
    def _is_torn(descriptor: int) -> bool:
        """Whether a crash left an unfinished last line."""
        size = os.fstat(descriptor).st_size
        return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"

    def _run_git(self, *words: str) -> None:
        command = ["git", "-C", str(self._git), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
            said = done.stdout + done.stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            said, done = str(error), None
        unchanged = "nothing to commit" in said or "no changes added" in said or "nothing added" in said
        if done is None or (done.returncode != 0 and not unchanged):
            why = " ".join(said.split())[:200]
            raise UnavailableError(
                f"The anchor was written, but git did not take it ({why}).",
                hint="Check that anchor_git is a working tree that holds the anchor file.",
            )


def check_anchors(database: Database, anchors: Anchors, result: Verification, begun: Sequence[Entry] = ()) -> None:
    """Compare every anchor with the entry it names; findings and notes are added to `result`.

    `begun` are the ledger's own entries that say when anchors were begun: with one of them, a missing file is a finding.
    """
    if not anchors.exists():
        _missing(anchors, result, begun)
        return
    first: int | None = None
    checked = matching = other = 0
    wrong: list[Finding] = []
    head = _head(database)
    lines = anchors.read()
    while page := list(islice(lines, _PAGE)):
        known = [anchor for anchor in page if isinstance(anchor, Anchor)]
        wrong += [_unreadable(anchors.path, line) for line in page if isinstance(line, int)]
        hashes, head = _hashes(database, [anchor.seq for anchor in known]), max(head, _head(database))
        for anchor in known:
            first = anchor.seq if first is None else first
            checked, same = checked + 1, hashes.get(anchor.seq) == anchor.hash
            matching, other = matching + same, other + (not same and anchor.seq in hashes)
            if not same and not any(finding.kind != "anchor" for finding in wrong):
                wrong.append(_mismatch(anchor, head, hashes.get(anchor.seq)))
    result.anchors = checked
    if other and not matching:
        wrong = [finding for finding in wrong if finding.kind not in ("rewritten", "truncated")]
        says = (
            f"None of the {checked} anchors fits: this is another database, or its ledger was rewritten from the start."
        )
        wrong.insert(0, Finding(kind="swapped", seq=0, says=says))
    if begun and (first is None or first > begun[0].seq):
        says = f"Anchors were begun at entry {begun[0].seq}, in {begun[0].payload.get('file')}; this file begins later."
        result.notes.append(says)
    result.findings += wrong


def _anchor(line: bytes) -> Anchor | None:
    try:
        return Anchor.model_validate(json.loads(line))
    except (ValidationError, ValueError, RecursionError):
        return None


def _mismatch(anchor: Anchor, head: int, stored: str | None) -> Finding:
    written = moment(anchor.at)
    if anchor.seq > head:
        kind: FindingKind = "truncated"
        cut = f"entry {anchor.seq} is" if anchor.seq == head + 1 else f"entries {head + 1} to at least {anchor.seq} are"
        says = f"The ledger's tail was cut off: it ends at entry {head}, but {cut} known to have existed on {written}."
    elif stored is None:
        kind, says = "deleted", f"Entry {anchor.seq} is missing; it was anchored on {written}."
    else:
        kind = "rewritten"
        says = f"Entry {anchor.seq} is not the one that was anchored on {written}: the ledger was rewritten there or before."
    return Finding(kind=kind, seq=anchor.seq, says=says)


def _unreadable(path: Path, line: int) -> Finding:
    return Finding(kind="anchor", seq=0, says=f"Line {line} of {path} is no anchor: a crash or somebody cut it.")


def _missing(anchors: Anchors, result: Verification, begun: Sequence[Entry]) -> None:
    unseen = "a tail that was cut off or a rewritten ledger cannot be seen"
    if begun:
        entry = begun[-1]
        says = f"The anchor file {anchors.path} is missing, though entry {entry.seq} began it: {unseen}."
        result.findings.append(Finding(kind="anchor", seq=entry.seq, says=says))
    elif result.entries:
        result.notes.append(f"There is no anchor file {anchors.path}: {unseen}.")


def _head(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.max(ledger.c.seq))).scalar() or 0)


def _hashes(database: Database, seqs: list[int]) -> dict[int, str]:
    with database.read() as connection:
        rows = connection.execute(select(ledger.c.seq, ledger.c.hash).where(ledger.c.seq.in_(seqs)))
        return {row.seq: row.hash for row in rows}


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
