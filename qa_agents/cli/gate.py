"""`qa-agents gate`: what may go through without a person, why it may or may not, and what it takes."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import As, Json, console, open_workspace, print_json, progress
from qa_agents.errors import FindingsError, InvalidInputError

if TYPE_CHECKING:
    from qa_agents.incidents.schema import Incident
    from qa_agents.triage.gate.bound import CriticalBound, Feasible
    from qa_agents.triage.gate.calibration import Chosen, Scored
    from qa_agents.triage.gate.gatekeeper import BoundState
    from qa_agents.triage.gate.standing import Standing
    from qa_agents.wiring import Workspace

app = typer.Typer(
    help="Where a person must decide: what may be written without one (status, calibrate, acknowledge, cases), and whether a "
    "test run is good enough (check, certificate, verify).",
    no_args_is_help=True,
)
SCANNED = 30_000
"""So many of the newest incidents with an outcome are looked through for critical ones."""


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Per field and action: the mode, the record beside the target, and whether it acts; the missed-critical bound; the alarm."""
    with open_workspace(context) as workspace:
        policy, keeper = workspace.policy.gate, workspace.gatekeeper
        found, state = keeper.standings(), keeper.bound_state()
    if as_json:
        print_json(
            {
                "policy": policy.model_dump(mode="json"),
                "standings": [{**one.model_dump(mode="json"), "holds": one.holds} for one in found],
                "bound": _bound_json(state.bound) if state.bound else None,
                "bound_sha256": state.sha256 or None,
                "unproven": state.unproven,
                "watched": state.watched.model_dump(mode="json") | {"alarm": state.watched.alarm}
                if state.watched
                else None,
            }
        )
        return
    _show_modes(policy.model_dump(mode="json"), found)
    _show_bound(state)


@app.command()
def calibrate(
    context: typer.Context,
    alpha: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The share of critical reports that may be missed.")
    ] = 0.05,
    delta: Annotated[float, typer.Option(min=0.0001, max=0.5, help="1 minus the confidence.")] = 0.05,
    critical: Annotated[
        str | None,
        typer.Option(help="Severities or priorities that must not be missed, with commas (default: the highest)."),
    ] = None,
    reviewer: As = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is feasible.")] = False,
    as_json: Json = False,
) -> None:
    """Calibrate the missed-critical bound on the team's own past; exit 1 when what is asked for is not feasible."""
    from qa_agents.triage.gate.bound import feasible

    with open_workspace(context) as workspace:
        words = _critical_words(workspace, critical)
        chosen = _chosen(workspace, words)
        can = feasible(len(chosen.critical), alpha, delta)
        if not as_json:
            _show_feasible(can, words)
        if dry_run or can.allowed < 0:
            if as_json:
                print_json({"feasible": can.model_dump(mode="json"), "critical": words, "bound": None})
            if can.allowed < 0:
                raise FindingsError(
                    f"Nothing was calibrated: {can}",
                    hint="Ask for less (--alpha), count more words as critical (--critical), or wait for more history.",
                )
            return
        bound = _calibrated(workspace, chosen, words, alpha=alpha, delta=delta, reviewer=reviewer)
        sha256 = workspace.gatekeeper.keep(bound)
    if as_json:
        print_json(
            {
                "feasible": can.model_dump(mode="json"),
                "critical": words,
                "bound": _bound_json(bound),
                "bound_sha256": sha256,
            }
        )
        return
    _show_promise(bound)


@app.command()
def acknowledge(
    context: typer.Context,
    reason: Annotated[
        str, typer.Option("--reason", help="Why the bound may hold again although reports have changed.")
    ],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Accept that reports have changed since the calibration; who and why is in the ledger."""
    from qa_agents.operations.deciding import recognise

    if not reason.strip():
        raise InvalidInputError("An alarm is acknowledged with a reason.", hint="Say --reason “…”, or calibrate again.")
    with open_workspace(context) as workspace:
        by = recognise(workspace, reviewer, workspace.settings.reviewer_token).name
        lifted = workspace.gatekeeper.acknowledge(by=by, reason=reason.strip())
    if as_json:
        print_json({"acknowledged_by": by, **lifted.model_dump(mode="json")})
    else:
        console().print("Acknowledged. The bound holds again, and live reports are watched anew.")


@app.command()
def cases(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="Write here instead of to stdout.")] = None,
) -> None:
    """Every correction that people made, as eval cases in JSON Lines; texts are redacted."""
    from qa_agents.triage.gate.correction_cases import correction_cases

    with open_workspace(context) as workspace:
        lines = [case.model_dump_json() for case in correction_cases(workspace.database)]
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{out} cannot be written ({error.strerror}).", hint="Name a writable file.") from None
    console().print(f"{len(lines)} cases written to {out}.", soft_wrap=True)


def _critical_words(workspace: "Workspace", given: str | None) -> list[str]:
    """The words asked for, else the team's own for its highest level."""
    if given is not None:
        words = [word.strip() for word in given.split(",") if word.strip()]
        if not words:
            raise InvalidInputError("--critical names no word.", hint="For example --critical Blocker,Critical.")
        return words
    used = workspace.store.severities()
    return sorted(workspace.rubric.top_words(used).intersection(used)) or sorted(workspace.rubric.top_words())


def _chosen(workspace: "Workspace", words: list[str]) -> "Chosen":
    from datetime import UTC, datetime

    from qa_agents.triage.gate.calibration import choose

    now = datetime.now(UTC)
    known = workspace.store.newest_decided(SCANNED)
    return choose(known, words, lambda incident: workspace.store.resolve_canonical(incident.id, now)[-1])


def _calibrated(
    workspace: "Workspace", chosen: "Chosen", words: list[str], *, alpha: float, delta: float, reviewer: str | None
) -> "CriticalBound":
    from qa_agents.operations.deciding import recognise
    from qa_agents.triage.gate.calibration import base_rate, calibrate_bound
    from qa_agents.triage.gate.rehearsal import scorer

    by = recognise(workspace, reviewer, workspace.settings.reviewer_token).name
    parts = workspace.triage_parts
    score = scorer(parts, words, base_rate(chosen, words))
    total = len({incident.id for incident in [*chosen.critical, *chosen.reference]})
    with progress() as tell:
        seen: set[str] = set()

        def told(incident: "Incident") -> "Scored":
            seen.add(incident.id)
            tell("scoring past reports", len(seen), total)
            return score(incident)

        return calibrate_bound(
            chosen,
            told,
            words,
            alpha=alpha,
            delta=delta,
            fingerprint=workspace.gatekeeper.fingerprint(),
            costs=workspace.policy.gate.costs,
            at=time.time(),
            by=by,
        )


def _bound_json(bound: "CriticalBound") -> dict[str, Any]:
    told = bound.model_dump(mode="json", exclude={"reference", "familiar"})
    return {**told, "threshold": bound.threshold, "guarantee": bound.guarantee(), "reference": len(bound.reference)}


def _show_feasible(can: "Feasible", words: list[str]) -> None:
    from rich.markup import escape

    out = console()
    out.print(f"Critical: {escape(', '.join(words))}; {can.n} such reports, one per duplicate cluster.", soft_wrap=True)
    out.print(f"Asked for: {can}", soft_wrap=True)


def _show_promise(bound: "CriticalBound") -> None:
    from rich.markup import escape

    from qa_agents.checkpoint.rates import wilson

    out = console()
    out.print(
        f"Threshold t = {bound.threshold:.4f} (the {bound.r}. lowest of {bound.n} scores, {bound.first} to {bound.last})."
    )
    if bound.worth_probability is not None:
        at = "no score reaches it" if bound.worth is None else f"score {bound.worth:.4f}"
        out.print(
            f"By cost a look is worth it from a probability of {bound.worth_probability:.3f} on ({at}); the lower one counts."
        )
    out.print(escape(bound.guarantee()), soft_wrap=True)
    share = wilson(bound.others_escalated, bound.others)
    out.print(f"Of reports that are not critical, {share} reach a person at this threshold.")
    if bound.separation is not None:
        out.print(
            f"The score tells critical from other reports with AUC {bound.separation:.3f}; that limits this share."
        )


def _show_modes(policy: dict[str, Any], found: "list[Standing]") -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    table = Table("what", "mode", "band", "kept by people", "at least", "target", "acts")
    for name in ("component", "severity", "priority", "type", "assignee"):
        rows = [one for one in found if one.field == name]
        live = policy[name] == "live"
        for one in rows:
            acts = ("yes" if one.holds else "demoted") if live else "no"
            band = one.band if one.group == "all" else f"{one.band}, {one.group}"
            cells = (name, policy[name], band, f"{one.kept} of {one.n}", f"{one.low:.1%}", f"{one.target:.1%}", acts)
            table.add_row(*map(escape, cells))
        if not rows:
            table.add_row(name, policy[name], "", "none yet", "", "", "demoted" if live else "no")
    for name, mode in policy["actions"].items():
        table.add_row(name, mode, "", "", "", "", "yes" if mode == "live" else "no")
    out.print(table)


def _show_bound(state: "BoundState") -> None:
    from rich.markup import escape

    out = console()
    if state.bound is not None:
        out.print(escape(state.bound.guarantee()), soft_wrap=True)
    if state.watched is not None:
        watched = state.watched
        out.print(f"Watched since: {watched.seen} reports, evidence of change {watched.capital:.2g} (alarm at 100).")
    out.print(escape(state.unproven) if state.unproven else "The bound holds.", soft_wrap=True)
