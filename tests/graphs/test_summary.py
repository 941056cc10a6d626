"""The summary graph through the real desk, saver, inbox and stores: held, signed, interrupted, linked to the memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_agents import summarizing
from qa_agents.checkpoint.ledger import entries
from qa_agents.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from qa_agents.incidents.schema import Incident
from qa_agents.operations import deciding, handling
from qa_agents.results import steps
from qa_agents.results.schema import Run
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace
from tests.unit.results.builders import result, run

NOTHING_NEW = b'[[gate]]\nname = "nothing new"\nmetric = "new_failures"\nop = "<="\nvalue = 0\n'
LOCK = "OperationalError: canceling statement due to lock timeout SQLSTATE 55P03 in bookings.lock_for_capture"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(Settings(home=tmp_path / "home", embedder="none")) as made:
        yield made


def keep(workspace: Workspace, *runs: Run) -> None:
    for one in runs:
        workspace.run_store.add(one)


def past(count: int = 12) -> list[Run]:
    return [run(f"r{at}", result("a::1"), result("a::2"), commit=f"{at:040x}") for at in range(count)]


def summarise(workspace: Workspace, name: str = "now", **more: object) -> summarizing.Summarised:
    baseline = summarizing.find_baseline(workspace, name, None)
    return summarizing.summarise(workspace, name, baseline=baseline, **more)  # type: ignore[arg-type]


def broken() -> Run:
    return run("now", result("a::1", "failed", LOCK, tags=("req:FR-1",)), result("a::2"), commit="f" * 40)


def test_without_a_gate_a_summary_is_published_at_once(workspace: Workspace) -> None:
    keep(workspace, *past(), broken())
    done = summarise(workspace)
    assert (done.account.state, done.review_id) == ("decided", None)
    assert done.summary.light == "red"
    assert [one.test_id for one in done.summary.comparison.of("new")] == ["a::1"]
    assert done.summary.baseline is not None
    assert done.summary.baseline.run_id == "r11"
    assert all(figure.source for figure in done.summary.figures)
    assert workspace.received.balance().unaccounted == []


def test_a_red_gate_waits_for_a_signature_and_goes_out_with_it(workspace: Workspace) -> None:
    keep(workspace, *past(), broken())
    held = summarise(workspace, gates=("gates.toml", NOTHING_NEW))
    assert held.review_id is not None
    assert held.account.state == "waiting"
    shown = workspace.inbox.find(held.review_id).shown
    assert (shown["form"], shown["waivable"]) == ("signoff", ["nothing new"])
    deciding.decide(workspace, held.review_id, reviewer="ada", verdict="sign", accountable="grace")
    done = summarizing.summarised(workspace, "now")
    assert (done.account.state, done.verdict, done.review_id) == ("decided", "sign", None)
    assert list(entries(workspace.database, "summary/now"))[-1].payload["accountable"] == "grace"


def test_a_green_gate_passes_unseen(workspace: Workspace) -> None:
    keep(workspace, *past(), run("now", result("a::1"), result("a::2")))
    done = summarise(workspace, gates=("gates.toml", NOTHING_NEW))
    assert (done.account.state, done.review_id, done.summary.gate) == ("decided", None, "green")
    assert done.summary.light == "green"


def test_the_same_question_again_gives_the_stored_answer(workspace: Workspace) -> None:
    keep(workspace, *past(), broken())
    first = summarise(workspace, gates=("gates.toml", NOTHING_NEW))
    again = summarise(workspace, gates=("gates.toml", NOTHING_NEW))
    assert again.review_id == first.review_id
    other = summarise(workspace, gates=("gates.toml", NOTHING_NEW.replace(b"0\n", b"0.5\n")))
    assert other.review_id != first.review_id
    with pytest.raises(ConflictError):
        deciding.decide(workspace, first.review_id or "", reviewer="ada", verdict="sign")


def test_a_summary_that_was_interrupted_is_taken_up_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(workspace, *past(), broken())

    def away(*_: object, **__: object) -> None:
        raise UnavailableError("The disk is away.")

    with monkeypatch.context() as patched:
        patched.setattr(steps, "relate_causes", away)
        with pytest.raises(UnavailableError):
            summarise(workspace)
    assert workspace.received.balance().will_retry == 1
    assert handling.recover(workspace)[1] == {}
    assert summarizing.summarised(workspace, "now").summary.light == "red"
    assert [one.event for one in entries(workspace.database, "summary/now")].count("summarised") == 1


def test_a_cause_is_linked_to_the_incident_that_it_repeats(workspace: Workspace) -> None:
    fields = {
        "id": "WKB-1280",
        "summary": LOCK,
        "description": f"{LOCK}\n\na::1",
        "created": "2026-01-01T00:00:00Z",
        "status": "Open",
    }
    fillers = [
        Incident.model_validate(
            {"id": f"X-{at}", "summary": f"Colour {at} of the calendar is wrong", "created": fields["created"]}
        )
        for at in range(20)
    ]
    workspace.store.upsert([Incident.model_validate(fields), *fillers])
    keep(workspace, *past(), broken())
    related = summarise(workspace).summary.causes[0].related
    assert related[0].incident_id == "WKB-1280"
    assert related[0].state == "open"


def test_the_baseline_is_found_by_branch_name_or_last_green(workspace: Workspace) -> None:
    keep(workspace, *past(3), run("red", result("a::1", "failed", "x"), result("a::2")))
    keep(workspace, run("feature", result("a::1"), branch="feature"), run("now", result("a::1")))

    def found(name: str, wanted: str | None, fallback: str = "") -> str | None:
        return summarizing.find_baseline(workspace, name, wanted, fallback=fallback)

    assert found("now", None) == "red"
    assert found("now", "last-green") == "r2"
    assert found("now", "r0") == "r0"
    assert found("now", "branch:feature") == "feature"
    assert found("feature", None) is None
    assert found("feature", None, "main") == "red"
    for wrong in ("branch:nowhere", "no-such-run-or-file"):
        with pytest.raises(NotFoundError):
            found("now", wrong)
    with pytest.raises(InvalidInputError):
        summarise(workspace, "now", gates=("gates.toml", b"[[gate]]\nmetric = 'nonsense'\nop = '<'\nvalue = 1\n"))


def test_requirements_of_a_stored_plan_are_unproven_when_their_test_breaks(workspace: Workspace) -> None:
    from qa_agents import planning

    spec = b"# Deposits\n\nFR-1 The deposit must be between 5 and 500 EUR.\n"
    planning.draft(workspace, [("deposits.md", spec)], name="deposits", ask=False)
    keep(workspace, *past(), broken())
    summary = summarise(workspace).summary
    assert len(summary.proof.unproven) == 1
    assert summary.causes[0].requirements == (summary.proof.unproven[0].requirement_id,)


def test_what_is_published_can_be_read_back_as_json(workspace: Workspace) -> None:
    keep(workspace, *past(), broken())
    document = json.loads(summarise(workspace).summary.model_dump_json())
    assert document["schema_version"] == 1
    assert {"light", "figures", "causes", "comparison", "sentences"} <= document.keys()


def test_a_gate_may_ask_for_open_criticals_of_the_memory(workspace: Workspace) -> None:
    incident = {"id": "X-1", "summary": "Deposits are charged twice", "severity": "Critical", "status": "Open"}
    workspace.store.upsert([Incident.model_validate({**incident, "created": "2026-01-01T00:00:00Z"})])
    keep(workspace, *past(), run("now", result("a::1"), result("a::2")))
    gates = b'[[gate]]\nmetric = "open_criticals"\nop = "<="\nvalue = 0\n'
    done = summarise(workspace, gates=("gates.toml", gates))
    assert (done.summary.gate, done.account.state) == ("red", "waiting")
