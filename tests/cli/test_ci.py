"""`qa-agents ci` and `summarize`, as a pipeline and a person type them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run

COUNT = 6


def junit(path: Path, **failures: str) -> str:
    cases = "".join(
        f'<testcase classname="tests.test_pay" name="test_{at}" time="0.2">'
        + (
            f'<failure message="{failures[f"t{at}"]}">File "src/pay.py", line 3, in pay</failure>'
            if f"t{at}" in failures
            else ""
        )
        + "</testcase>"
        for at in range(COUNT)
    )
    path.write_text(f'<testsuite name="pytest" tests="{COUNT}">{cases}</testsuite>')
    return str(path)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command with --json; its exit code and what it printed."""

    def command(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = run([*words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return command


def pushes(ask: Any, here: Path, count: int) -> None:
    for at in range(count):
        path = junit(here / "good.xml")
        assert ask("ci", path, "--branch", "main", "--commit", f"{at:07x}", "--run-id", f"m{at}")[0] == 0


def test_a_push_that_breaks_nothing_is_green_and_one_that_does_is_red(ask: Any, here: Path) -> None:
    pushes(ask, here, 4)
    bad = junit(here / "bad.xml", t2="KeyError: deposit")
    code, told = ask("ci", bad, "--branch", "main", "--commit", "bbbbbbb", "--run-id", "m4")
    assert code == 1
    assert told["summary"]["light"] == "red"
    assert [one["test_id"] for one in told["summary"]["comparison"]["changes"]] == ["tests.test_pay::test_2"]
    code, told = ask("ci", bad, "--branch", "main", "--commit", "ccccccc", "--run-id", "m5")
    assert code == 0
    assert [one["kind"] for one in told["summary"]["comparison"]["changes"]] == ["still"]


def test_the_first_run_that_fails_is_a_finding_too(ask: Any, here: Path) -> None:
    assert ask("ci", junit(here / "bad.xml", t1="x"), "--run-id", "a")[0] == 1


def test_a_feature_branch_is_compared_with_main(ask: Any, here: Path) -> None:
    pushes(ask, here, 3)
    bad = junit(here / "bad.xml", t2="KeyError: deposit")
    code, told = ask("ci", bad, "--branch", "feature", "--commit", "bbbbbbb", "--run-id", "f0")
    assert code == 1
    assert told["summary"]["baseline"]["run_id"] == "m2"


def test_every_report_is_written(ask: Any, here: Path) -> None:
    pushes(ask, here, 3)
    bad = junit(here / "bad.xml", t2="KeyError: deposit")
    out = here / "out"
    code, told = ask(
        "ci", bad, "--branch", "main", "--commit", "bbbbbbb", "--run-id", "m3", "--out", str(out),
        "--sarif", str(out / "x.sarif"), "--junit", str(out / "x.xml"), "--code-quality", str(out / "cq.json"),
        "--markdown", str(out / "job.md"),
    )  # fmt: skip
    assert code == 1
    assert all(Path(path).stat().st_size for path in told["written"])
    assert json.loads((out / "x.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "test-new"
    assert json.loads((out / "cq.json").read_text())[0]["location"] == {"path": "src/pay.py", "lines": {"begin": 3}}
    assert "Newly broken" in (out / "job.md").read_text()


def test_in_github_actions_everything_is_found_out_and_annotated(
    ask: Any, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pushes(ask, here, 3)
    page = here / "page.md"
    for name, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_SHA": "b" * 40, "GITHUB_REF_NAME": "main", "GITHUB_RUN_ID": "7",
        "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "test", "GITHUB_STEP_SUMMARY": str(page),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert run(["ci", junit(here / "bad.xml", t2="KeyError: deposit")]) == 1
    out = capsys.readouterr().out
    assert "::error file=src/pay.py,line=3,title=new" in out
    assert "Newly broken" in page.read_text()
    code, told = ask("summarize", "github-7-1-test")
    assert code == 0
    assert told["summary"]["run"]["commit"] == "b" * 40


def test_a_held_gate_ends_with_one_and_can_be_signed(ask: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pushes(ask, here, 3)
    gates = here / "gates.toml"
    gates.write_text('[[gate]]\nmetric = "tests"\nop = ">="\nvalue = 100\n')
    code, told = ask("summarize", junit(here / "good.xml"), "--branch", "main", "--run-id", "m9", "--gates", str(gates))
    assert (code, told["held"]) == (1, True)
    assert run(["review", "show", told["review_id"]]) == 0
    assert "Quality gate" in capsys.readouterr().out
    assert ask("review", "sign", told["review_id"], "--accountable", "grace", "--as", "ada")[0] == 0
    assert ask("summarize", "m9", "--gates", str(gates))[1]["verdict"] == "sign"


def test_a_baseline_may_be_a_file(ask: Any, here: Path) -> None:
    good, bad = junit(here / "good.xml"), junit(here / "bad.xml", t3="boom")
    code, told = ask("summarize", bad, "--baseline", good)
    assert code == 0
    assert [one["kind"] for one in told["summary"]["comparison"]["changes"]] == ["new"]


def test_commits_of_the_repository_are_suspected(ask: Any, here: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=here).stdout.strip()

    git("init", "-q", "-b", "main")
    (here / ".gitignore").write_text("*.xml\n.qa-agents/\n")
    for at, text in enumerate(("one", "two")):
        (here / "src").mkdir(exist_ok=True)
        (here / "src" / "pay.py").write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", f"change {text}")
        path = junit(here / "r.xml", **({"t2": "KeyError: deposit"} if at else {}))
        code, told = ask("ci", path)
    assert code == 1
    suspect = told["summary"]["causes"][0]["suspects"][0]
    assert (suspect["subject"], suspect["commit"]) == ("change two", git("rev-parse", "HEAD"))
    assert told["summary"]["run"]["branch"] == "main"


@pytest.mark.parametrize(
    "words",
    [
        ("ci", "nowhere.xml"),
        ("summarize", "nowhere"),
        ("summarize", "good.xml", "--gates", "nowhere.toml"),
        ("summarize", "good.xml", "--baseline", "branch:nowhere"),
        ("summarize", "good.xml", "--baseline", "good.xml"),
        ("ci", "good.xml", "--sarif", "/proc/nowhere/x.sarif"),
        ("ci", "broken.xml"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_two(
    here: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    junit(here / "good.xml")
    (here / "broken.xml").write_text("not xml at all")
    assert run(list(words)) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_damaged_report_among_good_ones_is_not_green(
    ask: Any, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pushes(ask, here, 3)
    (here / "reports").mkdir()
    junit(here / "reports" / "whole.xml")
    whole = (here / "good.xml").read_text()
    (here / "reports" / "cut.xml").write_text(whole[: whole.index("test_3")])
    code, told = ask("ci", "reports", "--branch", "main", "--commit", "bbbbbbb", "--run-id", "m3")
    assert (code, told["summary"]["light"]) == (1, "yellow")
    assert "cut.xml" in told["summary"]["decide"][0]["question"]
    assert run(["ci", "reports", "--branch", "main", "--commit", "bbbbbbb", "--run-id", "m3"]) == 1
    assert "cut.xml may have failed (--allow-partial lets it pass)" in capsys.readouterr().err
    assert ask("ci", "reports", "--branch", "main", "--commit", "bbbbbbb", "--run-id", "m3", "--allow-partial")[0] == 0


def test_a_report_without_any_result_is_not_green(ask: Any, here: Path) -> None:
    (here / "none.xml").write_text('<testsuite name="s" tests="0"></testsuite>')
    assert ask("ci", "none.xml", "--run-id", "a")[0] == 1
    assert ask("ci", "none.xml", "--run-id", "a", "--allow-partial")[0] == 0
    (here / "empty.xml").write_text("")
    assert ask("ci", "empty.xml", "--run-id", "b")[0] == 2


def test_a_damaged_run_is_no_baseline_while_there_is_a_whole_one(ask: Any, here: Path) -> None:
    pushes(ask, here, 3)
    whole = (here / "good.xml").read_text()
    (here / "cut.xml").write_text(whole[: whole.index("test_3")])
    assert ask("ci", "cut.xml", "--branch", "main", "--commit", "ccccccc", "--run-id", "m3")[0] == 1
    code, told = ask("ci", junit(here / "good.xml"), "--branch", "main", "--commit", "ddddddd", "--run-id", "m4")
    assert (code, told["summary"]["baseline"]["run_id"]) == (0, "m2")
