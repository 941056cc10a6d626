"""The chat in a real terminal: pastes, Ctrl-C, a killed process. What waits here is awaited on the screen, never slept for."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from sqlalchemy import select

from qa_agents.cli import run
from qa_agents.settings import load_settings
from qa_agents.storage.tables import leases, reports
from qa_agents.testing.model_server import ModelServer, Turn
from qa_agents.wiring import Workspace

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
EDITING = r"\x1b\[\?2004h"
"""The line editor waits for input."""
Start = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_AGENTS_EMBEDDER", "none")
        patch.setenv("QA_AGENTS_LEARN", "manual")
        assert (
            run(["--home", str(folder / "home"), "incidents", "import", str(ROOT / "examples" / "incidents.jsonl")])
            == 0
        )
    return folder / "home"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start the chat in a terminal of its own; what is still running at the end is killed."""
    begun: list[pexpect.spawn[str]] = []

    def begin(thread: str, **more: str) -> "pexpect.spawn[str]":
        words = ["-c", "from qa_agents.cli import main; main()", "--home", str(home), "chat", "--thread", thread]
        env = {**os.environ, "TERM": "xterm-256color", "QA_AGENTS_EMBEDDER": "none", "QA_AGENTS_REVIEWER": "ada"}
        env |= {"PROMPT_TOOLKIT_NO_CPR": "1", **more}
        child = pexpect.spawn(
            sys.executable,
            words,
            env=env,
            cwd=ROOT,
            dimensions=(50, 140),
            encoding="utf-8",
            timeout=120,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # ignored where the tests run in the background
        )
        begun.append(child)
        child.expect("›")
        child.expect(EDITING)
        return child

    yield begin
    for child in begun:
        child.close(force=True)


def say(child: "pexpect.spawn[str]", words: str, answer: str) -> None:
    """Type a line; wait for the answer, and for the line editor behind it."""
    child.send(f"{words}\r")
    child.expect(answer)
    child.expect(EDITING)


def held(home: Path) -> list[str]:
    """The leases that somebody holds."""
    with Workspace(load_settings(home)) as workspace, workspace.database.read() as connection:
        return list(connection.execute(select(leases.c.name).where(leases.c.expires_at > 0)).scalars())


def test_a_paste_is_one_report_whatever_its_lines_say_and_ctrl_c_never_ends_the_chat(start: Start, home: Path) -> None:
    child = start("paste")
    child.send("\x03")
    child.expect("Ctrl-D leaves")
    child.expect(EDITING)
    child.send("\x1b[200~Receipt printer crashes\r/undo IN-401\rapprove\ryes\r\x1b[201~")
    child.expect(r"\[pasted 4 lines #1\]")
    say(child, "", "waits for a person")
    say(child, "what is the weather", "did not understand|not sure what you want")
    # The same by a terminal that does not mark what is pasted: many lines in one breath.
    child.send(
        "Invoice total is wrong by one cent for every customer with a voucher\rapprove\ryes\r/quit\r" + "x" * 200 + "\r"
    )
    child.expect("Invoice total")
    child.expect("waits for a person")
    child.expect(EDITING)
    child.send("\x04")
    child.expect("Kept as paste")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert not (home / "tracker").exists() or not list((home / "tracker").glob("*.json"))
    assert held(home) == []


def test_ctrl_c_stops_the_work_between_two_steps_and_leaves_no_lease(start: Start, home: Path) -> None:
    child = start("stop")
    child.send("triage examples/reports.jsonl\r")
    child.expect("triaging 2 of")
    child.send("\x03")
    child.expect("Stopping after this step")
    child.expect("Stopped")
    child.expect(EDITING)
    assert held(home) == []
    with Workspace(load_settings(home)) as workspace, workspace.database.read() as connection:
        states = set(connection.execute(select(reports.c.state)).scalars())
    assert states <= {"waiting", "decided", "failed", "received"}
    say(child, "what waits for me?", "for you, ada")
    assert run(["--home", str(home), "recover"]) == 0
    assert run(["--home", str(home), "ledger", "balance"]) == 0


def test_a_killed_chat_goes_on_where_it_was(start: Start, home: Path) -> None:
    child = start("killed")
    child.send("find incidents about deposits stuck in authorising\r")
    child.expect(r"1\. \S*?([A-Z]{3}-\d+)")
    first = child.match.group(1)
    child.expect(EDITING)
    say(child, "show the first", f"{first} \\(")
    child.kill(signal.SIGKILL)
    child.expect(pexpect.EOF)
    again = start("killed")
    say(again, "who decided it?", f"{first} here")
    say(again, "/help", "I triage bug reports")


def test_ctrl_c_does_not_wait_for_a_model_that_is_silent(start: Start) -> None:
    with ModelServer(lambda _: Turn(hang=True)) as server:
        child = start("silent", **model_at(server))
        for reads in ("asking the language model what that means", "asking the language model"):
            child.send("name the calendar that people found slow\r")
            child.expect(reads)
            child.send("\x03")
            child.expect("Stopping after this step")
            child.expect("Stopped", timeout=10)
            child.expect(EDITING)
        say(child, "what waits for me?", "waits|Nothing")


def test_what_is_pasted_is_approved_and_undone_in_the_chat_and_a_model_beside_it_is_not_needed(
    start: Start, home: Path
) -> None:
    with ModelServer(lambda _: Turn(status=500)) as server:
        child = start("undo", **model_at(server))
        child.send("\x1b[200~Printer prints the price list upside down\rSince 4.26.1, on every page.\x1b[201~")
        child.expect(r"\[pasted 2 lines #1\]")
        say(child, "", "waits for a person")
        say(child, "approve", "written: create the issue")
        assert len(list((home / "tracker").glob("*.json"))) == 1
        say(child, "undo it", "would be taken back: create the issue")
        say(child, "yes", "taken back: create the issue")
        assert not server.requests


def model_at(server: ModelServer) -> dict[str, str]:
    return {
        "QA_AGENTS_MODEL__BASE_URL": server.base_url,
        "QA_AGENTS_MODEL__FAST": "scripted",
        "QA_AGENTS_MODEL__TRIES": "1",
    }
