"""What a person or a program can ask about quality gates: hold a run against them, certify it, check a certificate again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from qa_agents.checkpoint import ledger as record
from qa_agents.checkpoint.chain import Entry as LedgerEntry
from qa_agents.errors import FindingsError, InvalidInputError, NotFoundError
from qa_agents.results import certificate as certificates
from qa_agents.results.certificate import Certificate, Check
from qa_agents.results.gate_metrics import Facts, measure
from qa_agents.results.schema import Run
from qa_agents.storage.tables import runs
from qa_agents.summarizing import Summarised, summarised

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

CERTIFIED = "certified"
_CHUNK = 1 << 20


def certify(workspace: "Workspace", run_id: str) -> Certificate:
    """The certificate of a kept run's newest quality gate; the ledger keeps its digest, once.

    Raises FindingsError while somebody must still sign, InvalidInputError for a run that was held against no gate file,
    NotFoundError for one that was not looked at.
    """
    found = summarised(workspace, run_id)
    account = found.account.run_id or ""
    options, closed = _options(workspace, account), _closing(workspace, found, account)
    if not options.get("gates_sha256"):
        raise InvalidInputError(
            f"The run {run_id} was held against no gate file.",
            hint=f"`qa-agents gate check {run_id} --gates gates.toml`",
        )
    if closed is None:
        raise FindingsError(
            f"The gate of {run_id} waits for a signature ({found.review_id}).",
            hint=f"`qa-agents review sign {found.review_id}`, or `review reject`.",
        )
    text = workspace.document(str(options["gates_sha256"])).decode("utf-8")
    review = workspace.inbox.of_run(account)
    decision = review.decision if review and review.state == "decided" else None
    summary = found.summary
    made = certificates.seal(
        Certificate(
            run=summary.run,
            run_sha256=summary.run_sha256,
            inputs=tuple(certificates.Input(name=one.name, sha256=one.sha256) for one in summary.files),
            baseline=summary.baseline.run_id if summary.baseline else "",
            gates_name=str(options.get("gates_name") or "gates.toml"),
            gates_sha256=str(options["gates_sha256"]),
            gates_text=text,
            judged=summary.gates,
            judged_at=_judged_at(workspace, found, account),
            outcome=summary.gate or "undecided",
            standing=certificates.standing_of(summary.gates, decision),
            decision=decision,
            summary_sha256=str(closed.payload.get("summary", "")),
            account=account,
            ledger=certificates.Entry(seq=closed.seq, hash=closed.hash),
        )
    )
    subject = found.account.report_id
    if made.sha256 not in _certified(workspace, subject):
        with workspace.database.write() as connection:
            workspace.ledger.append(connection, CERTIFIED, subject, sha256=made.sha256, run_id=account)
    return made


def verify(
    workspace: "Workspace | None", body: bytes, name: str, *, inputs: Sequence[Path] = (), now: datetime | None = None
) -> tuple[Certificate, list[Check]]:
    """A certificate and everything about it that could be checked again; without a workspace the ledger is not asked.

    Raises InvalidInputError for what is no certificate.
    """
    found, checked = certificates.read_certificate(body, name)
    checked += certificates.checks(found, now or datetime.now(UTC))
    checked += _inputs(found, inputs)
    if workspace is None:
        return found, [
            *checked,
            Check(name="ledger", holds=None, says="Not asked: whether it was ever issued is unknown."),
        ]
    return found, [*checked, *_known(workspace, found)]


def holds(checked: Sequence[Check]) -> bool:
    """Whether nothing was found to be wrong."""
    return not any(one.holds is False for one in checked)


def _known(workspace: "Workspace", found: Certificate) -> list[Check]:
    subject = _subject_of(workspace, found.account)
    if subject is None or found.sha256 not in _certified(workspace, subject):
        return [Check(name="ledger", holds=False, says="This workspace's ledger knows nothing of this certificate.")]
    entry = next(
        (one for one in record.entries_about(workspace.database, subject) if one.seq == found.ledger.seq), None
    )
    if entry is None or entry.hash != found.ledger.hash:
        return [
            Check(
                name="ledger", holds=False, says=f"Entry {found.ledger.seq} of the ledger is not the one that is named."
            )
        ]
    chain = record.verify(workspace.database, anchors=workspace.anchors)
    checks = [
        Check(name="ledger", holds=True, says=f"Issued by this workspace, entry {entry.seq} of the ledger.")
        if not chain.findings
        else Check(name="ledger", holds=False, says=f"The ledger itself is broken: {chain.findings[0].says}")
    ]
    account = workspace.received.find(subject)
    newest = account is not None and account.run_id == found.account
    checks.append(
        Check(
            name="newest",
            holds=newest,
            says="Nothing newer replaced it." if newest else "It is void: the run was judged again since.",
        )
    )
    return [*checks, *_measured_again(workspace, found)]


def _measured_again(workspace: "Workspace", found: Certificate) -> list[Check]:
    """Whether the kept run still gives the numbers that rest on it alone."""
    try:
        head = workspace.run_store.head(found.run.run_id)
    except NotFoundError:
        return [
            Check(name="run", holds=None, says="The run is not kept any more; its numbers cannot be measured again.")
        ]
    if head.digest != found.run_sha256:
        return [Check(name="run", holds=False, says=f"The kept run {found.run.run_id} is not the one that was judged.")]
    facts, counted = Facts(run=workspace.run_store.get(found.run.run_id), before=_baseline(workspace, found)), 0
    for one in found.judged:
        again = measure(facts, one.gate)
        if again.estimate is None:
            continue
        counted += 1
        if one.measured != again.estimate:
            return [
                Check(
                    name="run",
                    holds=False,
                    says=f"{one.gate.name}: {again.estimate} is measured now, not {one.measured}.",
                )
            ]
    rest = " Others need a comparison of tests, or the memory." if counted < len(found.judged) else ""
    told = f"{counted} of {len(found.judged)} numbers were measured again: the same.{rest}"
    return [Check(name="run", holds=True, says=told)]


def _baseline(workspace: "Workspace", found: Certificate) -> Run | None:
    """What the run was compared with, where it is still kept."""
    try:
        return workspace.run_store.get(found.baseline) if found.baseline else None
    except NotFoundError:
        return None


def _inputs(found: Certificate, paths: Sequence[Path]) -> list[Check]:
    known = {one.sha256: one.name for one in found.inputs}
    checks, seen = [], set()
    for path in paths:
        digest = _digest(path)
        seen.add(digest)
        if digest not in known:
            checks.append(
                Check(name="input", holds=False, says=f"{path} is no file that was read for it, or was changed since.")
            )
    if paths and all(one.holds for one in checks):
        left = len(set(known) - seen)
        checks.append(
            Check(name="input", holds=True, says=f"Unchanged: {len(seen)} of {len(known)} files; {left} not given.")
        )
    if not paths:
        checks.append(Check(name="input", holds=None, says="No input file was given to compare with (--input)."))
    return checks


def _digest(path: Path) -> str:
    made = sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                made.update(chunk)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error.strerror}).", hint="Name readable files.") from None
    return made.hexdigest()


def _options(workspace: "Workspace", account: str) -> dict[str, Any]:
    with workspace.database.read() as connection:
        found = connection.execute(select(runs.c.options).where(runs.c.run_id == account)).scalar()
    return dict(found or {})


def _subject_of(workspace: "Workspace", account: str) -> str | None:
    with workspace.database.read() as connection:
        found: str | None = connection.execute(select(runs.c.subject_id).where(runs.c.run_id == account)).scalar()
    return found


def _closing(workspace: "Workspace", found: Summarised, account: str) -> LedgerEntry | None:
    """The entry that closed this run's account; None while it is open."""
    return _last(workspace, found.account.report_id, "recorded", account)


def _judged_at(workspace: "Workspace", found: Summarised, account: str) -> datetime:
    entry = _last(workspace, found.account.report_id, "summarised", account)
    return datetime.fromtimestamp(entry.at if entry else 0.0, UTC)


def _last(workspace: "Workspace", subject: str, event: str, account: str) -> LedgerEntry | None:
    made = [
        one
        for one in record.entries_about(workspace.database, subject)
        if one.event == event and one.payload.get("run_id") == account
    ]
    return made[-1] if made else None


def _certified(workspace: "Workspace", subject: str) -> set[str]:
    return {
        str(one.payload.get("sha256"))
        for one in record.entries_about(workspace.database, subject)
        if one.event == CERTIFIED
    }
