"""A field that a person set is doubted once per value, whatever becomes of the comment, and is never written."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qa_agents.errors import ConflictError, UnavailableError
from qa_agents.trackers.jira import JiraTracker
from qa_agents.trackers.schema import Action
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.server import FakeJira, Faults
from tests.fakes.jira.site import SEVERITY
from tests.fakes.jira.tracker import serving, tracker_on


@contextmanager
def site(*, cloud: bool = True, faults: Faults | None = None) -> Iterator[tuple[FakeJira, JiraTracker]]:
    """A site whose PAY-1 a person called Minor."""
    with serving(cloud=cloud, faults=faults) as (jira, clock):
        jira.site.add("PAY-1", **{SEVERITY: "Minor"})
        yield jira, tracker_on(jira, clock)
        assert objections(jira) == []


def doubt(value: str = "Minor", words: str = "The evidence speaks for Critical.") -> Action:
    params = {"text": words, "public": False, "slot": "challenge.severity"}
    params |= {"challenges": {"field": "severity", "value": value}}
    return Action(kind="add_comment", target="PAY-1", params=params)


def challengeable(tracker: JiraTracker) -> bool:
    issue = tracker.get("PAY-1")
    assert issue is not None
    return "severity" in issue.challengeable


def bodies(jira: FakeJira) -> list[str]:
    return [comment["body"] for comment in jira.site.issue("PAY-1").comments]


@pytest.mark.parametrize("cloud", [True, False])
def test_a_doubt_is_private_and_changes_no_field(cloud: bool) -> None:
    with site(cloud=cloud) as (jira, tracker):
        assert challengeable(tracker)
        tracker.apply(doubt(), "a")
        (comment,) = jira.site.issue("PAY-1").comments
        assert comment["visibility"] == {"type": "role", "value": "Developers"}
        assert jira.site.issue("PAY-1").fields[SEVERITY] == "Minor"
        assert all("fields" not in (json.loads(one.body) or {}) for one in jira.writes())


def test_another_run_says_nothing_again_about_the_same_value() -> None:
    with site() as (jira, tracker):
        tracker.apply(doubt(), "a")
        assert not challengeable(tracker)
        sent = len(jira.writes())
        assert tracker.apply(doubt(words="Other words for it."), "b").inverse is None
        assert tracker.apply(doubt(value="mINOR"), "c").inverse is None
        assert len(jira.writes()) == sent
        assert tracker.apply(doubt(), "a").already_there


@pytest.mark.parametrize("how", ["deleted", "taken back"])
def test_who_removes_the_comment_does_not_hear_it_again(how: str) -> None:
    with site() as (jira, tracker):
        inverse = tracker.apply(doubt(), "a").inverse
        assert inverse is not None
        if how == "deleted":
            jira.site.issue("PAY-1").comments.clear()
        else:
            tracker.apply(inverse, "undo")
        left = bodies(jira)
        assert not challengeable(tracker)
        tracker.apply(doubt(), "b")
        assert bodies(jira) == left


def test_another_value_of_a_person_s_is_doubted_in_the_same_comment() -> None:
    with site() as (jira, tracker):
        tracker.apply(doubt(), "a")
        jira.site.issue("PAY-1").fields[SEVERITY] = "Trivial"
        assert challengeable(tracker)
        tracker.apply(doubt(value="Trivial", words="Not trivial either."), "b")
        assert bodies(jira) == ["Not trivial either."]
        jira.site.issue("PAY-1").fields[SEVERITY] = "Minor"
        assert not challengeable(tracker)


def test_our_own_value_is_not_doubted() -> None:
    with site() as (jira, tracker):
        jira.site.issue("PAY-1").fields.pop(SEVERITY)
        tracker.apply(Action(kind="set_field", target="PAY-1", params={"field": "severity", "value": "Major"}), "a")
        assert not challengeable(tracker)
        with pytest.raises(ConflictError, match="not what it was"):
            tracker.apply(doubt(value="Major"), "b")


def test_a_value_that_changed_since_is_not_doubted() -> None:
    with site() as (jira, tracker):
        jira.site.issue("PAY-1").fields[SEVERITY] = "Critical"
        with pytest.raises(ConflictError, match="not what it was"):
            tracker.apply(doubt(), "a")
        assert jira.writes() == []


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("fault", ["503", "503-after", "html200", "429", "drop-before", "drop-after"])
def test_a_lost_answer_to_either_request_leaves_one_comment(fault: str, lost: int) -> None:
    writes = 0

    def faults(method: str, _path: str, _number: int) -> str | None:
        nonlocal writes
        writes += method != "GET"
        return fault if method != "GET" and writes == lost else None

    with site(faults=faults) as (jira, tracker):
        tracker.apply(doubt(), "a")
        assert len(bodies(jira)) == 1
        assert tracker.was_applied("PAY-1", "a")


def test_a_worker_that_died_between_the_two_requests_goes_on_and_no_other_run_does() -> None:
    dead = True

    def faults(method: str, path: str, _number: int) -> str | None:
        return "503" if dead and method == "POST" and path.endswith("/comment") else None

    with site(faults=faults) as (jira, tracker):
        with pytest.raises(UnavailableError):
            tracker.apply(doubt(), "a")
        assert not tracker.was_applied("PAY-1", "a")
        dead = False
        tracker.apply(doubt(), "b")
        assert bodies(jira) == []
        tracker.apply(doubt(), "a")
        assert len(bodies(jira)) == 1
