"""A scripted server, the gateway to it, and a question."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import BaseModel, ConfigDict, Field

from qa_agents.llm.models import Models
from qa_agents.llm.schema import Call, Message, RenderedPrompt
from qa_agents.settings import ModelSettings
from qa_agents.storage.engine import Database
from qa_agents.testing.model_server import ModelServer


class Verdict(BaseModel):
    """What the tests ask for."""

    model_config = ConfigDict(extra="forbid")

    word: str = Field(min_length=1, max_length=20)
    stars: int = Field(ge=1, le=5)


def question(text: str = "How good is it?", tokens: int = 100) -> RenderedPrompt:
    return RenderedPrompt(
        id="triage/facts",
        version=1,
        prompt_sha256="p" * 64,
        content_sha256=f"{text:0<64}"[:64],
        messages=(Message(role="system", text="You rate things."), Message(role="user", text=text)),
        max_output_tokens=tokens,
    )


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def calls() -> list[Call]:
    return []


@pytest.fixture
def naps() -> list[float]:
    """How long was waited between tries, without waiting."""
    return []


@pytest.fixture
def models_to(db: Database, calls: list[Call], naps: list[float]) -> Iterator[Callable[..., Models]]:
    opened: list[Models] = []

    def build(server: ModelServer, **changes: object) -> Models:
        changes = {"cache_days": 0, "timeout": 20, **changes}
        settings = ModelSettings.model_validate({"base_url": server.base_url, "fast": "scripted", **changes})
        opened.append(Models(settings, db, calls.append, sleep=naps.append, jitter=lambda: 0.0))
        return opened[-1]

    yield build
    for models in opened:
        models.close()


@pytest.fixture
def models(server: ModelServer, models_to: Callable[..., Models]) -> Models:
    """A gateway that knows already how the server can be held to a shape."""
    built = models_to(server)
    assert built.probe()[0] == "json_schema"
    server.requests.clear()
    return built
