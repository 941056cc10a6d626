"""What is trusted of a body, and where each kind of body goes."""

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.runtime.events import MAX_AGE_SECONDS, Kind, decide, read_event

NOW = 1_780_000_000.0
ISSUE = {"id": "10021", "key": "WB-7", "self": "https://elsewhere.invalid/rest/api/2/issue/666", "fields": {}}
BASE: dict[str, Any] = {
    "timestamp": int(NOW * 1000),
    "webhookEvent": "jira:issue_updated",
    "issue": ISSUE,
    "user": {"accountId": "somebody"},
    "changelog": {"id": "900", "items": []},
}


def body(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in {**BASE, **changes}.items() if value is not ...}).encode()


def test_only_which_issue_who_and_when_is_taken_from_a_body() -> None:
    event = read_event("webhook", body())
    assert (event.issue, event.key, event.actor, event.sent_at) == ("10021", "WB-7", "somebody", NOW)
    assert event.identity == "jira:issue_updated/900"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "routed"),
        ({"webhookEvent": "jira:issue_created"}, "routed"),
        ({"webhookEvent": "jira:issue_deleted"}, "routed"),
        ({"webhookEvent": "comment_created", "changelog": ..., "comment": {"id": "5"}}, "routed"),
        ({"user": ..., "changelog": None}, "routed"),
        ({"changelog": {"items": []}}, "routed"),
        ({"issue": {"key": "WB-7"}}, "routed"),
        ({"issue": {"id": 10021}}, "routed"),
        ({"timestamp": ...}, "routed"),
        ({"timestamp": "yesterday"}, "routed"),
        ({"timestamp": int((NOW - MAX_AGE_SECONDS + 5) * 1000)}, "routed"),
        ({"timestamp": int((NOW + 999) * 1000)}, "routed"),
        ({"issue": ..., "comment": {"self": "https://x.invalid/rest/api/2/issue/10021/comment/5"}}, "routed"),
        ({"webhookEvent": "issue_property_set"}, "ignored"),
        ({"webhookEvent": "sprint_closed", "issue": ...}, "ignored"),
        ({"user": {"accountId": "me"}}, "ignored"),
        ({"user": ..., "webhookEvent": "comment_created", "comment": {"author": {"accountId": "me"}}}, "ignored"),
        ({"user": {"name": "me"}}, "ignored"),
        ({"issue": {"id": "1", "key": "OTHER-1"}}, "ignored"),
        ({"timestamp": int((NOW - MAX_AGE_SECONDS - 5) * 1000)}, "dead"),
        ({"webhookEvent": ...}, "dead"),
        ({"webhookEvent": 7}, "dead"),
        ({"webhookEvent": "a\x1b[31m"}, "dead"),
        ({"issue": ...}, "dead"),
        ({"issue": "WB-7"}, "dead"),
        ({"issue": {"id": "../../admin", "key": "WB-7/../1"}}, "dead"),
        ({"issue": {"id": "１０"}}, "dead"),
        ({"issue": ..., "comment": {"self": "https://x.invalid/issue/abc/comment/5"}}, "dead"),
    ],
)
def test_where_a_webhook_goes(changes: dict[str, Any], state: str) -> None:
    route = decide("webhook", body(**changes), NOW, own_accounts=frozenset({"me"}), projects=frozenset({"WB"}))
    assert route.state == state
    assert (route.reason is None) == (state == "routed")


def test_a_replay_by_a_person_may_be_old() -> None:
    old = body(timestamp=int((NOW - 9 * MAX_AGE_SECONDS) * 1000))
    assert decide("webhook", old, NOW, replayed=True).state == "routed"


@pytest.mark.parametrize(
    ("said", "issue"),
    [
        ({"issue": ISSUE}, "10021"),
        ({"issue": {"id": 10021, "key": "WB-7", "changelog": {"histories": None}}}, "10021"),
        ({**ISSUE, "id": 10021}, "10021"),
        ({"issue": "WB-7"}, "WB-7"),
        ({"issueKey": "WB-7", "text": "anything"}, "WB-7"),
        ({"issue_id": 10021}, "10021"),
        ({"key": "WB-7"}, "WB-7"),
        ({"id": 5}, None),
        ({"issueKey": "WB-7; DROP"}, None),
        ({"text": "WB-7"}, None),
        ({}, None),
    ],
)
def test_an_automation_may_name_the_issue_in_its_own_way(said: dict[str, Any], issue: str | None) -> None:
    route = decide("automation", json.dumps(said).encode(), NOW)
    assert (route.event.issue if route.event else None) == issue
    assert route.state == ("routed" if issue else "dead")


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"[1]", b"null", b'"x"', b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a":' * 50_000]
)
@pytest.mark.parametrize("kind", ["webhook", "automation"])
def test_what_is_no_object_is_dead_with_a_reason(kind: Kind, raw: bytes) -> None:
    route = decide(kind, raw, NOW)
    assert route.state == "dead"
    assert route.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(name=st.sampled_from([*BASE, "comment"]), value=JSON, kind=st.sampled_from(["webhook", "automation"]))
def test_no_value_in_any_place_raises_or_names_a_strange_issue(name: str, value: object, kind: Kind) -> None:
    raw = orjson.dumps({**BASE, name: value}, option=orjson.OPT_NON_STR_KEYS) if _is_plain(value) else b"{}"
    route = decide(kind, raw, NOW)
    if route.state == "routed":
        assert route.event
        assert route.event.issue.replace("-", "").replace("_", "").isalnum()


def _is_plain(value: object) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return False
    return True


def payloads(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "jira" / "payloads").glob("*.json"))


def test_every_captured_body_is_routed_and_every_broken_one_is_dead_with_its_reason(shared_data: Path) -> None:
    broken = {
        "dv-bom-latin1", "dv-deep-nesting", "dv-empty", "dv-lone-surrogate", "dv-nan", "dv-root-array", "dv-truncated",
    }  # fmt: skip
    for path in payloads(shared_data):
        kind: Kind = "automation" if "automation" in path.name else "webhook"
        began = time.process_time()
        route = decide(kind, path.read_bytes(), 0.0)
        assert time.process_time() - began < 1, path.name
        if path.stem in broken:
            assert (route.state, bool(route.reason)) == ("dead", True), path.name
        elif path.name.startswith(("mm-", "jk-")):
            assert route.state == "routed", (path.name, route)
        assert route.state != "dead" or route.reason


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_mutation_of_a_captured_body_raises(shared_data: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in payloads(shared_data) if path.stat().st_size < 60_000]))
    raw = bytearray(path.read_bytes() or b"{}")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        cut = data.draw(st.integers(0, 40))
        raw[at : at + cut] = data.draw(st.binary(max_size=20))
    for kind in ("webhook", "automation"):
        route = decide(kind, bytes(raw), 0.0)
        assert route.state in ("routed", "ignored", "dead")
        assert route.state == "routed" or route.reason
