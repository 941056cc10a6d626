"""A service over a workspace with one hook, and a sender that signs."""

import contextlib
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from qa_agents.service import hooks, intake
from qa_agents.service.app import build_app
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

SECRET = "a secret of the tests"
TOKEN = "a token of the tests"


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def event(issue: int = 10021, **changes: Any) -> bytes:
    """One webhook body about an invented issue."""
    body = {
        "timestamp": int(time.time() * 1000),
        "webhookEvent": "jira:issue_updated",
        "user": {"accountId": "somebody"},
        "issue": {"id": str(issue), "key": f"WB-{issue}", "fields": {"summary": "The bell stays silent"}},
        "changelog": {"id": "900", "items": []},
    }
    return json.dumps({**body, **changes}).encode()


def settings_of(home: Path, **changes: Any) -> Settings:
    hook = {"secrets": [{"value": SECRET}], "tokens": [{"value": TOKEN}], "folder": home / "issues"}
    return Settings.model_validate(
        {"home": home, "embedder": "none", "min_free_bytes": 0, "hooks": {"main": {**hook, **changes.pop("hook", {})}}}
        | changes
    )


class Sender:
    """Posts deliveries, signed unless told otherwise."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self._numbers = itertools.count()

    def send(self, body: bytes, *, source: str = "main", delivery: str | None = "", headers: Any = None) -> Any:
        given = {"X-Hub-Signature": sign(body), "Content-Type": "application/json"}
        if delivery is not None:
            given["X-Atlassian-Webhook-Identifier"] = delivery or f"delivery-{next(self._numbers)}"
        return self.client.post(f"/hooks/jira/{source}", content=body, headers={**given, **(headers or {})})


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "issues").mkdir()
    with Workspace(settings_of(tmp_path)) as made:
        yield made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sender]]:
    """Start a service with some settings changed."""
    opened: list[Any] = []

    def begin(**changes: Any) -> Sender:
        made = Workspace(settings_of(tmp_path, **changes))
        client = TestClient(build_app(made), raise_server_exceptions=False)
        client.__enter__()
        opened.append((client, made))
        return Sender(client)

    yield begin
    for client, made in opened:
        client.__exit__(None, None, None)
        made.close()


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """A service that waits for the disk as long as it takes: a busy one is met in the tests of the intake."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "ANSWER_SECONDS", 120.0)
        patch.setattr(intake, "STALLED_SECONDS", 120.0)
        yield


@pytest.fixture
def sender(workspace: Workspace) -> Iterator[Sender]:
    with patience(), TestClient(build_app(workspace), raise_server_exceptions=False) as client:
        yield Sender(client)
