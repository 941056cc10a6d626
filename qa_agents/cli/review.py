"""`qa-agents review`: what waits for a person, and the person's answers."""

import contextlib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import As, Json, console, open_workspace, print_json
from qa_agents.cli.text import one_line
from qa_agents.errors import InvalidInputError, UsageError
from qa_agents.moments import moment_ahead

if TYPE_CHECKING:
    from qa_agents.checkpoint.schema import Review
    from qa_agents.operations.deciding import Decided
    from qa_agents.triage.schema import Triage

MAX_ANSWER_BYTES = 1_000_000
EDITED = ("--set FIELD=VALUE", "component=Payments")
"""How values of fields are given, and an example."""
app = typer.Typer(
    help="What waits at the checkpoint, and your answers. An answer ends with exit 0 when the review is settled by it (or "
    "deferred or handed on, as asked), 1 when it is recorded and still waits for another person, must be looked at again, or "
    "something could not be written, 2 when it is refused.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Review id (rv-…) or report id.")]
ProposedBy = Annotated[
    str | None, typer.Option("--proposed-by", help="Agree with exactly what this person put forward; `show` tells it.")
]
Note = Annotated[str, typer.Option("--note", help="Your own words.")]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason",
        help="wrong-evidence, wrong-cause, hallucination, out-of-scope, duplicate, other, or one of the policy's own.",
    ),
]


@app.command("list")
def list_(
    context: typer.Context,
    deferred: Annotated[bool, typer.Option("--all", help="Deferred ones too, before they are due.")] = False,
    as_json: Json = False,
) -> None:
    """List what waits, oldest first."""
    from qa_agents.operations.deciding import Waiting, waiting

    with open_workspace(context) as workspace:
        found = waiting(workspace, include_deferred=deferred)
    if as_json:
        print_json([item.as_json() for item in found])
        return
    from rich.markup import escape
    from rich.table import Table

    def votes(item: Waiting) -> str:
        return f"{item.approvals} of {item.needed}" if item.needed > 1 or item.approvals else ""

    optional: dict[str, Callable[[Waiting], str]] = {
        "votes": votes,
        "for": lambda item: item.review.assigned_to or "",
        "due": lambda item: _due(item.hours_left),
    }
    columns = {name: cell for name, cell in optional.items() if any(cell(item) for item in found)}
    table = Table("review", "report", "gate", "waits since", *columns, "summary")
    for item in found:
        review = item.review
        table.add_row(
            review.review_id,
            escape(one_line(review.subject_id, limit=30)),
            escape(one_line(review.shown.get("gate") or review.form, limit=12)),
            _date(review.opened_at),
            *(escape(one_line(cell(item), limit=24)) for cell in columns.values()),
            escape(one_line(review.shown.get("summary", ""), limit=80)),
        )
    out = console()
    out.print(table if found else "Nothing waits.")


@app.command()
def show(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show one review whole: what was found, why, what would be written."""
    from qa_agents.cli.review_view import show_standing
    from qa_agents.operations.deciding import reviewed

    with open_workspace(context) as workspace:
        review, policy = workspace.inbox.find(name), workspace.inbox.policy
        if review.kind == "plan":
            from qa_agents.cli import plan_view
            from qa_agents.planning import drafted_of

            plan_view.show_review(review, drafted_of(workspace, review), as_json=as_json)
        elif review.kind == "summary":
            from qa_agents.cli import summary_view
            from qa_agents.summarizing import summarised_of

            summary_view.show_review(review, summarised_of(workspace, review), as_json=as_json)
        else:
            review, triage = reviewed(workspace, name)
            if as_json:
                print_json({"review": review.model_dump(mode="json"), "triage": triage.model_dump(mode="json")})
            else:
                _show_triage(review, triage)
    if not as_json:
        show_standing(policy, review)


@app.command()
def approve(
    context: typer.Context,
    name: Name,
    proposed_by: ProposedBy = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Write what was proposed."""
    _decide(context, name, reviewer, as_json, verdict="approve", note=remark, proposed_by=proposed_by)


@app.command()
def edit(
    context: typer.Context,
    name: Name,
    set_: Annotated[list[str], typer.Option("--set", help="FIELD=VALUE; repeat for several.")],
    reason: Reason = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Write it with other values for some fields."""
    edits = pairs(set_, *EDITED)
    _decide(context, name, reviewer, as_json, verdict="edit", edits=edits, reason_code=reason, note=remark)


@app.command()
def reject(
    context: typer.Context,
    name: Name,
    reason: Reason = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Write nothing."""
    _decide(context, name, reviewer, as_json, verdict="reject", reason_code=reason, note=remark)


@app.command()
def ask(
    context: typer.Context,
    name: Name,
    question: Annotated[
        list[str] | None, typer.Option("--question", help="Ask this instead; repeat for several.")
    ] = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Ask the reporter what is missing, and write nothing else."""
    _decide(context, name, reviewer, as_json, verdict="ask_reporter", questions=question or [], note=remark)


@app.command()
def defer(
    context: typer.Context,
    name: Name,
    until: Annotated[str, typer.Option("--until", help="A date (2026-12-01) or a span (4h, 2d, 1w).")],
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Decide later; the review leaves the list until it is due."""
    _decide(context, name, reviewer, as_json, verdict="defer", until=moment_ahead(until), note=remark)


@app.command()
def delegate(
    context: typer.Context,
    name: Name,
    to: Annotated[str, typer.Option("--to", help="The person or the role that shall decide instead.")],
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Hand the review to somebody else; only they can decide it then."""
    _decide(context, name, reviewer, as_json, verdict="delegate", to=to, note=remark)


@app.command()
def sign(
    context: typer.Context,
    name: Name,
    accountable: Annotated[
        str | None, typer.Option("--accountable", help="Who takes accountability (default: who signs).")
    ] = None,
    waive: Annotated[
        list[str] | None, typer.Option("--waive", help="ITEM=REASON: let this pass; repeat for several.")
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who owns what is waived.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="Until when it is waived: a date or a span.")] = None,
    proposed_by: ProposedBy = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Sign off: take accountability for what is shown.

    Where the policy wants several signatures, they are of one and the same thing: --proposed-by NAME signs with NAME's waivers.
    """
    if proposed_by and (waive or owner or expires):
        raise UsageError(
            f"--proposed-by signs with exactly the waivers of {proposed_by}.", hint="Leave out what is waived."
        )
    reasons = pairs(waive or [], "--waive ITEM=REASON", "PAY-7='fixed in the hotfix of Friday'")
    if reasons and (owner is None or expires is None):
        raise UsageError("A waiver needs --owner and --expires.", hint="For example --owner ada --expires 2w.")
    if not reasons and (owner is not None or expires is not None):
        raise UsageError("--owner and --expires belong to a waiver.", hint="Name what is waived: --waive ITEM=REASON.")
    until = moment_ahead(expires) if expires else None
    waivers = [{"item": item, "reason": why, "owner": owner, "expires": until} for item, why in reasons.items()]
    said: dict[str, Any] = {"accountable": accountable, "waivers": waivers, "proposed_by": proposed_by}
    _decide(context, name, reviewer, as_json, verdict="sign", note=remark, **said)


@app.command()
def answer(
    context: typer.Context,
    name: Name,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="QUESTION=ANSWER; one for each question that is shown.")
    ] = None,
    proposed_by: ProposedBy = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Answer the questions that others wait for."""
    if bool(set_) == bool(proposed_by):
        raise UsageError(
            "An answer needs --set QUESTION=ANSWER, or --proposed-by NAME to agree with NAME's.",
            hint="Say one of them.",
        )
    answers = pairs(set_ or [], "--set QUESTION=ANSWER", "Q1='Yes, for all currencies'")
    said: dict[str, Any] = {"answers": answers, "proposed_by": proposed_by}
    _decide(context, name, reviewer, as_json, verdict="answer", note=remark, **said)


@app.command()
def respond(
    context: typer.Context,
    name: Name,
    file: Annotated[
        Path,
        typer.Argument(
            allow_dash=True, help='JSON: [{"type": "accept"|"edit"|"response"|"ignore", "args": …}]; - is stdin.'
        ),
    ],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Answer in the shape of a LangGraph Agent Inbox: accept, edit, response (asks the reporter) or ignore (rejects)."""
    from qa_agents.operations.deciding import respond as respond_

    given = _json_of(file)
    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        result = respond_(workspace, name, given, reviewer=reviewer, token=token)
    _tell(result, as_json=as_json)


def _json_of(file: Path) -> object:
    """A small JSON file, or stdin. Raises InvalidInputError."""
    typed = str(file) == "-"
    name = "Standard input" if typed else str(file)
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if typed else file.open("rb") as source:
            return json.loads(source.read(MAX_ANSWER_BYTES))
    except OSError as error:
        raise InvalidInputError(f"{name} cannot be read ({error.strerror}).", hint="Name a JSON file.") from None
    except (ValueError, RecursionError):
        raise InvalidInputError(
            f"{name} is no JSON of an answer.", hint="See `qa-agents review respond --help`."
        ) from None


def pairs(texts: list[str], usage: str, example: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping; both sides are needed, and no name twice. `usage` is `--option NAME=VALUE`."""
    option, _, form = usage.partition(" ")
    pairs = [text.partition("=") for text in texts]
    names = [name.strip() for name, _, _ in pairs]
    if any(not equals or not name.strip() or not value.strip() for name, equals, value in pairs):
        raise UsageError(f"{option} takes {form}.", hint=f"For example {option} {example}.")
    if len(set(names)) < len(names):
        raise UsageError(f"{option} names the same thing twice.", hint="Say one value for each.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _decide(context: typer.Context, name: str, reviewer: str | None, as_json: bool, **answer: Any) -> None:
    from qa_agents.operations.deciding import decide

    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        result = decide(workspace, name, reviewer=reviewer, token=token, **answer)
    _tell(result, as_json=as_json)


def _tell(result: "Decided", *, as_json: bool) -> None:
    """Print what an answer led to, and end as the help of these commands says."""
    from qa_agents.cli.review_view import show_decided

    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        show_decided(result)
    as_asked = result.settled or result.verdict in ("defer", "delegate")
    if not as_asked or result.failed or (result.review_waiting and result.kind == "triage"):
        raise typer.Exit(1)


def _show_triage(review: "Review", triage: "Triage") -> None:
    from qa_agents.cli.verdict import show_verdict

    decision = review.decision if review.state == "decided" else None
    said = f"{review.review_id} is decided: {decision.verdict} by {decision.reviewer}." if decision else None
    show_verdict(triage, answered=said)


def _due(hours: float | None) -> str:
    if hours is None:
        return ""
    return f"in {hours:.0f} h" if hours >= 1 else "within 1 h" if hours > 0 else "overdue"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
