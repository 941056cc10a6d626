"""What the adapter writes and what it never does, seen on the wire."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qa_agents.errors import ConflictError, InvalidInputError
from qa_agents.settings import Settings
from qa_agents.storage.engine import open_database
from qa_agents.trackers.jira import JiraTracker
from qa_agents.trackers.jira_notes import DatabaseNotes
from qa_agents.trackers.schema import Action
from qa_agents.wiring import Workspace
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.server import FakeJira
from tests.fakes.jira.tracker import Clock, jira_settings, serving, tracker_on


@contextmanager
def site(*, cloud: bool = True, **changes: object) -> Iterator[tuple[FakeJira, Clock, JiraTracker]]:
    with serving(cloud=cloud) as (jira, clock):
        jira.site.add("PAY-1")
        jira.site.add("PAY-2")
        yield jira, clock, tracker_on(jira, clock, **changes)
        assert objections(jira) == []


def act(kind: str, target: str = "PAY-1", **params: object) -> Action:
    return Action.model_validate({"kind": kind, "target": target, "params": params})


def test_the_new_issue_is_the_subject_of_a_duplicate_link() -> None:
    with site() as (jira, _, tracker):
        tracker.apply(act("link_issue", to="PAY-2", relation="duplicates"), "op")
        body = json.loads(next(one for one in jira.exchanges if one.path.endswith("/issueLink")).body)
        assert (body["inwardIssue"], body["outwardIssue"]) == ({"key": "PAY-1"}, {"key": "PAY-2"})
        assert "comment" not in body
        new, original = tracker.get("PAY-1"), tracker.get("PAY-2")
        assert new is not None
        assert original is not None
        assert new.links == [{"to": "PAY-2", "relation": "duplicates"}]
        assert original.links == [{"to": "PAY-1", "relation": "is duplicated by"}]


@pytest.mark.parametrize("cloud", [True, False])
def test_every_private_comment_names_its_audience_and_a_public_one_has_none(cloud: bool) -> None:
    with site(cloud=cloud) as (jira, _, tracker):
        tracker.apply(act("add_comment", text="for us", public=False), "a")
        tracker.apply(act("add_comment", text="Which version is it?", public=True), "b")
        private, public = jira.site.issue("PAY-1").comments
        assert private["visibility"] == {"type": "role", "value": "Developers"}
        assert public["visibility"] is None
        issue = tracker.get("PAY-1")
        assert issue is not None
        assert [comment["public"] for comment in issue.comments] == [False, True]


def test_a_withdrawn_comment_keeps_its_audience_and_loses_its_words() -> None:
    with site() as (jira, _, tracker):
        inverse = tracker.apply(act("add_comment", text="a guess", public=False), "a").inverse
        assert inverse is not None
        tracker.apply(inverse, "undo")
        (comment,) = jira.site.issue("PAY-1").comments
        assert comment["body"] == "(withdrawn)"
        assert comment["visibility"] == {"type": "role", "value": "Developers"}
        assert "a guess" not in str(jira.site.issue("PAY-1").properties)


def test_without_an_audience_no_private_comment_is_written() -> None:
    with site(visibility=None) as (jira, _, tracker):
        with pytest.raises(InvalidInputError, match="would be public"):
            tracker.apply(act("add_comment", text="for us", public=False), "a")
        assert jira.writes() == []


def test_service_management_gets_internal_notes_and_public_answers() -> None:
    with site(visibility=None, jsm_internal=True) as (jira, _, tracker):
        jira.site.service_desk = True
        tracker.apply(act("add_comment", text="for us", public=False), "a")
        tracker.apply(act("add_comment", text="Which version?", public=True), "b")
        told = [comment["properties"]["sd.public.comment"] for comment in jira.site.issue("PAY-1").comments]
        assert told == [{"internal": True}, {"internal": False}]
        issue = tracker.get("PAY-1")
        assert issue is not None
        assert [comment["public"] for comment in issue.comments] == [False, True]


@pytest.mark.parametrize("public", [True, False])
def test_an_issue_that_not_everybody_may_see_is_not_named(public: bool) -> None:
    with site() as (jira, _, tracker):
        jira.site.add("PAY-3", security="Security team")
        jira.site.add("PAY-4")
        jira.site.hidden.add("PAY-4")
        for key in ("PAY-3", "PAY-4"):
            with pytest.raises(ConflictError, match="not everybody may see") as refused:
                tracker.apply(act("add_comment", text=f"It is {key} again.", public=public), key)
            assert key not in str(refused.value)
        tracker.apply(act("add_comment", text="Text is UTF-8, like PAY-2.", public=public), "ok")
        assert len(jira.writes()) == 1


def test_labels_are_added_and_removed_and_never_replaced() -> None:
    with site() as (jira, _, tracker):
        jira.site.issue("PAY-1").fields["labels"] = ["theirs"]
        tracker.apply(act("add_label", label="crash"), "a")
        (sent,) = jira.writes()
        assert json.loads(sent.body)["update"] == {"labels": [{"add": "crash"}]}
        assert "fields" not in json.loads(sent.body)
        assert jira.site.issue("PAY-1").fields["labels"] == ["crash", "theirs"]


def test_a_value_that_a_person_set_is_left_alone_unless_a_person_decides() -> None:
    with site() as (jira, _, tracker):
        jira.site.issue("PAY-1").fields["customfield_10045"] = "Minor"
        with pytest.raises(ConflictError, match="was set to Minor by a person"):
            tracker.apply(act("set_field", field="severity", value="Critical"), "a")
        assert jira.writes() == []
        tracker.apply(act("set_field", field="severity", value="Critical", by="ada"), "b")
        assert jira.site.issue("PAY-1").fields["customfield_10045"] == "Critical"
        tracker.apply(act("set_field", field="severity", value="Major"), "our own value may be changed by us")
        jira.site.issue("PAY-1").fields["customfield_10045"] = "Trivial"
        with pytest.raises(ConflictError):
            tracker.apply(act("set_field", field="severity", value="Critical"), "c")


def test_severity_is_written_by_the_option_s_id_whatever_the_case_of_the_word() -> None:
    with site() as (jira, _, tracker):
        applied = tracker.apply(act("set_field", field="severity", value="cRITICAL"), "a")
        assert applied.after == {"value": "Critical"}
        ((field, form),) = json.loads(jira.writes()[0].body)["fields"].items()
        assert field == "customfield_10045"
        assert list(form) == ["id"]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"field": "severity", "value": "Apocalyptic"}, "Allowed: Critical, Major, Minor, Trivial"),
        ({"field": "mood", "value": "good"}, "No field of this Jira is known as mood"),
        ({"field": "reporter", "value": "ada"}, "never written"),
        ({"field": "status", "value": "Done"}, "not moved to another status"),
        ({"field": "assignee", "value": "Nobody"}, "0 people called Nobody"),
        ({"field": "assignee", "value": "Ada Twin"}, "2 people called Ada Twin"),
    ],
)
def test_what_this_jira_does_not_take_is_said_and_nothing_is_sent(params: dict[str, str], why: str) -> None:
    with site() as (jira, _, tracker):
        with pytest.raises(InvalidInputError, match=why):
            tracker.apply(act("set_field", **params), "a")
        assert jira.writes() == []


@pytest.mark.parametrize("cloud", [True, False])
def test_one_person_of_that_name_is_assigned(cloud: bool) -> None:
    with site(cloud=cloud) as (jira, _, tracker):
        tracker.apply(act("set_field", field="assignee", value="Ada Lovelace"), "a")
        assert jira.site.issue("PAY-1").fields["assignee"] == "ada"


def test_an_issue_is_moved_only_to_allowed_categories_and_back() -> None:
    with site(transitions=["indeterminate", "new"]) as (jira, _, tracker):
        move = act("set_field", field="status", value="In Progress")
        inverse = tracker.apply(move, "a").inverse
        assert jira.site.issue("PAY-1").fields["status"] == "In Progress"
        assert tracker.apply(move, "a").already_there
        assert inverse is not None
        tracker.apply(inverse, "undo")
        assert jira.site.issue("PAY-1").fields["status"] == "To Do"
        with pytest.raises(ConflictError, match="a person has to"):
            tracker.apply(act("set_field", field="status", value="Done"), "b")


def test_words_of_a_report_do_nothing_in_jira() -> None:
    hostile = "[~admin] !http://evil.test/a.png! {code} [x|http://evil.test] https://evil.test &#91; \\\\ h1. x\nbq. y"
    with site() as (jira, _, tracker):
        applied = tracker.apply(act("add_comment", text=hostile, public=False), "a")
        stored = jira.site.issue("PAY-1").comments[0]["body"]
        assert not set("[]!{}|\\~") & set(stored)
        assert "://" not in stored
        assert applied.after["comment"]["text"] == hostile


def test_the_server_s_words_come_back_cut_on_one_line_and_without_the_token() -> None:
    with site() as (jira, _, tracker):
        jira.site.denied.add("EDIT_ISSUES\n" + tracker.settings.token.get_secret_value() + "x" * 900)
        jira.site.require = lambda permission: _refuse(tracker)  # type: ignore[method-assign]
        with pytest.raises(ConflictError) as refused:
            tracker.apply(act("add_label", label="x"), "a")
        said = str(refused.value)
        assert tracker.settings.token.get_secret_value() not in said
        assert "\n" not in said
        assert len(said) < 600


def _refuse(tracker: JiraTracker) -> None:
    from tests.fakes.jira.site import RefusalError

    raise RefusalError(403, f"No.\n\x1b[31m{tracker.settings.token.get_secret_value()} {'x' * 900}")


def test_nothing_a_server_names_is_ever_asked() -> None:
    with serving() as (other, _), site() as (jira, _, tracker):
        jira._api.base = other.url
        tracker.get("PAY-1")
        tracker.apply(act("add_comment", text="hello", public=False), "a")
        assert other.exchanges == []


@pytest.mark.parametrize("deployment", ["cloud", "dc"])
def test_the_new_search_is_asked_on_cloud_and_the_old_one_on_data_center(deployment: str) -> None:
    with site(cloud=deployment == "cloud") as (jira, _, tracker):
        tracker.get("a report id")
        asked = {one.path.rpartition("/api/2")[2] for one in jira.exchanges}
        assert asked == ({"/search/jql"} if deployment == "cloud" else {"/search"})
        assert not [one for one in jira.exchanges if one.status in (410, 501)]


def test_the_version_moves_with_the_issue_and_not_with_our_own_marks() -> None:
    with site() as (jira, _, tracker):
        first = tracker.get("PAY-1")
        jira.site.issue("PAY-1").properties["qa-agents.x"] = {"v": 1, "op": "y"}
        second = tracker.get("PAY-1")
        jira.site.issue("PAY-1").fields["description"] = "more"
        third = tracker.get("PAY-1")
        assert first is not None
        assert second is not None
        assert third is not None
        assert first.version == second.version != third.version


def test_a_dry_run_gives_the_exact_requests_and_sends_none_of_them() -> None:
    with site() as (jira, _, tracker):
        action = act("link_issue", to="PAY-2", relation="duplicates")
        planned = tracker.requests(action, "op")
        assert jira.writes() == []
        tracker.apply(action, "op")
        assert [(one.method, one.path, json.loads(one.body)) for one in jira.writes()] == [
            (write.method, write.path, write.body) for write in planned
        ]


def test_which_issue_was_created_for_a_report_outlives_the_process_and_the_workspace(tmp_path: Path) -> None:
    with serving() as (jira, clock):
        database = open_database(tmp_path / "qa-agents.db")
        create = act("create_issue", "R-7", fields={"summary": "It rings twice", "version": "1.0"})
        tracker_on(jira, clock, DatabaseNotes(database, jira.url)).apply(create, "op")
        later = tracker_on(jira, clock, DatabaseNotes(database, jira.url))
        assert later.apply(create, "op").already_there
        with pytest.raises(ConflictError):
            later.apply(create, "another run")
        elsewhere = tracker_on(jira, clock).get("R-7")
        assert elsewhere is not None
        assert elsewhere.fields["environment"] == "version: 1.0"
        assert elsewhere.labels == []
        database.close()


def test_a_configured_jira_is_the_workspace_s_tracker(tmp_path: Path) -> None:
    with serving() as (jira, _):
        jira.site.add("PAY-1")
        with Workspace(Settings(home=tmp_path, jira=jira_settings(jira))) as workspace:
            assert workspace.tracker.name == "jira"
            assert workspace.tracker.get("PAY-1") is not None
    with Workspace(Settings(home=tmp_path)) as workspace:
        assert workspace.tracker.name == "file"


@pytest.mark.parametrize(
    "url",
    ["http://jira.example.test", "https://u:p@jira.example.test", "https://jira.example.test/?x=1", "jira", "ftp://x"],
)
def test_an_address_that_would_expose_the_token_is_refused(url: str) -> None:
    from pydantic import ValidationError

    with serving() as (jira, _), pytest.raises(ValidationError):
        jira_settings(jira, base_url=url)


def test_the_note_of_a_new_triage_takes_the_place_of_the_old_one_and_can_be_taken_back() -> None:
    def note(words: str) -> Action:
        return act("add_comment", text=words, public=False, slot="triage")

    with site() as (jira, _, tracker):
        tracker.apply(act("add_comment", text="something else", public=False), "other")
        first = tracker.apply(note("first"), "a")
        second = tracker.apply(note("second"), "b")
        issue = tracker.get("PAY-1")
        assert issue is not None
        assert [comment["text"] for comment in issue.comments] == ["something else", "second"]
        again = tracker.apply(note("second"), "b")
        assert again == second.model_copy(update={"already_there": True})
        assert tracker.apply(note("first"), "a").already_there
        assert tracker.was_applied("PAY-1", "a")
        assert second.inverse is not None
        undone = tracker.apply(second.inverse, "undo b")
        assert (undone.before, undone.after) == (second.after, second.before)
        assert tracker.apply(second.inverse, "undo b").already_there
        assert first.inverse is not None
        tracker.apply(first.inverse, "undo a")
        issue = tracker.get("PAY-1")
        assert issue is not None
        assert [comment["text"] for comment in issue.comments] == ["something else"]
        tracker.apply(note("third"), "c")
        assert len(jira.site.issue("PAY-1").comments) == 3, "what was withdrawn is not written over"


def test_a_note_that_a_person_edited_is_left_and_another_is_written() -> None:
    with site() as (jira, _, tracker):
        done = tracker.apply(act("add_comment", text="first", public=False, slot="triage"), "a")
        jira.site.issue("PAY-1").comments[0] |= {"body": "first, but not so", "update_author": "ada"}
        tracker.apply(act("add_comment", text="second", public=False, slot="triage"), "b")
        assert [comment["body"] for comment in jira.site.issue("PAY-1").comments] == ["first, but not so", "second"]
        assert done.inverse is not None
        with pytest.raises(ConflictError, match="changed since"):
            tracker.apply(done.inverse, "undo")
