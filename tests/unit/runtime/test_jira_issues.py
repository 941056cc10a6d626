"""What a worker reads of an issue: what people reported, and nothing that we wrote."""

from datetime import UTC, datetime

import pytest

from qa_agents.incidents.search import as_incident
from qa_agents.runtime.jira_issues import JiraIssues
from qa_agents.trackers.schema import Action
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.tracker import serving, tracker_on


@pytest.mark.parametrize("cloud", [True, False])
def test_our_own_writes_change_nothing_and_a_reporter_s_answer_does(cloud: bool) -> None:
    with serving(cloud=cloud) as (jira, clock):
        issue = jira.site.add("PAY-1", summary="It rings", description="Twice.", labels=["theirs"], environment="Linux")
        jira.site.add("PAY-2")
        tracker = tracker_on(jira, clock)
        issues = JiraIssues(tracker)
        before = issues.issue(issue.id)
        assert before is not None
        assert (before.id, before.labels, before.reporter) == ("PAY-1", ["theirs"], "Mia Reporter" if cloud else "mia")
        for kind, params in [
            ("add_label", {"label": "ours"}),
            ("set_field", {"field": "severity", "value": "Major"}),
            ("add_comment", {"text": "A guess.", "public": False}),
            ("add_comment", {"text": "Which version?", "public": True}),
            ("link_issue", {"to": "PAY-2", "relation": "duplicates"}),
        ]:
            tracker.apply(
                Action.model_validate({"kind": kind, "target": "PAY-1", "params": params}), kind + str(params)
            )
        assert issues.issue("PAY-1") == before
        written = {"created": clock(), "updated": clock(), "author": "mia", "update_author": "mia", "properties": {}}
        issue.comments.append({**written, "id": "99990", "body": "It is 2.0.", "visibility": None})
        issue.comments.append(
            {**written, "id": "99991", "body": "secret", "visibility": {"type": "role", "value": "x"}}
        )
        issue.comments.append({**written, "id": "99992", "body": "me too", "visibility": None, "author": "ada"})
        after = issues.issue("PAY-1")
        assert after is not None
        assert after.description.endswith("The reporter added:\nIt is 2.0.")
        assert objections(jira) == []


@pytest.mark.parametrize("cloud", [True, False])
def test_a_security_level_stays_with_the_report_and_with_what_is_remembered_of_it(cloud: bool) -> None:
    with serving(cloud=cloud) as (jira, clock):
        jira.site.add("PAY-1", summary="It leaks", security="Security team")
        jira.site.add("PAY-2", summary="It rings")
        issues = JiraIssues(tracker_on(jira, clock))
        restricted, open_one = issues.issue("PAY-1"), issues.issue("PAY-2")
        assert restricted is not None
        assert open_one is not None
        assert (restricted.restriction, open_one.restriction) == ("Security team", None)
        kept = as_incident(restricted)
        assert kept is not None
        assert not kept.open_to([])
        assert kept.open_to(["Security team"])


def test_a_hidden_or_missing_issue_is_none() -> None:
    with serving() as (jira, clock):
        jira.site.add("PAY-1")
        jira.site.hidden.add("PAY-1")
        issues = JiraIssues(tracker_on(jira, clock))
        assert issues.issue("PAY-1") is None
        assert issues.issue("PAY-2") is None
        assert issues.issue("../../field") is None


@pytest.mark.parametrize("cloud", [True, False])
def test_what_changed_since_a_moment_is_found_whatever_the_time_zone_and_over_pages(cloud: bool) -> None:
    with serving(cloud=cloud) as (jira, clock):
        clock.at = datetime.now(UTC).timestamp()
        old = jira.site.add("PAY-1")
        old.updated -= 7_200
        new = [jira.site.add().id for _ in range(130)]
        found = list(
            JiraIssues(tracker_on(jira, clock)).changed_since("PAY", datetime.fromtimestamp(clock.at - 900, UTC))
        )
        assert sorted(found) == sorted(new)
        assert objections(jira) == []


def test_our_account_is_told_by_its_id() -> None:
    with serving() as (jira, clock):
        assert JiraIssues(tracker_on(jira, clock)).account_id() == "bot"
