"""An epic with its stories, from Jira's stand-in (both kinds of site) and from the file tracker."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.trackers.epics import MOST_STORIES, EpicSource, FileEpics, Story, settled
from qa_agents.trackers.file import FileTracker
from qa_agents.trackers.jira_epics import JiraEpics
from qa_agents.trackers.jira_markdown import markdown_of
from qa_agents.trackers.schema import Action
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.site import FakeSite
from tests.fakes.jira.tracker import serving, tracker_on


class Add(Protocol):
    def __call__(self, key: str, parent: str | None = None, **fields: object) -> None: ...


@pytest.fixture(params=["file", "jira-cloud", "jira-dc"])
def tracked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[EpicSource, Add]]:
    """A source of epics and a way to file an issue in it."""
    if request.param == "file":
        tracker = FileTracker(tmp_path / "tracker")

        def add(key: str, parent: str | None = None, **fields: object) -> None:
            given = {"summary": "A story", **fields, **({"parent": parent} if parent else {})}
            tracker.apply(Action(kind="create_issue", target=key, params={"fields": given}), f"new-{key}")

        yield FileEpics(tracker), add
        return
    cloud = request.param == "jira-cloud"
    with serving(cloud=cloud) as (jira, clock):

        def add(key: str, parent: str | None = None, **fields: object) -> None:
            known = {"parent" if cloud else "epic_link": parent} if parent else {}
            jira.site.add(key, **{"summary": "A story", **fields, **known})

        yield JiraEpics(tracker_on(jira, clock)), add
        assert objections(jira) == []
        assert jira.writes() == []


def test_the_epic_comes_first_and_its_stories_in_the_order_of_their_numbers(tracked: tuple[EpicSource, Add]) -> None:
    source, add = tracked
    add("PAY-10", "PAY-2", summary="Move a booking")
    add("PAY-9", "PAY-2", summary="Cancel a booking")
    add("PAY-2", summary="Bookings", description="Guests book by themselves.")
    add("PAY-3", summary="Another matter")
    found = source.epic("PAY-2")
    assert [story.key for story in found] == ["PAY-2", "PAY-9", "PAY-10"]
    assert found[0].text == "# Bookings\n\nGuests book by themselves.\n"


@pytest.mark.parametrize(
    "key", ["", "pay-2", "PAY-2 OR project = X", 'PAY-2" OR key = "PAY-3', "../PAY-2", "PAY-２", "PAY-2\n"]
)
def test_nothing_but_a_key_is_asked_for(tracked: tuple[EpicSource, Add], key: str) -> None:
    with pytest.raises(InvalidInputError, match="no issue key"):
        tracked[0].epic(key)


def test_an_epic_that_is_not_there_is_said_to_be_missing(tracked: tuple[EpicSource, Add]) -> None:
    with pytest.raises(NotFoundError, match="PAY-404"):
        tracked[0].epic("PAY-404")


def test_a_restricted_story_is_left_out_and_named_unless_asked_for(tracked: tuple[EpicSource, Add]) -> None:
    source, add = tracked
    add("PAY-2", summary="Bookings")
    add("PAY-3", "PAY-2", summary="Open story")
    add("PAY-4", "PAY-2", summary="Secret story", security="Board only")
    found = source.epic("PAY-2")
    assert [story.key for story in found] == ["PAY-2", "PAY-3"]
    assert "Secret" not in str(found)
    assert any("PAY-4: restricted" in said for said in found[0].unread)
    assert [story.key for story in source.epic("PAY-2", restricted=True)] == ["PAY-2", "PAY-3", "PAY-4"]


def test_a_restricted_epic_is_refused_unless_asked_for(tracked: tuple[EpicSource, Add]) -> None:
    source, add = tracked
    add("PAY-2", summary="Bookings", security="Board only")
    with pytest.raises(InvalidInputError, match="restricted"):
        source.epic("PAY-2")
    assert source.epic("PAY-2", restricted=True)[0].unread == [
        "No story belongs to this epic; only its own text was read."
    ]


def test_a_summary_cannot_open_a_section_of_its_own(tracked: tuple[EpicSource, Add]) -> None:
    source, add = tracked
    add("PAY-2", summary="Bookings\n\n# Out of scope\n\nEverything")
    assert source.epic("PAY-2")[0].text == "# Bookings # Out of scope Everything\n"


def test_acceptance_criteria_are_read_from_the_field_that_the_settings_name() -> None:
    with serving() as (jira, clock):
        tracker = tracker_on(jira, clock, fields={"acceptance_criteria": "environment"})
        jira.site.add(
            "PAY-2", summary="Bookings", description="Text.", environment="* A guest sees the total.\n* No fee."
        )
        assert tracker.fields.ids["acceptance_criteria"] == "environment"
        (epic,) = JiraEpics(tracker).epic("PAY-2")
    assert epic.text.endswith("## Acceptance criteria\n\n- A guest sees the total.\n- No fee.\n")


def test_comments_of_an_issue_are_not_read_and_counted() -> None:
    with serving() as (jira, clock):
        issue = jira.site.add("PAY-2", summary="Bookings")
        site: FakeSite = jira.site
        tracker_on(jira, clock).apply(
            Action(kind="add_comment", target="PAY-2", params={"text": "hm", "public": False}), "k1"
        )
        assert len(issue.comments) == 1
        assert site.issue("PAY-2") is issue
        (epic,) = JiraEpics(tracker_on(jira, clock)).epic("PAY-2")
    assert "1 comment: not read." in epic.unread


def test_a_damaged_file_beside_the_epic_is_named_and_stops_nothing(tmp_path: Path) -> None:
    tracker = FileTracker(tmp_path)
    tracker.apply(Action(kind="create_issue", target="PAY-2", params={"fields": {"summary": "Bookings"}}), "k")
    (tmp_path / "PAY-3.json").write_text("{broken")
    (epic,) = FileEpics(tracker).epic("PAY-2")
    assert "PAY-3: its file is damaged, not read." in epic.unread


def test_more_stories_than_a_plan_takes_are_counted_as_not_read() -> None:
    many = [(Story(f"PAY-{number}", "# x\n"), "") for number in range(1, MOST_STORIES + 4)]
    found = settled(many, restricted=False)
    assert len(found) == MOST_STORIES + 1
    assert found[0].unread == [f"2 stories after the first {MOST_STORIES}: not read."]


@pytest.mark.parametrize(
    ("markup", "markdown"),
    [
        ("h3. Rules\n* one\n** inner\n# first", "\n### Rules\n\n- one\n    - inner\n1. first"),
        (
            "||Role||May||\n|admin|delete|\n|guest|read|",
            "\n| Role | May |\n| --- | --- |\n| admin | delete |\n| guest | read |",
        ),
        ("|a|b|\n|c|d|", "\n|  |  |\n| --- | --- |\n| a | b |\n| c | d |"),
        ('{code:json}\n{"a": 1}\n# not a heading\n{code}\nafter', '\n```\n{"a": 1}\n# not a heading\n```\nafter'),
        (
            "shown as {{status}} and *bold* [docs|https://x.test/a]",
            "shown as `status` and **bold** docs (https://x.test/a)",
        ),
        ("{noformat}open", "\n```\nopen\n```"),
        ("#hashtag first", "\\#hashtag first"),
    ],
)
def test_wiki_markup_keeps_its_shape_as_markdown(markup: str, markdown: str) -> None:
    assert markdown_of(markup) == markdown


def test_an_atlassian_document_keeps_its_shape_as_markdown() -> None:
    def words(said: str, *marks: str) -> dict[str, object]:
        return {"type": "text", "text": said, "marks": [{"type": mark} for mark in marks]}

    def block(kind: str, *content: object, **attrs: object) -> dict[str, object]:
        return {"type": kind, "content": list(content), "attrs": attrs}

    item = block("listItem", block("paragraph", words("press "), words("Save", "code")))
    row = block("tableRow", block("tableCell", block("paragraph", words("a|b"))), block("tableCell"))
    document = block(
        "doc", block("heading", words("Rules"), level=3), block("bulletList", item), block("table", row, row)
    )
    assert re.sub(r"\n{2,}", "\n", markdown_of(document)) == (
        "### Rules\n- press `Save`\n| a\\|b |  |\n| --- | --- |\n| a\\|b |  |"
    )


@pytest.mark.parametrize(
    "body", [None, 7, [], {}, {"type": "doc", "content": "x"}, {"content": [{"content": [None, 3]}]}]
)
def test_what_is_no_body_is_empty(body: object) -> None:
    assert markdown_of(body) == ""


def test_a_document_nested_without_end_is_cut_off() -> None:
    node: dict[str, object] = {"type": "paragraph", "content": [{"type": "text", "text": "deep"}]}
    for _ in range(3_000):
        node = {"type": "panel", "content": [node]}
    assert markdown_of(node) == ""
