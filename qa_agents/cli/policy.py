"""`qa-agents policy`: who may decide what, before it counts and while it does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import Json, console, open_workspace, print_json
from qa_agents.cli.text import one_line
from qa_agents.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from qa_agents.checkpoint.policy import Policy, Rule

MIN_PASSWORD = 12
"""Shorter ones are guessed."""

app = typer.Typer(help="Who may decide what at the checkpoint.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A policy file (TOML).")],
    as_json: Json = False,
) -> None:
    """Validate a policy and print who may decide what; exit 1 when a rule would never match, or lets nobody approve a change."""
    from qa_agents.checkpoint.policy import load_policy, never_approved

    policy = load_policy(file)
    never, stuck = _never_matching(policy), never_approved(policy)
    if as_json:
        print_json({**_as_json(policy), "never_matching": never, "never_approved": stuck})
    else:
        _show(policy)
    if never:
        raise FindingsError(never[0], hint="Correct the word: this rule protects nothing as it is.")
    if stuck:
        raise FindingsError(
            stuck[0], hint="Name more people, want fewer approvals, or say proposer_may_approve = true."
        )


@app.command()
def show(context: typer.Context, as_json: Json = False) -> None:
    """Print the policy that is in force."""
    with open_workspace(context) as workspace:
        policy = workspace.inbox.policy
    if as_json:
        print_json(_as_json(policy))
    else:
        _show(policy)


@app.command()
def password(as_json: Json = False) -> None:
    """Hash a password that is read from the terminal (or stdin), for a reviewer of the review pages. It is not stored."""
    import sys

    from qa_agents.service.sessions import hashed

    at_terminal = sys.stdin.isatty()
    asked = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True) if at_terminal else input()
    secret = str(asked)
    if len(secret) < MIN_PASSWORD:
        raise UsageError(
            f"A password needs at least {MIN_PASSWORD} characters.", hint="Four words are easy to remember."
        )
    if as_json:
        print_json({"password_argon2": hashed(secret)})
    else:
        console().print(f"password_argon2 = '{hashed(secret)}'", soft_wrap=True, markup=False)


@app.command()
def token(as_json: Json = False) -> None:
    """Make a token for a reviewer, and the line that lets the policy recognise it. It is not stored anywhere."""
    import hashlib
    import secrets

    made = secrets.token_urlsafe(32)
    digest = hashlib.sha256(made.encode()).hexdigest()
    if as_json:
        print_json({"token": made, "key_sha256": digest})
        return
    out = console()
    out.print(f"For the reviewer:  QA_AGENTS_REVIEWER_TOKEN={made}", soft_wrap=True)
    out.print(f'For the policy:    key_sha256 = "{digest}"', soft_wrap=True)


def _never_matching(policy: "Policy") -> list[str]:
    from typing import get_args

    from qa_agents.checkpoint.policy import unknown_names
    from qa_agents.triage.gate.judge import ASKING, BLOCKING
    from qa_agents.triage.schema import FieldName

    return unknown_names(
        policy, rules=[*BLOCKING, *ASKING], fields=get_args(FieldName), kinds=("triage", "plan", "summary")
    )


def _as_json(policy: "Policy") -> dict[str, Any]:
    """The policy with the names of those who may decide by each rule; the tokens' digests stay out."""
    told = policy.model_dump(mode="json", exclude={"reviewers": {"__all__": {"key_sha256"}}})
    for rule, written in zip(policy.rule, told["rule"], strict=True):
        written["who"] = policy.entitled(rule.roles, rule.of)
    return {**told, "all_reason_codes": list(policy.all_reason_codes)}


def _show(policy: "Policy") -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    if not policy.reviewers:
        out.print("No reviewers are listed: anybody who can use the workspace may decide, under the name they give.")
    else:
        people = Table("reviewer", "roles", "recognised by")
        for name, listed in policy.reviewers.items():
            means = [f"login {listed.login}"] * bool(listed.login) + ["token"] * bool(listed.key_sha256)
            people.add_row(*(escape(one_line(cell)) for cell in (name, ", ".join(listed.roles), " or ".join(means))))
        out.print(people)
    rules = Table("#", "rule", "when", "who may decide", "approvals", "in time")
    for number, rule in enumerate(policy.rule, start=1):
        who = ", ".join(policy.entitled(rule.roles, rule.of)) or "anybody"
        cells = (rule.name, _when(rule), who, _approvals(rule), _in_time(rule))
        rules.add_row(str(number), *(escape(one_line(cell, limit=160)) for cell in cells))
    everyone = ", ".join(policy.reviewers) or "anybody"
    rules.add_row("", "no rule", "everything else", escape(one_line(everyone, limit=160)), "1", "")
    out.print(rules)
    if policy.quiet_hours:
        quiet = policy.quiet_hours
        days = ", ".join(quiet.days) + ("; all day " + ", ".join(quiet.all_day) if quiet.all_day else "")
        out.print(f"Quiet from {quiet.start:%H:%M} to {quiet.end:%H:%M} {escape(quiet.timezone)} ({days}).")
    out.print(escape(_gate(policy)))
    if policy.gate.challenge:
        out.print(f"Doubted once, in a private comment, where a person set it: {', '.join(policy.gate.challenge)}.")
    out.print(f"Reason codes: {escape(', '.join(policy.all_reason_codes))}.")


def _gate(policy: "Policy") -> str:
    """What may be written without a person, in one line."""
    from qa_agents.checkpoint.gate_policy import FIELD_MODES

    gate = policy.gate
    modes = {**gate.model_dump(include=set(FIELD_MODES)), **gate.actions.model_dump()}
    told = [
        f"{', '.join(names)} {mode}" for mode in ("live", "shadow") if (names := [n for n in modes if modes[n] == mode])
    ]
    if not gate.is_open:
        return "; ".join(["Gate: nothing is written without a person", *told]) + "."
    held = f"while at least {gate.target:.0%} of the last {gate.last} were kept"
    return f"Gate: {'; '.join(told)}; all else gated. Live {held} (lower 95 % bound, {gate.min_decisions} decisions or more)."


def _when(rule: "Rule") -> str:
    asked = rule.when.model_dump(exclude_none=True)
    told = [
        f"{key} {' or '.join(values) if isinstance(values, list) else 'yes'}" for key, values in asked.items() if values
    ]
    return "; ".join(told).replace("_", " ") or "always"


def _approvals(rule: "Rule") -> str:
    return f"{rule.approvals}{'' if rule.proposer_may_approve else ', not by the proposer'}"


def _in_time(rule: "Rule") -> str:
    parts = []
    if rule.sla_hours is not None:
        parts.append(f"within {rule.sla_hours:g} h")
        parts += [f"then to {name}" for name in (rule.reroute_to, rule.escalate) if name]
    if rule.expires_hours is not None:
        parts.append(f"void after {rule.expires_hours:g} h")
    return ", ".join(parts)
