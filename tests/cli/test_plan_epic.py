"""`qa-agents plan --epic KEY`, from Jira's stand-in and from the file tracker, as a user types it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.server import TOKEN, USER, FakeJira
from tests.fakes.jira.site import FakeSite

STORY = """As a guest, I want to move my booking so that I keep my deposit.

h3. Acceptance criteria
# When the guest drags the booking to a free slot, the new time is shown within 2 seconds.
# The booking can be moved at most 3 times.

||Status of the booking||Expected result||
|open|The new time is shown|
|paid|The booking stays where it is|
"""


@pytest.fixture
def jira(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJira]:
    monkeypatch.chdir(tmp_path)
    with FakeJira(FakeSite()) as served:
        (tmp_path / "qa-agents.toml").write_text(
            f'embedder = "none"\n[jira]\nbase_url = "{served.url}"\nuser = "{USER}"\ntoken = "{TOKEN}"\nprojects = ["PAY"]\n'
        )
        served.site.add("PAY-2", summary="Bookings", description="Guests must be able to book without an account.")
        served.site.add("PAY-3", summary="Move a booking", description=STORY, parent="PAY-2")
        served.site.add("PAY-4", summary="Hidden", description="It must stay secret.", parent="PAY-2", security="Board")
        yield served
        assert objections(served) == []
        assert served.writes() == []


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command with --json; its exit code and what it printed."""

    def command(*words: str) -> tuple[int, Any]:
        code = run([*words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out.strip() else None

    return command


def test_an_epic_becomes_a_plan_whose_requirements_name_their_issues(jira: FakeJira, ask: Any) -> None:
    code, plan = ask("plan", "--epic", "PAY-2", "--out", "out")
    assert code == 0
    assert plan["name"] == "PAY-2"
    names = {one["id"]: one["name"] for one in plan["sources"]}
    assert sorted(names.values()) == ["PAY-2", "PAY-3"]
    by_issue = {names[one["source_id"]]: one for one in plan["requirements"]}
    assert set(by_issue) == {"PAY-2", "PAY-3"}
    moved = next(one for one in plan["requirements"] if "at most 3 times" in one["quote"])
    assert names[moved["source_id"]] == "PAY-3"
    assert any(one["rules"] for one in plan["requirements"])  # the table was read as one
    case = next(case for case in plan["cases"] if moved["id"] in case["requirement_ids"])
    assert "PAY-3" in case["tags"]
    assert "secret" not in json.dumps(plan)
    unread = next(one["unread"] for one in plan["sources"] if one["name"] == "PAY-2")
    assert any("PAY-4: restricted" in said for said in unread)
    assert any(gap["kind"] == "source" and "PAY-4" in gap["why"] for gap in plan["gaps"])


def test_a_decision_about_a_plan_from_an_epic_needs_no_tracker(jira: FakeJira, ask: Any) -> None:
    _, plan = ask("plan", "--epic", "PAY-2", "--no-ask")
    jira.site.hidden.update({"PAY-2", "PAY-3"})
    code, after = ask("plans", "reject", "PAY-2", plan["cases"][0]["id"], "--reason", "not needed")
    assert (code, after["cases"]) == (0, len(plan["cases"]) - 1)
    _, shown = ask("plans", "show", "PAY-2", "--out", "out")
    assert [one["unread"] for one in shown["sources"]] == [one["unread"] for one in plan["sources"]]


def test_a_file_and_an_epic_are_planned_together(jira: FakeJira, ask: Any, tmp_path: Path) -> None:
    (tmp_path / "more.md").write_text("# Fees\n\nThe fee must be between 5 and 500 EUR.\n")
    code, plan = ask("plan", "more.md", "--epic", "PAY-2", "--name", "both", "--no-ask")
    assert code == 0
    assert {one["name"] for one in plan["sources"]} == {"PAY-2", "PAY-3", "more.md"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--epic", "PAY-2 OR 1=1"], 2, "no issue key"),
        (["--epic", "PAY-404"], 2, "no issue PAY-404"),
        (["--epic", "PAY-4"], 2, "restricted"),
        ([], 2, "nothing to plan from"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    jira: FakeJira, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    assert run(["plan", *words]) == code
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err


def test_a_jira_that_is_down_is_said_to_be_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qa-agents.toml").write_text(
        f'[jira]\nbase_url = "http://127.0.0.1:9"\nuser = "{USER}"\ntoken = "{TOKEN}"\ntries = 1\n'
    )
    assert run(["plan", "--epic", "PAY-2"]) == 3
    assert "Jira" in capsys.readouterr().err


def test_an_epic_of_the_file_tracker_is_read_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    folder = tmp_path / ".qa-agents" / "tracker"
    folder.mkdir(parents=True)
    for key, fields in {
        "WB-1": {"summary": "Bookings"},
        "WB-2": {"summary": "Notes", "parent": "WB-1", "description": "A note must have at most 200 characters."},
    }.items():
        (folder / f"{key}.json").write_text(json.dumps({"key": key, "fields": fields}))
    code, plan = ask("plan", "--epic", "WB-1", "--no-ask")
    assert code == 0
    assert any(case["technique"].startswith("boundary") and "WB-2" in case["tags"] for case in plan["cases"])
