"""An outside checker: reads what is on disk, and nothing of the code that wrote it, and says which promise is broken.

I1 every received report ends in one terminal state or waits where a person sees it; I2 an effect happens once; I3 an effect has
an earlier approval of exactly what was shown; I4 what was approved is done or loudly failed; I5 the ledger holds, with one record
per effect; I6 no secret outside the documents; I7 nothing is left over once the faults have stopped; I8 no effect while the stop
switch is on (but an undo that a person asked for knowing it); I9 what was rejected is never done; I10 what was erased is erased
everywhere, on record. "Earlier" is the order of the ledger: clocks jump.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLES = ("reports", "runs", "reviews", "actions", "ledger", "decisions")
ACCEPTING = ("approve", "edit", "ask_reporter")
TERMINAL = ("decided", "asked", "rejected")
GENESIS = "0" * 64
Row = dict[str, Any]


@dataclass(frozen=True)
class History:
    """Everything on disk: the tables as rows, and per issue the list of changes that were made to it."""

    tables: dict[str, list[Row]]
    effects: dict[str, list[Row]]
    text: str
    """All of it as one string, to look for what must not be there."""

    @property
    def ledger(self) -> list[Row]:
        return self.tables["ledger"]

    @property
    def erased(self) -> set[str]:
        """Reports that were erased: what was recorded about them cannot be compared any more."""
        return {entry["subject"] for entry in self.ledger if entry["event"] == "redacted"}


def read(folder: Path, postgres_url: str | None = None) -> History:
    """Read a workspace from outside."""
    tables = _postgres_tables(postgres_url) if postgres_url else _sqlite_tables(folder / "qa-agents.db")
    effects = {}
    for path in sorted((folder / "tracker").glob("*.json")):
        issue = json.loads(path.read_text(encoding="utf-8"))
        effects[issue["key"]] = issue["history"]
    text = json.dumps([tables, effects], ensure_ascii=False, default=str)
    return History(tables, effects, text)


def violations(
    history: History, *, secrets: tuple[str, ...] = (), words: tuple[str, ...] = (), drained: bool = True
) -> list[str]:
    """Every broken promise, each sentence beginning with its number. `drained`: the faults have stopped and it was recovered.

    `words`: what the reports say; none of it may stand in any table once one was erased.
    """
    found = [
        *_accounted(history, drained),
        *_once(history),
        *_approved(history),
        *_carried_out(history, drained),
        *_recorded(history),
        *(f"I6 a secret is outside the documents: {secret[:4]}…" for secret in secrets if secret in history.text),
        *_stopped(history),
        *_refused(history),
        *_erased(history, words),
    ]
    return sorted(found)


def _accounted(history: History, drained: bool) -> Iterator[str]:
    """I1 and I7."""
    waiting = {row["run_id"] for row in history.tables["reviews"] if row["state"] in ("pending", "deferred", "partial")}
    runs = {row["run_id"]: row for row in history.tables["runs"]}
    known = {row["report_id"] for row in history.tables["reports"]}
    for row in history.tables["reports"]:
        name, state, run = row["report_id"], row["state"], runs.get(row["run_id"])
        if state == "rejected":
            continue
        if run is None:
            yield f"I1 {name} has no run"
        elif state in TERMINAL and run["state"] != "done":
            yield f"I1 {name} is {state} but its run is {run['state']}"
        elif state == "waiting" and row["run_id"] not in waiting and drained:
            yield f"I1 {name} waits for nobody"
        elif state not in (*TERMINAL, "waiting") and drained:
            yield f"I7 {name} is still {state} ({row['error']})"
    for entry in history.ledger:
        if entry["event"] == "received" and entry["subject"] not in known:
            yield f"I1 {entry['subject']} was received and is lost"
    for run_id, count in Counter(r["run_id"] for r in history.tables["reviews"] if r["run_id"] in waiting).items():
        pending = [r for r in history.tables["reviews"] if r["run_id"] == run_id and r["state"] == "pending"]
        if len(pending) > 1:
            yield f"I1 {run_id} asks {len(pending)} times at once (of {count})"


def _once(history: History) -> Iterator[str]:
    """I2: once per key, and once per content and run as well, whatever keys were made."""
    run_of = {row["key"]: row["run_id"] for row in history.tables["actions"]}
    undoing = _undoing(history)
    for issue, changes in history.effects.items():
        for key, count in Counter(change["key"] for change in changes).items():
            if count > 1:
                yield f"I2 {issue}: key {key[:12]} was applied {count} times"
        contents = Counter(
            _canonical([run_of.get(change["key"]), change["kind"], change["params"]])
            for change in changes
            if _is_ours(change) and change["key"] not in undoing
        )
        for content, count in contents.items():
            if count > 1:
                yield f"I2 {issue}: the same change was made {count} times: {content[:120]}"


def _approved(history: History) -> Iterator[str]:
    """I3: each effect was planned by us, allowed by a person (or an open gate) before, about exactly what was shown."""
    planned = {row["key"]: row for row in history.tables["actions"]}
    made = {_told(e).get("key"): e["seq"] for e in reversed(history.ledger) if e["event"] == "action_done"}
    for issue, changes in history.effects.items():
        for change in changes:
            if not _is_ours(change):
                continue
            row = planned.get(change["key"])
            if row is None:
                yield f"I3 {issue}: {change['kind']} was made and never planned"
                continue
            if issue in history.erased:
                continue
            if (row["body"]["kind"], row["body"]["params"]) != (change["kind"], change["params"]):
                yield f"I3 {issue}: another {change['kind']} was made than planned"
            if row.get("undoes"):
                yield from _undone(history, issue, row)
                continue
            yield from _allowed(history, row, made.get(change["key"], len(history.ledger) + 1))


def _undone(history: History, issue: str, action: Row) -> Iterator[str]:
    """An undo takes back something that was made, and a person is named for it."""
    entries = [e for e in history.ledger if e["event"] == "action_undone" and _told(e).get("key") == action["key"]]
    if not any(change["key"] == action["undoes"] for change in history.effects[issue]):
        yield f"I3 {issue}: something was taken back that was never made"
    if action["state"] == "done" and len(entries) != 1:
        yield f"I5 {issue}: an undo has {len(entries)} records"


def _allowed(history: History, action: Row, before: int) -> Iterator[str]:
    name = f"I3 {action['target']}: {action['body']['kind']}"
    of_run = [
        row for row in history.tables["reviews"] if row["run_id"] == action["run_id"] and row["state"] == "decided"
    ]
    reviews = [row for row in of_run if (row["decision"] or {}).get("verdict") in ACCEPTING]
    about = [entry for entry in history.ledger if _told(entry).get("run_id") == action["run_id"]]
    opened = any(entry["event"] == "triaged" and entry["payload"].get("gate") == "auto" for entry in about)
    held = min((entry["seq"] for entry in about if entry["event"] == "held"), default=None)
    if opened and held is not None and before < held:
        return  # the gate was open then; what was left of the run was held back for a person
    if not reviews:
        if not opened or held is not None:
            yield f"{name} was made and nobody approved it"
        return
    review = max(reviews, key=lambda row: row["decided_at"])
    decision, shown = review["decision"], review["shown"]
    if not (_sha(shown) == review["digest"] == decision["digest"]):
        yield f"{name}: what was approved is not what was shown"
    recorded = [
        entry["seq"]
        for entry in history.ledger
        if entry["event"] == "decided" and _told(entry).get("review_id") == review["review_id"]
    ]
    if not recorded or min(recorded) > before:
        yield f"{name} was made before its approval was recorded"
    if not _is_covered(action["body"], decision, shown):
        yield f"{name} is not among what was shown"


def _is_covered(body: Row, decision: Row, shown: Row) -> bool:
    offered = [(action["kind"], action["params"]) for action in shown["actions"]]
    kind, params = body["kind"], body["params"]
    if decision["verdict"] == "edit" and kind == "set_field" and params["field"] in decision["edits"]:
        return bool(params["value"] == decision["edits"][params["field"]])
    if decision["verdict"] == "ask_reporter" and kind == "add_comment":
        return bool(params["public"])
    return (kind, params) in offered


def _carried_out(history: History, drained: bool) -> Iterator[str]:
    """I4: nothing that was approved is left lying."""
    if not drained:
        return
    runs = {row["run_id"]: row for row in history.tables["runs"]}
    states: dict[str, Counter[str]] = {}
    for row in history.tables["actions"]:
        states.setdefault(row["run_id"], Counter())[row["state"]] += 1
    for row in history.tables["actions"]:
        run = runs.get(row["run_id"])
        if row["state"] in ("planned", "trying") and (run is None or run["state"] != "superseded"):
            yield f"I4 {row['target']}: {row['body']['kind']} is still {row['state']}"
    newest = {row["run_id"]: row for row in sorted(history.tables["reviews"], key=lambda row: row["opened_at"])}
    for review in newest.values():
        if review["state"] != "decided" or review["kind"] != "triage":
            continue
        name, run = review["review_id"], runs.get(review["run_id"])
        if run is None or run["state"] not in ("done", "superseded"):
            yield f"I4 {name} was decided and its run is not done"
        elif review["decision"]["verdict"] == "approve" and run["state"] == "done":
            settled = states.get(review["run_id"], Counter())
            if settled["done"] + settled["failed"] + settled["undone"] < len(review["shown"]["actions"]):
                yield f"I4 {name} was approved and not everything was made: {dict(settled)}"


def _recorded(history: History) -> Iterator[str]:
    """I5."""
    yield from (f"I5 {broken}" for broken in chain_breaks(history.ledger))
    records = Counter(_told(e).get("key") for e in history.ledger if e["event"] == "action_done" and _told(e))
    undoing = _undoing(history)
    done = {row["key"] for row in history.tables["actions"] if row["state"] in ("done", "undone")}
    effects = {
        change["key"]: f"{issue}: {change['kind']}"
        for issue, changes in history.effects.items()
        for change in changes
        if change["key"] not in undoing and _is_ours(change) and issue not in history.erased
    }
    for key, name in effects.items():
        if records[key] > 1 or (records[key] == 0 and key in done):
            yield f"I5 {name} has {records[key]} records"
    for key, count in records.items():
        if key not in effects:
            yield f"I5 the ledger records {count} times an effect that is not there ({str(key)[:12]})"


def chain_breaks(ledger: list[Row]) -> Iterator[str]:
    """Where the chain of hashes does not hold, recomputed here."""
    previous = GENESIS
    for number, entry in enumerate(ledger, start=1):
        if entry["seq"] != number:
            yield f"the ledger's entry {number} has number {entry['seq']}"
            return
        if entry["previous_hash"] != previous:
            yield f"the ledger's entry {number} does not follow the one before it"
        fields = ("seq", "at", "actor", "event", "subject", "payload", "previous_hash")
        body = {name: entry[name] for name in fields}
        if entry.get("payload_sha256"):
            if entry["salt"] and _sha({"payload": entry["payload"], "salt": entry["salt"]}) != entry["payload_sha256"]:
                yield f"the payload of the ledger's entry {number} is not what was hashed"
            body["payload_sha256"] = entry["payload_sha256"]
            del body["payload"]
        if _sha(body) != entry["hash"]:
            yield f"the ledger's entry {number} is not what was hashed"
        previous = entry["hash"]


def _stopped(history: History) -> Iterator[str]:
    """I8: what was made while everything was stopped had been asked of the tracker before."""
    tried = {row["key"]: row.get("tried_at") for row in history.tables["actions"]}
    stopped: float | None = None
    for entry in history.ledger:
        if entry["event"] in ("stopped", "resumed"):
            stopped = entry["at"] if entry["event"] == "stopped" else None
        elif entry["event"] in ("action_done", "action_undone") and stopped is not None and _told(entry):
            if entry["event"] == "action_undone" and entry["payload"].get("while_stopped"):
                continue
            asked = tried.get(entry["payload"]["key"])
            if asked is None or asked > stopped:
                yield f"I8 {entry['subject']}: an effect while everything was stopped"


def _refused(history: History) -> Iterator[str]:
    """I9."""
    verdicts: dict[str, set[str]] = {}
    for row in history.tables["reviews"]:
        if row["state"] == "decided":
            verdicts.setdefault(row["run_id"], set()).add(row["decision"]["verdict"])
    refused = {run_id for run_id, said in verdicts.items() if said == {"reject"}}
    keys = {row["key"] for row in history.tables["actions"] if row["run_id"] in refused}
    for issue, changes in history.effects.items():
        for change in changes:
            if change["key"] in keys:
                yield f"I9 {issue}: {change['kind']} was made although it was rejected"


def _erased(history: History, words: tuple[str, ...]) -> Iterator[str]:
    """I10: a payload is missing only where a later entry says so, and an erased report is erased in every table."""
    missing = {e["seq"] for e in history.ledger if e["payload_sha256"] and e["payload"] is None}
    for entry in history.ledger:
        if entry["event"] == "redacted":
            missing -= {seq for seq in entry["payload"]["seqs"] if seq < entry["seq"]}
    if missing:
        yield f"I10 payloads are gone and nobody said so: {sorted(missing)}"
    for row in history.tables["reviews"]:
        if row["subject_id"] in history.erased and not row["shown"].get("erased"):
            yield f"I10 {row['review_id']} still shows an erased report"
    text = json.dumps(history.tables, ensure_ascii=False, default=str) if history.erased else ""
    yield from (f"I10 a word of an erased report can still be read: {word}" for word in words if word in text)


def _told(entry: Row) -> Row:
    """What a ledger entry says; nothing once it was erased."""
    payload: Row | None = entry["payload"]
    return payload or {}


def _undoing(history: History) -> set[str]:
    """Keys of the changes that take another one back."""
    return {row["key"] for row in history.tables["actions"] if row.get("undoes")}


def _is_ours(change: Row) -> bool:
    """Our keys are hashes; a person's change carries none."""
    return len(change["key"]) == 64


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _sha(value: Any) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


JSON_COLUMNS = ("options", "shown", "decision", "requires", "seeded", "body", "before", "payload")
ORDER = {"ledger": " ORDER BY seq", "decisions": " ORDER BY pk", "actions": " ORDER BY run_id, position"}


def _sqlite_tables(path: Path) -> dict[str, list[Row]]:
    # A plain connection: its WAL is part of what is on disk.
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return {
            name: [_parsed(dict(row)) for row in connection.execute(f"SELECT * FROM {name}{ORDER.get(name, '')}")]
            for name in TABLES
        }
    finally:
        connection.close()


def _postgres_tables(url: str) -> dict[str, list[Row]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(url, row_factory=dict_row) as connection:
        return {
            name: [_parsed(row) for row in connection.execute(f"SELECT * FROM {name}{ORDER.get(name, '')}")]  # type: ignore[call-overload]
            for name in TABLES
        }


def _parsed(row: Row) -> Row:
    return {
        name: json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
        for name, value in row.items()
    }
