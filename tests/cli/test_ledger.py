import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from qa_agents.checkpoint.anchor import Anchors
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.cli import run
from qa_agents.storage.engine import open_database
from qa_agents.storage.tables import ledger as table


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with six entries and an anchor elsewhere."""
    monkeypatch.chdir(tmp_path)
    db = open_database(tmp_path / "home" / "qa-agents.db")
    ledger = Ledger(anchors=Anchors(tmp_path / "anchors.jsonl"))
    for number in range(5):
        with db.write() as connection:
            ledger.append(connection, "received", f"R-{number}", note="[bold]my words[/bold]")
        if number == 2:
            ledger.anchor(db)
    ledger.anchor(db)
    db.close()
    return tmp_path / "home"


def change(home: Path, statement: object) -> None:
    db = open_database(home / "qa-agents.db")
    with db.write() as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    db.close()


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


def test_an_intact_ledger_exits_0(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--anchor", "anchors.jsonl", "--json", "--home", str(home)]) == 0
    said = answer(capsys)
    assert (said["intact"], said["entries"], said["anchors"], said["break"]) == (True, 6, 2, None)


def test_a_balance_with_reports_on_no_account_exits_1_and_says_so(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ledger", "balance", "--home", str(home)]) == 1
    assert "The ledger recorded 5 received reports, 0 are on account." in " ".join(capsys.readouterr().err.split())


def test_an_edit_exits_1_and_names_the_entry(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(home, update(table).where(table.c.seq == 2).values(actor="eve"))
    assert run(["ledger", "verify", "--home", str(home)]) == 1
    assert "Entry 2 (received of R-1) was changed" in capsys.readouterr().err


def test_a_cut_off_tail_exits_1_with_the_anchor(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(home, delete(table).where(table.c.seq > 4))
    assert run(["ledger", "verify", "--anchor", "anchors.jsonl", "--home", str(home)]) == 1
    assert "tail was cut off: it ends at entry 4" in capsys.readouterr().err


def test_the_chain_is_followed_from_an_anchored_entry_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(home, update(table).where(table.c.seq == 2).values(actor="eve"))
    words = ["ledger", "verify", "--anchor", "anchors.jsonl", "--json", "--home", str(home), "--since"]
    assert run([*words, "4"]) == 0
    assert answer(capsys)["entries"] == 2
    assert run([*words, "3"]) == 2
    assert "no anchor of entry 3" in capsys.readouterr().err
    assert run([*words, "3", "--start-hash", "0" * 64]) == 1


def test_an_anchor_file_that_is_not_there_exits_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--anchor", "nowhere.jsonl", "--home", str(home)]) == 2
    assert "There is no anchor file nowhere.jsonl" in capsys.readouterr().err


def test_entries_are_shown_by_subject_or_the_newest(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "show", "R-3", "--json", "--home", str(home)]) == 0
    assert answer(capsys)["subject"] == "R-3"
    assert run(["ledger", "show", "--last", "2", "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    assert "R-4" in shown
    assert "R-2" not in shown
    assert "[bold]" in shown
    assert run(["ledger", "show", "R-77", "--home", str(home)]) == 2


def test_a_report_is_erased_by_name_and_the_ledger_still_verifies(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    words = ["redact", "R-3", "--as", "dpo", "--home", str(home)]
    assert run([*words, "--reason", " "]) == 2
    assert run([*words]) == 2
    assert run([*words, "--reason", "asked for it", "--json"]) == 0
    said = answer(capsys)
    assert (said["report_id"], said["entries"], said["unerasable"], said["left"]) == ("R-3", [5], [], [])
    assert run(["ledger", "verify", "--anchor", "anchors.jsonl", "--home", str(home)]) == 0
    capsys.readouterr()
    assert run([*words, "--reason", "again", "--json"]) == 0
    assert answer(capsys)["entries"] == []
    assert run(["redact", "R-99", "--reason", "asked for it", "--home", str(home)]) == 2
    assert "No report and no incident R-99 is known" in capsys.readouterr().err
    assert run(["ledger", "show", "R-3", "--home", str(home)]) == 0
    assert "(erased)" in capsys.readouterr().out


def test_an_export_of_a_tampered_ledger_is_complete_and_exits_1(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ledger", "export", "--home", str(home), "--anchor", "anchors.jsonl", "--out"]
    assert run([*words, str(tmp_path / "good"), "--json"]) == 0
    assert answer(capsys)["entries"] == 6
    change(home, update(table).where(table.c.seq == 2).values(actor="eve"))
    assert run([*words, str(tmp_path / "bad")]) == 1
    assert (tmp_path / "bad" / "index.html").is_file()
    assert run([*words, str(tmp_path / "bad")]) == 2
    assert run([*words, str(tmp_path / "other"), "R-77"]) == 2
