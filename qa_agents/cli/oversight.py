"""`qa-agents review stats | canary | second | audit`: whether people at the checkpoint still look, and what went past them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import As, Json, console, open_workspace, print_json
from qa_agents.cli.review import EDITED, pairs
from qa_agents.cli.text import one_line
from qa_agents.errors import UsageError
from qa_agents.moments import moment_back

if TYPE_CHECKING:
    from qa_agents.checkpoint.audits import Audits, Finding
    from qa_agents.checkpoint.oversight import SecondLooks
    from qa_agents.checkpoint.policy import Policy
    from qa_agents.checkpoint.policy import Reviewer as Person
    from qa_agents.checkpoint.reviewers import Reviewer, Stats
    from qa_agents.wiring import Workspace

canary = typer.Typer(help="Known-bad cases among the real ones, to measure what is caught.", no_args_is_help=True)
second = typer.Typer(help="A blind second look at a sample of decided reviews.", no_args_is_help=True)
audit = typer.Typer(help="A random sample of what was applied without a person.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Review id (rv-…) or report id.")]
Run = Annotated[str, typer.Argument(help="Run id or report id, from the list.")]
Note = Annotated[str, typer.Option("--note", help="Your own words.")]


def stats(
    context: typer.Context,
    reviewer: Annotated[str | None, typer.Option("--reviewer", help="Only this person.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="A date (2026-12-01) or a span (30d, 6w).")] = None,
    as_json: Json = False,
) -> None:
    """Per reviewer: what was decided, overridden, caught and confirmed by a second look; per field: what was kept."""
    from qa_agents.checkpoint import reviewers

    back = moment_back(since).timestamp() if since else None
    with open_workspace(context) as workspace:
        found = reviewers.stats(workspace.database, reviewer=reviewer, since=back)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show_stats(found)


@canary.command("add")
def canary_add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines: {report, wrong, expect, why} each.")],
    as_json: Json = False,
) -> None:
    """Register known-bad cases, each tried against the memory; those known already change nothing."""
    from qa_agents.triage.canary import read_cases, stage

    cases = read_cases(file)
    with open_workspace(context) as workspace:
        for case in cases:
            stage(workspace.triage_parts, case)
        new = workspace.canaries.add(cases)
    if as_json:
        print_json({"read": len(cases), "new": new})
    else:
        console().print(f"{len(cases)} read, {new} new.")


@canary.command("list")
def canary_list(context: typer.Context, as_json: Json = False) -> None:
    """How many canaries are left and wait, and what came of those decided; which of the waiting are canaries is not told."""
    from rich.markup import escape

    with open_workspace(context) as workspace:
        overview = workspace.canaries.overview()
    if as_json:
        print_json(overview.model_dump(mode="json"))
        return
    out = console()
    out.print(f"{overview.registered} registered, {overview.unused} unused, {overview.waiting} among what waits.")
    for outcome in overview.decided:
        verdict = "caught" if outcome.caught else "[bold]missed[/bold]"
        name = escape(one_line(outcome.report_id, limit=30))
        out.print(
            f"  {outcome.review_id} {name}: {verdict} ({outcome.verdict}). {escape(one_line(outcome.why, limit=200))}"
        )


@canary.command("draw")
def canary_draw(context: typer.Context, as_json: Json = False) -> None:
    """Open canaries beside waiting reviews, as the policy's canary_rate draws them; repeating opens none twice."""
    from qa_agents.triage.canary import open_canary

    with open_workspace(context) as workspace:
        canaries, rate = workspace.canaries, _policy(workspace).canary_rate
        waiting = [review.review_id for review in workspace.inbox.waiting(include_deferred=True)]
        real = [review_id for review_id in waiting if rate and not canaries.holds(review_id)]
        opened = [open_canary(workspace.triage_parts, canaries, beside=review_id, rate=rate) for review_id in real]
    count = sum(review is not None for review in opened)
    if as_json:
        print_json({"opened": count})
    else:
        console().print(f"{count} opened." if rate else "The policy's canary_rate is 0: no canaries are drawn.")


@second.command("list")
def second_list(context: typer.Context, reviewer: As = None, as_json: Json = False) -> None:
    """List what is offered to you for a second look, oldest first, without what was decided."""
    from rich.markup import escape
    from rich.table import Table

    with open_workspace(context) as workspace:
        offered = _seconds(workspace).offered(_who(workspace, reviewer))
    if as_json:
        print_json([blind.model_dump(mode="json") for blind in offered])
        return
    table = Table("review", "report", "gate", "summary")
    for blind in offered:
        table.add_row(
            blind.review_id,
            escape(one_line(blind.subject_id, limit=30)),
            str(blind.shown.get("gate", "")),
            escape(one_line(str(blind.shown.get("summary", "")), limit=80)),
        )
    console().print(table if offered else "Nothing is offered to you.")


@second.command("show")
def second_show(context: typer.Context, name: Name, reviewer: As = None, as_json: Json = False) -> None:
    """Show what the first reviewer was shown, and not what they decided."""
    from qa_agents.triage.schema import Triage

    with open_workspace(context) as workspace:
        seconds = _seconds(workspace)
        blind = seconds.find(name, _who(workspace, reviewer))
        triage = Triage.model_validate_json(seconds.document(blind))
    if as_json:
        print_json(
            {"review": blind.model_dump(mode="json"), "triage": triage.model_dump(mode="json", exclude={"state"})}
        )
        return
    from qa_agents.cli.verdict import show_verdict

    command = f"qa-agents review second decide {blind.review_id} approve|edit|reject|ask_reporter"
    show_verdict(
        triage.model_copy(update={"state": "second look"}), answered=f"Answer without asking the first: {command}"
    )


@second.command("decide")
def second_decide(
    context: typer.Context,
    name: Name,
    verdict: Annotated[str, typer.Argument(help="approve, edit, reject or ask_reporter.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE, for edit; repeat for several.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Reason code, for edit and reject.")] = None,
    reviewer: As = None,
    remark: Note = "",
    as_json: Json = False,
) -> None:
    """Give a second answer to one review; nothing is written outside and the first decision stands."""
    from pydantic import ValidationError

    from qa_agents.checkpoint.oversight import SETTLING
    from qa_agents.checkpoint.schema import Decision

    if verdict not in SETTLING:
        raise UsageError(f"{verdict} is no second answer.", hint=f"Say {', '.join(SETTLING)}.")
    with open_workspace(context) as workspace:
        by, seconds = _recognised(workspace, reviewer), _seconds(workspace)
        blind = seconds.find(name, by.name)
        answer: dict[str, Any] = {"verdict": verdict, "reviewer": by.name, "reason_code": reason, "note": remark}
        answer |= {"roles": list(by.roles), "auth": by.auth}
        answer |= {"review_id": blind.review_id, "digest": blind.digest, "edits": pairs(set_ or [], *EDITED)}
        try:
            decision = Decision.model_validate(answer)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UsageError(
                f"This answer is not complete: {said}.", hint="See `review second decide --help`."
            ) from None
        seconds.decide(decision)
    if as_json:
        print_json({"review_id": blind.review_id, "report_id": blind.subject_id, "verdict": verdict})
    else:
        console().print(f"{blind.review_id}: second answer kept. `qa-agents review second disagreements` compares.")


@second.command("disagreements")
def second_disagreements(context: typer.Context, as_json: Json = False) -> None:
    """List where the second answer differs from the first, newest first; for a lead."""
    from rich.markup import escape
    from rich.table import Table

    with open_workspace(context) as workspace:
        found = _seconds(workspace).disagreements()
    if as_json:
        print_json([item.model_dump(mode="json", exclude={"first": {"shown"}, "second": {"shown"}}) for item in found])
        return
    table = Table("review", "report", "first", "second")
    for item in found:
        sides = [
            f"{answer.verdict} by {answer.reviewer}"
            + "".join(f", {field}={value}" for field, value in answer.edits.items())
            + (f" ({answer.reason_code})" if answer.reason_code else "")
            for answer in (item.first, item.second)
        ]
        table.add_row(item.first.review_id, *(escape(one_line(text, limit=80)) for text in (item.subject_id, *sides)))
    console().print(table if found else "No disagreements.")


@audit.command("list")
def audit_list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("-n", min=1, help="How many of those still to be audited.")] = 20,
    as_json: Json = False,
) -> None:
    """The next sampled items to audit, and what is proven so far about all that was applied without a person."""
    from rich.markup import escape
    from rich.table import Table

    with open_workspace(context) as workspace:
        audits = _audits(workspace)
        bounds, left = audits.bounds(), [item for item in audits.sample() if item.finding is None]
    if as_json:
        items = [item.model_dump(mode="json") for item in left[:limit]]
        print_json({"bounds": [bound.model_dump(mode="json") for bound in bounds], "left": len(left), "items": items})
        return
    out = console()
    for bound in bounds:
        out.print(f"{bound.band}: {bound} — {bound.applied} applied")
    table = Table("run", "report", "probability", "values", "summary")
    for item in left[:limit]:
        values = ", ".join(f"{field}={value}" for field, value in item.values.items())
        texts = (item.report_id, item.band, values, item.summary)
        table.add_row(item.run_id, *(escape(one_line(text, limit=60)) for text in texts))
    out.print(table if left else "Nothing is left to audit.")


@audit.command("confirm")
def audit_confirm(
    context: typer.Context, name: Run, reviewer: As = None, remark: Note = "", as_json: Json = False
) -> None:
    """Say that one item was rightly applied without a person."""
    _audited(context, name, "confirm", reviewer, remark, as_json)


@audit.command("wrong")
def audit_wrong(
    context: typer.Context, name: Run, reviewer: As = None, remark: Note = "", as_json: Json = False
) -> None:
    """Say that one item should not have been applied as it was."""
    _audited(context, name, "wrong", reviewer, remark, as_json)


def _audited(
    context: typer.Context, name: str, finding: "Finding", reviewer: str | None, remark: str, as_json: bool
) -> None:
    with open_workspace(context) as workspace:
        audits = _audits(workspace)
        item = audits.record(name, finding, auditor=_who(workspace, reviewer), note=remark)
        bound = audits.bounds()[0]
    if as_json:
        print_json({"run_id": item.run_id, "finding": finding, "bound": bound.model_dump(mode="json")})
        return
    console().print(f"{item.run_id}: {finding}. {bound}")
    if finding == "wrong":
        console().print(f"  take it back: qa-agents undo {item.run_id}")


def _show_stats(found: "Stats") -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    table = Table(
        "reviewer", "decided", "approve", "edit", "reject", "ask", "override", "median", "canaries", "second look"
    )
    everyone = [found.everyone] if len(found.reviewers) != 1 else []
    for record in [*found.reviewers, *everyone]:
        table.add_row(
            escape(one_line(record.name, limit=30)),
            str(record.decisions),
            *(_share(rate.value) for rate in record.verdicts.values()),
            str(record.override),
            _duration(record.median_seconds),
            f"caught {record.canaries}" if record.canaries.n else "none yet",
            _agreement(record),
        )
    out.print(table)
    for record in found.reviewers:
        if record.reasons:
            reasons = ", ".join(f"{escape(code)} {count}" for code, count in record.reasons.items())
            out.print(f"{escape(one_line(record.name, limit=30))}: {reasons}")
        for warning in record.warnings:
            out.print(f"[bold]{escape(one_line(record.name, limit=30))}[/bold]: {escape(warning)}")
    for field, rate in found.kept.items():
        out.print(f"kept {escape(one_line(field, limit=30))}: {rate}")
    out.print("Ranges are 95 % intervals; the median runs from opening to answer and is information only.")


def _agreement(record: "Reviewer") -> str:
    looks = record.second_looks
    if looks.kappa is None or looks.low is None or looks.high is None:
        return f"same in {looks.same}" if looks.n else "none yet"
    return f"kappa {looks.kappa:.2f} ({looks.low:.2f} to {looks.high:.2f}), n {looks.n}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _seconds(workspace: "Workspace") -> "SecondLooks":
    from qa_agents.checkpoint.oversight import SecondLooks

    return SecondLooks(workspace.database, workspace.ledger, _policy(workspace).second_look_rate)


def _audits(workspace: "Workspace") -> "Audits":
    from qa_agents.checkpoint.audits import Audits

    return Audits(workspace.database, workspace.ledger, _policy(workspace).audit_rate)


def _policy(workspace: "Workspace") -> "Policy":
    return workspace.inbox.policy


def _who(workspace: "Workspace", claimed: str | None) -> str:
    return _recognised(workspace, claimed).name


def _recognised(workspace: "Workspace", claimed: str | None) -> "Person":
    """The reviewer, recognised as for any decision."""
    from qa_agents.operations.deciding import recognise

    return recognise(workspace, claimed, workspace.settings.reviewer_token)
