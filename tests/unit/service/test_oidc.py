"""Login through a real provider on loopback: who is let in, and every answer that must not be believed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qa_agents.service.pages import Pages
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace
from tests.fakes.oidc_provider import CLIENT, SECRET, Provider, running_provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as made:
        yield made


def service(home: Path, provider: Provider, **changes: Any) -> Workspace:
    (home / "policy.toml").write_text(
        '[reviewers.ada]\nroles = ["triage"]\noidc = "u-1815"\n[reviewers.grace]\noidc = "grace@example.com"\n'
    )
    oidc = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "public_url": "http://127.0.0.1:1"}
    return Workspace(
        Settings.model_validate(
            {"home": home / "home", "embedder": "none", "policy": home / "policy.toml", "oidc": oidc | changes}
        )
    )


@pytest.fixture
def client(tmp_path: Path, provider: Provider) -> Iterator[TestClient]:
    with service(tmp_path, provider) as workspace:
        yield TestClient(Starlette(routes=Pages(workspace).routes()), follow_redirects=False)


def come_back(client: TestClient, to: str = "/plans") -> httpx.Response:
    """Leave for the provider, be logged in there, and return."""
    away = client.get(f"/login/oidc?to={to}")
    assert away.status_code == 303, away.text
    there = httpx.get(away.headers["location"], follow_redirects=False, trust_env=False)
    back = urlsplit(there.headers["location"])
    return client.get(f"{back.path}?{back.query}")


def test_a_listed_person_is_let_in_with_the_policys_roles_and_led_to_the_page(
    client: TestClient, provider: Provider
) -> None:
    provider.person["groups"] = ["lead"]
    answer = come_back(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/plans")
    assert "ada" in client.get("/reviews").text
    asked = provider.asked[0]
    assert asked["redirect_uri"] == "http://127.0.0.1:1/login/oidc/callback"
    assert "openid" in asked["scope"].split()


def test_what_is_kept_meanwhile_is_out_of_reach_of_scripts_and_short_lived(client: TestClient) -> None:
    cookie = client.get("/login/oidc").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "max-age=600" in cookie
    assert "path=/login" in cookie


@pytest.mark.parametrize(
    ("lies", "forge"),
    [
        ({"nonce": "of another login"}, ""),
        ({"nonce": None}, ""),
        ({"aud": "another client"}, ""),
        ({"aud": [CLIENT, "another client"]}, ""),
        ({"aud": [CLIENT, "another client"], "azp": "another client"}, ""),
        ({"iss": "https://accounts.evil.invalid"}, ""),
        ({"exp": int(time.time()) - 3600}, ""),
        ({"exp": None}, ""),
        ({"iat": int(time.time()) + 3600}, ""),
        ({"sub": None}, ""),
        ({}, "none"),
        ({}, "foreign key"),
        ({}, "shared secret"),
        ({}, "another algorithm"),
        ({}, "nonsense"),
    ],
)
def test_a_token_that_is_not_the_providers_to_this_login_is_refused(
    client: TestClient, provider: Provider, lies: dict[str, Any], forge: str
) -> None:
    provider.lies, provider.forge = lies, forge
    answer = come_back(client)
    assert answer.status_code == 403, answer.text
    assert "cannot be trusted" in answer.text
    assert "qa_agents_session" not in client.cookies


def test_an_answer_of_another_issuer_is_refused(client: TestClient, provider: Provider) -> None:
    provider.query = {"iss": "https://accounts.evil.invalid"}
    assert come_back(client).status_code == 403


def test_an_answer_to_another_login_is_refused(client: TestClient, provider: Provider) -> None:
    provider.query = {"state": "somebody else's"}
    assert come_back(client).status_code == 403


def test_an_answer_without_a_login_is_refused(client: TestClient) -> None:
    assert client.get("/login/oidc/callback?code=x&state=y").status_code == 403


def test_a_code_counts_once(client: TestClient) -> None:
    away = client.get("/login/oidc")
    kept = client.cookies["qa_agents_login"]
    back = urlsplit(httpx.get(away.headers["location"], follow_redirects=False).headers["location"])
    assert client.get(f"{back.path}?{back.query}").status_code == 303
    client.cookies.clear()
    client.cookies.set("qa_agents_login", kept)
    assert client.get(f"{back.path}?{back.query}").status_code == 403


def test_somebody_whom_the_policy_does_not_list_is_told_so(client: TestClient, provider: Provider) -> None:
    provider.person["sub"] = "u-1906"
    answer = come_back(client)
    assert answer.status_code == 403
    assert "the policy lists nobody with this account" in answer.text


def test_an_address_counts_only_when_it_is_verified(tmp_path: Path, provider: Provider) -> None:
    with service(tmp_path, provider, claim="email") as workspace:
        client = TestClient(Starlette(routes=Pages(workspace).routes()), follow_redirects=False)
        provider.person = {"sub": "u-2", "email": "grace@example.com", "email_verified": False}
        assert come_back(client).status_code == 403
        provider.person["email_verified"] = True
        assert come_back(client).status_code == 303


def test_keys_that_were_exchanged_are_read_again(client: TestClient, provider: Provider) -> None:
    assert come_back(client).status_code == 303
    provider.rotate()
    assert come_back(client).status_code == 303


@pytest.mark.parametrize(
    "discovery",
    [{"issuer": "https://accounts.evil.invalid"}, {"token_endpoint": "http://10.0.0.1/token"}, {"jwks_uri": 7}],
)
def test_a_provider_that_cannot_be_relied_on_is_not_asked(
    client: TestClient, provider: Provider, discovery: dict[str, Any]
) -> None:
    provider.discovery = discovery
    assert client.get("/login/oidc").status_code == 503


def test_login_goes_nowhere_else_afterwards(client: TestClient) -> None:
    assert come_back(client, "//evil.invalid/").headers["location"] == "/reviews"


def test_without_a_provider_there_is_no_such_login(tmp_path: Path) -> None:
    with Workspace(Settings(home=tmp_path / "home", embedder="none")) as workspace:
        client = TestClient(Starlette(routes=Pages(workspace).routes()), follow_redirects=False)
        assert client.get("/login/oidc").status_code == 403
        assert "identity" not in client.get("/login").text


@pytest.mark.parametrize(
    "issuer", ["http://idp.example.com", "https://u:p@idp.example.com", "https://idp.example.com/?x=1"]
)
def test_an_issuer_that_can_be_overheard_is_no_setting(tmp_path: Path, issuer: str) -> None:
    oidc = {"issuer": issuer, "client_id": "x", "public_url": "https://qa.example.com"}
    with pytest.raises(ValueError, match="issuer must b"):
        Settings.model_validate({"home": tmp_path, "oidc": oidc})
