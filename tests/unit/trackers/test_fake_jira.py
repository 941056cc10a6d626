"""The stand-in itself: it refuses what Jira refuses, says what it does not serve, and delivers as Jira does."""

import base64
import json
from collections import Counter

import httpx
import pytest

from tests.fakes.jira.server import TOKEN, USER, FakeJira
from tests.fakes.jira.site import FakeSite
from tests.fakes.jira.webhooks import comment_events, deliver, issue_event, signature

BASIC = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()}


def ask(jira: FakeJira, method: str, path: str, body: object = None) -> httpx.Response:
    return httpx.request(method, f"{jira.url}/rest/api/{path}", json=body, headers=BASIC)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "2/dashboard", None, 501),
        ("GET", "2/search?jql=project=PAY", None, 410),
        ("POST", "2/search/jql", {"jql": "order by created"}, 400),
        ("POST", "2/search/jql", {"jql": "mood = good"}, 400),
        ("GET", "2/issue/PAY-404", None, 404),
        ("POST", "3/issue/PAY-1/comment", {"body": "a string"}, 400),
        ("POST", "2/issue/PAY-1/comment", {"body": ""}, 400),
        ("PUT", "2/issue/PAY-1", {"update": {"labels": [{"add": "two words"}]}}, 400),
        ("PUT", "2/issue/PAY-1", {"fields": {"mood": "good"}}, 400),
    ],
)
def test_it_refuses_what_jira_refuses(method: str, path: str, body: object, status: int) -> None:
    with FakeJira() as jira:
        jira.site.add("PAY-1")
        assert ask(jira, method, path, body).status_code == status


def test_what_is_not_served_is_named() -> None:
    with FakeJira() as jira:
        assert "GET /dashboard is not served" in ask(jira, "GET", "2/dashboard").json()["errorMessages"][0]


def test_version_3_speaks_documents() -> None:
    with FakeJira() as jira:
        jira.site.add("PAY-1", description="It rings.")
        body = ask(jira, "GET", "3/issue/PAY-1").json()["fields"]["description"]
        assert body["content"][0]["content"][0]["text"] == "It rings."


def test_a_21st_write_to_one_issue_within_two_seconds_is_too_many() -> None:
    now = [1_000.0]
    with FakeJira(FakeSite(clock=lambda: now[0])) as jira:
        jira.site.add("PAY-1")
        body = {"update": {"labels": [{"add": "x"}]}}
        statuses = [ask(jira, "PUT", "2/issue/PAY-1", body).status_code for _ in range(21)]
        assert statuses == [204] * 20 + [429]
        now[0] += 2.1
        assert ask(jira, "PUT", "2/issue/PAY-1", body).status_code == 204


def test_a_repeated_link_is_answered_as_created_and_held_once() -> None:
    with FakeJira() as jira:
        jira.site.add("PAY-1")
        jira.site.add("PAY-2")
        body = {"type": {"name": "Duplicate"}, "inwardIssue": {"key": "PAY-1"}, "outwardIssue": {"key": "PAY-2"}}
        assert [ask(jira, "POST", "2/issueLink", body).status_code for _ in range(2)] == [201, 201]
        assert len(jira.site.links) == 1


def test_search_lags_behind_the_issues() -> None:
    now = [1_000.0]
    site = FakeSite(clock=lambda: now[0])
    site.index_lag = 60.0
    with FakeJira(site) as jira:
        site.add("PAY-1")
        asked = {"jql": "project = PAY", "fields": ["summary"]}
        assert ask(jira, "POST", "2/search/jql", asked).json()["issues"] == []
        now[0] += 61
        assert len(ask(jira, "POST", "2/search/jql", asked).json()["issues"]) == 1


def test_deliveries_are_signed_repeated_on_trouble_and_given_up_on_a_refusal() -> None:
    site = FakeSite()
    issue = site.add("PAY-1")
    answers = {None: 202, "busy": 503, "wrong": 401}
    for name, status in answers.items():
        got: list[dict[str, str]] = []

        def post(body: bytes, headers: dict[str, str], status: int = status, got: list[dict[str, str]] = got) -> int:
            assert headers["X-Hub-Signature"] == signature(body, "a secret")
            got.append(headers)
            return status

        (event,) = deliver([issue_event(site, issue)], post, "a secret")
        assert event.taken == (name is None)
        assert len(got) == {None: 1, "busy": 6, "wrong": 1}[name]
        assert len({headers["X-Atlassian-Webhook-Identifier"] for headers in got}) == 1
        assert [headers.get("X-Atlassian-Webhook-Retry") for headers in got[1:]] == [str(n) for n in range(1, len(got))]


def test_copies_come_in_the_order_of_the_seed_and_a_comment_fires_two_events() -> None:
    site = FakeSite(cloud=False)
    issue = site.add("PAY-1")
    site.comment(issue, {"body": "It is 2.0."})
    events = comment_events(site, issue)
    assert [json.loads(event.body)["webhookEvent"] for event in events] == ["comment_created", "jira:issue_updated"]
    assert "issue" not in json.loads(events[0].body), "Server leaves it out"
    order: list[bytes] = []

    def post(body: bytes, headers: dict[str, str]) -> int:
        order.append(body)
        return 200

    deliver(events, post, "s", copies=3, shuffle=4)
    assert sorted(Counter(order).values()) == [3, 3]
    assert order != sorted(order)


def test_the_published_signature_is_reproduced() -> None:
    known = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert signature(b"Hello World!", "It's a Secret to Everybody") == known
