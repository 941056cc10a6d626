"""What stays of stored JSON after an erasure: structure, digests, the team's own vocabulary. Pure; repeating changes nothing."""

from typing import Any

WORDS = "(erased)"
"""Stands where somebody's words stood."""
EDITED = "(erased, another)"
"""Stands where a person put another value: it must not look like agreement."""
VOCABULARY = ("component", "severity", "priority", "type")
"""Fields whose values are the team's own words for its work and say nothing about a person."""
_SHOWN = (
    "schema_version", "report_sha256", "triage_sha256", "target", "issue_version", "gate", "rules", "policy_sha256",
    "form", "proposer", "filer",
)  # fmt: skip
_PLACES = ("field", "public", "relation", "to", "id", "at")
"""Parameters of an action that say where, not what."""

Json = dict[str, Any]


def erased_shown(shown: Json) -> Json:
    """What a person was shown, without its words; how many changes of which kind it offered stays readable."""
    kept = {name: shown[name] for name in _SHOWN if name in shown}
    offered = [erased_action(action) for action in shown.get("actions", ()) if isinstance(action, dict)]
    if isinstance(proposed := shown.get("proposed"), dict):
        kept["proposed"] = {
            name: value if name in VOCABULARY else {**value, "value": WORDS} for name, value in proposed.items()
        }
    return {**kept, "actions": offered, "editable": [], "erased": True}


def erased_decision(decision: Json) -> Json:
    """An answer without its free text: who, when, what verdict, which reason and which team values stay."""
    edits = decision.get("edits") or {}
    changed: Json = {
        "note": WORDS if decision.get("note") else "",
        "edits": {name: value if name in VOCABULARY else EDITED for name, value in edits.items()},
        "questions": [WORDS for _ in decision.get("questions") or ()],
        "answers": dict.fromkeys(decision.get("answers") or {}, WORDS),
        "waivers": [{**waiver, "item": WORDS, "reason": WORDS} for waiver in decision.get("waivers") or ()],
        "unblocks": [WORDS for _ in decision.get("unblocks") or ()],
    }
    return {**decision, **{name: value for name, value in changed.items() if name in decision}}


def is_kept(action: Json) -> bool:
    """Whether an action holds no words of a person: a team value set or cleared, a link."""
    if action.get("kind") in ("set_field", "clear_field"):
        return action.get("params", {}).get("field") in VOCABULARY
    return action.get("kind") in ("link_issue", "unlink_issue")


def erased_action(action: Json) -> Json:
    """An action without its words; one that holds none keeps its parameters."""
    params = action.get("params", {})
    if not is_kept(action):
        params = {name: value if name in _PLACES else _blanked(value) for name, value in params.items()}
    because = {"because": WORDS} if action.get("because") else {}
    return {**action, "params": params, **because}


def erased_applied(action: Json, applied: Json | None) -> Json | None:
    """How the issue was before an action and what would restore it: None where that holds words, so that it is not undone."""
    return applied if is_kept(action) else None


def _blanked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blanked(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_blanked(part) for part in value]
    return WORDS if isinstance(value, str) else value
