"""The trackers' contract on a real Jira site, when the environment names one; otherwise skipped, saying so.

    QA_AGENTS_LIVE_JIRA='{"base_url": "https://…", "user": "…", "token": "…", "projects": ["SANDBOX"], "severity_field": …}'

names it, as the `[jira]` settings have it. The first project must be a sandbox: issues are created in it and stay there.
It needs the components Billing, Calendar, C0, C1, C2 and "a person's own", and a severity field with Major.
"""

import json
import os
import uuid
from typing import Any

import pytest

from qa_agents.settings import JiraSettings
from qa_agents.trackers.jira import JiraTracker
from qa_agents.trackers.jira_doctor import examine
from qa_agents.trackers.protocol import Tracker
from qa_agents.trackers.schema import Action, Applied, Issue
from tests.contract import test_trackers as contract

NAMED = os.environ.get("QA_AGENTS_LIVE_JIRA", "")
pytestmark = pytest.mark.skipif(not NAMED, reason="NOT RUN ON A REAL JIRA: name a site in QA_AGENTS_LIVE_JIRA")


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """These tests are there to reach a site."""


class Sandboxed:
    """The contract's issues as new ones of the sandbox: PAY-1 is another issue in every test."""

    name = "jira"

    def __init__(self, tracker: JiraTracker) -> None:
        self._tracker = tracker
        self._prefix = f"contract {uuid.uuid4().hex[:12]} "
        self._linked: dict[str, str] = {}

    def get(self, key: str) -> Issue | None:
        found = self._tracker.get(self._prefix + key)
        return None if found is None else found.model_copy(update={"key": key})

    def was_applied(self, key: str, idempotency_key: str) -> bool:
        return self._tracker.was_applied(self._prefix + key, idempotency_key)

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        params: dict[str, Any] = dict(action.params)
        if str(params.get("to", "")).startswith("PAY-") and params["to"] not in self._linked.values():
            params["to"] = self._other(params["to"])
        there = action.model_copy(update={"target": self._prefix + action.target, "params": params})
        applied = self._tracker.apply(there, idempotency_key)
        if applied.inverse is None:
            return applied
        return applied.model_copy(update={"inverse": applied.inverse.model_copy(update={"target": action.target})})

    def _other(self, name: str) -> str:
        if name not in self._linked:
            target = f"{self._prefix}other {name}"
            create = Action(kind="create_issue", target=target, params={"fields": {"summary": f"Linked with ({name})"}})
            self._tracker.apply(create, f"create {target}")
            self._linked[name] = self._tracker.linked(target)
        return self._linked[name]


@pytest.fixture(scope="module")
def site() -> JiraTracker:
    return JiraTracker(JiraSettings.model_validate(json.loads(NAMED)))


@pytest.fixture
def tracker(site: JiraTracker) -> Tracker:
    return Sandboxed(site)


def test_doctor_finds_no_problem(site: JiraTracker) -> None:
    assert [check for check in examine(site) if check.level == "problem"] == []


test_an_unknown_issue_is_none = contract.test_an_unknown_issue_is_none
test_a_change_is_made_and_seen = contract.test_a_change_is_made_and_seen
test_the_same_key_changes_nothing_twice = contract.test_the_same_key_changes_nothing_twice
test_every_change_moves_the_version = contract.test_every_change_moves_the_version
test_what_was_before_is_told = contract.test_what_was_before_is_told
test_a_label_and_a_link_are_not_doubled = contract.test_a_label_and_a_link_are_not_doubled
test_an_issue_is_not_created_over_another = contract.test_an_issue_is_not_created_over_another
test_a_change_of_a_missing_issue_is_refused = contract.test_a_change_of_a_missing_issue_is_refused
test_the_inverse_of_every_kind_restores_the_issue = (
    contract.test_the_inverse_of_every_kind_restores_the_issue_exactly_and_its_inverse_makes_it_again
)
test_creating_is_undone_by_withdrawing_which_deletes_nothing = (
    contract.test_creating_is_undone_by_withdrawing_which_deletes_nothing
)
test_what_is_true_already_has_no_inverse = contract.test_what_is_true_already_has_no_inverse
test_an_inverse_leaves_alone_what_a_person_put_there_since = (
    contract.test_an_inverse_leaves_alone_what_a_person_put_there_since
)
