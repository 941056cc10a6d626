"""Health and numbers."""

import os
import re
import signal
import sys
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from qa_agents.errors import StorageError
from qa_agents.service.app import build_app
from qa_agents.service.metrics import BUCKETS, Metrics
from qa_agents.service.run import STEADY_SECONDS, WorkerProcess, worker_command
from qa_agents.wiring import Workspace
from tests.unit.service.conftest import Sender, event

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+(inf)?')


def test_a_service_that_can_work_says_so(sender: Sender) -> None:
    assert sender.client.get("/healthz").text == "ok"
    assert sender.client.get("/readyz").json() == {"ready": True, "wrong": {}}


def test_a_service_without_its_database_lives_and_is_not_ready(
    sender: Sender, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> object:
        raise StorageError("The database cannot be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(type(workspace.database), "read", gone)
        assert sender.client.get("/healthz").status_code == 200
        assert sender.client.get("/metrics").status_code == 503
        answer = sender.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["wrong"] == {"database": "The database cannot be reached."}


def test_a_service_whose_writer_ended_is_not_ready(sender: Sender) -> None:
    sender.client.app.state.writer.stop()  # type: ignore[attr-defined]
    assert "writer" in sender.client.get("/readyz").json()["wrong"]
    assert sender.send(event()).status_code == 503


class Watched:
    """A worker beside a service, on a clock that stands still, and whether the service says that it is ready."""

    def __init__(self, workspace: Workspace) -> None:
        self.moment = 0.0
        self.worker = WorkerProcess(worker_command(workspace.settings.home), now=lambda: self.moment)
        self.client = TestClient(build_app(workspace, self.worker))

    def wrong(self) -> dict[str, str]:
        answer = self.client.get("/readyz")
        assert answer.status_code == (503 if answer.json()["wrong"] else 200)
        return dict(answer.json()["wrong"])

    def wait_for_another_than(self, pid: int | None) -> int:
        """The process that works instead of this one."""
        while (found := self.worker.pid) in (pid, None):
            self.wrong()
        assert found is not None
        return found


@pytest.fixture
def watched(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("qa_agents.service.run.FIRST_PAUSE", 0.0)
    made = Watched(workspace)
    with made.client:
        made.worker.start()
        yield made
        made.worker.stop()


def test_a_service_whose_worker_was_killed_is_not_ready_until_the_next_one_has_run_a_while(watched: Watched) -> None:
    first = watched.wait_for_another_than(None)
    assert watched.wrong() == {}
    os.kill(first, signal.SIGKILL)
    second = watched.wait_for_another_than(first)
    assert watched.wrong() == {"worker": "The worker was ended by signal 9; it is being started again."}
    watched.moment += STEADY_SECONDS
    assert watched.wrong() == {}
    assert second == watched.worker.pid


def test_a_worker_that_cannot_start_or_ends_at_once_is_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa_agents.service.run.FIRST_PAUSE", 3600.0)
    for command, said in (
        (["/nowhere/at/all"], "could not be started (No such file or directory)"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with 3"),
    ):
        worker = WorkerProcess(command)
        assert worker.trouble() is None
        worker.start()
        while (trouble := worker.trouble()) is None:
            pass
        assert said in trouble
        worker.stop()


def test_the_numbers_are_in_the_format_that_prometheus_reads(sender: Sender) -> None:
    sender.send(event())
    sender.send(b"forged", headers={"X-Hub-Signature": "x"})
    answer = sender.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert all(line.startswith("# ") or LINE.fullmatch(line) for line in lines), lines
    assert 'qa_agents_deliveries_total{source="main",kind="webhook",outcome="accepted"} 1' in lines
    assert 'qa_agents_intake{state="received"} 1' in lines
    assert "qa_agents_delivery_seconds_count 1" in lines


def test_a_histogram_adds_up_and_labels_are_escaped() -> None:
    metrics = Metrics()
    for seconds in (0.0, BUCKETS[0], 0.2, 99.0):
        metrics.acknowledged(seconds)
    metrics.count("qa_agents_deliveries_total", source='a"b\\c\n')
    said = metrics.render({})
    assert f'le="{BUCKETS[0]}"}} 2' in said
    assert 'le="+Inf"} 4' in said
    assert 'source="a\\"b\\\\c\\n"' in said
