"""A canary goes through the whole command line without anybody being able to tell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qa_agents.checkpoint.policy import DEFAULT, Policy

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def _draw_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    from qa_agents.checkpoint.inbox import Inbox

    build = Inbox.__init__

    def with_policy(self: Inbox, *arguments: Any, **named: Any) -> None:
        build(
            self,
            *arguments,
            **{**named, "policy": Policy(canary_rate=1.0)} if named.get("policy", DEFAULT) == DEFAULT else named,
        )

    monkeypatch.setattr(Inbox, "__init__", with_policy)


def test_a_canary_waits_is_explained_is_decided_and_then_told(command: Callable[..., Any], home: Path) -> None:
    command("review", "canary", "add", str(EXAMPLES / "canaries.jsonl"))
    report = json.loads((EXAMPLES / "reports" / "02-obvious-duplicate.json").read_text("utf-8"))
    real = command("triage", str(EXAMPLES / "reports" / "02-obvious-duplicate.json"))
    listed = command("review", "list")
    assert len(listed) == 2
    canary = next(item for item in listed if item["subject_id"] != report["id"])
    shown = command("review", "show", canary["review_id"])
    assert (shown["triage"]["state"], real["state"]) == ("waiting", "waiting")
    assert shown["triage"]["review_id"] == canary["review_id"]
    told = command("explain", canary["subject_id"])
    assert "canary" not in json.dumps([listed, shown, told]).lower()
    before = command("ledger", "balance")
    issues = sorted((home / "tracker").glob("*.json")) if (home / "tracker").exists() else []
    deferred = command("review", "defer", canary["review_id"], "--until", "2d")
    assert deferred["canary"] is None
    assert deferred["state"] == "waiting"
    decided = command("review", "approve", canary["review_id"], "--as", "ada")
    assert "This was a canary, and it got past you" in decided["canary"]
    assert (decided["written"], decided["failed"]) == ([], [])
    assert command("ledger", "balance") == before
    assert before["received"] == 1
    assert sorted((home / "tracker").glob("*.json")) == issues if (home / "tracker").exists() else not issues
    command("ledger", "verify")
    (record,) = command("review", "stats")["reviewers"]
    assert (record["name"], record["decisions"], record["canaries"]["n"], record["canaries"]["events"]) == (
        "ada",
        0,
        1,
        0,
    )
    assert command("review", "canary", "list")["decided"][0]["caught"] is False
