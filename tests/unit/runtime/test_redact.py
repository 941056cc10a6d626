"""Erasing a report: nothing of it can be read any more, on either engine, and what was done stays provable."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from qa_agents.checkpoint.export import export_ledger
from qa_agents.checkpoint.ledger import entries_about, verify
from qa_agents.errors import ConflictError, ErasedError, InvalidInputError, NotFoundError
from qa_agents.incidents.intake import read_batch
from qa_agents.incidents.schema import ERASED_SUMMARY, Incident, Report
from qa_agents.operations import deciding, handling, intervening
from qa_agents.runtime.erased import WORDS, erased_action, erased_decision, erased_shown
from qa_agents.runtime.redact import Redacted
from qa_agents.settings import Settings
from qa_agents.storage.artifacts import ERASED
from qa_agents.storage.tables import artifacts, metadata
from qa_agents.testing.embedder import HashingEmbedder
from qa_agents.wiring import Workspace
from tests.past import CHIMES
from tests.postgres import ENGINES, fresh_schema

NAME = "Zebedee Quillfeather"
WORD = "marmaladefish"
REPORT = {
    "id": "WB-7",
    "summary": f"Chime rings twice for {NAME} ({WORD})",
    "description": f"Version 3.1.0 on Android 14. {NAME} heard {WORD} twice.\nExpected: one chime. Actual: two.",
    "reporter": NAME,
    "created": "2026-10-01T10:00:00Z",
}


@pytest.fixture(params=ENGINES)
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a memory of five incidents."""
    home = tmp_path / "home"
    if request.param == "postgresql":
        with fresh_schema() as url:
            yield from opened(Settings.model_validate({"home": home, "embedder": "none", "database_url": url}))
    else:
        yield from opened(Settings(home=home, embedder="none"))


def opened(settings: Settings) -> Iterator[Workspace]:
    with Workspace(settings) as workspace:
        yield from opened_with(workspace)


def opened_with(workspace: Workspace) -> Iterator[Workspace]:
    workspace.store.upsert([Incident.model_validate(row) for row in CHIMES])
    workspace.memory.catch_up()
    yield workspace


def hand_in(workspace: Workspace, **changed: Any) -> handling.Handled:
    path = workspace.settings.home.parent / "report.jsonl"
    path.write_text(json.dumps({**REPORT, **changed}) + "\n")
    (received,) = read_batch(path, 1_000_000)
    return handling.handle(workspace, received, options={"k": 5, "remember": True})


def approve(workspace: Workspace, **more: Any) -> None:
    waiting = workspace.inbox.find("WB-7").review_id
    deciding.decide(workspace, waiting, reviewer="ada", verdict="approve", note=f"as {NAME} said", **more)


def redact(workspace: Workspace, report_id: str = "WB-7", **more: Any) -> Redacted:
    return intervening.redact(workspace, report_id, reviewer="grace", reason="request 17", **more)


def whole_database(workspace: Workspace) -> str:
    """Every table as text, without the compressed documents, whose bytes say nothing to the eye."""
    with workspace.database.read() as connection:
        return str([connection.execute(select(table)).all() for table in metadata.tables.values()])


def files_with(workspace: Workspace, word: str) -> list[str]:
    """Files of the workspace, but for the tracker's own, in which the word can be read."""
    home = workspace.settings.home
    found = (path for path in home.rglob("*") if path.is_file() and path.relative_to(home).parts[0] != "tracker")
    return sorted(str(path.relative_to(home)) for path in found if word.encode() in path.read_bytes())


def test_nothing_of_the_report_can_be_read_any_more(workspace: Workspace) -> None:
    hand_in(workspace)
    approve(workspace)
    assert NAME in whole_database(workspace)
    result = redact(workspace)
    assert result.left == []
    assert (result.reviews, result.memory) == (1, True)
    assert result.documents == 3  # the bytes, the report, the verdict
    text = whole_database(workspace)
    assert NAME not in text
    assert WORD not in text
    with workspace.database.read() as connection:
        assert {row.media_type for row in connection.execute(select(artifacts))} == {ERASED}
    with pytest.raises(ErasedError, match="erased on request"):
        handling.explain(workspace, "WB-7")
    assert workspace.memory.search(Report(id="q", summary=WORD), k=9).candidates == []


def test_no_file_of_the_workspace_holds_its_words_afterwards(workspace: Workspace) -> None:
    hand_in(workspace)
    approve(workspace)
    if workspace.database.dialect == "sqlite":
        assert files_with(workspace, NAME) != []
    redact(workspace)
    assert files_with(workspace, NAME) == []
    assert files_with(workspace, WORD) == []


def test_what_was_done_stays_provable(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace)
    approve(workspace)
    redact(workspace)
    found = verify(workspace.database, anchors=workspace.anchors)
    assert found.intact
    balance = workspace.received.balance()
    assert (balance.received, balance.decided, balance.unaccounted) == (1, 1, [])
    review = workspace.inbox.find("WB-7")
    assert review.decision is not None
    assert (review.decision.reviewer, review.decision.verdict, review.decision.note) == ("ada", "approve", WORDS)
    *erased, last = entries_about(workspace.database, "WB-7")
    assert last.event == "redacted"
    assert last.actor == "grace"
    assert last.payload["reason"] == "request 17"
    assert all(entry.erased for entry in erased)
    done = export_ledger(workspace.database, tmp_path / "out", mask=lambda text: text, anchors=workspace.anchors)
    assert done.verification.intact
    pages = "".join(path.read_text() for path in (tmp_path / "out").glob("*.html"))
    assert "(erased)" in pages
    assert "was changed" not in pages
    assert NAME not in pages


def test_the_tracker_is_left_as_it_is_and_what_is_ours_there_is_listed(workspace: Workspace) -> None:
    hand_in(workspace)
    approve(workspace)
    before = {path.name: path.read_bytes() for path in (workspace.settings.home / "tracker").glob("*.json")}
    result = redact(workspace)
    assert any(line.startswith("WB-7: create_issue") for line in result.in_tracker)
    assert not any(NAME in line for line in result.in_tracker)
    assert {path.name: path.read_bytes() for path in (workspace.settings.home / "tracker").glob("*.json")} == before
    undone = intervening.undo(workspace, "WB-7", reviewer="ada")
    assert {action.what for action in undone.erased} >= {"create the issue"}


def test_what_was_taken_back_before_is_not_listed(workspace: Workspace) -> None:
    hand_in(workspace)
    approve(workspace)
    intervening.undo(workspace, "WB-7", reviewer="ada")
    assert redact(workspace).in_tracker == []


def test_what_waits_is_refused_unless_told_and_then_settled(workspace: Workspace) -> None:
    hand_in(workspace)
    review = workspace.inbox.find("WB-7")
    with pytest.raises(ConflictError, match="not settled"):
        redact(workspace)
    assert NAME in whole_database(workspace)
    redact(workspace, unsettled=True)
    assert NAME not in whole_database(workspace)
    assert files_with(workspace, NAME) == []
    assert workspace.inbox.find("WB-7").state == "superseded"
    assert workspace.received.balance().unaccounted == []
    assert handling.recover(workspace) == ([], {})
    with pytest.raises(ConflictError):
        deciding.decide(workspace, review.review_id, reviewer="ada", verdict="approve")
    assert not (workspace.settings.home / "tracker").exists()


def test_what_was_approved_and_not_made_yet_is_refused_even_when_told(workspace: Workspace) -> None:
    hand_in(workspace)
    intervening.stop(workspace, by="grace", reason="a test")
    with pytest.raises(Exception, match="stopped"):
        approve(workspace)
    with pytest.raises(ConflictError, match="not made yet"):
        redact(workspace, unsettled=True)
    intervening.undo(workspace, "WB-7", reviewer="ada")  # nothing was made, so nothing goes outside
    redact(workspace, unsettled=True)
    assert NAME not in whole_database(workspace)


def test_a_repetition_erases_nothing_more_and_records_nothing_more(workspace: Workspace) -> None:
    hand_in(workspace)
    approve(workspace)
    redact(workspace)
    size = verify(workspace.database).entries
    again = redact(workspace)
    assert (again.documents, again.reviews, again.actions, again.entries, again.memory) == (0, 0, 0, [], False)
    assert verify(workspace.database).entries == size


def test_every_version_of_it_is_erased(workspace: Workspace) -> None:
    hand_in(workspace, summary=f"{NAME} hears nothing")
    hand_in(workspace)
    approve(workspace)
    redact(workspace)
    with workspace.database.read() as connection:
        assert {row.media_type for row in connection.execute(select(artifacts))} == {ERASED}


def test_the_same_report_does_not_come_back_by_itself(workspace: Workspace) -> None:
    hand_in(workspace)
    approve(workspace)
    redact(workspace)
    again = hand_in(workspace)
    assert again.triage is None
    assert "erased on request" in str(again.account.error)
    assert NAME not in whole_database(workspace)
    changed = hand_in(workspace, summary="Chime rings three times")  # somebody hands in something new on purpose
    assert changed.triage is not None


def test_a_past_incident_is_erased_and_keeps_its_labels(workspace: Workspace) -> None:
    result = redact(workspace, "WB-3")
    assert result.memory
    found = workspace.store.get("WB-3")
    assert found is not None
    assert (found.summary, found.description, found.component) == (ERASED_SUMMARY, "", "Bell")
    workspace.store.upsert([Incident.model_validate(CHIMES[2])])  # the same export imported once more
    again = workspace.store.get("WB-3")
    assert again == found
    assert "at stop 3" not in whole_database(workspace)


def test_other_verdicts_that_name_it_are_listed(workspace: Workspace) -> None:
    hand_in(workspace)
    assert redact(workspace, "WB-3").cited_in == ["WB-7"]


def test_nobody_and_nothing_is_said_so(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="No report and no incident"):
        redact(workspace, "WB-404")
    hand_in(workspace)
    approve(workspace)
    with pytest.raises(InvalidInputError, match="needs a reason"):
        intervening.redact(workspace, "WB-7", reviewer="grace", reason=" ")
    assert NAME in whole_database(workspace)


def test_what_cannot_be_done_now_is_said_and_done_by_repeating(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(workspace)
    approve(workspace)
    forget = workspace.memory.forget
    monkeypatch.setattr(workspace.memory, "forget", lambda: ["Vectors are not up to date: busy"])
    assert redact(workspace).left == ["Vectors are not up to date: busy"]
    assert NAME not in whole_database(workspace)
    monkeypatch.setattr(workspace.memory, "forget", forget)
    assert redact(workspace).left == []
    assert files_with(workspace, WORD) == []


def test_its_vector_is_replaced_by_one_that_says_nothing(tmp_path: Path) -> None:
    with Workspace(Settings(home=tmp_path / "home")) as workspace:
        workspace.__dict__["embedder"] = HashingEmbedder()
        for _ in opened_with(workspace):
            pk = workspace.store.pk_of("WB-3")
            assert pk is not None
            assert workspace.vectors is not None
            before = workspace.vectors.get_vectors([pk])[pk]
            assert redact(workspace, "WB-3").left == []
            assert float(before @ workspace.vectors.get_vectors([pk])[pk]) < 0.9


SHOWN = {
    "target": "WB-7",
    "gate": "ask",
    "summary": NAME,
    "actions": [
        {"kind": "set_field", "target": "WB-7", "params": {"field": "component", "value": "Bell"}, "because": NAME},
        {"kind": "set_field", "target": "WB-7", "params": {"field": "assignee", "value": NAME}},
        {"kind": "add_comment", "target": "WB-7", "params": {"text": NAME, "public": False}},
        {"kind": "create_issue", "target": "WB-7", "params": {"fields": {"summary": NAME, "labels": [NAME]}}},
    ],
    "proposed": {"component": {"value": "Bell", "probability": 0.9}, "assignee": {"value": NAME, "probability": None}},
    "questions": [{"id": "q", "text": NAME, "blocks": [NAME]}],
}


def test_what_was_shown_keeps_its_shape_only() -> None:
    kept = erased_shown(SHOWN)
    assert NAME not in json.dumps(kept)
    assert [action["kind"] for action in kept["actions"]] == [action["kind"] for action in SHOWN["actions"]]  # type: ignore[index]
    assert kept["actions"][0]["params"] == {"field": "component", "value": "Bell"}
    assert kept["proposed"]["component"] == {"value": "Bell", "probability": 0.9}
    assert erased_shown(kept) == kept


def test_an_answer_keeps_who_and_what_and_loses_its_words() -> None:
    answer = {
        "reviewer": "ada", "verdict": "edit", "reason_code": "other", "note": NAME, "questions": [NAME],
        "edits": {"component": "Bell", "assignee": NAME}, "answers": {"q": NAME},
        "waivers": [{"item": NAME, "owner": "ada", "reason": NAME, "expires": "2027-01-01T00:00:00Z"}],
    }  # fmt: skip
    kept = erased_decision(answer)
    assert NAME not in json.dumps(kept)
    assert (kept["reviewer"], kept["verdict"], kept["edits"]["component"]) == ("ada", "edit", "Bell")
    assert erased_decision(kept) == kept


def test_erasing_an_action_twice_is_erasing_it_once() -> None:
    for action in SHOWN["actions"]:
        assert erased_action(erased_action(action)) == erased_action(action)  # type: ignore[arg-type]
