"""Shared fixtures: a temporary workspace, the real data when it is there, and a guard against the network."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from qa_agents.llm import gateway
from qa_agents.storage.engine import Database, open_database

gateway.ALLOW_MODEL_REQUESTS = False  # a model beyond this machine is never asked by a test, whatever else is forgotten
ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
# How long an example takes says something about the machine, not about the code. A change is judged by the same examples
# as the tree before it; `QA_AGENTS_TEST_EXPLORE=1` draws new ones.
explores = bool(os.environ.get("QA_AGENTS_TEST_EXPLORE"))
settings.register_profile(
    "suite", deadline=None, derandomize=not explores, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What a module with `BOTH_ENGINES = True` promises, it promises on SQLite and on PostgreSQL."""
    if getattr(metafunc.module, "BOTH_ENGINES", False) and "db" in metafunc.fixturenames:
        metafunc.parametrize("db", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh, migrated database: SQLite, and PostgreSQL too where a test module says BOTH_ENGINES = True."""
    if getattr(request, "param", "sqlite") == "postgresql":
        from tests.postgres import fresh_schema

        with fresh_schema() as url:
            yield from _opened(url)
    else:
        yield from _opened(tmp_path / "workspace" / "qa-agents.db")


def _opened(target: Path | str) -> Iterator[Database]:
    database = open_database(target)
    yield database
    database.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data; the test is skipped, saying so, where it is absent."""
    folder = Path(os.environ.get("QA_AGENTS_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set QA_AGENTS_DATA")
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test does, it reaches this machine only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "localhost", "::1")):
            raise RuntimeError(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
