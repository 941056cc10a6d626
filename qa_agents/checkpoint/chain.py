"""The chain itself: what an entry's hash covers, and what a chain that does not hold says about what was done to it. Pure."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.storage.canonical import digest_of

GENESIS = "0" * 64
TOLERANCE_S = 1.0
"""Two clocks of one team may differ by as much; an entry that is older than the one before it by more is a finding."""
MAX_FINDINGS = 50
"""What is found beyond is counted, not explained."""
_NEARBY = 64
"""How far a renumbered entry is looked for."""

FindingKind = Literal[
    "edited", "deleted", "inserted", "reordered", "clock", "truncated", "rewritten", "swapped", "anchor"
]  # fmt: skip


class Entry(BaseModel):
    """One line of the ledger. `hash` covers every other field and the hash before it; the payload by its salted digest."""

    model_config = ConfigDict(frozen=True)

    seq: int
    at: float
    """Seconds since the epoch, UTC."""
    actor: str
    event: str
    subject: str
    payload: dict[str, Any]
    """Empty when it was erased."""
    salt: str | None = None
    """Random, erased with the payload: without it nobody can try values against the digest. None in entries of old."""
    payload_sha256: str | None = None
    """None in entries written before payloads could be erased."""
    previous_hash: str
    hash: str

    @property
    def erased(self) -> bool:
        """Whether the payload was erased and only its digest is left."""
        return self.payload_sha256 is not None and self.salt is None

    def as_json(self) -> dict[str, Any]:
        """The entry as it is exported: like the stored row, an erased payload is null."""
        return {**self.model_dump(), "payload": None if self.erased else self.payload}


class Finding(BaseModel):
    """One thing that is wrong with a ledger, in one sentence that names the entry."""

    model_config = ConfigDict(frozen=True)

    kind: FindingKind
    seq: int
    says: str


class Verification(BaseModel):
    """What looking through a ledger found."""

    entries: int = 0
    """How many were looked at."""
    head_seq: int = 0
    head_hash: str = GENESIS
    erased: int = 0
    """Entries whose payload was erased, as a later `redacted` entry says."""
    anchors: int | None = None
    """How many anchors were compared; None when there was no anchor file."""
    findings: list[Finding] = Field(default_factory=list)
    more: int = 0
    """Findings beyond the first MAX_FINDINGS."""
    notes: list[str] = Field(default_factory=list)
    """What could not be seen, and why."""

    @property
    def intact(self) -> bool:
        """Whether nothing at all was found."""
        return not self.findings


def payload_digest(payload: dict[str, Any], salt: str) -> str:
    """Digest of what may be erased later: SHA-256 of the canonical JSON of `{payload, salt}`."""
    return digest_of({"payload": payload, "salt": salt})


def entry_hash(entry: Entry, seq: int | None = None) -> str:
    """What `entry.hash` must be, were it entry number `seq` (default: the number it has).

    SHA-256 of the canonical JSON of its fields without `hash`, with the payload's digest in place of payload and salt. Entries
    without such a digest hash the payload itself: the two shapes have different keys, so neither can pass for the other.
    """
    body: dict[str, Any] = {
        "seq": entry.seq if seq is None else seq,
        "at": entry.at,
        "actor": entry.actor,
        "event": entry.event,
        "subject": entry.subject,
        "previous_hash": entry.previous_hash,
    }
    if entry.payload_sha256 is None:
        body["payload"] = entry.payload
    else:
        body["payload_sha256"] = entry.payload_sha256
    return digest_of(body)


def holds(entry: Entry) -> bool:
    """Whether an entry, taken by itself, is as it was written (or erased since)."""
    try:
        if entry.payload_sha256 is None:
            whole = entry.salt is None
        elif entry.salt is None:
            whole = not entry.payload
        else:
            whole = payload_digest(entry.payload, entry.salt) == entry.payload_sha256
        return whole and entry_hash(entry) == entry.hash
    except (ValueError, TypeError, RecursionError):
        return False


class Auditor:
    """Follows a chain entry by entry in bounded memory. `locate` gives the number of the stored entry with a hash, or None."""

    def __init__(
        self,
        locate: Callable[[str], int | None] = lambda _: None,
        *,
        since: int = 0,
        trusted: str = GENESIS,
    ) -> None:
        self._locate = locate
        self._seq, self._hash = since, trusted
        self._at: float | None = None
        self._recent: deque[tuple[str, int]] = deque([(trusted, since)], maxlen=_NEARBY)
        self._shift = 0
        self._rewritten = 0
        self._unexplained: set[int] = set()
        self.begun: list[Entry] = []
        """The first and the newest `anchored` entry: when anchors were begun."""
        self.result = Verification(head_seq=since, head_hash=trusted)

    def follow(self, entry: Entry) -> None:
        """Look at the next entry."""
        gap = self._gap(entry.seq)
        linked = entry.previous_hash == self._hash or gap
        whole = holds(entry)
        if not (whole and linked):
            self._explain(entry, whole=whole, linked=linked)
        if self._at is not None and entry.at < self._at - TOLERANCE_S:
            back = f"by {self._at - entry.at:.0f} s, to {moment(entry.at)}"
            self._found("clock", entry.seq, f"The clock went back between entries {self._seq} and {entry.seq}, {back}.")
        if whole:
            self._remember(entry)
        self._step(entry.seq, entry.hash, entry.at)

    def unreadable(self, seq: int, stored_hash: str, why: str) -> None:
        """Look at a stored row that is no entry any more."""
        self._gap(seq)
        self._found("edited", seq, f"Entry {seq} was changed after it was written: {why}.")
        self._step(seq, stored_hash, None)

    def finish(self) -> Verification:
        """The result, once every entry was followed."""
        for seq in sorted(self._unexplained):
            self._found(
                "edited", seq, f"The payload of entry {seq} was removed, and no later entry says that it was erased."
            )
        self.result.erased -= len(self._unexplained)
        self.result.findings.sort(key=lambda finding: finding.seq)
        return self.result

    def _step(self, seq: int, stored_hash: str, at: float | None) -> None:
        self._seq, self._hash = seq, stored_hash
        self._recent.append((stored_hash, seq))
        self._at = at if at is not None else self._at
        self.result.entries += 1
        self.result.head_seq, self.result.head_hash = seq, stored_hash

    def _gap(self, seq: int) -> bool:
        expected = self._seq + 1
        if seq > expected:
            missing = f"Entry {expected} is" if seq == expected + 1 else f"Entries {expected} to {seq - 1} are"
            self._found("deleted", expected, f"{missing} missing: entry {seq} follows entry {self._seq}.")
        elif seq < expected:
            self._found("reordered", seq, f"Entry {seq} stands after entry {self._seq}.")
        return seq != expected

    def _explain(self, entry: Entry, *, whole: bool, linked: bool) -> None:
        """Say what was done to an entry that is not whole, or that was not written after the one before it."""
        name, before = f"Entry {entry.seq} ({entry.event[:40]} of {entry.subject[:80]})", entry.seq - 1
        if len(self.result.findings) >= MAX_FINDINGS:
            self._found("edited", entry.seq, "")
            return
        written_as = entry.seq if whole else self._written_as(entry)
        if written_as is None:
            self._rewritten = entry.seq
            self._found("edited", entry.seq, f"{name} was changed after it was written.")
            return
        shift, self._shift = self._shift, written_as - entry.seq
        if linked and shift == self._shift:
            return  # renumbered together with the entry before it, where that was said
        was = "" if whole else f"; it was written as entry {written_as}"
        nearby = (seq for stored, seq in reversed(self._recent) if stored == entry.previous_hash)
        after = next(nearby, None)
        after = self._locate(entry.previous_hash) if after is None else after
        if after is None and whole:
            if self._rewritten == before:
                return
            says = (
                f"Entry {before} is not the one that entry {entry.seq} was written after: it was rewritten or replaced."
            )
            self._found("edited", before, says)
        elif after is None:
            self._found("deleted", entry.seq, f"What stood before entry {entry.seq} was deleted{was}.")
        elif after < before:
            between = f"entry {before}" if after == before - 1 else f"entries {after + 1} to {before}"
            says = f"{name} was written right after entry {after}: {between} came in between later{was}."
            self._found("inserted", entry.seq, says)
        else:
            self._found(
                "reordered", entry.seq, f"{name} was moved{was}; the entry it was written after is now {after}."
            )

    def _written_as(self, entry: Entry) -> int | None:
        """The number under which a renumbered entry's hash holds, looked for nearby; None when it holds nowhere."""
        likely = [entry.seq + self._shift, *range(max(1, entry.seq - _NEARBY), entry.seq + _NEARBY + 1)]
        try:
            return next((seq for seq in likely if seq != entry.seq and entry_hash(entry, seq) == entry.hash), None)
        except (ValueError, TypeError, RecursionError):
            return None

    def _remember(self, entry: Entry) -> None:
        if entry.erased:
            self._unexplained.add(entry.seq)
            self.result.erased += 1
        elif entry.event == "redacted":
            named = entry.payload.get("seqs")
            self._unexplained.difference_update(seq for seq in named or () if isinstance(seq, int))
        elif entry.event == "anchored":
            self.begun = [*self.begun[:1], entry]

    def _found(self, kind: FindingKind, seq: int, says: str) -> None:
        if len(self.result.findings) < MAX_FINDINGS:
            self.result.findings.append(Finding(kind=kind, seq=seq, says=says))
        else:
            self.result.more += 1


def first_break(chain: Iterable[Entry]) -> str | None:
    """Where a whole chain does not hold, in one sentence; None when it holds. A clock that went back is no break."""
    auditor = Auditor()
    for entry in chain:
        auditor.follow(entry)
    return next((finding.says for finding in auditor.finish().findings if finding.kind != "clock"), None)


def moment(at: float) -> str:
    """Seconds since the epoch as a date and time, UTC; `an impossible date` where the calendar ends."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "an impossible date"
