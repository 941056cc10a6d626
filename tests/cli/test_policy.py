"""`policy` and `review` as a person uses them, on a workspace whose policy wants two approvals."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from qa_agents.checkpoint import identity
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.policy import Policy
from qa_agents.cli import policy as policy_command
from qa_agents.cli import review as review_command
from qa_agents.errors import FindingsError, InvalidInputError, NotAllowedError, NotFoundError, UsageError
from qa_agents.incidents.intake import read_report
from qa_agents.operations import deciding, handling
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "policy.toml"
REPORT = {"id": "WEB-1", "summary": "Checkout crashes in version 2.3.1", "description": "Every time, on Android 14."}
POLICY = Policy.model_validate(
    {
        "reviewers": {name: {"roles": ["triage"], "login": name} for name in ("ada", "linus", "grace")},
        "rule": [{"name": "two", "roles": ["triage"], "approvals": 2, "sla_hours": 8}],
    }
)
"""Everyone needs a colleague."""


class Desk:
    """The commands on one workspace, as whichever login sits there."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy = POLICY) -> None:
        self.home, self.policy, self.login = home, policy, "ada"
        monkeypatch.setattr(deciding, "os_login", lambda: self.login)
        monkeypatch.setattr(review_command, "open_workspace", lambda _context: self.workspace())
        monkeypatch.setattr(policy_command, "open_workspace", lambda _context: self.workspace())
        self.app = typer.Typer()
        self.app.add_typer(review_command.app, name="review")
        self.app.add_typer(policy_command.app, name="policy")

    def workspace(self) -> Workspace:
        workspace = Workspace(Settings(home=self.home, embedder="none"))
        workspace.__dict__["inbox"] = Inbox(workspace.database, workspace.ledger, policy=self.policy)
        return workspace

    def run(self, *words: str, login: str = "ada") -> str:
        self.login = login
        result = CliRunner().invoke(self.app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    def json(self, *words: str, login: str = "ada") -> Any:
        return json.loads(self.run(*words, "--json", login=login))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path / "home", monkeypatch)
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))
    with made.workspace() as workspace:
        for received in read_report(report, 10_000):
            handling.handle(workspace, received, options={"k": 5})
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
