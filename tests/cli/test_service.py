"""The service from the outside: processes, signals, the inbox, the schema, and the files for running it elsewhere."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from evals.http_load import SERVE, configure, prepare, process, send_all
from qa_agents.checkpoint.ledger import entries
from qa_agents.cli.app import app
from qa_agents.runtime.events import Route
from qa_agents.runtime.intake import Delivery
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace
from tests.postgres import fresh_schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_one_process_tree_receives_triages_and_ends_when_it_is_told(tmp_path: Path) -> None:
    configure(tmp_path, debounce_seconds="0")
    for issue in (10_000, 10_001):
        text = {"id": f"WB-{issue}", "summary": "The bell stays silent", "description": "Press it. Nothing rings."}
        (tmp_path / "issues" / f"{issue}.json").write_text(json.dumps(text))
    with process([*SERVE, "--with-worker"], tmp_path) as (child, port):
        outcome = asyncio.run(send_all(port, prepare(4, issues=2, size=400), 2))
        assert len(outcome.acknowledged) == 4
        with Workspace(Settings(home=tmp_path / ".qa-agents", embedder="none")) as workspace:
            until = time.monotonic() + 120
            while len(workspace.inbox.waiting()) < 2 and time.monotonic() < until:
                time.sleep(0.1)
            assert {review.subject_id for review in workspace.inbox.waiting()} == {"WB-10000", "WB-10001"}
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    log = "".join(path.read_text() for path in tmp_path.glob("server-*.log"))
    assert "Traceback" not in log
    assert re.search(r"[1-4] jobs? handled", log), log


@pytest.mark.slow
def test_an_address_that_is_taken_is_said_in_a_sentence(tmp_path: Path) -> None:
    configure(tmp_path)
    with process(SERVE, tmp_path) as (_, port):
        second = subprocess.run(
            [sys.executable, "-m", "qa_agents", "serve", "--port", str(port)],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert second.returncode == 3
    assert "Choose another" in second.stderr
    assert "Traceback" not in second.stderr


def invoke(home: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--home", str(home), *arguments], catch_exceptions=False)


def test_the_inbox_lists_shows_replays_and_drops(tmp_path: Path) -> None:
    with Workspace(Settings(home=tmp_path, embedder="none")) as workspace:
        body = b'{"webhookEvent": 7, "note": "\x1b[31m password=hunter2hunter2 [link=x]"}'
        workspace.intake.append([Delivery("main", "webhook", "id-1", body, "0" * 64, time.time())])
        workspace.intake.route(lambda *_: Route("dead", "it names no event"))
    listed = json.loads(invoke(tmp_path, "inbox", "list", "--json").stdout)
    assert [(letter["id"], letter["reason"]) for letter in listed] == [("d1", "it names no event")]
    assert "it names no event" in invoke(tmp_path, "inbox", "list").stdout
    shown = invoke(tmp_path, "inbox", "show", "d1").stdout
    assert "\x1b" not in shown
    assert "hunter2hunter2" not in shown
    assert "[link=x]" in shown
    assert "handled again" in invoke(tmp_path, "inbox", "replay", "d1", "--as", "ana").stdout
    assert json.loads(invoke(tmp_path, "inbox", "list", "--state", "received", "--json").stdout)
    with Workspace(Settings(home=tmp_path, embedder="none")) as workspace:
        workspace.intake.route(lambda *_: Route("dead", "still"))
    assert "dropped" in invoke(tmp_path, "inbox", "drop", "d1", "--reason", "noise", "--as", "ana").stdout
    assert "Nothing is dead" in invoke(tmp_path, "inbox", "list").stdout
    with Workspace(Settings(home=tmp_path, embedder="none")) as workspace:
        told = [(entry.event, entry.actor) for entry in entries(workspace.database, "d1")]
    assert told == [("replayed", "ana"), ("dropped", "ana")]


def test_upgrading_is_safe_for_many_at_once(tmp_path: Path) -> None:
    with fresh_schema() as url:
        command = [sys.executable, "-m", "qa_agents", "--home", str(tmp_path), "db", "upgrade", "--json"]
        many = [
            subprocess.Popen(
                command,
                env={**os.environ, "QA_AGENTS_DATABASE_URL": url},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(3)
        ]
        said = [one.communicate(timeout=120) for one in many]
        assert [one.returncode for one in many] == [0, 0, 0], said
        assert all(json.loads(out)["engine"] == "postgresql" for out, _ in said)


def test_a_worker_with_nothing_to_do_ends_when_asked_to(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qa_agents", "--home", str(tmp_path), "worker", "--until-empty"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "0 jobs handled.")


def test_the_compose_file_runs_nothing_as_root_or_writable_and_publishes_no_store() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name in ("upgrade", "serve", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert [name for name, service in services.items() if "ports" in service] == ["serve"]
    assert all(port.startswith("127.0.0.1:") for port in services["serve"]["ports"])
    for name in ("postgres", "chroma"):
        assert services[name]["networks"] == ["inside"]
    for name, words in (("serve", ["serve"]), ("worker", ["worker"]), ("upgrade", ["db", "upgrade"])):
        assert services[name]["command"][: len(words)] == words
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    lines = [line.split() for line in (ROOT / "Dockerfile").read_text().splitlines() if line and line[0].isupper()]
    said = {words[0]: words[1:] for words in lines}
    assert set(said) <= {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert said["USER"] == ["10001"]
    assert "HEALTHCHECK" in said
    for words in lines:
        if words[0] == "COPY" and not words[1].startswith("--from"):
            assert (ROOT / words[1]).exists(), words


def test_the_example_settings_are_settings() -> None:
    read = tomllib.loads((ROOT / "examples" / "qa-agents.service.toml").read_text())
    assert set(Settings.model_validate(read).hooks) == {"main"}
