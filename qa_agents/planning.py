"""What a person or a program can ask about test plans: draft one, decide about its items, export it. Beside operations/."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, SecretStr, ValidationError
from sqlalchemy import select

from qa_agents.checkpoint.policy import Reviewer
from qa_agents.checkpoint.schema import Review
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.plans.decisions import ItemDecision, ItemVerdict, edited, keep
from qa_agents.plans.schema import TestPlan
from qa_agents.runtime.received import Account
from qa_agents.storage.artifacts import put_artifact, sha256_hex
from qa_agents.storage.canonical import canonical_json
from qa_agents.storage.tables import runs

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

SOURCE = "plan"
MAX_PLAN_BYTES = 200_000_000
_NAME = re.compile(r"[^\w.-]+")

Named = tuple[str, bytes]
"""A file's name without folders, or an issue's key, and its bytes."""


class Drafted(BaseModel):
    """A plan as it stands, and the review that waits for a person."""

    name: str
    plan: TestPlan
    account: Account
    review_id: str | None = None
    form: str | None = None
    """question: something must be answered first; signoff: somebody must take accountability."""
    notes: list[str] = Field(default_factory=list)


def plan_name(given: str | None, files: Sequence[str]) -> str:
    """The plan's name: the one given, else that of its first file without its ending."""
    raw = given or (files[0].rsplit("/", 1)[-1].rsplit(".", 1)[0] if files else "")
    return _NAME.sub("-", raw).strip("-.")[:80] or "plan"


def draft(
    workspace: "Workspace",
    sources: Sequence[Named],
    *,
    unread: Mapping[str, Sequence[str]] | None = None,
    levels: Mapping[str, str] | None = None,
    name: str,
    title: str = "",
    previous: bytes | None = None,
    existing: Sequence[Named] = (),
    domains: Sequence[str] = (),
    ask: bool = True,
    again: bool = False,
) -> Drafted:
    """Draft a plan up to the checkpoint. The same specification again gives the stored plan, unless `again`.

    `unread` says of a source, by name, what whoever fetched it had to leave out, `levels` which security level it has. Another
    specification under the same name replaces what waits. Raises InvalidInputError for a previous plan that is none.
    """
    if not any(body.strip() for _, body in sources):
        raise InvalidInputError("The specification is empty.", hint="Give a file that holds text.")
    if previous is not None:
        as_plan(previous, "The previous plan")
    with workspace.database.write() as connection:
        kept: list[dict[str, Any]] = [
            {"name": one, "sha256": put_artifact(connection, body, "application/octet-stream")} for one, body in sources
        ]
        for one in kept:
            if said := list((unread or {}).get(one["name"], ())):
                one["unread"] = said
            if level := (levels or {}).get(one["name"]):
                one["level"] = level
        cases = [
            {"name": one, "sha256": put_artifact(connection, body, "application/octet-stream")}
            for one, body in existing
        ]
        before = put_artifact(connection, previous) if previous is not None else None
    options = {
        "sources": kept,
        "existing": cases,
        "previous_sha256": before,
        "domains": list(domains),
        "title": title or name,
        "ask": ask,
    }
    return _run(workspace, name, options, again=again)


def epic_sources(
    workspace: "Workspace", key: str, *, restricted: bool = False
) -> tuple[list[Named], dict[str, list[str]], dict[str, str]]:
    """An epic and its stories as sources for `draft`, each under its key, what of each was not read, and its security level.

    Raises InvalidInputError for what is no issue key or is restricted, NotFoundError, UnavailableError.
    """
    stories = workspace.epics.epic(key, restricted=restricted)
    unread = {one.key: one.unread for one in stories if one.unread}
    return (
        [(one.key, one.text.encode()) for one in stories],
        unread,
        {one.key: one.level for one in stories if one.level},
    )


def decide_item(
    workspace: "Workspace",
    name: str,
    item_id: str,
    verdict: ItemVerdict,
    *,
    text: str = "",
    edits: Mapping[str, Any] | None = None,
    reviewer: str | None,
    token: SecretStr | None = None,
    recognised: Reviewer | None = None,
) -> Drafted:
    """Keep what a person decided about one item of a plan, and draft it anew with that; what waited is replaced.

    `recognised` is who was authenticated already.
    Raises NotFoundError for an item the plan does not have, InvalidInputError for a change it cannot take.
    """
    from qa_agents.operations.deciding import recognise

    by = recognised or recognise(workspace, reviewer, token)
    plan = plan_of(workspace, name)
    _check_item(plan, item_id, verdict, edits or {})
    decision = ItemDecision(
        item_id=item_id, verdict=verdict, text=text, edits=dict(edits or {}), by=by.name, at=time.time()
    )
    return _decide(workspace, name, [decision])


def accept_items(workspace: "Workspace", name: str, item_ids: Sequence[str], *, recognised: Reviewer) -> Drafted:
    """Keep that a person accepts these items of a plan, all or none, and draft it anew once. Raises as `decide_item` does."""
    plan = plan_of(workspace, name)
    for item_id in item_ids:
        _check_item(plan, item_id, "accept", {})
    now = time.time()
    accepted = [ItemDecision(item_id=item_id, verdict="accept", by=recognised.name, at=now) for item_id in item_ids]
    return _decide(workspace, name, accepted)


def _decide(workspace: "Workspace", name: str, decisions: Sequence[ItemDecision]) -> Drafted:
    with workspace.database.write() as connection:
        for one in decisions:
            keep(connection, _subject(name), one)
            workspace.ledger.append(
                connection,
                "item_decided",
                _subject(name),
                actor=one.by,
                item=one.item_id,
                verdict=one.verdict,
                text=one.text,
            )
    return _run(workspace, name, _options_of(workspace, name), again=True)


def drafted(workspace: "Workspace", name: str) -> Drafted:
    """The plan called `name` as it stands now. Raises NotFoundError."""
    account = workspace.received.find(_subject(name))
    if account is None or account.run_id is None:
        raise NotFoundError(
            f"There is no plan {name}.", hint="`qa-agents plans list` shows the plans of this workspace."
        )
    return _as_drafted(workspace, name, account)


def drafted_of(workspace: "Workspace", review: Review) -> Drafted:
    """The plan that a review is about."""
    return drafted(workspace, review.subject_id.removeprefix("plan/"))


def plan_of(workspace: "Workspace", name: str) -> TestPlan:
    """The newest draft of the plan called `name`. Raises NotFoundError."""
    return drafted(workspace, name).plan


def names(workspace: "Workspace") -> list[str]:
    """The names of the plans in this workspace, the newest first."""
    query = select(runs.c.subject_id).where(runs.c.kind == "plan").order_by(runs.c.started_at.desc())
    with workspace.database.read() as connection:
        subjects = connection.execute(query).scalars().all()
    return list(dict.fromkeys(subject.removeprefix("plan/") for subject in subjects))


def as_plan(body: bytes, what: str) -> TestPlan:
    """A plan.json's bytes as a plan. Raises InvalidInputError, naming `what`."""
    try:
        return TestPlan.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the beginning"
        raise InvalidInputError(
            f"{what} is no plan of this release: {first['msg']} at {place}.",
            hint="Give a plan.json that `qa-agents plan` wrote.",
        ) from None


def _run(workspace: "Workspace", name: str, options: dict[str, Any], *, again: bool) -> Drafted:
    subject = _subject(name)
    raw = canonical_json(options)
    report = Report(id=subject, summary=f"Test plan {options['title']}", description="")
    received = ReceivedReport(report, raw, sha256_hex(raw), line=1)
    account = workspace.received.accept(received, source=SOURCE, kind="plan", options=options, again=again)
    if account.run_id is not None and (account.fresh or account.state in ("received", "failed")):
        workspace.desk.run(account.run_id)
    return _as_drafted(workspace, name, workspace.received.find(subject) or account)


def _as_drafted(workspace: "Workspace", name: str, account: Account) -> Drafted:
    document = workspace.desk.outcome(account.run_id or "")
    if document is None:
        raise NotFoundError(f"The plan {name} has no draft yet.", hint="`qa-agents recover` finishes it.")
    review = workspace.inbox.of_run(account.run_id or "")
    waiting = review if review is not None and review.waits else None
    return Drafted(
        name=name,
        plan=TestPlan.model_validate_json(document),
        account=account,
        review_id=waiting.review_id if waiting else None,
        form=waiting.form if waiting else None,
    )


def _check_item(plan: TestPlan, item_id: str, verdict: ItemVerdict, edits: Mapping[str, Any]) -> None:
    cases = {case.id: case for case in plan.cases}
    if verdict == "answer":
        if item_id not in {question.id for question in plan.questions}:
            raise NotFoundError(f"The plan asks no question {item_id}.", hint="`qa-agents plans questions` lists them.")
        return
    if item_id not in cases:
        raise NotFoundError(f"The plan has no case {item_id}.", hint="`qa-agents plans show` lists them.")
    if verdict == "edit":
        try:
            edited(cases[item_id], dict(edits))
        except ValueError as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise InvalidInputError(f"{item_id} cannot be changed so: {said}.", hint="--set FIELD=VALUE") from None


def _options_of(workspace: "Workspace", name: str) -> dict[str, Any]:
    query = select(runs.c.options).where(runs.c.subject_id == _subject(name)).order_by(runs.c.started_at.desc())
    with workspace.database.read() as connection:
        return dict(connection.execute(query).scalars().first() or {})


def _subject(name: str) -> str:
    return f"plan/{name}"


def source_texts(workspace: "Workspace", name: str) -> dict[str, str]:
    """The text of each specification file of a plan as it was read, by source id."""
    from qa_agents.plans.read import read_sources

    sources = _options_of(workspace, name).get("sources", [])
    named = [(str(one["name"]), workspace.document(str(one["sha256"]))) for one in sources]
    return {document.source.id: document.text for document in read_sources(named)}
