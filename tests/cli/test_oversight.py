"""`qa-agents review second | audit` as those meet them who look after the reviewers."""

import json
from pathlib import Path
from typing import Any

import pytest

from qa_agents.checkpoint.policy import Policy
from qa_agents.cli import oversight
from qa_agents.errors import ConflictError, NotAllowedError, NotFoundError, UsageError
from tests.cli.desk import REPORT, Desk
from tests.unit.checkpoint.watched import Bench

POLICY = Policy.model_validate(
    {
        "reviewers": {name: {"roles": ["triage"], "login": name} for name in ("ada", "linus")},
        "second_look_rate": 1.0,
        "audit_rate": 1.0,
    }
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path / "home", monkeypatch, POLICY)
    monkeypatch.setattr(oversight, "open_workspace", lambda _context: made.workspace())
    made.app.add_typer(oversight.second, name="second")
    made.app.add_typer(oversight.audit, name="audit")
    made.app.command("stats")(oversight.stats)
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))
    made.take_in(report)
    return made


def answers(desk: Desk) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from qa_agents.storage.tables import decisions

    with desk.workspace() as workspace, workspace.database.read() as connection:
        return [dict(row) for row in connection.execute(select(decisions.c.body)).scalars()]


def test_a_second_look_is_blind_is_given_once_and_says_how_who_gave_it_was_recognised(desk: Desk) -> None:
    desk.run("review", "reject", "WEB-1", "--reason", "wrong-cause", "--note", "not ours")
    assert desk.json("second", "list") == []
    (offered,) = desk.json("second", "list", login="linus")
    shown = desk.run("second", "show", "WEB-1", login="linus")
    assert "reject" not in shown.partition("Answer without asking")[0]
    assert "not ours" not in json.dumps(offered) + shown
    desk.run("second", "decide", "WEB-1", "approve", login="linus")
    assert (answers(desk)[-1]["auth"], answers(desk)[-1]["roles"]) == ("os-login", ["triage"])
    with pytest.raises(NotFoundError, match="not offered to linus"):
        desk.run("second", "decide", "WEB-1", "approve", login="linus")
    assert "reject by ada (wrong-cause)" in desk.run("second", "disagreements")
    (ada, *_) = desk.json("stats")["reviewers"]
    assert (ada["name"], ada["second_looks"]["n"], ada["second_looks"]["same"]["events"]) == ("ada", 1, 0)


def test_a_second_look_takes_only_what_settles(desk: Desk) -> None:
    desk.run("review", "approve", "WEB-1")
    for verdict in ("defer", "sign", "frobnicate"):
        with pytest.raises(UsageError, match=f"{verdict} is no second answer") as refused:
            desk.run("second", "decide", "WEB-1", verdict, login="linus")
        assert "approve, edit, reject, ask_reporter" in refused.value.hint
    with pytest.raises(UsageError, match="--set takes FIELD=VALUE"):
        desk.run("second", "decide", "WEB-1", "edit", "--set", "component", login="linus")


def test_an_audit_finds_once_and_tells_what_is_proven(desk: Desk) -> None:
    with desk.workspace() as workspace:
        watched = Bench(workspace.database)
        for number in range(3):
            watched.applied(number, 0.97)
    listed = desk.json("audit", "list")
    assert (listed["left"], listed["bounds"][0]["applied"], listed["bounds"][0]["at_most"]) == (3, 3, 1.0)
    assert "0 wrong of 1: at most 95.0 % (95 %)" in desk.run("audit", "confirm", "AUTO-1")
    told = desk.run("audit", "wrong", "AUTO-2", "--note", "not payments")
    assert "1 wrong of 2" in told
    assert "take it back: qa-agents undo triage-auto00000002" in told
    with pytest.raises(ConflictError, match="already audited: wrong by ada"):
        desk.run("audit", "confirm", "AUTO-2", login="linus")
    with pytest.raises(NotFoundError, match="not in the sample"):
        desk.run("audit", "wrong", "WEB-1")
    with pytest.raises(NotAllowedError):
        desk.run("audit", "confirm", "AUTO-0", login="root")
    assert desk.json("audit", "list")["left"] == 1
