"""A plan on one screen: what was found, what is covered, what is risky, what is open, and what can be answered."""

from collections import Counter
from typing import TYPE_CHECKING

from rich.markup import escape

from qa_agents.cli.common import console, print_json
from qa_agents.cli.text import one_line

if TYPE_CHECKING:
    from qa_agents.checkpoint.schema import Review
    from qa_agents.planning import Drafted
    from qa_agents.plans.schema import Question, TestPlan

SHOWN = 5


def show_plan(drafted: "Drafted") -> None:
    """Print the plan in short."""
    from qa_agents.plans.schema import NOT_TESTED
    from qa_agents.plurals import counted

    plan, out = drafted.plan, console()
    tested = [one for one in plan.requirements if one.kind not in NOT_TESTED]
    aside = len(plan.requirements) - len(tested)
    waits = f"waits as {drafted.review_id}" if drafted.review_id else drafted.account.state
    out.print(f"[bold]{_safe(plan.title)}[/bold]  {plan.id} · {escape(waits)}")
    out.print(
        f"\n{counted(len(tested), 'requirement')}"
        + (f" ({aside} more {'is' if aside == 1 else 'are'} out of scope or background)" if aside else "")
        + f", {counted(len(plan.cases), 'case')}, {counted(len(plan.questions), 'question')}"
    )
    _unread(plan)
    _cases(plan)
    _coverage(plan)
    _risks(plan)
    _questions(plan)
    _gaps(plan)
    _next(drafted)


def show_review(review: "Review", drafted: "Drafted", *, as_json: bool) -> None:
    """Print what waits of a plan: the plan in short, what was decided, and the assumptions that a signature would cover."""
    if as_json:
        print_json({"review": review.model_dump(mode="json"), "plan": drafted.plan.model_dump(mode="json")})
        return
    show_plan(drafted)
    if review.state == "decided" and review.decision is not None:
        said = f"{review.review_id}: {review.decision.verdict} by {review.decision.reviewer}"
        console().print(f"\n{_safe(said)}")


def show_question(question: "Question") -> None:
    """Print one question with what is assumed until it is answered, and how much waits for it."""
    from qa_agents.plurals import counted

    out = console()
    out.print(f"[bold]{question.id}[/bold]  {_safe(question.text, 300)}")
    if question.options:
        out.print(f"    possible: {_safe('; '.join(question.options), 300)}")
    if question.answer is not None:
        out.print(f"    answered by {_safe(question.answered_by or '')}: {_safe(question.answer, 300)}")
        return
    blocked = len(question.blocks_cases)
    out.print(
        f"    assumed until then: {_safe(question.default_assumption, 300)}"
        + (f"  [dim]({counted(blocked, 'case waits', 'cases wait')})[/dim]" if blocked else "")
    )


def _unread(plan: "TestPlan") -> None:
    sentences = [f"{source.name}: {sentence}" for source in plan.sources for sentence in source.unread]
    for sentence in sentences[:SHOWN]:
        console().print(f"[bold]not read[/bold]  {_safe(sentence, 200)}")
    if len(sentences) > SHOWN:
        console().print(f"[bold]not read[/bold]  … {len(sentences) - SHOWN} more in plan.json")


def _cases(plan: "TestPlan") -> None:
    out = console()
    priorities = Counter(case.priority for case in plan.cases)
    polarity = Counter(case.polarity for case in plan.cases)
    counted = ", ".join(f"{priorities[name]} {name}" for name in ("high", "medium", "low") if priorities[name])
    sides = ", ".join(f"{polarity[name]} {name}" for name in ("positive", "negative", "boundary") if polarity[name])
    if counted:
        out.print(f"  by priority: {counted}; by polarity: {sides}")
    suspect = [case for case in plan.cases if case.suspect]
    for case in suspect[:SHOWN]:
        out.print(f"  [bold]suspect[/bold] {case.id} {_safe(case.title)}: {_safe(case.suspect or '', 200)}")
    if len(suspect) > SHOWN:
        out.print(f"  … {len(suspect) - SHOWN} more suspect cases")


def _coverage(plan: "TestPlan") -> None:
    rows = [f"{one.technique} {one.covered}/{one.items}" for one in plan.coverage if one.items]
    if rows:
        console().print(
            f"\n[bold]Coverage[/bold] (items exercised / items, by technique)\n  {_safe(', '.join(rows), 600)}"
        )


def _risks(plan: "TestPlan") -> None:
    worst = sorted(plan.risks, key=lambda risk: (-risk.level, -len(risk.incident_ids), risk.requirement_id))[:SHOWN]
    texts = {requirement.id: requirement.text for requirement in plan.requirements}
    if worst:
        console().print("\n[bold]Riskiest[/bold]")
    for risk in worst:
        console().print(f"  {risk.level}/9  {_safe(texts.get(risk.requirement_id, risk.requirement_id), 110)}")
        for reason in risk.reasons[:3]:
            console().print(f"       {_safe(reason, 160)}")


def _questions(plan: "TestPlan") -> None:
    from qa_agents.plans.decisions import open_questions

    by_id = {question.id: question for question in plan.questions}
    names = open_questions(plan)
    if names:
        console().print(f"\n[bold]Open questions[/bold] ({len(names)})")
    for name in names[:SHOWN]:
        show_question(by_id[name])


def _gaps(plan: "TestPlan") -> None:
    if plan.gaps:
        kinds = Counter(gap.kind for gap in plan.gaps)
        console().print(f"\n[bold]Gaps[/bold] {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}")
    for gap in plan.gaps[:SHOWN]:
        console().print(f"  {escape(gap.ref)}: {_safe(gap.why, 160)}")
    for sentence in plan.left_out[:3]:
        console().print(f"  left out: {_safe(sentence, 160)}")


def _next(drafted: "Drafted") -> None:
    out = console()
    if drafted.form == "question":
        out.print("\n[bold]Answer[/bold]")
        out.print(f"  qa-agents plans questions {escape(drafted.name)}")
        out.print(f"  qa-agents review answer {drafted.review_id} --set Q-…='…'      (`assume` takes the default)")
        out.print(f"  qa-agents review reject {drafted.review_id} --reason other   (goes on with the assumptions)")
    elif drafted.form == "signoff":
        out.print("\n[bold]Sign off[/bold]")
        out.print(f"  qa-agents review sign {drafted.review_id}")
        out.print(f"  qa-agents plans reject {escape(drafted.name)} TC-… --reason …   plans edit …   plans answer …")
    else:
        out.print(f"\n  qa-agents export {escape(drafted.name)} --to gherkin --out .")


def _safe(text: str, limit: int = 120) -> str:
    return escape(one_line(text, limit=limit))
