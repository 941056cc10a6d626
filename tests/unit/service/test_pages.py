"""The review pages through HTTP: login, list, one review, the answer, and everything that must be refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qa_agents.incidents.intake import read_batch
from qa_agents.operations.handling import handle
from qa_agents.service.pages import Pages
from qa_agents.service.patience import TRIES
from qa_agents.service.sessions import hashed
from qa_agents.service.web import HEADERS
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
    return TestClient(Starlette(routes=Pages(workspace).routes()), follow_redirects=False)


def log_in(client: TestClient, name: str = "ada", secret: str = TOKEN) -> None:
    answer = client.post("/login", data={"name": name, "secret": secret, "to": "/reviews"})
    assert answer.status_code == 303, answer.text


def form_of(client: TestClient, workspace: Workspace) -> tuple[str, dict[str, str]]:
    """The only review's address, and the hidden fields of its form."""
    review = workspace.inbox.waiting()[0]
    page = client.get(f"/reviews/{review.review_id}").text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.split('id="decide"')[1]))
    return f"/reviews/{review.review_id}", hidden


@pytest.mark.parametrize("path", ["/reviews", "/reviews/rv-1", "/reports/IN-1", "/ledger", "/stats", "/plans"])
def test_nothing_is_shown_to_somebody_who_is_not_logged_in(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")


def test_a_wrong_secret_is_refused_and_guessing_has_an_end(client: TestClient) -> None:
    for _ in range(TRIES):
        assert client.post("/login", data={"name": "ada", "secret": "guess"}).status_code == 403
    answer = client.post("/login", data={"name": "ada", "secret": TOKEN})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 60
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
    assert "samesite=lax" in cookie


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
    assert "Approved by ada" in client.get(path).text
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
    assert answer.status_code == 403
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
    assert answer.status_code == 400
    assert "reason" in answer.text
    assert workspace.inbox.waiting()


def test_the_history_and_the_ledger_can_be_read(client: TestClient) -> None:
    log_in(client)
    assert "It stopped for a person" in client.get("/reports/IN-1").text
    ledger = client.get("/ledger?about=IN-1").text
    assert "It stopped for a person" in ledger
    assert "history" in ledger.lower()
    assert client.get("/reports/none").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "?page=9999",
        "?page=x",
        "?gate=%27%20OR%201",
        "?rule=%25",
        "?kind=plan",
        "?mine=1",
        "?subject=%25",
        "?late=1",
        "?page=00",
    ],
)
def test_any_filter_gives_a_page(client: TestClient, query: str) -> None:
    log_in(client)
    assert client.get(f"/reviews{query}").status_code == 200


def test_the_same_answer_twice_is_one_decision(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    first, second = (client.post(path, data={**hidden, "verdict": "approve"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    third = client.post(path, data={**hidden, "verdict": "reject", "reason": "other"})
    assert third.status_code == 409
    assert "already decided" in third.text
    issue = workspace.tracker.get("IN-1")
    assert issue is not None
    assert len(issue.comments) <= 1


def test_what_was_typed_is_still_there_when_an_answer_is_refused(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    page = client.post(path, data={**hidden, "verdict": "reject", "note": "Not <ours> at all"}).text
    assert "Not &lt;ours&gt; at all" in page
    assert re.search('id="choose-reject"[^>]* checked', page)


def test_a_logout_ends_the_session_for_every_copy_of_its_cookie(client: TestClient) -> None:
    log_in(client)
    cookie = client.cookies["qa_agents_session"]
    key = re.search('name="form_key" value="([^"]+)"', client.get("/reviews").text)
    assert key
    assert client.post("/logout", data={"form_key": "guess"}).status_code == 403
    assert client.get("/reviews").status_code == 200
    assert client.post("/logout", data={"form_key": key[1]}).status_code == 303
    client.cookies.set("qa_agents_session", cookie)
    assert client.get("/reviews").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.invalid"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(
    client: TestClient, workspace: Workspace, headers: dict[str, str]
) -> None:
    assert client.post("/login", data={"name": "ada", "secret": TOKEN}, headers=headers).status_code == 403
    log_in(client)
    path, hidden = form_of(client, workspace)
    assert client.post(path, data={**hidden, "verdict": "approve"}, headers=headers).status_code == 403
    assert workspace.inbox.waiting()


@pytest.mark.parametrize("headers", [{"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin"}])
def test_our_own_form_is_taken(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/login", data={"name": "ada", "secret": TOKEN}, headers=headers).status_code == 303


def test_a_session_ends_when_the_policy_gives_the_person_another_secret(
    client: TestClient, workspace: Workspace
) -> None:
    log_in(client, "grace", "correct horse")
    listed = workspace.inbox.policy.reviewers["grace"]
    changed = listed.model_copy(update={"password_argon2": hashed("another horse")})
    people = {**workspace.inbox.policy.reviewers, "grace": changed}
    workspace.inbox.policy = workspace.inbox.policy.model_copy(update={"reviewers": people})
    assert client.get("/reviews").status_code == 403


def test_over_https_the_cookie_belongs_to_this_host_alone(workspace: Workspace) -> None:
    app = Starlette(routes=Pages(workspace, secure=True).routes())
    with TestClient(app, base_url="https://testserver", follow_redirects=False) as client:
        cookie = client.post("/login", data={"name": "ada", "secret": TOKEN}).headers["set-cookie"]
    assert cookie.startswith("__Host-qa_agents_session=")
    assert "; Secure" in cookie
    assert "Path=/" in cookie
    assert "domain" not in cookie.lower()


def test_no_page_holds_a_script_a_style_or_an_address_of_another_host(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, _ = form_of(client, workspace)
    for where in ("/login", "/reviews", path, "/reports/IN-1", "/ledger", "/stats", "/plans", "/reviews/none"):
        page = client.get(where).text
        assert not re.search(
            r"<script(?! src=\"/pages/)|<style|\sstyle=|\son\w+=\"|(src|href|action)=\"(https?:)?//", page
        ), where


def test_a_form_that_is_too_large_is_refused(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    assert client.post(path, data={**hidden, "verdict": "approve", "note": "x" * 300_000}).status_code == 400
    many = {**hidden, "verdict": "approve", **{f"f{number}": "" for number in range(600)}}
    assert client.post(path, data=many).status_code == 400
    assert workspace.inbox.waiting()


def test_the_record_says_who_decided_what(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    client.post(path, data={**hidden, "verdict": "approve"})
    page = client.get("/stats").text
    assert "1 of 1" in page
    assert re.search("<h3>ada ", page)
    assert client.get("/stats?days=all").status_code == 200


def test_a_review_that_was_put_off_comes_back_and_can_be_answered(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, hidden = form_of(client, workspace)
    past = client.post(path, data={**hidden, "verdict": "defer", "until": "2020-01-01"})
    assert past.status_code == 400
    assert client.post(path, data={**hidden, "verdict": "defer", "until": "2099-01-01"}).status_code == 303
    assert "Put off until 2099-01-01" in client.get(path).text
    assert not workspace.inbox.waiting()


def test_the_next_review_is_another_one_or_the_list(client: TestClient, workspace: Workspace) -> None:
    log_in(client)
    path, _ = form_of(client, workspace)
    assert client.get("/reviews/next").headers["location"] == path
    assert client.get(f"/reviews/next?after={path.rsplit('/', 1)[1]}").headers["location"] == "/reviews"
