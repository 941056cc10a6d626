"""`qa-agents jira` against the stand-in: the whole way from the command line to the wire."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qa_agents.cli.app import app
from qa_agents.errors import UnavailableError
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.server import TOKEN, USER, FakeJira
from tests.fakes.jira.site import FakeSite


@pytest.fixture
def jira(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJira]:
    monkeypatch.chdir(tmp_path)
    with FakeJira(FakeSite()) as served:
        settings = f"""
embedder = "none"
[jira]
base_url = "{served.url}"
user = "{USER}"
token = "{TOKEN}"
projects = ["PAY"]
severity_field = "customfield_10045"
visibility = {{type = "role", value = "Developers"}}
"""
        (tmp_path / "qa-agents.toml").write_text(settings)
        yield served
        assert objections(served) == []


def run(*arguments: str, code: int = 0) -> Any:
    found: Result = CliRunner().invoke(app, ["jira", *arguments, "--json"])
    assert found.exit_code == code, (found.stdout, found.stderr, found.exception)
    return json.loads(found.stdout)


def test_doctor_finds_a_good_site_good_and_writes_nothing(jira: FakeJira) -> None:
    checks = run("doctor")
    assert {check["level"] for check in checks} == {"ok"}
    said = " ".join(check["says"] for check in checks)
    assert "“duplicates”: NEW “duplicates” ORIGINAL (Duplicate)" in said
    assert "severity is customfield_10045" in said
    assert jira.writes() == []


@pytest.mark.parametrize(
    ("broken", "name", "says"),
    [
        ("permission", "permissions", "may not: comment"),
        ("link", "links", "turned around"),
        ("clock", "clock", "behind Jira's"),
        ("deployment", "server", "not as configured"),
        ("field", "fields", "There is no field customfield_1"),
        ("audience", "audience", "No private comment can be written"),
    ],
)
def test_doctor_names_what_is_wrong(
    jira: FakeJira, broken: str, name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.jira import api

    settings = Path("qa-agents.toml")
    if broken == "permission":
        jira.site.denied.add("ADD_COMMENTS")
    elif broken == "link":
        turned = tuple((number, kind, outward, inward) for number, kind, inward, outward in api.LINK_TYPES)
        monkeypatch.setattr(api, "LINK_TYPES", turned)
    elif broken == "clock":
        now = jira.site.clock
        jira.site.clock = lambda: now() + 1_000
    elif broken == "deployment":
        settings.write_text(settings.read_text().replace("[jira]", '[jira]\ndeployment = "dc"'))
        jira._is_known = lambda authorization: True  # type: ignore[method-assign]
    elif broken == "field":
        settings.write_text(settings.read_text().replace("customfield_10045", "customfield_1"))
    else:
        settings.write_text(settings.read_text().split("visibility")[0])
    checks = run("doctor", code=1)
    assert any(c["name"] == name and c["level"] == "problem" and says in c["says"] for c in checks), checks


def history(jira: FakeJira, number: int) -> None:
    for n in range(number):
        issue = jira.site.add(summary=f"The bell rings {n} times", description="h1. Steps", customfield_10045="Major")
        issue.fields |= {"status": "Done", "resolution": "Fixed", "components": ["Billing"]}


def test_history_is_imported_page_by_page_and_twice_is_once(jira: FakeJira) -> None:
    history(jira, 250)
    asked = run("import", "--dry-run")
    assert asked == {"jql": 'project in ("PAY") ORDER BY updated ASC', "issues": 250}
    first = run("import", "--no-vectors")
    assert (first["imported"], first["refused"]) == (250, {})
    again = run("import", "--no-vectors")
    assert (again["imported"], again["unchanged"], again["went_on_after"]) == (0, 250, 0)
    found = CliRunner().invoke(app, ["incidents", "show", "PAY-101", "--json"])
    incident = json.loads(found.stdout)
    assert (incident["severity"], incident["component"], incident["resolution"]) == ("Major", "Billing", "Fixed")


def test_an_interrupted_import_goes_on_behind_its_last_page(jira: FakeJira) -> None:
    history(jira, 250)
    searches = iter(range(1_000))
    jira.faults = lambda method, path, number: "401" if path.endswith("search/jql") and next(searches) == 2 else None
    cut_off = CliRunner().invoke(app, ["jira", "import", "--no-vectors"])
    assert isinstance(cut_off.exception, UnavailableError)
    jira.faults = lambda method, path, number: None
    rest = run("import", "--no-vectors")
    assert (rest["went_on_after"], rest["imported"]) == (200, 50)


def test_a_mark_that_jira_forgot_starts_from_the_beginning(jira: FakeJira) -> None:
    history(jira, 150)
    searches = iter(range(1_000))
    jira.faults = lambda method, path, number: "401" if path.endswith("search/jql") and next(searches) == 1 else None
    cut_off = CliRunner().invoke(app, ["jira", "import", "--no-vectors"])
    assert isinstance(cut_off.exception, UnavailableError)
    later = iter(range(1_000))
    jira.faults = lambda method, path, number: "413" if path.endswith("search/jql") and next(later) == 0 else None
    rest = run("import", "--no-vectors")
    assert (rest["went_on_after"], rest["imported"], rest["unchanged"]) == (0, 50, 100)


def test_backfill_stops_at_the_checkpoint_and_the_exact_requests_can_be_seen(jira: FakeJira) -> None:
    history(jira, 30)
    run("import", "--no-vectors")
    jira.site.add("PAY-900", summary="The bell rings 3 times", description="It rings. [~admin]")
    asked = run("backfill", "--since", "2026-01-01", "--dry-run")
    assert asked["issues"] == 31
    report = run("backfill", "--since", "2026-01-01")
    assert (report["triaged"], report["failed"]) == (31, {})
    assert jira.writes() == []
    shown = run("requests", "PAY-900")
    sent = [(one["method"], one["path"]) for action in shown for one in action["requests"]]
    assert sent
    assert all(path.startswith("/rest/api/2/issue") for _, path in sent)
    assert jira.writes() == []
    assert run("backfill", "--since", "2026-01-01")["known"] == 31


def test_without_a_jira_the_commands_say_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["jira", "doctor"])
    assert found.exit_code != 0
    assert "No Jira is configured" in f"{found.stderr}{found.exception}"
