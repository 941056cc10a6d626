"""`qa-agents plan`, `plans` and `export`, from the specification to the sign-off, as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run

SPEC = """# Deposits

FR-1 The deposit must be between 5 and 500 EUR.

FR-2 When a guest cancels at least 24 hours before the appointment, the system must refund the whole deposit within 3 days.

FR-3 When a payment fails, the system should respond appropriately.

## Out of scope

Gift cards are out of scope.
"""
NEWER = SPEC.replace("500 EUR", "800 EUR")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    (tmp_path / "deposits.md").write_text(SPEC)
    return tmp_path


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command with --json; its exit code and what it printed."""

    def command(*words: str) -> tuple[int, Any]:
        code = run([*words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out.strip() else None

    return command


def case_about(plan: dict[str, Any], words: str) -> dict[str, Any]:
    return next(case for case in plan["cases"] if words in json.dumps(case))


def test_a_specification_becomes_a_plan_that_waits_for_answers_first(ask: Any) -> None:
    code, plan = ask("plan", "deposits.md", "--out", "out")
    assert code == 0
    assert {one["explicit_id"] for one in plan["requirements"]} >= {"FR-1", "FR-2", "FR-3"}
    assert any(one["kind"] == "out_of_scope" for one in plan["requirements"])
    for one in plan["requirements"]:
        assert SPEC[one["start"] : one["end"]] == one["quote"]
    assert {Path(name).name for name in plan["written"]} >= {"plan.md", "plan.json", "plan.html", "traceability.csv"}
    _, waiting = ask("review", "list")
    assert [(one["form"], one["subject_id"]) for one in waiting] == [("question", "plan/deposits")]


def test_boundaries_of_a_stated_range_are_exercised_on_both_sides(ask: Any) -> None:
    _, plan = ask("plan", "deposits.md")
    said = json.dumps([case["steps"] for case in plan["cases"]])
    assert all(value in said for value in ("4.99", "5", "500", "500.01"))


def test_answers_come_before_the_signature_and_are_never_asked_again(ask: Any) -> None:
    _, plan = ask("plan", "deposits.md")
    review = plan["review_id"]
    _, shown = ask("review", "show", review)
    questions = [one["id"] for one in shown["review"]["shown"]["questions"]]
    assert questions
    words = [word for name in questions for word in ("--set", f"{name}=assume")]
    assert ask("review", "answer", review, *words, "--as", "ada")[0] == 0
    _, waiting = ask("review", "list")
    assert [one["form"] for one in waiting] == ["signoff"]
    assert ask("review", "sign", waiting[0]["review_id"], "--as", "ada")[0] == 0
    _, plans = ask("plans", "list")
    assert (plans[0]["state"], plans[0]["review"]) == ("decided", None)
    _, again = ask("plan", "deposits.md", "--again")
    answered = {one["id"] for one in again["questions"] if one["answer"] is not None}
    assert set(questions) <= answered
    assert run(["ledger", "verify"]) == 0
    assert run(["ledger", "balance"]) == 0


def test_one_answer_lets_go_of_the_cases_that_waited_for_it_and_of_no_others(ask: Any) -> None:
    _, before = ask("plan", "deposits.md", "--no-ask")
    question = next(one for one in before["questions"] if one["blocks_cases"])
    blocked = set(question["blocks_cases"])
    others = {case["id"]: case for case in before["cases"] if question["id"] not in case["question_ids"]}
    assert ask("plans", "answer", "deposits", question["id"], "An error message names the reason.")[0] == 0
    _, after = ask("plans", "show", "deposits")
    waiting = {case["id"] for case in after["cases"] if question["id"] in case["question_ids"]}
    assert blocked
    assert not waiting
    assert {case["id"]: case for case in after["cases"] if case["id"] in others} == others


def test_a_rejected_case_stays_out_and_an_edited_one_stays_as_it_was_written(ask: Any) -> None:
    _, plan = ask("plan", "deposits.md", "--no-ask")
    first, second = plan["cases"][0]["id"], plan["cases"][1]["id"]
    assert ask("plans", "reject", "deposits", first, "--reason", "covered elsewhere")[0] == 0
    assert ask("plans", "edit", "deposits", second, "--set", "title=My own words")[0] == 0
    _, after = ask("plan", "deposits.md", "--no-ask", "--again")
    ids = {case["id"]: case for case in after["cases"]}
    assert first not in ids
    assert (ids[second]["title"], ids[second]["origin"]) == ("My own words", "edited")
    assert any("covered elsewhere" in sentence for sentence in after["left_out"])


def test_a_new_version_redrafts_what_changed_and_nothing_else(ask: Any, here: Path) -> None:
    _, before = ask("plan", "deposits.md", "--no-ask", "--out", "old")
    (here / "newer.md").write_text(NEWER)
    code, after = ask("plan", "newer.md", "--name", "deposits", "--no-ask", "--previous", "old/plan.json")
    assert code == 0
    changes = after["changes"]
    assert [one["change"] for one in changes["requirements"]] == ["changed"]
    assert any("500" in value and "800" in value for value in changes["requirements"][0]["values"])
    old = {case["id"]: case for case in before["cases"]}
    new = {case["id"]: case for case in after["cases"]}
    assert changes["kept"]
    assert all(new[name] == old[name] for name in changes["kept"])
    assert case_about(after, "800.01")["suspect"]
    assert "500.01" not in json.dumps([case["steps"] for case in after["cases"]])


def test_only_what_waits_for_nobody_is_exported(ask: Any, here: Path) -> None:
    _, plan = ask("plan", "deposits.md", "--no-ask")
    code, said = ask("export", "deposits", "--to", "gherkin", "--out", "features")
    assert code == 0
    text = "".join(Path(name).read_text() for name in said["written"])
    open_ = {one["id"] for one in plan["questions"] if one["answer"] is None}
    blocked = [case["id"] for case in plan["cases"] if open_ & set(case["question_ids"])]
    assert blocked
    assert not any(f"@case:{name}" in text for name in blocked)
    assert "@req:FR-1" in text


def test_standard_input_is_a_specification_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SPEC.encode())))
    assert run(["plan", "-", "--name", "piped", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "piped"


def test_the_same_specification_again_gives_the_stored_plan(ask: Any) -> None:
    _, first = ask("plan", "deposits.md")
    _, second = ask("plan", "deposits.md")
    assert first == second


def test_a_domain_pack_marks_what_it_adds(ask: Any) -> None:
    _, plan = ask("plan", "deposits.md", "--domain", "finance", "--no-ask")
    marked = [case for case in plan["cases"] if case["pack"] == "finance"]
    assert marked
    assert plan["sign_offs"]
    assert not any(one["id"] == case["id"] for one in plan["requirements"] for case in marked)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "nothing.md"], "There is no file nothing.md"),
        (["plan", "deposits.md", "--domain", "alchemy"], "no domain pack"),
        (["plan", "deposits.md", "--previous", "deposits.md"], "is no plan of this release"),
        (["plans", "show", "nothing"], "There is no plan nothing"),
        (["plans", "answer", "deposits", "Q-none", "yes"], "There is no plan deposits"),
        (["export", "deposits", "--to", "papyrus"], "There is no plan deposits"),
        (["plan", "-", "-"], "Standard input can be read once only"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_a_plan_on_the_screen_says_what_was_found_and_what_can_be_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "deposits.md"]) == 0
    out = capsys.readouterr().out
    assert "requirements" in out
    assert "Open questions" in out
    assert "qa-agents review answer rv-" in out
