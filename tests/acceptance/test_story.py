"""What a person does with the program, from an empty workspace to a decided report, with real parts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from qa_agents.cli import run
from tests.acceptance.conftest import EXAMPLES

DEMO = EXAMPLES / "reports" / "01-regression-of-fixed.json"
Command = Callable[..., Any]


def issue(home: Path, key: str = "IN-401") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "tracker" / f"{key}.json").read_text())
    return found


def test_importing_the_same_file_twice_changes_nothing(command: Command) -> None:
    again = command("incidents", "import", str(EXAMPLES / "incidents.jsonl"))
    assert (again["imported"], again["updated"], again["rejected"]) == (0, 0, 0)
    assert again["unchanged"] == command("incidents", "stats")["size"]


def test_a_report_goes_in_and_waits_at_the_checkpoint(command: Command, home: Path) -> None:
    verdict = command("triage", str(DEMO))
    assert verdict["state"] == "waiting"
    assert verdict["gate"]["decision"] in ("ask", "block")
    assert verdict["gate"]["reasons"]
    (waiting,) = command("review", "list")
    assert waiting["review_id"] == verdict["review_id"]
    assert not (home / "tracker").exists(), "nothing is written before a person approved it"


def test_approval_writes_what_was_shown_once(command: Command, home: Path) -> None:
    verdict = command("triage", str(DEMO))
    decided = command("review", "approve", verdict["review_id"], "--as", "ada")
    assert len(decided["written"]) == len(verdict["actions"])
    assert decided["state"] == "decided"
    assert issue(home)["fields"]["component"] == verdict["proposals"]["component"]["value"]
    assert run(["--home", str(home), "review", "approve", verdict["review_id"]]) == 2
    assert len(issue(home)["history"]) == len(verdict["actions"])


def test_an_edit_writes_the_persons_value_and_the_memory_learns_it(command: Command, home: Path) -> None:
    verdict = command("triage", str(DEMO))
    edit = ("review", "edit", verdict["review_id"], "--set", "component=Calendar Sync", "--reason", "wrong-cause")
    command(*edit)
    assert issue(home)["fields"]["component"] == "Calendar Sync"
    assert command("incidents", "show", "IN-401")["component"] == "Calendar Sync"


def test_a_rejection_writes_nothing(command: Command, home: Path) -> None:
    verdict = command("triage", str(DEMO))
    assert command("review", "reject", "IN-401", "--reason", "out-of-scope")["written"] == []
    assert not (home / "tracker").exists()
    assert command("review", "show", verdict["review_id"])["review"]["state"] == "decided"


def test_asking_posts_only_the_question(command: Command, home: Path) -> None:
    command("triage", str(EXAMPLES / "reports" / "05-vague.json"))
    command("review", "ask", "IN-405", "--question", "Which screen?")
    (comment,) = issue(home, "IN-405")["comments"]
    assert comment["public"] is True
    assert "Which screen?" in comment["text"]
    assert command("ledger", "balance")["asked"] == 1


def test_a_deferred_review_can_still_be_decided(command: Command) -> None:
    command("triage", str(DEMO))
    command("review", "defer", "IN-401", "--until", "2d")
    assert command("review", "list") == []
    assert len(command("review", "list", "--all")) == 1
    assert command("review", "approve", "IN-401")["state"] == "decided"


def test_an_issue_that_a_person_changed_meanwhile_is_shown_again(command: Command, home: Path) -> None:
    first = command("triage", str(DEMO))
    folder = home / "tracker"
    folder.mkdir()
    (folder / "IN-401.json").write_text(json.dumps({"key": "IN-401", "fields": {"component": "Web App"}}))
    decided = command("review", "approve", first["review_id"], code=1)
    assert decided["written"] == []
    assert decided["review_waiting"] not in (None, first["review_id"])
    assert command("review", "approve", decided["review_waiting"])["state"] == "decided"
    assert issue(home)["fields"]["component"] == "Web App", "a field that a person set stays"


def test_the_batch_answers_every_line_in_order_and_the_accounts_agree(command: Command) -> None:
    lines = [json.loads(line) for line in (EXAMPLES / "reports.jsonl").read_text().splitlines()]
    verdicts = command("triage", "--batch", str(EXAMPLES / "reports.jsonl"), lines=True)
    assert [verdict["report_id"] for verdict in verdicts] == [line["id"] for line in lines]
    balance = command("ledger", "balance")
    assert balance["received"] == balance["waiting"] == len(lines)
    assert balance["unaccounted"] == []
    assert command("ledger", "verify")["intact"]


def test_a_repeated_batch_gives_the_same_verdicts_and_starts_nothing(command: Command) -> None:
    batch = ("triage", "--batch", str(EXAMPLES / "reports.jsonl"))
    assert command(*batch, lines=True) == command(*batch, lines=True)
    assert command("ledger", "balance")["received"] == 20


def test_outputs_follow_the_published_schemas(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = command("triage", "--batch", str(EXAMPLES / "reports.jsonl"), lines=True)
    schema = command_schema("triage", capsys)
    for verdict in verdicts:
        jsonschema.validate(verdict, schema)
    imported = command("incidents", "import", str(EXAMPLES / "incidents.jsonl"))
    jsonschema.validate(imported, command_schema("import", capsys))


def command_schema(name: str, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert run(["schema", name]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "expected",
    [json.loads(line) for line in (EXAMPLES / "expected.jsonl").read_text().splitlines()],
    ids=lambda row: Path(row["path"]).stem,
)
def test_a_careful_lead_would_agree(expected: dict[str, Any], command: Command) -> None:
    verdict = command("triage", str(EXAMPLES / expected["path"]))
    wanted = expected["expect"]
    assert verdict["gate"]["decision"] not in wanted.get("gate_not", ["auto"])
    for signal in wanted.get("signals", []):
        assert verdict["signals"][signal], f"the signal {signal} was missed"
    duplicates = {r["incident_id"] for r in verdict["relations"] if r["kind"] == "duplicate-of-open"}
    assert not duplicates & set(wanted.get("never_duplicate_of", []))
    for fact in verdict["facts"]:
        source = json.loads((EXAMPLES / expected["path"]).read_text()) if expected["path"].endswith(".json") else None
        if source is not None:
            assert source[fact["field"]][fact["start"] : fact["end"]] == fact["quote"]


def test_no_remember_leaves_the_memory_untouched(command: Command) -> None:
    before = {**command("incidents", "stats"), "inflation": None}  # the meter counts verdicts, remembered or not
    command("triage", str(DEMO), "--no-remember")
    assert {**command("incidents", "stats"), "inflation": None} == before


def test_todays_report_is_found_by_tomorrows(command: Command, tmp_path: Path) -> None:
    command("triage", str(DEMO))
    twin = {**json.loads(DEMO.read_text()), "id": "IN-999", "created": "2026-11-20T10:00:00Z"}
    (tmp_path / "twin.json").write_text(json.dumps(twin))
    assert command("triage", str(tmp_path / "twin.json"))["similar"][0]["incident_id"] == "IN-401"


def test_bad_lines_are_answered_in_place_and_the_rest_is_done(command: Command, tmp_path: Path) -> None:
    good = DEMO.read_text().replace("\n", " ")
    (tmp_path / "mixed.jsonl").write_text(f'{{"id": 1, "summary": "It crashes"}}\n{{broken\n{good}\n[]\n')
    answers = command("triage", "--batch", str(tmp_path / "mixed.jsonl"), lines=True, code=1)
    assert [("error" in answer) for answer in answers] == [False, True, False, True]
    balance = command("ledger", "balance")
    assert (balance["received"], balance["rejected"], balance["unaccounted"]) == (4, 2, [])


def test_explain_says_why_and_why_not(command: Command) -> None:
    command("triage", str(DEMO))
    explanation = command("explain", "IN-401")
    assert explanation["best"]
    assert explanation["why_not"]
    assert [entry["event"] for entry in explanation["history"]][:2] == ["received", "triaged"]


def test_doctor_finds_a_healthy_workspace_healthy_and_an_empty_one_empty(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all(finding["level"] != "problem" for finding in command("doctor"))
    assert run(["--home", str(tmp_path / "empty"), "doctor"]) == 0
    assert "incidents import" in capsys.readouterr().out


def test_a_changed_embedder_asks_for_reindex_and_vectors_never_mix(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    verdict = command("triage", str(DEMO))
    assert all(candidate["dense"] is None for candidate in verdict["similar"])


def test_losing_the_derived_indexes_loses_nothing(command: Command, home: Path) -> None:
    before = command("incidents", "search", "refund button spinner")["candidates"]
    shutil.rmtree(home / "lexical")
    shutil.rmtree(home / "chroma")
    after = command("incidents", "search", "refund button spinner")["candidates"]
    assert [c["incident_id"] for c in after[:5]] == [c["incident_id"] for c in before[:5]]


def test_hostile_text_reaches_the_terminal_without_controls(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = {
        "id": "H-1",
        "summary": "\x1b[2J\x1b]0;owned\x07[red]Refund[/red] \u202efails",
        "description": "[link=x]y[/link]",
    }
    (tmp_path / "hostile.json").write_text(json.dumps(hostile))
    assert run(["--home", str(home), "triage", str(tmp_path / "hostile.json")]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]Refund[/red]" in shown
