"""The review pages through HTTP: login, list, one review, the answer, and everything that must be refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from qa_agents.incidents.intake import read_batch
from qa_agents.operations import handle
from qa_agents.service.pages import HEADERS, Pages
from qa_agents.service.sessions import TRIES, hashed
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

TOKEN = "a-long-random-token-of-ada-0123456789"
REPORT = (
    '{"id": "IN-1", "summary": "Refund <script>alert(1)</script> fails with E_REFUND_409", "description": '
    '"Version 4.12.0. Steps: press Refund. Expected: refunded. Actual: E_REFUND_409. <img src=x onerror=alert(1)>"}'
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    import hashlib

    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'[reviewers.ada]\nroles = ["lead"]\nkey_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n'
        f"[reviewers.grace]\npassword_argon2 = '{hashed('correct horse')}'\n"
        '[[rule]]\nname = "leads decide"\nroles = ["lead"]\nproposer_may_approve = true\n'
    )
    (tmp_path / "report.jsonl").write_text(REPORT + "\n")
    with Workspace(Settings(home=tmp_path / "home", embedder="none", policy=policy)) as made:
        for received in read_batch(tmp_path / "report.jsonl", 100_000):
            handle(made, received, options={"k": 5, "remember": True})
        yield made


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    app = FastAPI()
    app.include_router(Pages(workspace).router())
    return TestClient(app, follow_redirects=False)


def log_in(client: TestClient, name: str = "ada", secret: str = TOKEN) -> None:
    answer = client.post("/login", data={"name": name, "secret": secret, "to": "/reviews"})
    assert answer.status_code == 303, answer.text


def form_of(client: TestClient, workspace: Workspace) -> tuple[str, dict[str, str]]:
    """The only review's address, and the hidden fields of its form."""
    review = workspace.inbox.waiting()[0]
    page = client.get(f"/reviews/{review.review_id}").text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.split('id="decide"')[1]))
    return f"/reviews/{review.review_id}", hidden


@pytest.mark.parametrize("path", ["/reviews", "/reviews/rv-1", "/reports/IN-1", "/ledger"])
def test_nothing_is_shown_to_somebody_who_is_not_logged_in(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")


def test_a_wrong_secret_is_refused_and_guessing_has_an_end(client: TestClient) -> None:
    for _ in range(TRIES):
        assert client.post("/login", data={"name": "ada", "secret": "guess"}).status_code == 403
    answer = client.post("/login", data={"name": "ada", "secret": TOKEN})
    assert answer.status_code == 403
    assert "Too many wrong logins" in answer.text


def test_a_password_opens_the_pages_as_a_token_does(client: TestClient) -> None:
    log_in(client, "grace", "correct horse")
    assert client.get("/reviews").status_code == 200


def test_login_leads_to_no_other_host(client: TestClient) -> None:
    answer = client.post("/login", data={"name": "ada", "secret": TOKEN, "to": "//evil.invalid/"})
    assert answer.headers["location"] == "/reviews"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(client: TestClient) -> None:
    answer = client.post("/login", data={"name": "ada", "secret": TOKEN})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_forged_cookie_is_no_session(client: TestClient) -> None:
    client.cookies.set("qa_agents_session", "eyJuYW1lIjoiYWRhIn0.x.y")
    assert client.get("/reviews").status_code == 303


def test_what_waits_is_listed_and_hostile_text_stays_text(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    page = client.get("/reviews")
    assert "IN-1" in page.text
    assert "<script>alert" not in page.text
    shown = client.get(f"/reviews/{workspace.inbox.waiting()[0].review_id}")
    assert "<img src=x" not in shown.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown.text
    assert re.search("<mark>[^<]*E_REFUND_409", shown.text)
    for name, value in HEADERS.items():
        assert shown.headers[name] == value


def test_an_approval_is_carried_out_and_the_review_says_so(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    answer = client.post(path, data={**hidden, "verdict": "approve"})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert "approve by ada" in client.get(path).text
    assert workspace.tracker.get("IN-1") is not None
    decision = workspace.inbox.find(path.rsplit("/", 1)[1]).decision
    assert decision is not None
    assert (decision.auth, decision.roles) == ("token", ["lead"])


def test_a_form_without_its_key_changes_nothing(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    for forged in ({**hidden, "form_key": "guess"}, {k: v for k, v in hidden.items() if k != "form_key"}):
        assert client.post(path, data={**forged, "verdict": "approve"}).status_code == 403
    assert workspace.inbox.waiting()


def test_a_decision_about_something_else_than_was_shown_is_refused(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    answer = client.post(path, data={**hidden, "digest": "0" * 64, "verdict": "approve"})
    assert answer.status_code == 409
    assert "has changed since you opened it" in answer.text


def test_who_may_not_decide_is_told_and_nothing_is_written(client: TestClient, workspace: Workspace) -> None:
    log_in(client, "grace", "correct horse")
    path, hidden = form_of(client, workspace)
    answer = client.post(path, data={**hidden, "verdict": "approve"})
    assert answer.status_code == 409
    assert workspace.tracker.get("IN-1") is None


def test_only_fields_that_were_changed_are_edits(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    unchanged = {name.replace("was-", "set-"): value for name, value in hidden.items() if name.startswith("was-")}
    data = {**hidden, **unchanged, "set-component": "Payments", "verdict": "edit", "reason": "other"}
    assert client.post(path, data=data).status_code == 303
    decision = workspace.inbox.find(path.rsplit("/", 1)[1]).decision
    assert decision is not None
    assert decision.edits == {"component": "Payments"}


def test_a_rejection_without_a_reason_is_sent_back_with_the_page(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    answer = client.post(path, data={**hidden, "verdict": "reject"})
    assert answer.status_code == 409
    assert "reason" in answer.text
    assert workspace.inbox.waiting()


def test_the_history_and_the_ledger_can_be_read(client: TestClient) -> None:
    log_in(client)
    assert "It stopped for a person" in client.get("/reports/IN-1").text
    assert "review opened" in client.get("/ledger").text
    assert client.get("/reports/none").status_code == 404


@pytest.mark.parametrize("query", ["?page=9999", "?page=x", "?gate=%27%20OR%201", "?rule=%25", "?kind=plan", "?mine=1"])
def test_any_filter_gives_a_page(client: TestClient, query: str) -> None:
    log_in(client)
    assert client.get(f"/reviews{query}").status_code == 200
