"""The ledger for auditors: every entry as canonical JSON with what it takes to verify it, and a readable page per report."""

import hashlib
import json
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, select

from qa_agents.checkpoint.anchor import Anchors
from qa_agents.checkpoint.chain import Verification, moment
from qa_agents.checkpoint.ledger import entries, entries_about, verify
from qa_agents.checkpoint.markup import Markup, Writer, document, tag
from qa_agents.checkpoint.page import Story, report_page
from qa_agents.checkpoint.schema import Decision
from qa_agents.checkpoint.votes import ballot
from qa_agents.errors import ErasedError, NotFoundError, UnavailableError, UsageError
from qa_agents.storage.artifacts import get_artifact, sha256_hex
from qa_agents.storage.canonical import canonical_json, digest_of
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions, decisions, reports, reviews, runs

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


class Exported(BaseModel):
    """What was written for auditors."""

    folder: Path
    entries: int
    reports: int
    verification: Verification


def export_ledger(
    database: Database,
    folder: Path,
    *,
    mask: Callable[[str], str],
    report_ids: Sequence[str] = (),
    anchors: Anchors | None = None,
    now: Callable[[], float] = time.time,
) -> Exported:
    """Write README.md, ledger.jsonl, index.html and a page per report (all, unless some are named) into an empty folder.

    `mask` hides secrets in what pages show; ledger.jsonl is verbatim. Raises UsageError when the folder holds something,
    NotFoundError for an unknown report, UnavailableError when the folder cannot be written.
    """
    chosen = list(_known(database, report_ids))
    verification = verify(database, anchors=anchors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"The folder {folder} is not empty.", hint="Choose a new one with --out.")
        written = _write_lines(folder / "ledger.jsonl", (entry.as_json() for entry in entries(database)))
        if anchors is not None and anchors.exists():
            (folder / "anchors.jsonl").write_bytes(anchors.path.read_bytes())
        (folder / "README.md").write_text(_readme(verification), encoding="utf-8")
        told = _pages(database, folder, chosen, verification, mask, now())
        _write(folder / "index.html", _index(told, verification, mask, now()))
    except OSError as error:
        raise UnavailableError(
            f"The export cannot be written to {folder} ({error.strerror}).", hint="Choose another folder with --out."
        ) from None
    return Exported(folder=folder, entries=written, reports=len(chosen), verification=verification)


def story(database: Database, report_id: str, verification: Verification, exported_at: float) -> Story:
    """Everything stored about a report, as plain JSON: `{report_id, accounts, runs, reviews, actions, entries, …}`."""
    with database.read() as connection:
        accounts = _rows(connection, select(reports).where(reports.c.report_id == report_id).order_by(reports.c.source))
        passes = _rows(connection, select(runs).where(runs.c.subject_id == report_id).order_by(runs.c.started_at))
        asked = _rows(
            connection, select(reviews).where(reviews.c.subject_id == report_id).order_by(reviews.c.opened_at)
        )
        ids = [run["run_id"] for run in passes]
        made = select(actions).where(actions.c.run_id.in_(ids)).order_by(actions.c.planned_at, actions.c.position)
        return {
            "report_id": report_id,
            "exported_at": exported_at,
            "accounts": [{**account, "raw": _raw(connection, account)} for account in accounts],
            "runs": [_with_documents(connection, run) for run in passes],
            "reviews": [_with_answers(connection, review) for review in asked],
            "actions": _rows(connection, made),
            "entries": (told := [entry.as_json() for entry in entries_about(database, report_id)]),
            "erased": any(entry["event"] == "redacted" for entry in told),
            "chain": chain_says(verification),
            "chain_holds": verification.intact,
        }


def page_name(report_id: str) -> str:
    """The file name of a report's page: its id when that is plain, always with a hash, so that no two ids share a file."""
    digest = hashlib.sha256(report_id.encode("utf-8", "surrogatepass")).hexdigest()
    if _SAFE_ID.fullmatch(report_id):
        return f"report-{report_id}-{digest[:8]}.html"
    return f"report-{digest[:24]}.html"


def chain_says(verification: Verification) -> str:
    """The result of a verification in one sentence."""
    if verification.findings:
        many = len(verification.findings) + verification.more
        return f"When this was exported, the ledger did not hold ({many} findings): {verification.findings[0].says}"
    anchored = f", {verification.anchors} anchors agree" if verification.anchors else ", no anchor was compared"
    erased = f", {verification.erased} payloads erased as recorded" if verification.erased else ""
    return f"When this was exported, all {verification.entries} ledger entries held{anchored}{erased}."


def _known(database: Database, report_ids: Sequence[str]) -> Iterator[str]:
    with database.read() as connection:
        query = select(reports.c.report_id).distinct().order_by(reports.c.report_id)
        if not report_ids:
            yield from connection.execute(query).scalars()
            return
        for name in dict.fromkeys(report_ids):
            if connection.execute(query.where(reports.c.report_id == name)).first() is None:
                raise NotFoundError(f"There is no report {name}.", hint="`qa-agents ledger show` lists what happened.")
            yield name


def _pages(
    database: Database,
    folder: Path,
    report_ids: Iterable[str],
    verification: Verification,
    mask: Callable[[str], str],
    at: float,
) -> list[dict[str, str]]:
    """Write every page, one at a time; what the index tells about each."""
    told = []
    for report_id in report_ids:
        found = story(database, report_id, verification, at)
        _write(folder / page_name(report_id), report_page(found, mask))
        told.append(_told(found))
    return told


def _told(found: Story) -> dict[str, str]:
    summaries = [str(run["report"].get("summary") or "") for run in found["runs"] if run["report"]]
    answers = [_said(answer) for review in found["reviews"] for answer in review["answers"]]
    done = sum(action["state"] == "done" and not action.get("undoes") for action in found["actions"])
    return {
        "id": found["report_id"],
        "summary": summaries[-1][:200] if summaries else "(erased)" if found["erased"] else "(no readable report)",
        "state": ", ".join(dict.fromkeys(account["state"] for account in found["accounts"])),
        "received": moment(min(account["received_at"] for account in found["accounts"])),
        "decided": "; ".join(dict.fromkeys(answers)) or "nobody yet",
        "written": str(done),
    }


def _said(answer: Story) -> str:
    body, second = answer["body"], " (second look)" if answer["purpose"] == "second" else ""
    return f"{body.get('reviewer')}: {body.get('verdict')}{second}"


def _index(told: list[dict[str, str]], verification: Verification, mask: Callable[[str], str], at: float) -> str:
    write = Writer(mask)
    rows = (
        (
            Markup(f'<a href="{page_name(one["id"])}">{write.text(one["id"])}</a>'),
            *(one[name] for name in ("summary", "state", "received", "decided", "written")),
        )
        for one in told
    )
    findings = write.items(finding.says for finding in verification.findings) + write.items(verification.notes)
    head = ("report", "summary", "state", "received", "answered", "changes that stand")
    body = (
        "<header>"
        + tag("h1", "What happened to every report")
        + tag("p", write.text(f"Exported {moment(at)}."), "soft")
        + "</header>\n<main>"
        + tag("p", write.text(chain_says(verification)), "good" if verification.intact else "bad")
        + findings
        + tag("p", "README.md says how to verify ledger.jsonl without this program.")
        + (write.table(f"{len(told)} reports", head, rows) or tag("p", "No report was received."))
        + "</main>"
    )
    return document(Markup("Audit export"), Markup(body))


def _with_documents(connection: Connection, run: dict[str, Any]) -> dict[str, Any]:
    problems: list[str] = []
    return {
        **run,
        "report": _document(connection, run["input_sha256"], "report", problems),
        "verdict": _document(connection, run["outcome_sha256"], "verdict", problems),
        "problems": problems,
    }


def _with_answers(connection: Connection, review: dict[str, Any]) -> dict[str, Any]:
    """The review with every answer; one that an older release decided has its only answer in the row itself."""
    query = select(decisions).where(decisions.c.review_id == review["review_id"]).order_by(decisions.c.pk)
    answers = _rows(connection, query)
    if not answers and review["decision"]:
        at = review["decided_at"] or review["opened_at"]
        answers = [{"purpose": "vote", "body": review["decision"], "at": at}]
    authors = _authors(answers)
    answers = [{**answer, "author": authors.get(str(answer["body"].get("digest")))} for answer in answers]
    matches = None if review["shown"].get("erased") else digest_of(review["shown"]) == review["digest"]
    return {**review, "answers": answers, "shown_matches": matches}


def _authors(answers: list[dict[str, Any]]) -> dict[str, str]:
    """Ballot to who put it forward first, so that an approval can say whose edit it is about; erased answers have none."""
    found: dict[str, str] = {}
    for answer in answers:
        try:
            decision = Decision.model_validate(answer["body"])
        except ValidationError:
            continue
        found.setdefault(ballot(decision), decision.reviewer)
    return found


def _document(connection: Connection, sha256: str | None, what: str, problems: list[str]) -> dict[str, Any] | None:
    if sha256 is None:
        return None
    try:
        body = get_artifact(connection, sha256)
        if sha256_hex(body) != sha256:
            problems.append(f"The stored {what} {sha256[:12]}… was changed: its hash is another.")
        value = json.loads(body)
    except ErasedError:
        problems.append(f"The {what} {sha256[:12]}… was erased on request.")
    except NotFoundError:
        problems.append(f"The {what} {sha256[:12]}… is not stored any more.")
    except (zlib.error, ValueError, RecursionError):
        problems.append(f"The stored {what} {sha256[:12]}… cannot be read.")
    else:
        return value if isinstance(value, dict) else None
    return None


def _raw(connection: Connection, account: dict[str, Any]) -> str | None:
    """The bytes of a report that could not be read, as text: nothing else of it is there to show."""
    if account["state"] != "rejected":
        return None
    try:
        return get_artifact(connection, account["raw_sha256"]).decode("utf-8", "replace")
    except (NotFoundError, zlib.error):
        return None


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(query)]


def _write_lines(path: Path, values: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("wb") as file:
        for value in values:
            file.write(canonical_json(value) + b"\n")
            count += 1
    return count


def _write(path: Path, page: str) -> None:
    path.write_bytes(page.encode("utf-8", "replace"))


def _readme(verification: Verification) -> str:
    return _README.format(entries=verification.entries, head=verification.head_seq, hash=verification.head_hash)


_README = """# Audit export
- `index.html`: every report, with a page each. The pages need no network and no script; secrets are masked in them.
- `ledger.jsonl`: all {entries} entries, one JSON object a line, verbatim. The last one is entry {head}, hash `{hash}`.
- `anchors.jsonl`, when anchors are kept: what the ledger's newest hash was, written down elsewhere at the time. Compare with the
  original of that file, not with this copy.

## Verify it without the program that wrote it
Each entry's `hash` is the SHA-256 of the canonical JSON (sorted keys, no blanks, UTF-8) of the entry without `hash`, `payload`
and `salt`. `payload_sha256` is that of `{{"payload": …, "salt": …}}`. So a payload can be erased (both become null) and the chain
still holds; an erasure counts only when a later `redacted` entry names it. In entries without `payload_sha256` the hash covers
`payload` itself. Save this as `verify.py` beside `ledger.jsonl` and run `python3 verify.py`:

```python
import hashlib, json
def sha(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
previous, seq, erased = "0" * 64, 0, set()
for line in open("ledger.jsonl", encoding="utf-8"):
    entry = json.loads(line)
    stored, payload, salt, digest = (entry.pop(k) for k in ("hash", "payload", "salt", "payload_sha256"))
    old = digest is None
    assert entry["seq"] == seq + 1 and entry["previous_hash"] == previous, f"the chain breaks at {{entry['seq']}}"
    assert sha(entry | ({{"payload": payload}} if old else {{"payload_sha256": digest}})) == stored, f"{{seq + 1}} was changed"
    if not old and payload is None:
        erased.add(seq + 1)
    elif not old:
        assert sha({{"payload": payload, "salt": salt}}) == digest, f"the payload of {{seq + 1}} was changed"
    erased -= set(payload["seqs"]) if entry["event"] == "redacted" else set()
    previous, seq = stored, seq + 1
assert not erased, f"payloads vanished: {{sorted(erased)}}"
print(f"{{seq}} entries hold; the last hash is {{previous}}")
```
Whoever can rewrite the whole ledger can make a chain that holds. Only anchors kept elsewhere show that; compare the last hash.
"""
