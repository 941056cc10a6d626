"""What the pages about the past show: a report's history, the ledger, the reviewers' record. Plain values, pure."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qa_agents.checkpoint.chain import Entry
from qa_agents.checkpoint.markup import Writer
from qa_agents.checkpoint.page import EVENTS
from qa_agents.checkpoint.rates import Rate
from qa_agents.checkpoint.reviewers import Reviewer, Stats

_TOLD = ("verdict", "reason_code", "note", "to", "because", "state", "error", "kind", "says")
"""Keys of a payload that a person wants to read in a history; the rest is in the ledger."""


def history_view(story: Mapping[str, Any], mask: Callable[[str], str]) -> dict[str, Any]:
    """A report's life in order: what happened, who did it, what was written and whether it stands."""
    write = Writer(mask)
    return {
        "report_id": write.text(story["report_id"]),
        "raw_id": str(story["report_id"]),
        "summary": write.text(_summary(story)),
        "erased": bool(story["erased"]),
        "states": [
            {"state": one["state"], "source": write.text(one["source"]), "error": write.text(one["error"] or "")}
            for one in story["accounts"]
        ],
        "steps": [
            {
                "at": entry["at"],
                "what": EVENTS.get(entry["event"], entry["event"]),
                "event": entry["event"],
                "who": write.text(entry["actor"]),
                "told": [write.text(text) for text in _told(entry.get("payload"))],
            }
            for entry in story["entries"]
        ],
        "writes": [
            {
                "what": write.text(f"{_word(body.get('kind'))} {body.get('params', {}).get('field', '')}".strip()),
                "value": write.text(_value(body)),
                "state": one["state"],
                "error": write.text(one.get("error") or ""),
                "at": one.get("done_at"),
            }
            for one in story["actions"]
            for body in [one["body"] if isinstance(one.get("body"), dict) else {}]
        ],
        "reviews": [
            {
                "id": one["review_id"],
                "state": one["state"],
                "form": one.get("form") or "approval",
                "at": one["opened_at"],
            }
            for one in story["reviews"]
        ],
    }


def entry_view(entry: Entry, write: Writer) -> dict[str, Any]:
    """One line of the ledger, with its payload as readable JSON."""
    payload = None if entry.erased else json.dumps(entry.payload, ensure_ascii=False, sort_keys=True, indent=1)
    return {
        "seq": entry.seq,
        "at": entry.at,
        "what": EVENTS.get(entry.event, entry.event.replace("_", " ")),
        "event": entry.event,
        "subject": write.text(entry.subject),
        "raw_subject": entry.subject,
        "who": write.text(entry.actor),
        "payload": write.text(payload) if payload is not None else None,
        "hash": entry.hash[:12],
        "previous": entry.previous_hash[:12],
    }


def stats_view(found: Stats) -> dict[str, Any]:
    """Rates with their intervals as they are drawn: every share as percentages with its n."""
    return {
        "everyone": _reviewer(found.everyone),
        "reviewers": [_reviewer(one) for one in found.reviewers],
        "kept": [{"field": name, "rate": rate_view(rate)} for name, rate in found.kept.items()],
    }


def rate_view(rate: Rate) -> dict[str, Any]:
    """A rate for a bar with its interval, in whole percents; `value` None without observations."""
    return {
        "text": str(rate),
        "n": rate.n,
        "events": rate.events,
        "value": None if rate.value is None else round(100 * rate.value),
        "low": round(100 * rate.low),
        "high": round(100 * rate.high),
    }


def _reviewer(one: Reviewer) -> dict[str, Any]:
    looks = one.second_looks
    return {
        "name": one.name,
        "decisions": one.decisions,
        "verdicts": {name: rate_view(rate) for name, rate in one.verdicts.items()},
        "override": rate_view(one.override),
        "canaries": rate_view(one.canaries),
        "median": one.median_seconds,
        "second": (
            f"kappa {looks.kappa:.2f} ({looks.low:.2f} to {looks.high:.2f}), n {looks.n}"
            if looks.kappa is not None and looks.low is not None and looks.high is not None
            else f"same in {looks.same}"
            if looks.n
            else "none yet"
        ),
        "reasons": one.reasons,
        "warnings": one.warnings,
    }


def _told(payload: Any) -> Iterable[str]:
    """What of a payload belongs into a sentence."""
    found = payload if isinstance(payload, dict) else {}
    for name in _TOLD:
        if found.get(name):
            yield f"{name.replace('_', ' ')}: {found[name]}"
    edits = found.get("edits")
    if isinstance(edits, dict):
        yield from (f"{field} = {value}" for field, value in edits.items())


def _summary(story: Mapping[str, Any]) -> str:
    reports = [run["report"] for run in story["runs"] if run.get("report")]
    return str(reports[-1].get("summary") or "") if reports else ""


def _value(body: Mapping[str, Any]) -> str:
    params = body.get("params") or {}
    return str(params.get("value") or params.get("label") or params.get("text") or params.get("to") or "")


def _word(kind: Any) -> str:
    return str(kind or "").replace("_", " ")
