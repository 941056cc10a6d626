"""`qa-agents runs` as a person uses it."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

GREEN = (
    '<testsuite name="s"><testcase classname="c" name="a" time="0.1"/><testcase classname="c" name="b"/></testsuite>'
)
RED = GREEN.replace('name="b"/>', 'name="b"><failure message="[red]no[/red]\x07">trace</failure></testcase>')


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    (tmp_path / "green.xml").write_text(GREEN)
    (tmp_path / "red.xml").write_text(RED.replace("\x07", ""))
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path / "home", capsys, "runs")


def test_a_run_is_kept_once_and_shown(terminal: Terminal) -> None:
    said = terminal("add", "red.xml", "--branch", "main", "--run-id", "42")
    assert said.strip() == "42 kept: 2 tests (1 failed)."
    assert "was kept before" in terminal("add", "red.xml", "--branch", "main", "--run-id", "42")
    shown = terminal("show", "42")
    assert "c::b" in shown
    assert "[red]no[/red]" in shown
    (listed,) = terminal.json("list")
    assert (listed["tests"], listed["counts"], listed["is_green"]) == (2, {"passed": 1, "failed": 1}, False)


def test_commit_and_branch_come_from_git_unless_told(terminal: Terminal) -> None:
    words = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*words, "init", "-q", "-b", "topic"], check=True)
    subprocess.run([*words, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    kept = terminal.json("add", "green.xml")
    assert (kept["info"]["commit"], kept["info"]["branch"]) == (head, "topic")
    assert terminal.json("add", "green.xml", "--no-git")["info"]["commit"] == ""


def test_a_damaged_file_is_told_and_what_could_be_read_is_kept(terminal: Terminal) -> None:
    Path("cut.xml").write_text(GREEN[:-30])
    assert "kept: 1 test." in terminal("add", "cut.xml", expect=1)
    assert "ends in the middle" in terminal.err
    Path("folder").mkdir()
    Path("folder/notes.txt").write_text("hello")
    Path("folder/a.xml").write_text(GREEN)
    terminal("add", "folder")
    assert "1 other file held no results (1 .txt)." in terminal.err
    terminal("add", "folder/notes.txt", expect=2)
    assert "not in a result format" in terminal.err


def test_pruning_tells_first_and_does_it_only_when_told(terminal: Terminal) -> None:
    for number in range(4):
        terminal("add", "red.xml", "--run-id", f"r{number}", "--at", f"2026-03-0{number + 1}T12:00:00Z")
    terminal("pin", "r0", "--why", "the release")
    assert "would be removed" in terminal("prune", "--keep", "1")
    assert len(terminal.json("list")) == 4
    assert terminal.json("prune", "--keep", "1", "--yes")["removed"] == 2
    assert [one["info"]["run_id"] for one in terminal.json("list")] == ["r3", "r0"]
    assert terminal.json("prune", "--run", "r0", "--yes")["removed"] == 1
    assert terminal("prune", "--older-than", "2026-01-01").strip() == "Nothing to remove."


def test_the_formats_that_are_read_can_be_listed(terminal: Terminal) -> None:
    named = terminal.json("formats")
    assert {"JUnit XML", "TAP", "Cobertura XML", "eval JSON lines"} <= set(named)
    assert terminal("formats").splitlines() == named


@pytest.mark.parametrize(
    "words",
    [
        ("add", "missing.xml"),
        ("add", "green.xml", "--at", "yesterday"),
        ("show", "nope"),
        ("prune",),
        ("prune", "--keep", "1", "--run", "x"),
        ("prune", "--older-than", "soon"),
        ("pin", "nope", "--why", "x"),
        ("pin", "nope"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal(*words, expect=2)
    assert terminal.err.count("\n") == 1
