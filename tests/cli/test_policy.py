"""`policy` and `review` as a person uses them, on a workspace whose policy wants two approvals."""

import json
from pathlib import Path

import pytest

from qa_agents.checkpoint import identity
from qa_agents.checkpoint.policy import Policy
from qa_agents.errors import FindingsError, InvalidInputError, NotAllowedError, NotFoundError, UsageError
from tests.cli.desk import REPORT, Desk

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "policy.toml"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path / "home", monkeypatch)
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))
    made.take_in(report)
    return made


def test_two_colleagues_approve_and_only_then_it_is_written(desk: Desk) -> None:
    assert "1 of 2 approvals" in desk.run("review", "approve", "WEB-1")
    (waiting,) = desk.json("review", "list")
    assert (waiting["approvals"], waiting["needed"], waiting["votes"][0]["auth"]) == (1, 2, "os-login")
    assert 7.9 < waiting["hours_left"] <= 8.0
    listed = desk.run("review", "list")
    assert "1 of 2" in listed
    assert not (desk.home / "tracker" / "WEB-1.json").exists()
    done = desk.json("review", "approve", "WEB-1", login="linus")
    assert (done["state"], done["reviewer"], bool(done["written"])) == ("decided", "linus", True)


def test_an_edit_is_shown_and_seconded_by_name(desk: Desk) -> None:
    desk.run("review", "edit", "WEB-1", "--set", "component=Cart", "--reason", "wrong-cause")
    shown = desk.run("review", "show", "WEB-1")
    assert "component = Cart" in shown
    assert "--proposed-by ada" in shown
    with pytest.raises(NotAllowedError, match="ada proposed this"):
        desk.run("review", "approve", "WEB-1", "--proposed-by", "ada")
    with pytest.raises(NotFoundError, match="linus proposed nothing else"):
        desk.run("review", "approve", "WEB-1", "--proposed-by", "linus", login="grace")
    assert desk.json("review", "approve", "WEB-1", "--proposed-by", "ada", login="grace")["approvals"] == 1
    done = desk.json("review", "approve", "WEB-1", "--proposed-by", "ada", login="linus")
    assert "component = Cart" in done["written"]


def test_a_review_is_handed_to_a_colleague(desk: Desk) -> None:
    assert "it waits for linus" in desk.run("review", "delegate", "WEB-1", "--to", "linus")
    assert "linus" in desk.run("review", "list")
    assert "Assigned to linus" in desk.run("review", "show", "WEB-1")
    with pytest.raises(NotAllowedError, match="assigned to linus"):
        desk.run("review", "approve", "WEB-1")


def test_nobody_decides_under_anothers_login(desk: Desk) -> None:
    with pytest.raises(NotAllowedError, match="could not be recognised"):
        desk.run("review", "approve", "WEB-1", "--as", "linus")
    with pytest.raises(NotAllowedError, match="root could not be recognised"):
        desk.run("review", "approve", "WEB-1", login="root")


def test_what_is_no_answer_to_an_approval_is_refused_in_one_sentence(desk: Desk) -> None:
    with pytest.raises(UsageError, match="sign is no answer to an approval"):
        desk.run("review", "sign", "WEB-1")
    with pytest.raises(UsageError, match="answer is no answer to an approval"):
        desk.run("review", "answer", "WEB-1", "--set", "Q1=yes")
    with pytest.raises(UsageError, match="needs --owner and --expires"):
        desk.run("review", "sign", "WEB-1", "--waive", "PAY-7=rare")
    with pytest.raises(UsageError, match="names the same thing twice"):
        desk.run("review", "answer", "WEB-1", "--set", "Q1=yes", "--set", "Q1=no")


def test_check_prints_who_may_decide_what(desk: Desk) -> None:
    told = desk.json("policy", "check", str(EXAMPLE))
    assert told["never_matching"] == []
    assert told["rule"][1]["who"] == ["grace", "edsger"]
    assert "key_sha256" not in json.dumps(told)
    assert "money, lost data" in desk.run("policy", "check", str(EXAMPLE))


def test_check_refuses_a_broken_file_and_finds_a_rule_that_never_matches(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("rules = 1")
    with pytest.raises(InvalidInputError, match="rules is not a known key"):
        desk.run("policy", "check", str(path))
    path.write_text('[reviewers.a]\nlogin = "a"\n[[rule]]\nname = "x"\nwhen = { rules = "securty" }')
    with pytest.raises(FindingsError, match="did you mean security"):
        desk.run("policy", "check", str(path))


def test_check_finds_a_rule_under_which_nobody_could_approve_a_change(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    listed = '[reviewers.a]\nroles = ["lead"]\nlogin = "a"\n[reviewers.b]\nroles = ["lead"]\nlogin = "b"\n'
    rule = '[[rule]]\nname = "two"\nroles = ["lead"]\napprovals = 2\n'
    path.write_text(listed + rule)
    with pytest.raises(
        FindingsError, match="by one of the 2 who may decide could never be approved: it takes 2 others"
    ):
        desk.run("policy", "check", str(path))
    path.write_text(f"{listed}{rule}proposer_may_approve = true\n")
    assert desk.json("policy", "check", str(path))["never_approved"] == []
    path.write_text(listed + rule.replace("2", "1"))
    assert desk.json("policy", "check", str(path))["never_approved"] == []


def test_check_says_which_fields_may_be_doubted(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('[gate]\nchallenge = ["severity"]')
    assert "where a person set it: severity." in desk.run("policy", "check", str(path))
    path.write_text('[gate]\nchallenge = ["status"]')
    with pytest.raises(InvalidInputError, match="challenge: entry 1"):
        desk.run("policy", "check", str(path))


def test_show_prints_the_policy_in_force(desk: Desk) -> None:
    assert [rule["who"] for rule in desk.json("policy", "show")["rule"]] == [["ada", "linus", "grace"]]
    desk.policy = Policy()
    assert "anybody who can use the workspace" in desk.run("policy", "show")


def test_a_made_token_is_recognised_by_its_line(desk: Desk) -> None:
    from qa_agents.checkpoint.policy import authenticate

    made = desk.json("policy", "token")
    listed = Policy.model_validate({"reviewers": {"ada": {"key_sha256": made["key_sha256"]}}})
    assert authenticate(listed, None, None, made["token"]).name == "ada"
    assert desk.json("policy", "token") != made


def test_the_login_comes_from_the_system_and_not_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity.os_login()
    monkeypatch.setenv("USER", "mallory")
    monkeypatch.setenv("LOGNAME", "mallory")
    assert identity.os_login() == before
