"""The operations behind the nodes: each calls what the commands call, and turns it into a reply."""

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_agents.assistant import answers, cards, lookup
from qa_agents.assistant.schema import Intent, Item, Point, Reply
from qa_agents.checkpoint.ledger import entries_about
from qa_agents.checkpoint.schema import Review
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.intake import ReceivedReport, read_report
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.operations.deciding import Decided
from qa_agents.operations.deciding import decide as decide_
from qa_agents.operations.handling import Handled, handle
from qa_agents.operations.handling import explain as explain_
from qa_agents.operations.intervening import undo as undo_
from qa_agents.planning import Drafted, draft, drafted, plan_name
from qa_agents.runtime.undo import Undone
from qa_agents.summarizing import Summarised, find_baseline, take_in
from qa_agents.summarizing import summarise as summarise_

if TYPE_CHECKING:
    from pydantic import SecretStr

    from qa_agents.runtime.drain import Drain
    from qa_agents.wiring import Workspace

OPTIONS: dict[str, Any] = {"k": 20, "remember": True}
"""As `qa-agents triage` has them, so that the same report is recognised whichever way it comes."""
MAX_REPORTS = 20
MAX_SPEC_BYTES = 50_000_000
CLOSE = 0.6
"""Likeness (words or meaning, 0 to 1) from which a past incident is worth offering to somebody who was not understood."""
_VERSION = re.compile(r"\b\d+(?:\.\d+)+\b")


def version_in(text: str) -> str | None:
    """The version a question names, or None."""
    found = _VERSION.search(text)
    return found[0] if found else None


def triage(
    workspace: "Workspace", files: Sequence[str], text: str, emit: Callable[[str, str], None], drain: "Drain"
) -> list[Handled]:
    """Triage the reports in these files, or the one in a text. Raises InvalidInputError for what is none, or is too many."""
    limit = workspace.settings.max_report_bytes
    received = (
        [one for name in files for one in read_report(Path(name).expanduser(), limit)]
        if files
        else received_text(text, limit)
    )
    if len(received) > MAX_REPORTS:
        raise InvalidInputError(
            f"These are {len(received)} reports; the chat takes {MAX_REPORTS} at a time.",
            hint="`qa-agents triage --batch FILE` takes any number.",
        )
    done: list[Handled] = []
    for number, one in enumerate(received, start=1):
        if drain.is_set():
            break
        if len(received) > 1:
            emit("progress", f"triaging {number} of {len(received)}")
        done.append(handle(workspace, one, options=OPTIONS))
    return done


def received_text(text: str, limit: int) -> list[ReceivedReport]:
    """A pasted or typed text, read as a file with these bytes would be: JSON, JSON Lines or prose."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pasted"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            return read_report(path, limit)
        except (InvalidInputError, NotFoundError) as error:
            message = error.message.replace(str(path), "What you pasted").replace(path.name, "What you pasted")
            raise InvalidInputError(message, hint="Paste one report, or name a file.") from None


def several(done: Sequence[Handled]) -> Reply:
    """Several triaged reports, one line each."""
    listed = []
    for one in done:
        line = answers.verdict_line(one.triage) if one.triage else f"no verdict: {one.account.error}"
        waits = f" · waits as {one.triage.review_id}" if one.triage and one.triage.review_id else ""
        listed.append((Item(kind="report", id=one.account.report_id), f"{line}{waits}"))
    failed = sum(one.triage is None for one in done)
    text = f"{len(done)} reports triaged." if not failed else f"{len(done) - failed} of {len(done)} reports triaged."
    return Reply(text=text, listed=listed, next=["show the first", "what waits for me?"], ok=not failed)


def plan(workspace: "Workspace", files: Sequence[str]) -> Drafted:
    """Draft a plan from specification files. Raises NotFoundError and InvalidInputError for files that cannot be read."""
    sources = [(Path(name).name, _bytes_of(name)) for name in files]
    return draft(workspace, sources, name=plan_name(None, [name for name, _ in sources]))


def plan_reply(workspace: "Workspace", name: str) -> Reply:
    """A plan as it stands, with what waits of it."""
    from qa_agents.plans.decisions import open_questions

    found = drafted(workspace, name)
    review = lookup.waiting_review(workspace, found.review_id) if found.review_id else None
    return cards.plan_card(found, review, open_questions(found.plan))


def summarise(workspace: "Workspace", files: Sequence[str], baseline: str | None) -> Summarised:
    """What a test run means, against `baseline` or the run before. Raises NotFoundError and InvalidInputError for files."""
    names = [str(Path(name).expanduser()) for name in files]
    before = take_in(workspace, [str(Path(baseline).expanduser())]) if baseline else None
    run = take_in(workspace, names)
    return summarise_(workspace, run, baseline=find_baseline(workspace, run, before))


def run_and_baseline(files: Sequence[str], text: str) -> tuple[list[str], str | None]:
    """Which of the files are the run, and which is what it is compared with: the second of two, where the words compare."""
    compares = re.search(r"\b(?:compared?|than|against|versus|vs|before)\b", text.casefold())
    if len(files) == 2 and compares:
        return [files[0]], files[1]
    return list(files), None


def summary_reply(workspace: "Workspace", done: Summarised) -> Reply:
    """A summary as it stands, with the signature that it waits for."""
    return cards.summary_card(done, lookup.waiting_review(workspace, done.review_id) if done.review_id else None)


def like_known(workspace: "Workspace", item: Item) -> tuple[list[tuple[Candidate, Incident]], list[str]]:
    """What is like a report or incident that is known here. Raises NotFoundError."""
    name = item.id
    if item.kind == "review":
        name = workspace.inbox.find(name).subject_id
    incident = workspace.store.get(name)
    if incident is not None:
        return lookup.like(
            workspace, Report.model_validate(incident.model_dump(include=set(Report.model_fields))), cards.SHOWN
        )
    account = workspace.received.find(name)
    if account is None or account.run_id is None:
        raise NotFoundError(f"I know nothing called {name}.", hint="Paste the report, or ask in words.")
    found = explain_(workspace, name)
    best = found.triage.similar[: cards.SHOWN]
    incidents = workspace.store.get_many([one.incident_id for one in best])
    return [(one, incidents[one.incident_id]) for one in best if one.incident_id in incidents], []


def claimed(workspace: "Workspace", item: Item) -> str | None:
    """What the verdict about a report claims of the past, as a sentence; None where there is no verdict or no claim."""
    try:
        return answers.related(explain_(workspace, item.id).triage)
    except NotFoundError:
        return None


def report_card(workspace: "Workspace", item: Item) -> tuple[Reply, str]:
    """A report's verdict with the review that waits, and the report's id. Raises NotFoundError."""
    try:
        found = explain_(workspace, item.id)
    except NotFoundError:
        incident = workspace.store.get(item.id)
        if incident is None:
            raise
        from datetime import UTC, datetime

        return cards.incident_card(incident, datetime.now(UTC)), item.id
    handled = Handled(account=found.account.model_copy(update={"fresh": True}), triage=found.triage)
    waiting = lookup.waiting_review(workspace, found.triage.review_id) if found.triage.review_id else None
    reply = answers.triaged(handled, waiting)
    return reply.model_copy(update={"text": f"{reply.text} “{found.triage.summary}”"}), found.triage.report_id


def explain(workspace: "Workspace", name: str, intent: Intent) -> tuple[Reply, str]:
    """Why a verdict came out so, and the report's id. Raises NotFoundError."""
    review = lookup.review_of(workspace, name)
    if review is not None and review.kind != "triage":
        reasons = [Point(text=str(rule)) for rule in review.shown.get("rules", ())]
        return Reply(
            text=f"{review.review_id} waits because: {review.shown.get('summary', '')}", points=reasons
        ), review.subject_id
    try:
        found = explain_(workspace, name)
    except NotFoundError:
        incident = workspace.store.get(name)
        if incident is None:
            raise
        text = f"I never judged {name}: it is a past incident as it was imported. Its fields are the team's own."
        return Reply(text=text, next=[f"show {name}"]), name
    return answers.explained(found, intent.aspect, intent.value), found.triage.report_id


def history(workspace: "Workspace", item: Item) -> Reply:
    """Who did what about a report, a review or a plan; for an imported incident, that nobody did anything here."""
    review = lookup.review_of(workspace, item.id)
    subject = review.subject_id if review is not None else item.id
    found = list(entries_about(workspace.database, subject))
    incident = workspace.store.get(subject)
    if not found and incident is not None:
        said = ", ".join(
            f"{name} {value}"
            for name, value in (
                ("resolution", incident.resolution),
                ("assignee", incident.assignee),
                ("resolved", incident.resolved),
            )
            if value
        )
        recorded = f" ({said})" if said else ""
        text = f"Nobody decided {subject} here: it was imported{recorded}. Who did is in the tracker it came from."
        return Reply(text=text)
    return cards.history_of(subject, found, review)


def decide(
    workspace: "Workspace", name: str, reviewer: str | None, token: "SecretStr | None", answer: dict[str, Any]
) -> Decided:
    """A person's answer to a review, by `deciding.decide`: the same identity, policy and digest as on the command line."""
    return decide_(workspace, name, reviewer=reviewer, token=token, **answer)


def undo(
    workspace: "Workspace", name: str, reviewer: str | None, token: "SecretStr | None", *, dry_run: bool
) -> Undone:
    """Take back what was done under this name, by `intervening.undo`."""
    return undo_(workspace, name, reviewer=reviewer, token=token, dry_run=dry_run)


def answers_of(
    review: Review, before: dict[str, str], given: dict[str, str]
) -> tuple[dict[str, str], list[tuple[int, str, str]]]:
    """All answers so far by question id, and what is still missing as (number, id, question).

    `given` names questions by id or by their number in the list; `*` is for all that are left. Raises InvalidInputError.
    """
    asked = [question for question in review.shown.get("questions", ()) if isinstance(question, dict)]
    names = {str(question["id"]).casefold(): str(question["id"]) for question in asked}
    names |= {str(number): str(question["id"]) for number, question in enumerate(asked, start=1)}
    found = {name: text for name, text in before.items() if name in names.values()}
    for name, text in given.items():
        if name == "*":
            found |= {str(question["id"]): text for question in asked if str(question["id"]) not in found}
        elif name.casefold() not in names:
            raise InvalidInputError(f"{name} was not asked.", hint=f"Asked are 1 to {len(asked)}.")
        else:
            found[names[name.casefold()]] = text
    missing = [
        (number, str(question["id"]), str(question.get("text", "")))
        for number, question in enumerate(asked, start=1)
        if str(question["id"]) not in found
    ]
    return found, missing


def status(workspace: "Workspace") -> Reply:
    """Numbers: the memory, the account of reports, what waits."""
    stats, balance = workspace.store.stats(), workspace.received.balance()
    text = (
        f"{stats.size} incidents in memory, {stats.open} of them open. {balance.received} received: "
        f"{balance.decided} decided, {balance.waiting} waiting, {balance.asked} asked, "
        f"{balance.will_retry} to be tried again, {balance.rejected} unreadable."
    )
    points = [Point(text=sentence) for sentence in balance.unaccounted[:5]]
    return Reply(text=text, points=points, next=["what waits for me?"], ok=not points)


def _bytes_of(name: str) -> bytes:
    try:
        with Path(name).expanduser().open("rb") as file:
            body = file.read(MAX_SPEC_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {name}.", hint="Check the path.") from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{name} cannot be read ({getattr(error, 'strerror', error)}).", hint="Give a readable file."
        ) from None
    if len(body) > MAX_SPEC_BYTES:
        raise InvalidInputError(f"{name} is larger than {MAX_SPEC_BYTES // 1_000_000} MB.", hint="Split it.")
    return body
