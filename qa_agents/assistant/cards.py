"""Replies that show things: what waits, what was found, what a decision did. Pure; nothing is escaped."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from qa_agents.assistant.schema import Item, Point, Reply, Shown
from qa_agents.checkpoint.ledger import Entry
from qa_agents.checkpoint.schema import VERDICTS, Review
from qa_agents.incidents.schema import Candidate, Incident
from qa_agents.operations.deciding import Decided
from qa_agents.operations.deciding import Waiting as Waits
from qa_agents.planning import Drafted
from qa_agents.plurals import counted
from qa_agents.results.cluster import Cause
from qa_agents.runtime.undo import Undone
from qa_agents.summarizing import Summarised
from qa_agents.trackers.schema import Action, describe

SHOWN = 5
_SAY = {
    "approve": "approve",
    "edit": "set FIELD to VALUE, REASON",
    "reject": "reject it: REASON",
    "ask_reporter": "ask the reporter",
    "defer": "defer it until 2d",
    "delegate": "delegate it to NAME",
    "sign": "sign it off",
    "answer": "answer 1: …",
}
"""How each answer to a review is said."""
_DONE = {
    "approve": "approved",
    "edit": "changed and approved",
    "reject": "rejected, nothing is written",
    "ask_reporter": "the reporter is asked",
    "defer": "put off",
    "sign": "signed off",
    "answer": "answered",
}
_EVENTS = {
    "received": "received",
    "review_opened": "stopped for a person",
    "decided": "decided",
    "voted": "answered",
    "deferred": "put off",
    "delegated": "handed on",
    "rerouted": "sent on because nobody answered in time",
    "superseded": "replaced by something newer",
    "refused": "an answer was refused",
    "failed": "failed, will be tried again",
    "triaged": "triaged",
    "action_done": "written to the tracker",
    "action_undone": "taken back",
    "recorded": "closed",
    "model_asked": "a language model was asked",
}


def shown(review: Review, because: Sequence[str] = ()) -> Shown:
    """A review as a card: what would be written, why it stopped, how it can be answered."""
    content = review.shown
    actions = [Action.model_validate(action) for action in content.get("actions", ()) if isinstance(action, dict)]
    questions = [question for question in content.get("questions", ()) if isinstance(question, dict)]
    return Shown(
        review_id=review.review_id,
        subject_id=review.subject_id,
        digest=review.digest,
        form=review.form,
        kind=review.kind,
        summary=str(content.get("summary", "")),
        would_write=[describe(action) for action in actions],
        because=list(because) or [str(rule) for rule in content.get("rules", ())],
        questions=[{key: question.get(key) for key in ("id", "text", "options", "assumed")} for question in questions],
        answers=[_SAY[verdict] for verdict in VERDICTS[review.form]],
    )


def listed_reviews(found: Sequence[Waits], mine: Sequence[bool], who: str) -> Reply:
    """What waits, what this person may decide first."""
    if not found:
        return Reply(text="Nothing waits for a person.")
    order = sorted(range(len(found)), key=lambda i: (not mine[i], _urgency(found[i].review)))
    yours = sum(mine)
    listed = [(Item(kind="review", id=found[i].review.review_id), _review_line(found[i], mine[i])) for i in order]
    others = len(found) - yours
    text = f"{counted(yours, 'review waits', 'reviews wait')} for you, {who}" + (
        f"; {others} more for others." if others else "."
    )
    more = len(listed) - 20
    return Reply(
        text=text,
        listed=listed[:20],
        next=["show the first", "why?"],
        notes=[f"{more} more: `qa-agents review list` shows all."] if more > 0 else [],
    )


def found_like(pairs: Sequence[tuple[Candidate, Incident]], what: str, notes: Iterable[str], now: datetime) -> Reply:
    """What the past holds that is like something, with honest words for how near it is."""
    if not pairs:
        return Reply(text=f"No: nothing in memory is like {what}.", notes=list(notes), next=["paste the report"])
    best = pairs[0][0]
    near = max(best.lexical or 0.0, best.dense or 0.0)
    if best.probability is not None and best.probability >= 0.5:
        text = f"Yes, I think so: {pairs[0][1].id} is likely the same."
    elif near >= 0.6:
        text = (
            f"Something close: {pairs[0][1].id} is the nearest. Whether one fix would resolve both is yours to judge."
        )
    else:
        text = f"Nothing that I would call the same. The nearest to {what}:"
    listed = [
        (Item(kind="incident", id=incident.id), _incident_line(incident, candidate, now))
        for candidate, incident in pairs[:SHOWN]
    ]
    return Reply(
        text=text, listed=listed, notes=list(notes), next=["show the first", "paste the whole report for a triage"]
    )


def incident_card(incident: Incident, now: datetime) -> Reply:
    """One past incident in short."""
    facts = {
        "component": incident.component,
        "severity": incident.severity,
        "version": incident.version,
        "assignee": incident.assignee,
        "duplicate of": ", ".join(incident.duplicate_of),
    }
    state = "open" if incident.open_at(now) else (incident.resolution or "closed")
    points = [
        Point(text=", ".join(f"{name} {value}" for name, value in facts.items() if value) or "no fields are filled")
    ]
    if incident.resolution_note:
        points.append(Point(text=f"Resolution: {incident.resolution_note}", ref=incident.id))
    if incident.description:
        points.append(Point(text=f"“{incident.description.strip()}”", ref=incident.id))
    return Reply(text=f"{incident.id} ({state}): {incident.summary}", points=points, next=["anything like it?"])


def decided_line(result: Decided) -> Reply:
    """What an answer led to."""
    points = [Point(text=f"written: {line}") for line in result.written]
    points += [Point(text=f"NOT written: {line}") for line in result.failed]
    if result.canary:
        points.append(Point(text=result.canary))
    done = (
        f"handed to {result.assigned_to}" if result.verdict == "delegate" else _DONE.get(result.verdict, result.verdict)
    )
    text = f"{result.report_id}: {done}, by {result.reviewer}."
    if result.approvals < result.needed and result.verdict not in ("reject", "defer", "delegate"):
        text += f" {result.approvals} of {result.needed} approvals so far; nothing is written before the last one."
    follow = [f"undo {result.report_id}"] if result.written else []
    return Reply(text=text, points=points, next=[*follow, "what waits for me?"], ok=not result.failed)


def history_of(name: str, history: Sequence[Entry], review: Review | None) -> Reply:
    """Who did what about something, oldest first."""
    if not history:
        return Reply(text=f"Nothing was recorded about {name}.", ok=False)
    decided = [entry for entry in history if entry.event in ("decided", "voted")]
    if decided:
        last = decided[-1]
        edits = last.payload.get("edits")
        with_edits = (
            f" with {', '.join(f'{key} = {one}' for key, one in edits.items())}"
            if isinstance(edits, dict) and edits
            else ""
        )
        text = f"{last.actor} decided {name}: {last.payload.get('verdict', 'decided')}{with_edits}, {_when(last.at)}."
    elif review is not None and review.waits:
        text = f"Nobody has decided {name} yet; it waits as {review.review_id}."
    else:
        text = f"No person has decided anything about {name}."
    told = [_told(list(group)) for _, group in groupby(history, key=lambda entry: (entry.event, entry.actor))]
    return Reply(text=text, points=told[-10:])


def plan_card(drafted: Drafted, review: Review | None, open_names: Sequence[str]) -> Reply:
    """A drafted plan in short."""
    plan = drafted.plan
    unread = [sentence for source in plan.sources for sentence in source.unread]
    worst = sorted(plan.risks, key=lambda risk: (-risk.level, risk.requirement_id))[:3]
    texts = {requirement.id: requirement.text for requirement in plan.requirements}
    points = [
        Point(text=f"risk {risk.level}/9: {texts.get(risk.requirement_id, '')}", ref=risk.requirement_id)
        for risk in worst
    ]
    waits = {"question": "It needs answers first.", "signoff": "It waits for a signature."}.get(
        drafted.form or "", f"It is {drafted.account.state}."
    )
    text = (
        f"Plan {drafted.name}: {counted(len(plan.requirements), 'requirement')}, {counted(len(plan.cases), 'case')}, "
        f"{counted(len(open_names), 'open question')}. {waits}"
    )
    return Reply(
        text=text,
        points=points,
        review=shown(review) if review is not None and drafted.review_id else None,
        notes=[f"not read: {sentence}" for sentence in unread[:3]],
        next=[f"`qa-agents plans show {drafted.name} --out DIR` writes it"],
    )


def summary_card(done: Summarised, review: Review | None) -> Reply:
    """What a test run means, in short."""
    summary = done.summary
    against = f" against {summary.baseline.run_id}" if summary.baseline else ""
    points = [Point(text=_cause_line(cause), ref=cause.id) for cause in summary.causes[:SHOWN]]
    points += [Point(text=f"to decide: {one.question}", ref=one.about) for one in summary.decide[:2]]
    more = len(summary.causes) - SHOWN
    notes = [*([f"{more} more causes"] if more > 0 else []), *summary.notes[:2]]
    return Reply(
        text=f"{summary.light.upper()}: {summary.run.run_id}{against}. {' '.join(summary.sentences)}",
        points=points,
        review=shown(review) if review is not None else None,
        notes=notes,
        next=[f"`qa-agents summarize {summary.run.run_id} --out DIR` writes the pages"],
    )


def undo_preview(name: str, result: Undone) -> Reply:
    """What an undo would do, before it is done."""
    doable = [*result.cancelled, *result.undone]
    points = [Point(text=f"would be taken back: {one.what}", ref=one.target) for one in doable]
    points += [
        Point(text=f"would be left, somebody changed it since: {one.what}", ref=one.target) for one in result.conflicts
    ]
    if not doable:
        return Reply(text=f"There is nothing to take back for {name}.", points=points)
    return Reply(
        text=f"This would take back {counted(len(doable), 'thing')}. Say yes to do it.",
        points=points,
        next=["yes", "no"],
    )


def undone_line(name: str, result: Undone) -> Reply:
    """What an undo did."""
    points = [Point(text=f"taken back: {one.what}", ref=one.target) for one in (*result.cancelled, *result.undone)]
    points += [
        Point(text=f"left as it is, somebody changed it since: {one.what}", ref=one.target) for one in result.conflicts
    ]
    return Reply(
        text=f"{name}: {counted(len(result.cancelled) + len(result.undone), 'thing')} taken back.",
        points=points,
        ok=not result.conflicts,
    )


def _cause_line(cause: Cause) -> str:
    tests = counted(cause.size, "test")
    known = "".join(f"; {one.relation} {one.incident_id}" for one in cause.related[:1])
    suspect = "".join(f"; suspect {one.commit[:12]} {one.subject}" for one in cause.suspects[:1])
    return f"{cause.kind}: {cause.title} ({tests}){known}{suspect}"


def _review_line(item: Waits, mine: bool) -> str:
    review = item.review
    gate = str(review.shown.get("gate") or review.form)
    votes = f" · {item.approvals} of {item.needed} approvals" if item.needed > 1 else ""
    due = (
        ""
        if item.hours_left is None
        else (" · overdue" if item.hours_left < 0 else f" · due in {item.hours_left:.0f} h")
    )
    whose = "" if mine else f" · for {review.assigned_to or 'others'}"
    return f"{review.subject_id} · {gate}{votes}{due}{whose} · {review.shown.get('summary', '')}"


def _incident_line(incident: Incident, candidate: Candidate, now: datetime) -> str:
    state = "open" if incident.open_at(now) else (incident.resolution or "closed")
    shared = f" · shares {', '.join(candidate.shared[:4])}" if candidate.shared else ""
    return f"{state} · {incident.component or 'no component'} · {incident.summary}{shared}"


def _told(group: Sequence[Entry]) -> Point:
    """Entries of one kind by one person, as one line."""
    first, last = group[0], group[-1]
    several = f" ({len(group)} times)" if len(group) > 1 else ""
    where = f"ledger {first.seq}" if first is last else f"ledger {first.seq}-{last.seq}"
    return Point(text=f"{_when(last.at)}  {_EVENTS.get(first.event, first.event)}{several} · {first.actor}", ref=where)


def _urgency(review: Review) -> tuple[int, float]:
    gate = str(review.shown.get("gate", ""))
    return (("block", "ask", "abstain").index(gate) if gate in ("block", "ask", "abstain") else 1, review.opened_at)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
