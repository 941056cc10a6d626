"""Whatever is sent, the service answers: schemathesis over its own OpenAPI document, hypothesis over the pages."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from qa_agents.service.app import build_app
from qa_agents.wiring import Workspace
from tests.unit.service.conftest import TOKEN, patience, settings_of, sign

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install '.[dev]'")

EXAMPLES = 25
FEW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SECRET = "a token of ada's"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("fuzzed")
    policy: Path = home / "policy.toml"
    policy.write_text(f'[reviewers.ada]\nkey_sha256 = "{hashlib.sha256(SECRET.encode()).hexdigest()}"\n')
    (home / "issues").mkdir()
    with (
        patience(),
        Workspace(settings_of(home, policy=policy)) as workspace,
        TestClient(build_app(workspace), raise_server_exceptions=False, follow_redirects=False) as made,
    ):
        assert made.post("/login", data={"name": "ada", "secret": SECRET}).status_code == 303
        yield made


def operations() -> list[str]:
    return [
        "POST /hooks/jira/{source}",
        "POST /hooks/automation/{source}",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    ]


def test_the_document_describes_exactly_these_operations(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    found = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert sorted(found) == sorted(operations())


@pytest.mark.parametrize("operation", operations())
def test_no_request_that_the_document_allows_or_forbids_ends_in_a_server_error(
    client: TestClient, operation: str
) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    method, path = operation.split()
    seen: set[int] = set()

    @FEW
    @given(case=schema[path][method].as_strategy(), known=st.booleans(), identified=st.booleans())
    def send(case: Any, known: bool, identified: bool) -> None:
        sent = case.as_transport_kwargs(base_url="http://testserver")
        url = re.sub(r"(/hooks/\w+/).*", r"\g<1>main", sent["url"]) if known else sent["url"]
        given_ = {name: sent[name] for name in ("params", "json", "data", "files") if sent.get(name) is not None}
        headers = {str(name): str(value) for name, value in (sent.get("headers") or {}).items()}
        body = given_.pop("data", None)
        request = client.build_request(sent["method"], url, headers=headers, content=body, **given_)
        request.read()
        if identified:
            request.headers["X-Hub-Signature"] = sign(request.content)
            request.headers["Authorization"] = f"Bearer {TOKEN}"
        answer = client.send(request)
        seen.add(answer.status_code)
        assert answer.status_code < 500, (url, answer.text)
        assert answer.headers["content-type"].startswith(("application/json", "text/plain"))

    send()
    assert seen & ({202} if method == "POST" else {200})


@FEW
@given(
    where=st.sampled_from(
        ["/reviews", "/reports", "/plans", "/ledger", "/stats", "/pages", "/login", "/login/oidc/callback"]
    ),
    more=st.lists(st.text(max_size=20), max_size=3),
    asked=st.dictionaries(
        st.sampled_from(
            ["page", "gate", "kind", "rule", "subject", "mine", "late", "about", "before", "days", "to", "after"]
        ),
        st.one_of(st.text(max_size=30), st.integers().map(str)),
        max_size=4,
    ),
)
def test_any_address_of_a_page_gets_an_answer(
    client: TestClient, where: str, more: list[str], asked: dict[str, str]
) -> None:
    path = "/".join([where, *(quote(part, safe="", errors="replace") for part in more)])
    assert client.get(path, params=asked).status_code < 500


@FEW
@given(
    where=st.sampled_from(["/login", "/logout", "/reviews/rv-1", "/plans/x/cases/y"]),
    body=st.one_of(
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(["name", "secret", "to", "form_key", "digest", "verdict"]), st.text(max_size=40), max_size=6
        ),
    ),
)
def test_any_form_gets_an_answer(client: TestClient, where: str, body: bytes | dict[str, str]) -> None:
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"data": body}
    if isinstance(body, dict) and "secret" in body:
        sent["data"] = {**body, "secret": "", "name": ""}  # a guess costs a tenth of a second; one is enough
        where = "/logout" if where == "/login" else where
    assert client.post(where, headers={"Content-Type": "application/x-www-form-urlencoded"}, **sent).status_code < 500
