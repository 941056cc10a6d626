"""What a security level hides from a part of the team never reaches a language model, an embedder elsewhere, or a reporter."""

import json
from pathlib import Path
from typing import Any

import pytest

from qa_agents import advising, planning
from qa_agents.assistant.asking import Ask
from qa_agents.checkpoint.policy import Reviewer
from qa_agents.incidents.intake import ReceivedReport, read_batch
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.llm.uses import USES
from qa_agents.operations import handling
from qa_agents.settings import Settings, resource_dir
from qa_agents.testing.model_server import ModelServer
from qa_agents.wiring import Workspace

EXAMPLES = resource_dir("examples")
SENTINEL = "Quokkasupplier"
HIDDEN = Incident.model_validate(
    {
        "id": "SEC-7",
        "summary": f"Nightly capture blocks booking edits, deposits of {SENTINEL} remain in authorising",
        "description": f"SQLSTATE 55P03 in lock_for_capture, reported by {SENTINEL} under embargo.",
        "resolution": "Fixed",
        "resolution_note": f"The row lock of {SENTINEL} was held while the card network was asked.",
        "created": "2024-01-02T10:00:00Z",
        "resolved": "2024-01-04T10:00:00Z",
        "security": "Embargo",
    }
)


def settings(home: Path, server: ModelServer, **model: Any) -> Settings:
    uses = {use: use.startswith(("triage.", "chat.")) for use in USES}
    told = {"base_url": server.base_url, "fast": "scripted", "tries": 1, "uses": uses, **model}
    return Settings.model_validate({"home": home, "embedder": "none", "model": told})


def asked_about(home: Path, hidden: Incident, report: Report | None = None, **model: Any) -> tuple[str, Any]:
    """Everything that the model was sent while a report was triaged whose nearest incident is `hidden`, and the verdict."""
    with ModelServer() as server, Workspace(settings(home, server, **model)) as workspace:
        lines = (EXAMPLES / "incidents.jsonl").read_text(encoding="utf-8").splitlines()
        workspace.store.upsert([hidden, *(Incident.model_validate_json(line) for line in lines[:40])], origin="import")
        (received,) = read_batch(EXAMPLES / "reports" / "01-regression-of-fixed.json", 1_000_000)
        if report is not None:
            received = ReceivedReport(report, report.model_dump_json().encode(), "a" * 64, line=1)
        triage = handling.handle(workspace, received, options={"k": 5}).triage
        assert triage is not None
        assert report is not None or triage.similar[0].incident_id == "SEC-7"
        return json.dumps([dict(one.body) for one in server.requests]), triage


@pytest.mark.parametrize(
    "mark", [{"security": "Embargo"}, {"security": None, "restricted": True}, {"Security Level": "x"}]
)
def test_a_restricted_incident_is_never_shown_to_the_model_and_its_absence_is_said(
    tmp_path: Path, mark: dict[str, Any]
) -> None:
    hidden = Incident.model_validate({**HIDDEN.model_dump(exclude={"security"}), **mark})
    sent, triage = asked_about(tmp_path, hidden)
    assert "candidates" in sent  # the model was asked about others
    assert SENTINEL not in sent
    assert "SEC-7" not in triage.witness.model_dump_json(exclude={"doubts"})
    assert any("restricted" in line for line in triage.witness.absent)


def test_the_words_of_a_restricted_incident_are_in_no_question_to_the_reporter(tmp_path: Path) -> None:
    _, triage = asked_about(tmp_path, HIDDEN)
    assert triage.missing or triage.questions == []
    assert not any(word in text for text in triage.missing for word in (SENTINEL, "SEC-7"))


def test_an_incident_that_everybody_may_see_is_shown(tmp_path: Path) -> None:
    sent, _ = asked_about(tmp_path, HIDDEN.model_copy(update={"security": "No"}))
    assert SENTINEL in sent


def test_a_level_that_the_settings_list_is_shown_and_a_restricted_flag_is_not(tmp_path: Path) -> None:
    sent, _ = asked_about(tmp_path / "a", HIDDEN, levels=["Embargo"])
    assert SENTINEL in sent
    flagged = Incident.model_validate({**HIDDEN.model_dump(), "restricted": "yes", "security": None})
    sent, _ = asked_about(tmp_path / "b", flagged, levels=["Embargo"])
    assert SENTINEL not in sent


def test_about_a_restricted_report_the_model_is_not_asked_at_all(tmp_path: Path) -> None:
    report = Report.model_validate(
        {**HIDDEN.model_dump(include=set(Report.model_fields)), "id": "IN-1", "restricted": 1}
    )
    sent, triage = asked_about(tmp_path, HIDDEN, report)
    assert sent == "[]"
    assert triage.witness.absent == ["The report is restricted, so the language model was not asked."]
    assert triage.gate.decision in ("ask", "block", "abstain")


def test_the_chat_words_no_answer_out_of_a_restricted_incident(tmp_path: Path) -> None:
    told = {"summary": "Deposits hang", "resolution_note": "A row lock was held.", "security": None}
    seen = HIDDEN.model_copy(update={"id": "WKB-1", **told})
    with ModelServer() as server, Workspace(settings(tmp_path, server)) as workspace:
        ask = Ask(workspace.models, workspace.prompts, "t-1")
        pairs = [(Candidate(incident_id=one.id, score=1.0), one) for one in (HIDDEN, seen)]
        reply = ask.answer("what about deposits?", pairs, lambda *_: None, _Never())
        sent = json.dumps([dict(one.body) for one in server.requests])
    assert "Deposits hang" in sent
    assert SENTINEL not in sent
    assert reply is not None
    assert [item.id for item, _ in reply.listed] == ["WKB-1"]


def test_an_embedder_elsewhere_is_not_given_restricted_words_or_secrets(tmp_path: Path) -> None:
    told = {"home": tmp_path, "embedder": "openai", "openai_base_url": "http://127.0.0.1:9/v1"}
    with Workspace(Settings.model_validate(told)) as workspace:
        embedder = workspace.embedder
        assert embedder is not None
        memory = workspace.memory
        both = (HIDDEN, HIDDEN.model_copy(update={"security": None, "summary": "Open one, a@example.com"}))
        given = [workspace._outgoing(memory._embedded_text(incident)) for incident in both]
    assert given[0] == ""
    assert "Open one" in given[1]
    assert "a@example.com" not in given[1]


class _Never:
    def is_set(self) -> bool:
        return False


def test_a_restricted_story_that_a_plan_was_drafted_from_never_reaches_the_model(tmp_path: Path) -> None:
    open_, hidden = "A note must have at most 200 characters.", f"The {SENTINEL} price must be between 5 and 50 EUR."
    tracker = tmp_path / "tracker"
    tracker.mkdir()
    for key, fields in {
        "WB-1": {"summary": "Bookings"},
        "WB-2": {"summary": "Notes", "parent": "WB-1", "description": open_},
        "WB-3": {"summary": "Prices", "parent": "WB-1", "description": hidden, "security": "Embargo"},
    }.items():
        (tracker / f"{key}.json").write_text(json.dumps({"key": key, "fields": fields}))
    with ModelServer() as server, Workspace(settings(tmp_path, server, uses=dict.fromkeys(USES, True))) as workspace:
        sources, unread, levels = planning.epic_sources(workspace, "WB-1", restricted=True)
        planning.draft(workspace, sources, unread=unread, levels=levels, name="WB-1", ask=False)
        case = next(one for one in planning.plan_of(workspace, "WB-1").cases if "WB-2" in one.tags)
        planning.accept_items(workspace, "WB-1", [case.id], recognised=Reviewer(name="ada"))
        found = advising.advise(workspace, "WB-1")
        sent = json.dumps([dict(one.body) for one in server.requests])
    assert "at most 200 characters" in sent
    assert SENTINEL not in sent
    assert any("WB-3" in line and "restricted" in line for line in found.absent)


def test_about_a_plan_with_a_restricted_story_an_embedder_elsewhere_is_asked_nothing(tmp_path: Path) -> None:
    told = {"home": tmp_path, "embedder": "openai", "openai_base_url": "http://127.0.0.1:9/v1"}
    with Workspace(Settings.model_validate(told)) as workspace:
        workspace.store.upsert([HIDDEN], origin="import")
        sent: list[str] = []
        embedder = workspace.embedder
        assert embedder is not None

        def embed(texts: list[str]) -> list[list[float]]:
            sent.extend(texts)
            return [[0.0]] * len(texts)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embedder, "embed", embed)
            workspace.plan_parts.similar(f"The {SENTINEL} price", ["Embargo"])
    assert not any(SENTINEL in text for text in sent)
