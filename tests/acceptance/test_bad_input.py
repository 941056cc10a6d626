"""What bad input gets: one clear sentence, the right exit code, the rest of the work done, nothing lost."""

import gzip
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run
from qa_agents.storage import migrations

GOOD = {"id": "OK-1", "summary": "It crashes on start", "created": "2026-01-02T03:04:05Z"}
FUTURE = {"id": "F-1", "summary": "From tomorrow's tomorrow", "created": "2199-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def _words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")


class Said:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run_it(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(["--home", str(tmp_path / "home"), *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Said(code, captured.out, captured.err)

    return run_it


def lines(*rows: bytes | dict[str, Any]) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows) + b"\n"


BAD_ROWS = [
    (b'{"id": "B-1", "summary": ', "broken JSON"),
    (b'{"id": "B-1", "summary": "caf\xe9"}', "not UTF-8"),
    (b'{"id": "B-1", "summary": "lone \\ud800 surrogate"}', "a lone surrogate"),
    (b'{"summary": "no id"}', "no id"),
    (b'{"id": "B-1", "summary": NaN}', "NaN"),
    (b'{"id": "B-1", "summary": "x", "created": "yesterday"}', "no date"),
    (json.dumps(FUTURE).encode(), "a date in the future"),
    (b"[" * 5_000 + b"]" * 5_000, "deep nesting"),
    (b'{"id": "B-1", "summary": "' + b"x" * 17_000_000 + b'"}', "a row above the limit"),
]


@pytest.mark.parametrize(("row", "_what"), BAD_ROWS, ids=[what for _, what in BAD_ROWS])
def test_a_bad_row_is_named_and_the_rest_is_imported(call: Any, tmp_path: Path, row: bytes, _what: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(GOOD, row, {**GOOD, "id": "OK-2"}))
    said = call("incidents", "import", str(tmp_path / "rows.jsonl"), "--json")
    report = said.lines[0]
    assert said.code == 1
    assert (report["imported"], report["rejected"]) == (2, 1)
    assert report["rejections"][0]["line"] == 2
    assert report["rejections"][0]["reason"]
    assert "\n" not in report["rejections"][0]["reason"]


@pytest.mark.parametrize(("row", "what"), BAD_ROWS[:3], ids=[what for _, what in BAD_ROWS[:3]])
def test_a_bad_report_is_answered_in_its_place_and_accounted_for(
    call: Any, tmp_path: Path, row: bytes, what: str
) -> None:
    (tmp_path / "batch.jsonl").write_bytes(lines(GOOD, row, {**GOOD, "id": "OK-2"}))
    said = call("triage", "--batch", str(tmp_path / "batch.jsonl"), "--json")
    assert said.code == 1
    assert [line.get("error") is None for line in said.lines] == [True, False, True], what
    balance = call("ledger", "balance", "--json").lines[0]
    assert (balance["received"], balance["waiting"], balance["rejected"], balance["unaccounted"]) == (3, 2, 1, [])


def test_a_nul_byte_is_replaced_and_the_row_kept(call: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(b'{"id": "N-1", "summary": "a\\u0000b"}'))
    assert call("incidents", "import", str(tmp_path / "rows.jsonl"), "--json").lines[0]["imported"] == 1
    assert call("incidents", "show", "N-1", "--json").lines[0]["summary"] == "a\ufffdb"


def test_a_huge_description_is_refused_with_the_limit_and_the_setting(call: Any, tmp_path: Path) -> None:
    (tmp_path / "huge.jsonl").write_bytes(lines({**GOOD, "description": "x" * 50_000_000}, {**GOOD, "id": "OK-2"}))
    said = call("triage", "--batch", str(tmp_path / "huge.jsonl"), "--json")
    assert said.code == 1
    assert "max_report_bytes" in said.lines[0]["error"]
    assert said.lines[1]["report_id"] == "OK-2"


def test_a_long_description_is_read_in_part_and_says_so(call: Any, tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text(json.dumps({**GOOD, "description": "crash in a.b.C\n" * 40_000}))
    verdict = call("triage", str(tmp_path / "long.json"), "--json").lines[0]
    assert any("characters" in note for note in verdict["provenance"]["notes"])


def test_an_unknown_column_is_kept_and_mentioned_once(call: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,summary,Team Mood\nC-1,It crashes,grim\nC-2,It hangs,grim\n")
    report = call("incidents", "import", str(tmp_path / "rows.csv"), "--json").lines[0]
    assert report["imported"] == 2
    assert len([note for note in report["notes"] if "Team Mood" in note]) == 1
    assert call("incidents", "show", "C-1", "--json").lines[0]["Team Mood"] == "grim"


def test_two_rows_with_one_id_are_told_apart_or_refused(call: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(GOOD, {**GOOD, "summary": "Another text"}))
    for imported in (1, 0):
        report = call("incidents", "import", str(tmp_path / "rows.jsonl"), "--json").lines[0]
        assert (report["imported"], report["updated"], report["rejected"]) == (imported, 0, 1)
        assert "OK-1" in report["rejections"][0]["reason"]


@pytest.mark.parametrize("command", [("incidents", "import"), ("triage",)])
@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "binary"])
def test_a_file_that_is_none_is_one_sentence(call: Any, tmp_path: Path, command: tuple[str, ...], kind: str) -> None:
    path = tmp_path / "input"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"" if kind == "empty" else b"%PDF-1.7\x00\x01\x02" * 50)
    said = call(*command, str(path))
    assert said.code == 2
    assert len(said.err.strip().splitlines()) == 1


def test_a_truncated_archive_gives_what_could_be_read(call: Any, tmp_path: Path) -> None:
    whole = gzip.compress(
        lines(*({**GOOD, "id": f"G-{number}", "summary": f"crash {number * 7919}"} for number in range(5_000)))
    )
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) * 3 // 4])
    report = call("incidents", "import", str(tmp_path / "cut.jsonl.gz"), "--json").lines[0]
    assert report["imported"] > 1_000
    assert report["rejected"] >= 1


def test_a_workspace_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run(["--home", str(tmp_path / "file" / "home"), "review", "list"]) == 3
    assert "cannot be created" in capsys.readouterr().err


def test_a_workspace_of_a_newer_version_is_refused(call: Any, tmp_path: Path) -> None:
    call("review", "list")
    with sqlite3.connect(tmp_path / "home" / "qa-agents.db") as raw:
        raw.execute("INSERT INTO schema_version VALUES (?)", (migrations.CURRENT + 1,))
    said = call("review", "list")
    assert said.code == 3
    assert "newer qa-agents" in said.err


def test_a_second_process_works_beside_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes triage into one workspace at once: both finish, and every report is accounted for."""
    home = tmp_path / "home"
    for name in ("a", "b"):
        rows = [{**GOOD, "id": f"{name}-{number}", "summary": f"{name} crashes {number}"} for number in range(6)]
        (tmp_path / f"{name}.jsonl").write_bytes(lines(*rows))
    command = [sys.executable, "-m", "qa_agents", "--home", str(home)]
    workers = [
        subprocess.Popen(
            [*command, "triage", "--batch", str(tmp_path / f"{name}.jsonl"), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        assert len(out.splitlines()) == 6
    done = subprocess.run([*command, "ledger", "balance", "--json"], capture_output=True, text=True, check=True)
    balance = json.loads(done.stdout)
    assert (balance["waiting"], balance["unaccounted"]) == (12, [])
