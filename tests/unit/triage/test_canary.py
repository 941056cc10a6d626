"""Canaries are staged by the real nodes on the example memory, and go through the command line like any review."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select

from qa_agents.checkpoint.canaries import Case, Link
from qa_agents.checkpoint.policy import Policy
from qa_agents.cli import oversight, review
from qa_agents.errors import InvalidInputError, NotFoundError, QAAgentsError
from qa_agents.incidents.importers import import_files
from qa_agents.settings import Settings
from qa_agents.storage.tables import incidents
from qa_agents.triage.canary import read_cases, report_of, stage
from qa_agents.triage.schema import Triage
from qa_agents.wiring import Workspace

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
CASES = read_cases(EXAMPLES / "canaries.jsonl")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the example memory, words only."""
    folder = tmp_path_factory.mktemp("canaries") / "home"
    with Workspace(Settings(home=folder, embedder="none")) as workspace:
        import_files([EXAMPLES / "incidents.jsonl"], workspace.store.upsert)
        workspace.lexical.catch_up()
    return folder


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspace(Settings(home=home, embedder="none")) as opened:
        yield opened


def memory_of(workspace: Workspace) -> list[Any]:
    with workspace.database.read() as connection:
        return list(connection.execute(select(incidents.c.id, incidents.c.content_sha).order_by(incidents.c.pk)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.report_id)
def test_every_example_canary_can_be_staged_and_looks_like_any_verdict(workspace: Workspace, case: Case) -> None:
    before = memory_of(workspace)
    document, shown = stage(workspace.triage_parts, case)
    triage = Triage.model_validate_json(document)
    assert triage.report_id == case.report_id
    for name, value in case.wrong.items():
        if isinstance(value, Link):
            assert (triage.relations[0].incident_id, triage.relations[0].kind) == (value.incident_id, value.kind)
            assert any(action["params"].get("to") == value.incident_id for action in shown["actions"])
        else:
            assert triage.proposals[name].value == value  # type: ignore[index]
            assert triage.proposals[name].evidence  # type: ignore[index]
            assert {"field": name, "value": value} in [action["params"] for action in shown["actions"]]
    assert shown["gate"] in ("ask", "block")
    told = document.decode() + json.dumps(shown)
    assert "canary" not in told.lower()
    assert case.why not in told
    assert memory_of(workspace) == before


def test_the_example_canaries_are_several_kinds_of_wrong_and_all_distinct() -> None:
    assert len(CASES) >= 6
    assert len({case.case_id for case in CASES}) == len({case.report_id for case in CASES}) == len(CASES)
    assert {"component", "severity", "relation"} <= {name for case in CASES for name in case.wrong}
    examples = {json.loads(line)["id"] for line in (EXAMPLES / "reports.jsonl").read_text("utf-8").splitlines()}
    assert not examples & {case.report_id for case in CASES}


def test_a_proposal_that_would_go_through_unseen_is_shown_as_one_that_asks(workspace: Workspace) -> None:
    from dataclasses import replace

    live = dict.fromkeys(("component", "severity", "priority", "type", "assignee"), "live")
    policy = workspace.triage_parts.policy.model_copy(update={**live, "first_reports": 0})
    for case in CASES:
        assert stage(replace(workspace.triage_parts, policy=policy), case)[1]["gate"] != "auto"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"wrong": {"status": "Closed"}}, "wrong about status"),
        ({"report": {"id": "X-1", "created": "someday"}}, "wrong at created"),
    ],
)
def test_a_case_about_no_report_or_no_field_of_triage_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        report_of(Case.model_validate({**CASES[0].model_dump(mode="json"), **change}))


def test_a_link_to_an_unknown_incident_is_refused(workspace: Workspace) -> None:
    wrong = {"wrong": {"relation": {"incident_id": "NOPE-1", "kind": "already-fixed"}}, "expect": ["reject"]}
    with pytest.raises(InvalidInputError, match="NOPE-1, which is not in the memory"):
        stage(workspace.triage_parts, Case.model_validate({**CASES[0].model_dump(mode="json"), **wrong}))


@pytest.mark.parametrize("body", [b"{", b'"text"', b"[]", b'{"report": {}}', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_holds_no_canaries_is_told_in_one_sentence(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\n" + body)
    with pytest.raises(InvalidInputError, match=r"Line 2 of bad\.jsonl is no canary"):
        read_cases(path)
    with pytest.raises(NotFoundError):
        read_cases(tmp_path / "absent.jsonl")


# The command line


def mounted() -> typer.Typer:
    app = typer.Typer()
    group = typer.Typer()
    for command in review.app.registered_commands:
        group.registered_commands.append(command)
    group.command("stats")(oversight.stats)
    for name, part in (("canary", oversight.canary), ("second", oversight.second), ("audit", oversight.audit)):
        group.add_typer(part, name=name)
    app.add_typer(group, name="review")

    @app.callback()
    def root(context: typer.Context, home: Path) -> None:
        context.obj = home

    return app


@pytest.fixture
def command(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Run `review …` on a copy of the example workspace, with a policy that draws everything."""
    import shutil

    copy = Path(shutil.copytree(home, tmp_path / "home"))
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    policy = Policy(canary_rate=1.0, second_look_rate=1.0)
    monkeypatch.setattr(oversight, "_policy", lambda _workspace: policy)
    app = mounted()

    def call(*arguments: str, plain: bool = False) -> Any:
        capsys.readouterr()
        app(args=[str(copy), "review", *arguments, *([] if plain else ["--json"])], standalone_mode=False)
        said = capsys.readouterr().out
        return said if plain else json.loads(said)

    call.home = copy  # type: ignore[attr-defined]
    return call


def triaged(home: Path, name: str) -> str:
    from qa_agents.incidents.intake import read_report
    from qa_agents.operations.handling import handle

    with Workspace(Settings(home=home, embedder="none")) as workspace:
        (received,) = read_report(EXAMPLES / "reports" / name, 10_000_000)
        handled = handle(workspace, received, options={"k": 20, "remember": True})
        assert handled.triage is not None
        assert handled.triage.review_id is not None
        return handled.triage.review_id


def test_a_drawn_canary_cannot_be_told_from_a_real_review_in_what_is_printed(command: Callable[..., Any]) -> None:
    real = triaged(command.home, "02-obvious-duplicate.json")  # type: ignore[attr-defined]
    assert command("canary", "add", str(EXAMPLES / "canaries.jsonl")) == {"read": len(CASES), "new": len(CASES)}
    assert command("canary", "draw") == {"opened": 1}
    assert command("canary", "draw") == {"opened": 0}
    listed = command("list")
    assert len(listed) == 2
    assert shape(listed[0]) == shape(listed[1])
    assert "canary" not in json.dumps(listed).lower()
    other = next(name for name in (find_id(item) for item in listed) if name != real)
    shown = command("show", other)
    assert shape(command("show", real)["review"]) == shape(shown["review"])
    assert set(command("show", real)["triage"]) == set(shown["triage"])
    assert "canary" not in json.dumps(shown).lower()
    assert command("canary", "list")["waiting"] == 1


def find_id(item: dict[str, Any]) -> str:
    return str(item["review_id"] if "review_id" in item else item["review"]["review_id"])


def shape(value: Any) -> Any:
    """The keys of a document, without the contents of what was shown."""
    if not isinstance(value, dict):
        return type(value).__name__
    return {key: shape(inner) for key, inner in value.items() if key not in ("actions", "rules", "issue_version")}


def test_a_second_look_by_command_shows_no_first_decision(command: Callable[..., Any]) -> None:
    real = triaged(command.home, "02-obvious-duplicate.json")  # type: ignore[attr-defined]
    command("approve", real, "--as", "ada")
    assert command("second", "list", "--as", "ada") == []
    assert [item["review_id"] for item in command("second", "list", "--as", "bob")] == [real]
    shown = command("second", "show", real, "--as", "bob")
    assert "decision" not in shown["review"]
    assert "state" not in shown["triage"]
    for text in (json.dumps(shown), command("second", "show", real, "--as", "bob", plain=True)):
        assert "ada" not in text.replace("adapt", "")
    command("second", "decide", real, "reject", "--reason", "wrong-cause", "--as", "bob")
    (found,) = command("second", "disagreements")
    assert (found["first"]["verdict"], found["second"]["verdict"]) == ("approve", "reject")
    record = command("stats", "--since", "30d")
    assert [(r["name"], r["decisions"], r["second_looks"]["n"]) for r in record["reviewers"]] == [
        ("ada", 1, 1),
        ("bob", 0, 0),
    ]
    assert record["kept"]
    assert "override" in command("stats", plain=True)


def test_an_audit_of_nothing_claims_nothing(command: Callable[..., Any]) -> None:
    listed = command("audit", "list")
    assert listed["items"] == []
    assert listed["bounds"][0]["at_most"] == 1.0
    with pytest.raises(NotFoundError, match="not in the sample"):
        command("audit", "confirm", "triage-0123456789ab")


@pytest.mark.parametrize(
    "arguments",
    [
        ("stats", "--since", "someday"),
        ("second", "decide", "rv-none", "approve"),
        ("second", "show", "rv-none"),
        ("canary", "add", "does-not-exist.jsonl"),
    ],
)
def test_a_wrong_command_is_one_of_our_own_errors(command: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    with pytest.raises(QAAgentsError):
        command(*arguments)
