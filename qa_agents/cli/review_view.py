"""An answer and where a review stands, in the terminal: what it led to, who backed what, and the command that seconds it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape

from qa_agents.cli.common import console
from qa_agents.cli.text import one_line

if TYPE_CHECKING:
    from qa_agents.checkpoint.policy import Policy
    from qa_agents.checkpoint.schema import Decision, Review
    from qa_agents.operations.deciding import Decided

_COMMANDS = {"ask_reporter": "ask"}


def show_decided(result: "Decided") -> None:
    """Print what an answer led to, and what comes next."""
    out = console()
    out.print(
        f"[bold]{result.review_id}[/bold] ({_safe(result.report_id)}): {result.verdict} by {_safe(result.reviewer)}."
    )
    if result.verdict == "delegate":
        out.print(f"  it waits for {_safe(result.assigned_to or '')}")
    elif result.until:
        out.print(f"  it comes back on {_moment(result.until)}")
    elif result.missing:
        nothing = "Nothing is written" if result.kind == "triage" else "Nothing goes on"
        out.print(f"  {_safe(result.missing, 300)} {nothing} before that.", soft_wrap=True)
        out.print(f"  who said what so far: qa-agents review show {result.review_id}")
    elif result.verdict == "reject" and result.kind == "triage":
        out.print("  nothing is written")
    if result.canary:
        out.print(f"  {_safe(result.canary, 600)}")
    for line in result.written:
        out.print(f"  written: {_safe(line, 160)}")
    for line in result.failed:
        out.print(f"  [bold]not written[/bold]: {_safe(line, 200)}")
    if result.review_waiting and result.kind != "triage":
        out.print(f"  now waits: qa-agents review show {result.review_waiting}")
    elif result.review_waiting:
        out.print(f"  the issue had changed since; look again: qa-agents review show {result.review_waiting}")


def show_standing(policy: "Policy", review: "Review") -> None:
    """Print who may decide a review, what was said about it, and while it waits the commands that agree with that."""
    out, required = console(), review.requires
    waits = review.waits
    if waits and review.assigned_to:
        out.print(f"\nAssigned to {_safe(review.assigned_to)}.")
    if waits and required and (required.roles or required.of or required.approvals > 1):
        who = ", ".join([*required.roles, *required.of]) or "anybody listed"
        approvals = "1 approval" if required.approvals == 1 else f"{required.approvals} approvals"
        out.print(f"\nThe rule “{_safe(required.rule)}” wants {approvals} of: {_safe(who)}.")
    if not waits and len(review.votes) < 2:
        return
    for vote in review.votes:
        out.print(
            f"  {_safe(vote.reviewer)}: {vote.verdict} {_safe(_content(vote), 400)} [dim]{_safe(vote.note)}[/dim]"
        )
        for waiver in vote.waivers:
            told = f"waives {waiver.item}: {waiver.reason} (owner {waiver.owner}, until {_moment(waiver.expires)})"
            out.print(f"    {_safe(told, 400)}")
    if waits:
        _show_backing(policy, review)


def _show_backing(policy: "Policy", review: "Review") -> None:
    """How far each thing has come that somebody stands behind, and how to agree with exactly that."""
    from qa_agents.checkpoint.votes import COUNTED, ballot, support
    from qa_agents.operations.deciding import still_missing

    out, counted = console(), [vote for vote in review.votes if vote.verdict in COUNTED]
    latest = {vote.reviewer: ballot(vote) for vote in counted}
    first = {ballot(vote): vote for vote in reversed(counted)}
    for vote in (first[about] for about in dict.fromkeys(latest.values())):
        told = still_missing(support(policy, review, vote))
        out.print(f"  {vote.verdict} by {_safe(vote.reviewer)}: {_safe(told, 400)}", soft_wrap=True)
        out.print(f"    to agree: qa-agents review {_safe(_agreeing(review, vote))}", soft_wrap=True)


def _agreeing(review: "Review", vote: "Decision") -> str:
    """The command by which somebody else says exactly the same."""
    from qa_agents.checkpoint.votes import BALLOT_SHOWN, ballot, has_content, put_forward
    from qa_agents.operations.deciding import SECONDED

    if not has_content(vote):
        return f"{_COMMANDS.get(vote.verdict, vote.verdict)} {review.review_id}"
    about, last = ballot(vote), put_forward(review.votes, vote.reviewer)
    named = vote.reviewer if last is not None and ballot(last) == about else about[:BALLOT_SHOWN]
    return f"{SECONDED[vote.verdict]} {review.review_id} --proposed-by {named}"


def _content(vote: "Decision") -> str:
    """What a vote says, in words: its values, questions or answers, or to whom it hands the review."""
    pairs = {**vote.edits, **vote.answers}
    until = [f"until {_moment(vote.until)}"] if vote.until else []
    to = [f"to {vote.to}"] if vote.to else []
    return "; ".join([*(f"{name} = {value}" for name, value in pairs.items()), *vote.questions, *to, *until])


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _safe(text: object, limit: int = 120) -> str:
    return escape(one_line(text, limit=limit))
