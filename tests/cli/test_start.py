"""The command line starts at once and speaks in sentences."""

import subprocess
import sys
from pathlib import Path

import pytest

from qa_agents.cli import run
from qa_agents.cli.text import one_line, printable

HEAVY = (
    *("langgraph", "langchain_core", "openai", "chromadb", "jira", "onnxruntime", "sqlalchemy", "numpy", "rich"),
    *("fastapi", "starlette", "uvicorn", "jinja2", "authlib"),
)


@pytest.mark.parametrize("arguments", [["--help"], ["triage", "--help"], ["review", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    probe = (
        "import sys\n"
        "from qa_agents.cli import run\n"
        f"code = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "No such command"),
        (["triage"], "Missing argument"),
        (["triage", "--k", "many", "x.json"], "valid integer"),
        (["review", "defer", "rv-1", "--until", "someday"], "neither a date nor a span"),
        (["review", "edit", "rv-1", "--set", "component"], "FIELD=VALUE"),
        (["review", "show", "rv-none"], "no review rv-none"),
        (["incidents", "show", "NOPE-1"], "no incident NOPE-1"),
        (["explain", "NOPE-1"], "NOPE-1"),
        (["schema", "nonsense"], "no schema nonsense"),
        (["triage", "does-not-exist.json"], "does-not-exist.json"),
        (["incidents", "import", "does-not-exist.jsonl"], "does-not-exist.jsonl"),
    ],
)
def test_a_wrong_command_is_one_sentence_and_exit_2(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    assert run(["--home", str(tmp_path / "home"), *arguments]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_wrong_setting_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER_THREADS", "700")
    assert run(["--home", str(tmp_path), "doctor"]) == 2
    assert "embedder_threads" in capsys.readouterr().err


def test_a_gate_outside_of_the_policy_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_AGENTS_GATE__SEVERITY", "shadow")
    assert run(["--home", str(tmp_path), "doctor"]) == 2
    assert "[gate] table of the policy" in capsys.readouterr().err
    monkeypatch.delenv("QA_AGENTS_GATE__SEVERITY")
    (tmp_path / "qa-agents.toml").write_text('[gate]\nseverity = "shadow"\n')
    monkeypatch.chdir(tmp_path)
    assert run(["--home", str(tmp_path), "doctor"]) == 2
    assert "[gate] table of the policy" in capsys.readouterr().err


def test_home_may_stand_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "balance", "--json", "--home", str(tmp_path / "here")]) == 0
    assert (tmp_path / "here" / "qa-agents.db").exists()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]8;;http://x.invalid\x07click\x1b]8;;\x07", "]8;;http://x.invalidclick]8;;"),
        ("zero\u200bwidth \u202eevil", "zerowidth evil"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("日本語", "日本語"),
    ],
)
def test_terminal_text_holds_no_controls(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_cuts_are_visible() -> None:
    assert one_line("a\n b" * 50, limit=10) == "a ba ba b…"
