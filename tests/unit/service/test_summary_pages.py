"""The pages about test runs through HTTP: what is kept, what a run means, the promise that must be signed for."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qa_agents import summarizing
from qa_agents.service.pages import Pages
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace
from tests.unit.results.builders import result, run

TOKEN = "a-long-random-token-of-ada-0123456789"
GATES = (
    b'[[gate]]\nname = "nothing new"\nmetric = "new_failures"\nop = "<="\nvalue = 0\nowner = "Ines <K.>"\n'
    b'[[gate]]\nname = "most pass"\nmetric = "pass_rate"\nop = ">="\nvalue = 0.99\nbound = "point"\n'
)
HOSTILE = "TimeoutError: <script>alert(1)</script> in pay.capture\u200b"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'[reviewers.ada]\nroles = ["lead"]\nkey_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n'
        '[[rule]]\nname = "leads decide"\nroles = ["lead"]\nproposer_may_approve = true\n'
    )
    with Workspace(Settings(home=tmp_path / "home", embedder="none", policy=policy)) as made:
        for at in range(12):
            made.run_store.add(run(f"r{at}", result("a::1"), result("a::2")))
        made.run_store.add(run("nightly/7", result("a::1", "failed", HOSTILE), result("a::2"), commit="f" * 40))
        summarizing.summarise(made, "nightly/7", baseline="r11", gates=("gates.toml", GATES))
        yield made


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    made = TestClient(Starlette(routes=Pages(workspace).routes()), follow_redirects=False)
    assert made.post("/login", data={"name": "ada", "secret": TOKEN}).status_code == 303
    return made


def form_of(client: TestClient, workspace: Workspace) -> tuple[str, dict[str, str]]:
    path = f"/reviews/{workspace.inbox.waiting()[0].review_id}"
    page = client.get(path).text
    return path, dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.split('id="decide"')[1]))


def test_the_runs_are_listed_with_what_waits_for_a_signature(client: TestClient, workspace: Workspace) -> None:
    page = client.get("/runs").text
    assert page.index("nightly/7") < page.index("r11")
    assert f'href="/reviews/{workspace.inbox.waiting()[0].review_id}"' in page
    assert 'href="/runs/nightly/7"' in page


def test_a_review_shows_the_promises_the_causes_and_what_is_signed(client: TestClient, workspace: Workspace) -> None:
    page = client.get(form_of(client, workspace)[0]).text
    for told in ("nothing new", "most pass", "Ines &lt;K.&gt;", "a::1", "newly broken", "What you sign", "To decide"):
        assert told in page
    assert "<script>alert" not in page
    assert "[U+200B]" in page


def test_the_page_of_a_run_leads_to_its_signature_and_then_says_who_signed(
    client: TestClient, workspace: Workspace
) -> None:
    path, hidden = form_of(client, workspace)
    assert f'href="{path}"' in client.get("/runs/nightly/7").text
    waiver = {
        "waive-item-1": "nothing new",
        "waive-owner-1": "grace",
        "waive-reason-1": "Mended on Monday.",
        "waive-until-1": "2099-01-01",
    }
    answer = client.post(path, data={**hidden, "verdict": "sign", "accountable": "ada", **waiver})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    decision = workspace.inbox.find("summary/nightly/7").decision
    assert decision is not None
    assert [(one.item, one.owner) for one in decision.waivers] == [("nothing new", "grace")]
    assert summarizing.summarised(workspace, "nightly/7").verdict == "sign"
    assert "Signed by ada" in client.get(path).text
    page = client.get("/runs/nightly/7").text
    assert "sign by ada" in page
    assert f'href="{path}"' not in page


def test_a_waiver_that_misses_its_owner_signs_nothing_and_is_still_there(
    client: TestClient, workspace: Workspace
) -> None:
    path, hidden = form_of(client, workspace)
    half = {"waive-item-1": "nothing new", "waive-reason-1": "Mended on Monday.", "waive-until-1": "2099-01-01"}
    answer = client.post(path, data={**hidden, "verdict": "sign", "accountable": "ada", **half})
    assert answer.status_code == 400
    assert "Mended on Monday." in answer.text
    assert workspace.inbox.find("summary/nightly/7").state == "pending"


def test_a_run_that_was_never_summarised_and_one_that_is_unknown_are_told_apart(client: TestClient) -> None:
    never, unknown = client.get("/runs/r3"), client.get("/runs/none")
    assert (never.status_code, unknown.status_code) == (404, 404)
    assert "has no summary yet" in never.text
    assert "has no summary yet" not in unknown.text
