"""What `doctor` looks at: each check tells one thing about the workspace and what to do about it."""

import shutil
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from qa_agents.egress import destinations
from qa_agents.errors import QAAgentsError

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

LOW_DISK_BYTES = 500_000_000


class Finding(BaseModel):
    """One thing that was looked at."""

    name: str
    level: Literal["ok", "note", "problem"]
    says: str
    do: str = ""


def diagnose(workspace: "Workspace", *, ask_model: bool = False) -> list[Finding]:
    """Run every check; a check that fails is a finding itself, never the end of the list.

    `ask_model` also puts a tiny question to the configured language model, which costs a few tokens.
    """
    findings: list[Finding] = []
    for name, check in [*CHECKS.items(), *([("language model", _model_answers)] if ask_model else [])]:
        try:
            findings.extend(check(workspace))
        except QAAgentsError as error:
            findings.append(Finding(name=name, level="problem", says=error.message, do=error.hint))
        except Exception as error:
            findings.append(Finding(name=name, level="problem", says=f"{type(error).__name__}: {error}"))
    return findings


def _workspace(workspace: "Workspace") -> Iterator[Finding]:
    home = workspace.settings.home
    where = "PostgreSQL" if workspace.settings.database_url else str(workspace.settings.database_path)
    workspace.database  # noqa: B018 - opening it is the check
    yield Finding(name="workspace", level="ok", says=f"{home.resolve()}, database {where}")
    free = shutil.disk_usage(home).free
    if free < LOW_DISK_BYTES:
        yield Finding(name="disk", level="problem", says=f"{free // 1_000_000} MB are free.", do="Free some space.")


def _memory(workspace: "Workspace") -> Iterator[Finding]:
    count = workspace.store.count()
    if count == 0:
        do = "qa-agents incidents import FILE, or `qa-agents demo` to look around."
        yield Finding(name="memory", level="note", says="It is empty: nothing can be compared with.", do=do)
        return
    yield Finding(name="memory", level="ok", says=f"{count} incidents")


def _vectors(workspace: "Workspace") -> Iterator[Finding]:
    if workspace.embedder is None or workspace.vectors is None:
        yield Finding(
            name="vectors",
            level="note",
            says="Switched off: only words are compared.",
            do="Set QA_AGENTS_EMBEDDER=minilm to compare meaning too.",
        )
        return
    missing = workspace.vectors.behind()
    says = f"{workspace.vectors.count()} vectors by {workspace.embedder.fingerprint}"
    if missing > 0:
        do = "The next triage computes them; `qa-agents incidents reindex` does it now."
        yield Finding(name="vectors", level="note", says=f"{says}; {missing} incidents have none yet.", do=do)
    else:
        yield Finding(name="vectors", level="ok", says=says)


def _learned(workspace: "Workspace") -> Iterator[Finding]:
    found = workspace.standing
    do = "qa-agents learn" if found.due else ""
    if found.fitted_on is None:
        do = do or "qa-agents learn (needs at least 100 incidents with known outcome)."
    level: Literal["ok", "note"] = "ok" if found.usable and not found.due else "note"
    yield Finding(name="learned", level=level, says=str(found), do=do)
    for name, why in found.left_alone.items():
        yield Finding(name="learned", level="note", says=f"{name} was left alone: {why}.")


def _severities(workspace: "Workspace") -> Iterator[Finding]:
    found = workspace.inflation()
    level: Literal["ok", "note"] = "note" if found.drift in ("inflated", "deflated") else "ok"
    do = "Read some of them: the rubric, the product or the reporters have changed." if level == "note" else ""
    yield Finding(name="severities", level=level, says=found.told(), do=do)
    for one in found.reporters:
        says = f"{one.reporter}'s reports were called severe more often than the team's: {one.share}."
        yield Finding(name="severities", level="note", says=says)


def _reports(workspace: "Workspace") -> Iterator[Finding]:
    balance = workspace.received.balance()
    says = f"{balance.received} received, {balance.waiting} waiting, {balance.will_retry} to be taken up"
    if balance.unaccounted:
        do = "qa-agents ledger balance names them."
        yield Finding(name="reports", level="problem", says=f"{len(balance.unaccounted)} are unaccounted for.", do=do)
    elif balance.will_retry:
        yield Finding(name="reports", level="note", says=says, do="qa-agents recover")
    else:
        yield Finding(name="reports", level="ok", says=says)


def _ledger(workspace: "Workspace") -> Iterator[Finding]:
    from qa_agents.checkpoint.ledger import entries, first_break

    broken = first_break(entries(workspace.database))
    if broken:
        yield Finding(name="ledger", level="problem", says=broken, do="Compare with a copy of the workspace.")
    else:
        yield Finding(name="ledger", level="ok", says="The chain holds.")


def _gate(workspace: "Workspace") -> Iterator[Finding]:
    modes = workspace.policy.gate.model_dump(include={"component", "severity", "priority", "type", "assignee"})
    live = [name for name, mode in modes.items() if mode == "live"]
    if not live:
        yield Finding(name="gate", level="ok", says="A person decides everything.")
        return
    says, unproven = f"live fields: {', '.join(live)}", workspace.gatekeeper.bound_state().unproven
    if unproven:
        yield Finding(name="gate", level="note", says=f"{says}. {unproven}", do="qa-agents gate status")
    else:
        yield Finding(name="gate", level="ok", says=says)


def _model(workspace: "Workspace") -> Iterator[Finding]:
    settings = workspace.settings.model
    if settings is None:
        yield Finding(name="language model", level="ok", says="None configured; nothing needs one.")
    else:
        models = sorted({settings.model_of("fast"), settings.model_of("strong")})
        on = [use for use in workspace.model_uses if workspace.models.allows(use)]
        says = f"{', '.join(models)} at {settings.base_url}, asked for {', '.join(on) or 'nothing'}."
        do = "`qa-agents doctor --ask-model` asks whether it answers."
        yield Finding(name="language model", level="ok", says=says, do=do)
    for name in workspace.prompts.foreign():
        yield Finding(name="prompts", level="note", says=f"{name}.md replaces no prompt.", do="qa-agents prompts list")


def _connections(workspace: "Workspace") -> Iterator[Finding]:
    found = destinations(workspace.settings)
    says = "; ".join(f"{what} at {url}" for what, url in found) or "None: the settings name no address."
    yield Finding(name="connections", level="ok", says=says)


def _model_answers(workspace: "Workspace") -> Iterator[Finding]:
    for role in ("fast", "strong"):
        mode, why = workspace.models.probe(role)
        name = f"language model, {role}"
        if mode is None:
            do = "Check `[model]` in qa-agents.toml. Everything works without it, and says so."
            yield Finding(name=name, level="problem", says=f"It gives no usable answer. {why}", do=do)
        else:
            yield Finding(name=name, level="ok", says=f"It answers, held to a shape by {mode}.")


def _effects(workspace: "Workspace") -> Iterator[Finding]:
    halted = workspace.switch.in_force()
    if halted:
        yield Finding(name="stop switch", level="problem", says=str(halted), do="qa-agents resume --reason …")
    late = workspace.outbox.stuck(time.time())
    if late:
        says = f"{len(late)} approved changes are neither done nor failed."
        yield Finding(name="outbox", level="problem", says=says, do="qa-agents recover")
    if not halted and not late:
        yield Finding(name="outbox", level="ok", says="What was approved is done or has failed loudly.")


CHECKS: dict[str, Callable[["Workspace"], Iterator[Finding]]] = {
    "workspace": _workspace,
    "memory": _memory,
    "vectors": _vectors,
    "learned": _learned,
    "severities": _severities,
    "reports": _reports,
    "outbox": _effects,
    "ledger": _ledger,
    "gate": _gate,
    "language model": _model,
    "connections": _connections,
}
