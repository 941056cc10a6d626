"""The whole path with a real small model behind a real server: `make test-llm`.

A model of this size is no judge of bugs: what is tested is that streams stream, shapes are kept, and that whatever it says
is checked and changes nothing that it must not change.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_agents.checkpoint.ledger import entries, verify
from qa_agents.incidents.intake import read_batch
from qa_agents.incidents.schema import Incident
from qa_agents.llm.advice import Adviser
from qa_agents.llm.answers import Intent
from qa_agents.llm.checks import place_of
from qa_agents.operations import handling
from qa_agents.settings import Settings, resource_dir
from qa_agents.wiring import Workspace

NAME = os.environ.get("QA_AGENTS_TEST_LLM", "")
pytestmark = [
    pytest.mark.skipif(
        not NAME, reason="NOT RUN WITH A REAL MODEL: `make test-llm` fetches a small one and runs these"
    ),
    pytest.mark.timeout(1_200),
]
SECONDS = 300.0
"""For one answer, on a machine that has other things to do."""
EXAMPLES = resource_dir("examples")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from tests.llm.real_model import serving

    with serving(NAME) as base_url:
        yield base_url


@pytest.fixture
def workspace(address: str, tmp_path: Path) -> Iterator[Workspace]:
    uses = {"triage.relations": True, "triage.summary": True}
    model = {"base_url": address, "fast": "local", "timeout": SECONDS, "tries": 1, "uses": uses}
    settings = Settings.model_validate({"home": tmp_path / "home", "embedder": "none", "model": model})
    with Workspace(settings) as opened:
        yield opened


def test_the_server_can_be_held_to_a_shape(workspace: Workspace) -> None:
    mode, why = workspace.models.probe()
    assert mode is not None, why


def test_an_answer_has_the_shape_that_was_asked_for(workspace: Workspace) -> None:
    prompt = workspace.prompts.render("chat/intent", message="have we seen deposits stuck in authorising before?")
    answer = workspace.models.ask(prompt, Intent, budget_key="thread-1")
    assert answer.value is not None, answer.detail
    assert answer.usage.tokens > 100
    assert not answer.usage.estimated
    asked = [entry for entry in entries(workspace.database) if entry.event == "model_asked"]
    assert asked[-1].payload["outcome"] == "answered"
    assert "authorising" not in str(asked[-1].payload)
    again = workspace.models.ask(prompt, Intent, budget_key="thread-1")
    assert (again.cached, again.value) == (True, answer.value)


def test_text_streams_in_pieces(workspace: Workspace) -> None:
    evidence = "1. WKB-1100 (Fixed in 4.6.2): Deposits stuck in authorising after the nightly capture run"
    prompt = workspace.prompts.render("chat/answer", question="have we seen this?", evidence=evidence)
    stream = workspace.models.stream(prompt.model_copy(update={"max_output_tokens": 40}), budget_key="thread-1")
    pieces = list(stream)
    assert len(pieces) > 3
    assert stream.reason in (None, "truncated")
    assert stream.usage.output_tokens > 0


def test_a_caller_may_stop_a_stream(workspace: Workspace) -> None:
    prompt = workspace.prompts.render("chat/answer", question="tell me everything", evidence="1. nothing")
    stream = workspace.models.stream(prompt, budget_key="thread-1")
    for _ in stream:
        stream.close()
    assert stream.reason in ("cancelled", None)


def test_triage_with_it_is_triage_without_it_and_a_testimony(workspace: Workspace, tmp_path: Path) -> None:
    lines = (EXAMPLES / "incidents.jsonl").read_text(encoding="utf-8").splitlines()
    past = [Incident.model_validate_json(line) for line in lines[::40]]
    (received,) = read_batch(EXAMPLES / "reports" / "02-obvious-duplicate.json", 1_000_000)
    options = {"k": 3, "remember": True}
    with Workspace(Settings(home=tmp_path / "alone", embedder="none")) as alone:
        alone.store.upsert(past, origin="import")
        without = handling.handle(alone, received, options=options).triage
    workspace.store.upsert(past, origin="import")
    triage = handling.handle(workspace, received, options=options).triage
    assert triage is not None
    assert without is not None
    assert triage.witness is not None
    assert set(triage.witness.prompts) == {"triage.relations", "triage.summary"}
    shown = {incident.id for incident in past}
    assert {one.incident_id for one in triage.witness.opinions} <= shown
    assert triage.proposals == without.proposals
    assert triage.relations == without.relations
    assert triage.actions == without.actions
    assert [reason for reason in triage.gate.reasons if not reason.startswith("witness: ")] == without.gate.reasons
    assert not verify(workspace.database).findings


def test_a_plan_section_is_taken_apart_only_in_its_own_words(workspace: Workspace) -> None:
    section = "If the card is declined, the booking page shall say so. The slot shall stay bookable for 10 minutes."
    advice = Adviser(workspace.models, workspace.prompts, "plan/booking")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace.models, "allows", lambda use: True)
        found = advice.requirements(section)
    assert found.absent == "" or found.absent.endswith(".")
    assert all(place_of(one.quote, section) for one in found.items)


def test_a_conversation_is_held_with_it(address: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Workspace(Settings(home=home, embedder="none")) as opened:
        lines = (EXAMPLES / "incidents.jsonl").read_text(encoding="utf-8").splitlines()
        opened.store.upsert([Incident.model_validate_json(line) for line in lines[::40]], origin="import")
    configured = {
        "QA_AGENTS_EMBEDDER": "none",
        "QA_AGENTS_MODEL__BASE_URL": address,
        "QA_AGENTS_MODEL__FAST": "local",
        "QA_AGENTS_MODEL__TIMEOUT": str(SECONDS),
    }
    said = subprocess.run(
        [sys.executable, "-m", "qa_agents", "--home", str(home), "chat", "--thread", "t", "--json"],
        input="have we seen reminders that are sent twice?\nwould anybody mind if the doorbell were green?\n",
        env={**os.environ, **configured},
        capture_output=True,
        text=True,
        timeout=1_000,
        check=False,
    )
    assert "Traceback" not in said.stderr
    events = [json.loads(line) for line in said.stdout.splitlines()]
    replies = [event["reply"]["text"] for event in events if event["event"] == "reply"]
    assert len(replies) == 2
    assert all(replies)
    with Workspace(Settings(home=home, embedder="none")) as opened:
        asked = [entry.payload for entry in entries(opened.database) if entry.event == "model_asked"]
    assert asked, "the model was never asked"
    assert {one["outcome"] for one in asked} & {"answered", "truncated"}
