"""Every tracker keeps these promises."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.errors import ConflictError, NotFoundError
from qa_agents.testing.tracker import MemoryTracker
from qa_agents.trackers.file import FileTracker
from qa_agents.trackers.protocol import Tracker
from qa_agents.trackers.schema import Action, describe
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.tracker import serving, tracker_on

HOSTILE_KEYS = ["../../etc/passwd", "..", "a/b", "con", "x" * 200, ".hidden", "ключ", "a\\b", "-rf", "PAY-1.json"]


@pytest.fixture(params=["file", "memory", "jira-cloud", "jira-dc"])
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracker]:
    if request.param == "file":
        yield FileTracker(tmp_path / "tracker")
    elif request.param == "memory":
        yield MemoryTracker()
    else:
        with serving(cloud=request.param == "jira-cloud") as (jira, clock):
            for number in (0, 7, 8, 9):  # what is linked to
                jira.site.add(f"PAY-{number}")
            yield tracker_on(jira, clock)
            assert objections(jira) == []


def create(key: str = "PAY-1") -> Action:
    return Action(kind="create_issue", target=key, params={"fields": {"summary": "It crashes"}})


def set_component(value: str, key: str = "PAY-1") -> Action:
    return Action(kind="set_field", target=key, params={"field": "component", "value": value})


def test_an_unknown_issue_is_none(tracker: Tracker) -> None:
    assert tracker.get("PAY-1") is None
    assert not tracker.was_applied("PAY-1", "k1")


def test_a_change_is_made_and_seen(tracker: Tracker) -> None:
    tracker.apply(create(), "k1")
    tracker.apply(set_component("Billing"), "k2")
    issue = tracker.get("PAY-1")
    assert issue is not None
    assert issue.fields.items() >= {"summary": "It crashes", "component": "Billing"}.items()


def test_the_same_key_changes_nothing_twice(tracker: Tracker) -> None:
    tracker.apply(create(), "k1")
    comment = Action(kind="add_comment", target="PAY-1", params={"text": "once", "public": False})
    assert not tracker.apply(comment, "k2").already_there
    assert tracker.apply(comment, "k2").already_there
    issue = tracker.get("PAY-1")
    assert issue is not None
    assert [c["text"] for c in issue.comments] == ["once"]
    assert tracker.was_applied("PAY-1", "k2")


def test_every_change_moves_the_version(tracker: Tracker) -> None:
    tracker.apply(create(), "k1")
    versions = set()
    for number in range(3):
        tracker.apply(set_component(f"C{number}"), f"s{number}")
        issue = tracker.get("PAY-1")
        assert issue is not None
        versions.add(issue.version)
    assert len(versions) == 3


def test_what_was_before_is_told(tracker: Tracker) -> None:
    tracker.apply(create(), "k1")
    tracker.apply(set_component("Billing"), "k2")
    applied = tracker.apply(set_component("Calendar"), "k3")
    assert (applied.before, applied.after) == ({"value": "Billing"}, {"value": "Calendar"})
    assert tracker.apply(set_component("Calendar"), "k3").model_copy(update={"already_there": False}) == applied


def test_a_label_and_a_link_are_not_doubled(tracker: Tracker) -> None:
    tracker.apply(create(), "k1")
    for number in range(2):
        tracker.apply(Action(kind="add_label", target="PAY-1", params={"label": "x"}), f"l{number}")
        link = Action(kind="link_issue", target="PAY-1", params={"to": "PAY-0", "relation": "duplicates"})
        tracker.apply(link, f"m{number}")
    issue = tracker.get("PAY-1")
    assert issue is not None
    assert (issue.labels, len(issue.links)) == (["x"], 1)


def test_an_issue_is_not_created_over_another(tracker: Tracker) -> None:
    tracker.apply(create(), "k1")
    with pytest.raises(ConflictError):
        tracker.apply(create(), "k2")


def test_a_change_of_a_missing_issue_is_refused(tracker: Tracker) -> None:
    with pytest.raises(NotFoundError):
        tracker.apply(set_component("Billing"), "k1")


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_any_key_is_an_issue_of_its_own(tracker: Tracker, key: str) -> None:
    tracker.apply(create(key), "k1")
    issue = tracker.get(key)
    assert issue is not None
    assert issue.key == key


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    FileTracker(tmp_path / "a" / "tracker").apply(create(key), "k1")
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.parent == tmp_path / "a" / "tracker" for path in written)


KINDS: dict[str, dict[str, Any]] = {
    "set_field": {"field": "component", "value": "Billing"},
    "clear_field": {"field": "severity"},
    "add_label": {"label": "new"},
    "remove_label": {"label": "old"},
    "add_comment": {"text": "new", "public": True},
    "remove_comment": {"id": 1},
    "link_issue": {"to": "PAY-9", "relation": "duplicates"},
    "unlink_issue": {"to": "PAY-8", "relation": "duplicates"},
    "withdraw_issue": {},
    "reinstate_issue": {"status": "Open"},
}


def content(tracker: Tracker, key: str = "PAY-1") -> dict[str, Any]:
    issue = tracker.get(key)
    assert issue is not None
    return issue.model_dump(exclude={"key"})


def furnish(tracker: Tracker) -> None:
    """An issue with two of everything, so that places in lists matter."""
    tracker.apply(create(), "f0")
    severity = {"field": "severity", "value": "Major"}
    tracker.apply(Action(kind="set_field", target="PAY-1", params=severity), "severity")
    for number, (kind, params) in enumerate(
        [
            ("add_label", {"label": "old"}),
            ("add_label", {"label": "older"}),
            ("add_comment", {"text": "first", "public": False}),
            ("add_comment", {"text": "second", "public": False}),
            ("link_issue", {"to": "PAY-8", "relation": "duplicates"}),
            ("link_issue", {"to": "PAY-7", "relation": "fixed by"}),
        ]
    ):
        tracker.apply(Action.model_validate({"kind": kind, "target": "PAY-1", "params": params}), f"f{number + 1}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_of_every_kind_restores_the_issue_exactly_and_its_inverse_makes_it_again(
    tracker: Tracker, kind: str
) -> None:
    furnish(tracker)
    if kind == "reinstate_issue":
        tracker.apply(Action(kind="withdraw_issue", target="PAY-1"), "w")
    start = content(tracker)
    params = KINDS[kind]
    if kind == "remove_comment":
        issue = tracker.get("PAY-1")
        assert issue is not None
        params = {"id": issue.comments[0]["id"]}
    action = Action.model_validate({"kind": kind, "target": "PAY-1", "params": params})
    done = tracker.apply(action, "do")
    made = content(tracker)
    assert made != start
    assert done.inverse is not None
    undone = tracker.apply(done.inverse, "undo")
    assert content(tracker) == start
    assert (undone.before, undone.after) == (done.after, done.before)
    tracker.apply(done.inverse, "undo again under another key")
    assert content(tracker) == start
    assert undone.inverse is not None
    tracker.apply(undone.inverse, "redo")
    assert content(tracker) == made
    assert describe(done.inverse)


def test_creating_is_undone_by_withdrawing_which_deletes_nothing(tracker: Tracker) -> None:
    done = tracker.apply(create(), "do")
    assert done.inverse is not None
    for number in range(2):
        tracker.apply(done.inverse, f"undo {number}")
        issue = tracker.get("PAY-1")
        assert issue is not None
        assert issue.fields["summary"] == "It crashes"
        assert tracker.name == "jira" or issue.fields["status"] == "Withdrawn", "in Jira, moving is a person's business"
        assert issue.labels == ["withdrawn"]


def test_what_is_true_already_has_no_inverse(tracker: Tracker) -> None:
    furnish(tracker)
    tracker.apply(set_component("Billing"), "k1")
    for number, action in enumerate(
        [set_component("Billing"), Action(kind="add_label", target="PAY-1", params={"label": "old"})]
    ):
        assert tracker.apply(action, f"again {number}").inverse is None


@pytest.mark.parametrize("kind", ["set_field", "add_comment", "withdraw_issue"])
def test_an_inverse_leaves_alone_what_a_person_put_there_since(tracker: Tracker, kind: str) -> None:
    furnish(tracker)
    params = {"withdraw_issue": {}, "set_field": {"field": "component", "value": "A"}}.get(kind, {"text": "t"})
    done = tracker.apply(Action.model_validate({"kind": kind, "target": "PAY-1", "params": params}), "do")
    assert done.inverse is not None
    if kind == "add_comment":
        number = done.inverse.params["id"]
        tracker.apply(Action(kind="remove_comment", target="PAY-1", params={"id": number}), "person 1")
        other = Action(kind="add_comment", target="PAY-1", params={"text": "a person's own", "id": number})
        tracker.apply(other, "person 2")
    else:
        tracker.apply(set_component("a person's own"), "person")
    theirs = content(tracker)
    with pytest.raises(ConflictError, match="changed since"):
        tracker.apply(done.inverse, "undo")
    assert content(tracker) == theirs


WORDS = st.sampled_from(["", "a", "b", "withdrawn", "Withdrawn", "status", "ünï ✓"])
VALUES = WORDS | st.none() | st.booleans() | st.integers(0, 1) | st.floats(0, 1) | st.lists(WORDS, max_size=2)
LINKS = st.fixed_dictionaries({"to": WORDS, "relation": WORDS})
PARAMS = {
    "set_field": st.fixed_dictionaries({"field": WORDS, "value": VALUES}),
    "clear_field": st.fixed_dictionaries({"field": WORDS}),
    "add_label": st.fixed_dictionaries({"label": WORDS}),
    "remove_label": st.fixed_dictionaries({"label": WORDS}),
    "add_comment": st.fixed_dictionaries({"text": WORDS, "public": st.booleans()}),
    "remove_comment": st.fixed_dictionaries({"id": st.integers(0, 4)}),
    "link_issue": LINKS,
    "unlink_issue": LINKS,
    "withdraw_issue": st.just({}),
    "reinstate_issue": st.fixed_dictionaries({}, optional={"status": WORDS, "at": st.integers(0, 3)}),
}
ACTIONS = st.sampled_from(sorted(PARAMS)).flatmap(
    lambda kind: PARAMS[kind].map(
        lambda params: Action.model_validate({"kind": kind, "target": "PAY-1", "params": params})
    )
)


def walk_back(tracker: Tracker, actions: list[Action]) -> None:
    """Apply all, then every inverse from the newest: each step back finds exactly the issue of that time."""
    tracker.apply(create(), "create")
    keys = (f"key {number}" for number in itertools.count())
    trail: list[tuple[dict[str, Any], Action | None]] = []
    for action in actions:
        before = content(tracker)
        trail.append((before, tracker.apply(action, next(keys)).inverse))
    for before, inverse in reversed(trail):
        if inverse is not None:
            tracker.apply(inverse, next(keys))
        assert content(tracker) == before
        if inverse is not None:
            assert tracker.apply(inverse, next(keys)).inverse is None, "the second time there is nothing to do"
            assert content(tracker) == before


@settings(max_examples=100, deadline=None)
@given(st.lists(ACTIONS, max_size=12))
def test_any_sequence_is_walked_back_step_by_step_in_memory(actions: list[Action]) -> None:
    walk_back(MemoryTracker(), actions)


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTIONS, max_size=6))
def test_any_sequence_is_walked_back_step_by_step_in_files(actions: list[Action]) -> None:
    with TemporaryDirectory() as folder:
        walk_back(FileTracker(Path(folder)), actions)


def test_a_history_written_by_an_older_release_is_read_as_not_undoable(tmp_path: Path) -> None:
    import json

    tracker = FileTracker(tmp_path)
    tracker.apply(create(), "k1")
    file = tmp_path / "PAY-1.json"
    record = json.loads(file.read_text())
    record["history"][0] |= {"inverse": {"kind": "set_field", "field": "status", "value": "Withdrawn"}}
    del record["history"][0]["after"]
    file.write_text(json.dumps(record))
    found = tracker.apply(create(), "k1")
    assert (found.already_there, found.inverse) == (True, None)
