"""What a posted form says, as the words of an answer; only what belongs to its verdict is taken. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from qa_agents.errors import UsageError

ASSUME = "assume"
WAIVERS = 5
"""Rows of the sign-off form in which a gap or a promise can be let pass."""


def answer_of(form: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
    """A form as keyword arguments of `deciding.decide`. Raises UsageError for a date that is none or lies in the past."""
    verdict, note = form.get("verdict", ""), form.get("note", "")[:10_000]
    answer: dict[str, Any] = {"verdict": verdict, "note": note}
    match verdict:
        case "approve":
            answer["proposed_by"] = form.get("proposed_by") or None
        case "edit":
            answer["reason_code"] = form.get("reason") or None
            answer["edits"] = dict(_edits(form))
        case "reject":
            answer["reason_code"] = form.get("reason") or None
        case "ask_reporter":
            answer["questions"] = [line.strip() for line in form.get("questions", "").splitlines() if line.strip()]
        case "defer":
            answer["until"] = _day(form.get("until", ""), now)
        case "delegate":
            answer["to"] = form.get("to", "").strip() or None
        case "answer":
            answer["answers"] = dict(_answers(form))
        case "sign":
            answer["accountable"] = form.get("accountable", "").strip() or None
            answer["waivers"] = list(_waivers(form, now))
    return answer


def _edits(form: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Fields whose value is another than the one that was proposed."""
    for name, value in form.items():
        if name.startswith("set-") and value.strip() and value.strip() != form.get(f"was-{name[4:]}", ""):
            yield name[4:], value.strip()


def _answers(form: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Question to answer; a ticked assumption is one."""
    for name, value in form.items():
        if name.startswith("assume-"):
            yield name[7:], ASSUME
        elif name.startswith("answer-") and value.strip() and f"assume-{name[7:]}" not in form:
            yield name[7:], value.strip()


def _waivers(form: Mapping[str, str], now: datetime) -> Iterator[dict[str, Any]]:
    for row in range(1, WAIVERS + 1):
        item = form.get(f"waive-item-{row}", "")
        if item:
            yield {
                "item": item,
                "owner": form.get(f"waive-owner-{row}", "").strip(),
                "reason": form.get(f"waive-reason-{row}", "").strip(),
                "expires": _day(form.get(f"waive-until-{row}", ""), now),
            }


def _day(text: str, now: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError("That is no date.", hint="Choose one, 2026-12-01 say.") from None
    found = found.replace(tzinfo=found.tzinfo or UTC)
    if found <= now:
        raise UsageError("That day has begun already.", hint="Choose a later one.")
    return found
