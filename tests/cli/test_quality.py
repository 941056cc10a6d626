"""`qa-agents gate check|certificate|verify` and `monitor` as a person uses them, on the example product's outputs."""

import sqlite3
from pathlib import Path

import pytest

from qa_agents.cli import run
from qa_agents.results.certificate import Certificate, page, seal, to_json
from tests.cli.terminal import Terminal

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TODAY, BASELINE = EXAMPLES / "outputs" / "today.jsonl", EXAMPLES / "outputs" / "baseline.jsonl"


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    return Terminal(tmp_path / "home", capsys)


def gates(tmp_path: Path, value: float = 0.9, more: str = "") -> str:
    path = tmp_path / "gates.toml"
    path.write_text(
        f'[[gate]]\nname = "grounded"\nmetric = "score:grounded"\nop = ">="\nvalue = {value}\nmin_n = 100\n{more}',
        "utf-8",
    )
    return str(path)


def checked(terminal: Terminal, file: Path, *more: str, expect: int) -> dict[str, tuple[bool | None, str]]:
    told = terminal.json("gate", "verify", str(file), *more, expect=expect)
    assert told["holds"] is (expect == 0)
    return {one["name"]: (one["holds"], one["says"]) for one in told["checks"]}


def signed(terminal: Terminal, tmp_path: Path) -> Path:
    held = terminal.json("gate", "check", str(TODAY), "--gates", gates(tmp_path, 0.99), "--run-id", "r1", expect=1)
    waive = ["--waive", "grounded=retraining", "--owner", "linus", "--expires", "2w"]
    terminal("review", "sign", held["review_id"], "--as", "ada", *waive)
    terminal("gate", "certificate", "r1", "--out", str(tmp_path / "out"))
    return tmp_path / "out" / "certificate.json"


def test_kept_promises_give_a_certificate_at_once(terminal: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = terminal.json("gate", "check", str(TODAY), "--gates", gates(tmp_path), "--out", str(out))
    assert (told["gate"], told["standing"]) == ("green", "passed")
    found = checked(terminal, out / "certificate.html", "--input", str(TODAY), expect=0)
    assert all(holds for holds, _ in found.values())
    assert terminal.json("ledger", "verify")


def test_a_broken_promise_waits_for_a_signature_and_then_holds(terminal: Terminal, tmp_path: Path) -> None:
    terminal("gate", "check", str(TODAY), "--gates", gates(tmp_path, 0.99), "--run-id", "r1", expect=1)
    terminal("gate", "certificate", "r1", expect=1)
    assert "waits for a signature" in terminal.err
    certificate = signed(terminal, tmp_path)
    found = checked(terminal, certificate, expect=0)
    assert found["decision"] == (True, "ada signed.")
    assert found["waivers"] == (True, "1 in force.")


def test_a_refusal_is_certified_as_one(terminal: Terminal, tmp_path: Path) -> None:
    held = terminal.json("gate", "check", str(TODAY), "--gates", gates(tmp_path, 0.99), "--run-id", "r1", expect=1)
    terminal("review", "reject", held["review_id"], "--as", "ada", "--reason", "other")
    out = tmp_path / "out"
    terminal("gate", "certificate", "r1", "--out", str(out), expect=1)
    assert checked(terminal, out / "certificate.json", expect=1)["decision"] == (False, "ada refused to sign.")


def test_every_byte_that_is_changed_is_noticed(terminal: Terminal, tmp_path: Path) -> None:
    certificate = signed(terminal, tmp_path)
    original = Certificate.model_validate_json(certificate.read_bytes())
    for name in ("certificate.json", "certificate.html"):
        body = (certificate.parent / name).read_bytes()
        forged = tmp_path / name
        for place in range(5, len(body) - 5, len(body) // 5):
            forged.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
            assert run(["--home", str(terminal.home), "gate", "verify", str(forged)]) in (1, 2), (name, place)
    moved = original.model_copy(update={"run_sha256": "0" * 64})
    forged.write_bytes(to_json(moved))
    assert checked(terminal, forged, expect=1)["seal"][0] is False


def test_a_forger_who_seals_anew_is_unknown_to_the_ledger(terminal: Terminal, tmp_path: Path) -> None:
    original = Certificate.model_validate_json(signed(terminal, tmp_path).read_bytes())
    assert original.decision is not None
    decision = original.decision.model_copy(update={"reviewer": "eve", "accountable": "eve"})
    forged = tmp_path / "forged.html"
    forged.write_text(page(seal(original.model_copy(update={"decision": decision}))), "utf-8")
    found = checked(terminal, forged, expect=1)
    assert found["form"][0]
    assert found["seal"][0]
    assert found["ledger"] == (False, "This workspace's ledger knows nothing of this certificate.")


def test_outcomes_that_the_numbers_do_not_give_are_noticed(terminal: Terminal, tmp_path: Path) -> None:
    original = Certificate.model_validate_json(signed(terminal, tmp_path).read_bytes())
    judged = tuple(one.model_copy(update={"outcome": "green"}) for one in original.judged)
    forged = tmp_path / "forged.json"
    lying = original.model_copy(update={"judged": judged, "outcome": "green", "standing": "passed"})
    forged.write_bytes(to_json(seal(lying)))
    found = checked(terminal, forged, "--without-ledger", expect=1)
    assert found["promises"] == (False, "grounded is called green, but its numbers make it red.")
    assert found["ledger"][0] is None


def test_a_run_that_is_judged_again_voids_the_certificate(terminal: Terminal, tmp_path: Path) -> None:
    certificate = signed(terminal, tmp_path)
    terminal("gate", "check", "r1", "--gates", gates(tmp_path, 0.99), "--again", expect=1)
    assert checked(terminal, certificate, expect=1)["newest"][0] is False


def test_a_waiver_that_has_ended_counts_no_more(terminal: Terminal, tmp_path: Path) -> None:
    ended = '[[waiver]]\ngate = "grounded"\nowner = "ada"\nreason = "known"\nexpires = {}\n'
    file = gates(tmp_path, 0.99, ended.format("2099-01-01"))
    assert terminal.json("gate", "check", str(TODAY), "--gates", file)["gate"] == "waived"
    file = gates(tmp_path, 0.99, ended.format("2020-01-01"))
    told = terminal.json("gate", "check", str(TODAY), "--gates", file, expect=1)
    assert "ended on 2020-01-01 and counts no more" in told["gates"][0]["because"]


def test_a_changed_input_and_a_changed_ledger_are_noticed(terminal: Terminal, tmp_path: Path) -> None:
    certificate = signed(terminal, tmp_path)
    copy = tmp_path / "today.jsonl"
    copy.write_bytes(TODAY.read_bytes() + b"\n")
    assert checked(terminal, certificate, "--input", str(copy), expect=1)["input"][0] is False
    with sqlite3.connect(terminal.home / "qa-agents.db") as database:
        database.execute("update ledger set actor = 'eve' where seq = 2")
    assert "broken" in checked(terminal, certificate, expect=1)["ledger"][1]


def test_what_is_no_certificate_and_no_gate_file_is_said_in_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    for body in (b"", b"{}", b"\xff", b"[" * 50_000, b'<pre id="certificate">{}</pre>'):
        (tmp_path / "x").write_bytes(body)
        terminal("gate", "verify", str(tmp_path / "x"), expect=2)
        assert "no certificate" in terminal.err
    terminal("gate", "verify", str(tmp_path / "absent"), expect=2)
    terminal("gate", "check", str(TODAY), "--gates", str(tmp_path / "absent"), expect=2)
    terminal("gate", "certificate", "nobody", expect=2)


def test_monitor_finds_the_planted_change_and_writes_a_page(terminal: Terminal, tmp_path: Path) -> None:
    told = terminal("monitor", str(TODAY), "--baseline", str(BASELINE), "--out", str(tmp_path), expect=1)
    assert "latency rose" in told
    assert "grounded is worse where language de" in told
    assert "<svg" not in (tmp_path / "monitor.html").read_text("utf-8")
    found = terminal.json("monitor", str(TODAY), "--baseline", str(BASELINE), expect=1)
    assert set(found["drifted"]) == {"accuracy", "grounded", "latency"}


def test_monitor_is_quiet_about_a_run_beside_itself_and_refuses_what_has_no_outputs(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal("monitor", str(BASELINE), "--branch", "main", "--run-id", "day1")
    again = tmp_path / "again.jsonl"
    again.write_bytes(BASELINE.read_bytes() + b"\n")
    found = terminal.json("monitor", str(again), "--branch", "main", "--run-id", "day2", "--history")
    assert found["looks"] == ["day1", "day2"]
    assert found["alarms"] == found["drifted"] == []
    (tmp_path / "junit.xml").write_text('<testsuite name="s"><testcase name="t"/></testsuite>', "utf-8")
    terminal("monitor", str(tmp_path / "junit.xml"), expect=2)
    assert "no scored output" in terminal.err
    terminal("monitor", str(TODAY), "--history", "--baseline", str(BASELINE), expect=2)
