"""Retry-After, pace, and what an answer means."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.trackers.jira_http import WINDOW_SECONDS, JiraHttp, Pace, retry_after
from tests.fakes.jira.server import FakeJira
from tests.fakes.jira.tracker import Clock, jira_settings, serving

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": formatdate(NOW + 9, usegmt=True)}, 9.0),
        ({"Retry-After": formatdate(NOW - 9, usegmt=True)}, 0.0),
        ({"Retry-After": formatdate(NOW + 500, usegmt=True), "Date": formatdate(NOW + 495, usegmt=True)}, 5.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "9" * 40}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.lists(st.floats(0, 3), min_size=1, max_size=250))
def test_no_window_ever_holds_more_writes_than_allowed(pauses: list[float]) -> None:
    clock = Clock(0.0)
    pace = Pace(5.0, clock)
    turns = []
    for pause in pauses:
        clock.at += pause
        clock.at += pace.reserve("PAY-1")
        turns.append(clock.at)
    for number, turn in enumerate(turns):
        within = [other for other in turns[number:] if other < turn + WINDOW_SECONDS - 1e-6]
        assert len(within) <= 90
        assert len([other for other in within if other < turn + 2.0 - 1e-6]) <= 10


def test_a_held_issue_waits_and_another_does_not() -> None:
    pace = Pace(5.0, Clock(0.0))
    pace.hold("PAY-1", 12.0)
    assert (pace.reserve("PAY-2"), pace.reserve("PAY-1")) == (0.0, 12.0)


def test_a_limit_that_names_one_issue_slows_down_only_that_one() -> None:
    faults = iter(["429-issue", None, None])
    with serving(faults=lambda *_: next(faults, None)) as (jira, clock):
        jira.site.add("PAY-1")
        jira.site.add("PAY-2")
        http = JiraHttp(jira_settings(jira), sleep=clock.sleep, clock=clock, now=clock)
        body = {"update": {"labels": [{"add": "x"}]}}
        with pytest.raises(Exception, match="was busy"):
            http.ask("PUT", "/rest/api/2/issue/PAY-1", body=body, issue="1")
        http.ask("PUT", "/rest/api/2/issue/PAY-2", body=body, issue="2")
        assert clock.slept == []
        http.ask("PUT", "/rest/api/2/issue/PAY-1", body=body, issue="1")
        assert clock.slept == [pytest.approx(1.0)]


def test_neither_the_environment_s_proxy_nor_a_netrc_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (jira, clock), FakeJira() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        JiraHttp(jira_settings(jira), sleep=clock.sleep).read("/rest/api/2/myself")
        assert (len(jira.exchanges), proxy.exchanges) == (1, [])


def test_data_center_gets_a_bearer_token_and_cloud_basic_credentials() -> None:
    for cloud in (True, False):
        with serving(cloud=cloud) as (jira, clock):
            JiraHttp(jira_settings(jira), sleep=clock.sleep).read("/rest/api/2/serverInfo")
            assert [one.status for one in jira.exchanges] == [200]
