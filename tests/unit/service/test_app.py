"""Health and numbers."""

import re

import pytest

from qa_agents.errors import StorageError
from qa_agents.service.metrics import BUCKETS, Metrics
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
