"""Where the program may connect to: one list out of the settings, one judgement, and nothing beside it."""

import ast
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.egress import destinations, open_client, origin_of, permit
from qa_agents.errors import EgressError
from qa_agents.settings import Settings
from qa_agents.testing.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[2] / "qa_agents"

CONNECTING = {
    "httpx",
    "requests",
    "urllib.request",
    "http.client",
    "aiohttp",
    "smtplib",
    "ftplib",
    "websockets",
    "socket",
}
CLIENTS = {"ChatOpenAI", "AzureChatOpenAI", "OpenAIEmbeddings", "OpenAI", "JIRA", "OAuth2Client", "OTLPSpanExporter"}
BOUNDED = {
    "egress.py": "the judgement itself",
    "llm/endpoint.py": "asks by the client of llm/transport.py",
    "llm/transport.py": "permits base_url",
    "incidents/embedders.py": "permits the embedding server",
    "trackers/jira_http.py": "permits base_url",
    "service/oidc.py": "permits the issuer and what its discovery names",
    "llm/tracing.py": "the one collector that is configured",
    "plans/read/child.py": "takes sockets away",
    "service/run.py": "listens",
    "runtime/lease.py": "asks for this machine's name",
    "runtime/table_queue.py": "asks for this machine's name",
}
"""Every module that could open a connection, and what keeps it to the list."""


def told(**given: object) -> list[str]:
    return [f"{what} {url}" for what, url in destinations(Settings.model_validate({"embedder": "none", **given}))]


def test_a_workspace_of_this_machine_connects_to_nothing() -> None:
    assert told() == []


def test_every_setting_with_an_address_is_on_the_list_without_what_is_secret_in_it() -> None:
    found = told(
        embedder="openai",
        openai_base_url="https://vectors.example/v1",
        model={"base_url": "https://llm.example:8443/v1", "fast": "a", "telemetry": "http://127.0.0.1:4317"},
        jira={"base_url": "https://jira.example/context", "token": "t"},
        oidc={"issuer": "https://id.example/realm", "client_id": "qa", "public_url": "https://qa.example"},
        chroma_url="chroma.internal",
        database_url="postgresql://qa:s3cret@db.internal:5432/qa",
    )
    assert found == [
        "language model https://llm.example:8443",
        "telemetry http://127.0.0.1:4317",
        "embeddings https://vectors.example",
        "Chroma http://chroma.internal:8000",
        "Jira https://jira.example",
        "identity provider https://id.example",
        "database postgresql://db.internal:5432",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://llm.example.evil.test/v1",
        "http://llm.example/v1",
        "https://llm.example:444/v1",
        "https://llm.example@evil.test/v1",
        "https://evil.test/?llm.example",
        "https://evil.test#@llm.example/",
        "//llm.example/v1",
        "ftp://llm.example/v1",
        "https:///v1",
        "https://llm.example:port/",
        "",
    ],
)
def test_an_address_of_another_origin_is_refused(url: str) -> None:
    with pytest.raises(EgressError):
        permit(url, ["https://llm.example/v1"])


@pytest.mark.parametrize("url", ["https://llm.example/v1/chat", "https://LLM.example:443/x", "https://llm.example./"])
def test_another_path_of_the_same_origin_passes(url: str) -> None:
    permit(url, ["https://llm.example/v1"])


@given(st.from_regex(r"https?://[a-z0-9.@:/#?\\-]{1,40}", fullmatch=True))
def test_whatever_passes_is_of_the_origin_that_the_http_client_would_ask(url: str) -> None:
    try:
        permit(url, ["https://llm.example/v1"])
    except EgressError:
        return
    asked = httpx.URL(url)
    assert (asked.scheme, asked.host.rstrip("."), asked.port or 443) == origin_of("https://llm.example")


def test_the_client_reaches_the_named_server_and_no_other() -> None:
    with ModelServer() as named, ModelServer() as other, open_client([named.base_url], timeout=5.0) as client:
        assert client.get(f"{named.base_url}/models").status_code < 500
        with pytest.raises(httpx.ConnectError):
            client.get(f"{other.base_url}/models")
        assert other.requests == []


def test_no_other_module_can_open_a_connection() -> None:
    found = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if _could_connect(path)}
    assert {name for name in found if not name.startswith("testing/")} == set(BOUNDED)


def _could_connect(path: Path) -> bool:
    """Whether it imports something that connects, beyond the names of its errors."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import) and any(alias.name in CONNECTING for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if node.module in CONNECTING and not all(name.endswith("Error") for name in names):
                return True
            if names & CLIENTS:
                return True
    return False
