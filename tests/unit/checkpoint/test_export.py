import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from qa_agents.checkpoint.anchor import Anchors
from qa_agents.checkpoint.export import export_ledger, page_name
from qa_agents.checkpoint.ledger import Ledger, redact
from qa_agents.checkpoint.markup import MAX_TEXT, Writer, visible
from qa_agents.checkpoint.schema import Decision
from qa_agents.checkpoint.votes import ballot
from qa_agents.errors import NotFoundError, UnavailableError, UsageError
from qa_agents.llm.redact import mask
from qa_agents.storage.artifacts import put_artifact
from qa_agents.storage.canonical import canonical_json, digest_of
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions, artifacts, decisions, reports, reviews, runs
from qa_agents.storage.tables import ledger as table

ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "nav", "section", "div", "h1", "h2", "h3", "p", "ul",
    "li", "a", "dl", "dt", "dd", "pre", "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "mark", "span",
    "strong", "em",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "scope", "aria-label"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</pre></div><iframe src=https://evil.example></iframe>",
    "[x](javascript:alert(1)) https://evil.example/?q=",
    "<!-- hidden words --> \u202egnp.exe\u200b\u2066",
    "\x00\x1b[31m\ud800\U000e0068\U000e0069",
    "{{7*7}} ${7*7} %s {0}",
)


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment hides {data!r}")


def inert(source: str, folder: Path) -> Page:
    """Parse a page and assert that nothing in it runs, loads, leads out or hides."""
    page = Page(source)
    assert not page.open, f"not closed: {page.open}"
    for tag, attributes in page.tags:
        assert tag in ALLOWED_TAGS, tag
        assert set(attributes) <= ALLOWED_ATTRIBUTES, attributes
        href = attributes.get("href")
        if href is not None:
            assert re.fullmatch(r"#[a-z]+|[A-Za-z0-9_-]+\.html", href), href
            assert href.startswith("#") or (folder / href).is_file()
    policies = [a.get("content") for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "url(" not in source
    assert "@import" not in source
    assert [tag for tag, _ in page.tags].count("h1") == 1
    return page


def told(db: Database, report_id: str = "PAY-1", text: str = "It crashes", **more: Any) -> None:
    """One report's whole life: received, judged, shown, decided, written, undone."""
    ledger, run_id = Ledger(), f"triage-{digest_of(report_id)[:12]}"
    evidence = [{"kind": "quote", "text": text, "ref": text}]
    verdict = {
        "report_id": report_id,
        "signals": {"hidden": [text], "secrets": ["SECRET"], "money": [{"quote": text, "field": text, "start": 0, "end": 2}]},
        "facts": [{"name": "version", "value": text, "quote": text, "field": "summary", "start": 1, "end": 3}],
        "similar": [{"incident_id": text, "score": 0.5, "shared": [text]}],
        "relations": [{"incident_id": text, "kind": text, "state": text, "same": [text], "differs": [text]}],
        "proposals": {text or "x": {"value": text, "probability": 0.5, "alternatives": [{"value": text}],
                                    "evidence": evidence, "against": evidence}},
        "hypothesis": {"text": text, "evidence": evidence},
        "missing": [text],
        "gate": {"decision": "ask", "reasons": [f"money: {text}"]},
        "actions": [{"kind": "set_field", "target": text, "params": {"field": text, "value": text}, "because": text}],
    }  # fmt: skip
    report = {
        "id": report_id,
        "summary": text,
        "description": text,
        "reporter": text,
        "labels": [text],
        text or "x": text,
    }
    shown = {"summary": text, "evidence": [text]}
    with db.write() as connection:
        input_sha = put_artifact(connection, json.dumps(report).encode())
        outcome_sha = put_artifact(connection, json.dumps(verdict).encode())
        connection.execute(
            insert(reports).values(
                source="cli", report_id=report_id, raw_sha256="a" * 64, version=1, state="decided", run_id=run_id,
                attempts=0, error=None, received_at=1_700_000_000.0, changed_at=1_700_000_000.0,
            )
        )  # fmt: skip
        connection.execute(
            insert(runs).values(
                run_id=run_id, kind="triage", source="cli", subject_id=report_id, input_sha256=input_sha,
                outcome_sha256=outcome_sha, state="done", options={}, started_at=1_700_000_000.0,
            )
        )  # fmt: skip
        review_id = f"rv-{run_id[-8:]}"
        connection.execute(
            insert(reviews).values(
                review_id=review_id, run_id=run_id, interrupt_id="i-1", kind="triage", subject_id=report_id,
                state="decided", digest=digest_of(shown), shown=shown, opened_at=1_700_000_100.0, form="approval",
                requires={"approvals": 2, "rule": text, "proposer": text}, assigned_to=text,
            )
        )  # fmt: skip
        answer = {
            "review_id": review_id, "reviewer": f"ada {text}", "verdict": "edit", "digest": digest_of(shown),
            "reason_code": "wrong-evidence", "note": text, "edits": {"component": text}, "roles": [text],
        }  # fmt: skip
        connection.execute(
            insert(decisions).values(
                review_id=review_id, reviewer="ada", purpose="vote", body=answer, at=1_700_000_200.0
            )
        )
        for key, state, undoes in (("1" * 64, "undone", None), ("2" * 64, "done", "1" * 64)):
            connection.execute(
                insert(actions).values(
                    key=key if report_id == "PAY-1" else digest_of([key, report_id]), run_id=run_id, target=text,
                    position=0, state=state, undoes=undoes, planned_at=1.0, done_at=1_700_000_300.0, error=text,
                    body={"kind": "set_field", "target": text, "params": {"field": text, "value": text}},
                    before={"before": {"value": f"old {text}"}, "after": {"value": text}},
                )
            )  # fmt: skip
        ledger.append(connection, "received", report_id, run_id=run_id, note=text, **more)
        ledger.append(connection, "decided", report_id, actor=f"ada {text}", note=text)


def exported(db: Database, folder: Path, **more: Any) -> Any:
    return export_ledger(db, folder, mask=mask, now=lambda: 1_700_001_000.0, **more)


def test_a_page_tells_the_whole_story(db: Database, tmp_path: Path) -> None:
    told(db)
    done = exported(db, tmp_path / "out")
    assert (done.entries, done.reports, done.verification.intact) == (2, 1, True)
    page = inert((tmp_path / "out" / page_name("PAY-1")).read_text(), tmp_path / "out")
    for words in (
        "PAY-1: It crashes", "What came", "What was seen", "Why it stopped", "money: It crashes", "ada It crashes",
        "exactly what was shown", "wrong-evidence", "old It crashes", "What was undone", "2023-11-14 22:16:40 UTC",
        "all 2 ledger entries held", digest_of({"summary": "It crashes", "evidence": ["It crashes"]}),
    ):  # fmt: skip
        assert words in page.text, words
    index = inert((tmp_path / "out" / "index.html").read_text(), tmp_path / "out")
    assert "ada It crashes: edit" in index.text


def test_a_page_says_whose_edit_was_approved_what_was_waived_and_what_was_a_second_look(
    db: Database, tmp_path: Path
) -> None:
    told(db)
    with db.read() as connection:
        review_id, body = connection.execute(select(decisions.c.review_id, decisions.c.body)).one()
    edit = Decision.model_validate(body)
    waiver = {"item": "FR-7", "owner": "grace", "reason": "rare", "expires": "2030-01-02T12:30:00Z"}
    plain = {"review_id": review_id, "digest": edit.digest}
    answers = [
        ("vote", {**plain, "reviewer": "linus", "verdict": "approve", "digest": ballot(edit)}),
        ("second", {**plain, "reviewer": "edsger", "verdict": "approve"}),
        ("vote", {**plain, "reviewer": "grace", "verdict": "sign", "accountable": "grace", "waivers": [waiver]}),
    ]
    with db.write() as connection:
        for purpose, said in answers:
            row = {
                "review_id": review_id,
                "reviewer": said["reviewer"],
                "purpose": purpose,
                "body": said,
                "at": 1_700_000_300.0,
            }
            connection.execute(insert(decisions).values(**row))
    exported(db, tmp_path / "out")
    page = inert((tmp_path / "out" / page_name("PAY-1")).read_text(), tmp_path / "out")
    assert "exactly what ada It crashes put forward" in page.text
    assert "FR-7: rare (owner grace, until 2030-01-02 12:30 UTC)" in page.text
    index = inert((tmp_path / "out" / "index.html").read_text(), tmp_path / "out")
    assert "linus: approve; edsger: approve (second look)" in index.text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_wherever_it_stands(db: Database, tmp_path: Path, text: str) -> None:
    told(db, text.encode("utf-8", "replace").decode().replace("\x00", "?"), text.replace("\ud800", "?"))
    exported(db, tmp_path / "out")
    pages = sorted((tmp_path / "out").glob("*.html"))
    assert len(pages) == 2
    for path in pages:
        inert(path.read_text(), tmp_path / "out")


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_text_and_nothing_invisible_is_left(text: str) -> None:
    made = visible(text)
    page = Page(f"<p>{made}</p>")
    assert {tag for tag, _ in page.tags} <= {"p", "mark"}
    shown = re.sub(r"<[^>]*>", "", made)
    assert all(char.isprintable() or char in "\n\t" or char.isspace() for char in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u200bb", "a<mark>[U+200B]</mark>b"),
        ("\u202e" * 20, "<mark>[U+202E U+202E U+202E U+202E U+202E U+202E U+202E U+202E and 12 more]</mark>"),
        ("\U000e0068\U000e0069", "<mark>[hidden letters: hi]</mark>"),
        ("a\nb\tü ✓ 😀", "a\nb\tü ✓ 😀"),
        ("<!-- x -->", "&lt;!-- x --&gt;"),
        ("\r\x1b", "<mark>[U+000D U+001B]</mark>"),
    ],
)
def test_hidden_text_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_secrets_are_masked_in_pages(db: Database, tmp_path: Path) -> None:
    secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    told(db, text=f"my token is {secret} thanks")
    exported(db, tmp_path / "out")
    for path in (tmp_path / "out").glob("*.html"):
        assert secret not in path.read_text()
        assert "⟨" in path.read_text()


def test_a_very_long_text_is_cut_and_says_so_and_no_secret_is_cut_in_two() -> None:
    long = "x " * (MAX_TEXT // 2 - 5) + "ghp_abcdefghijklmnopqrstuvwxyz0123456789 " + "y" * MAX_TEXT
    shown = Writer(mask).text(long)
    assert "more characters are in the stored document" in shown
    assert "ghp_" not in shown
    assert len(shown) < MAX_TEXT + 200
    hostile = Writer(mask).text("<" * 200_000 + "\u200b" * 200_000)
    assert len(hostile) < 5 * MAX_TEXT


@pytest.mark.parametrize("report_id", ["../../etc/passwd", "a/b", "CON", ".", "x" * 300, "ü", "a b", "index", "-rf"])
def test_a_page_is_named_safely_whatever_the_id(report_id: str) -> None:
    assert re.fullmatch(r"report-[A-Za-z0-9_-]{1,80}\.html", page_name(report_id))


def test_ids_that_differ_in_case_only_have_pages_of_their_own() -> None:
    assert page_name("pay-1").lower() != page_name("PAY-1").lower()


def run_script(folder: Path) -> subprocess.CompletedProcess[str]:
    """What an auditor does: save the README's script and run it."""
    readme = (folder / "README.md").read_text()
    script = readme.split("```python\n")[1].split("```")[0]
    assert len(script.splitlines()) <= 20
    (folder / "verify.py").write_text(script)
    return subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True, text=True, check=False)


def test_an_auditor_can_verify_the_export_without_this_program(db: Database, tmp_path: Path) -> None:
    told(db)
    redact(db, seqs=[1], actor="dpo", reason="asked")
    exported(db, tmp_path / "out")
    done = run_script(tmp_path / "out")
    assert done.stdout.startswith("3 entries hold"), done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [('"actor":"dpo"', '"actor":"eve"'), ('"reason":"asked"', '"reason":"other"'), ('"seqs":[1]', '"seqs":[]')],
)
def test_the_auditors_script_notices_an_edit(db: Database, tmp_path: Path, old: str, new: str) -> None:
    told(db)
    redact(db, seqs=[1], actor="dpo", reason="asked")
    exported(db, tmp_path / "out")
    path = tmp_path / "out" / "ledger.jsonl"
    path.write_text(path.read_text().replace(old, new))
    done = run_script(tmp_path / "out")
    assert done.returncode == 1
    assert "was changed" in done.stderr


def test_every_line_is_canonical_json_of_a_whole_entry(db: Database, tmp_path: Path) -> None:
    told(db, text="ünï")
    exported(db, tmp_path / "out")
    for line in (tmp_path / "out" / "ledger.jsonl").read_bytes().splitlines():
        assert canonical_json(json.loads(line)) == line
        assert set(json.loads(line)) == {column.name for column in table.c}


def test_an_erased_payload_is_said_to_be_erased(db: Database, tmp_path: Path) -> None:
    told(db)
    redact(db, subject="PAY-1", actor="dpo", reason="asked")
    exported(db, tmp_path / "out")
    page = inert((tmp_path / "out" / page_name("PAY-1")).read_text(), tmp_path / "out")
    assert "payload erased" in page.text
    assert "2 payloads erased as recorded" in page.text


def test_a_tampered_ledger_is_exported_and_says_so(db: Database, tmp_path: Path) -> None:
    told(db)
    with db.write() as connection:
        connection.execute(update(table).where(table.c.seq == 1).values(actor="eve"))
    assert not exported(db, tmp_path / "out").verification.intact
    assert "did not hold" in (tmp_path / "out" / "index.html").read_text()


def test_a_document_that_was_changed_or_is_gone_is_said(db: Database, tmp_path: Path) -> None:
    told(db, "PAY-1")
    told(db, "PAY-2", "other")
    with db.write() as connection:
        first = put_artifact(connection, b'{"summary": "forged"}')
        forged = connection.execute(artifacts.select().where(artifacts.c.sha256 == first)).one().body
        connection.execute(update(artifacts).where(artifacts.c.sha256 != first).values(body=forged))
    exported(db, tmp_path / "changed")
    assert "its hash is another" in (tmp_path / "changed" / page_name("PAY-1")).read_text()
    with db.write() as connection:
        connection.execute(delete(artifacts))
    exported(db, tmp_path / "gone")
    assert "is not stored any more" in (tmp_path / "gone" / page_name("PAY-1")).read_text()
    inert((tmp_path / "gone" / page_name("PAY-2")).read_text(), tmp_path / "gone")


def test_what_was_shown_and_changed_since_is_said(db: Database, tmp_path: Path) -> None:
    told(db)
    with db.write() as connection:
        connection.execute(update(reviews).values(shown={"summary": "something else"}))
    exported(db, tmp_path / "out")
    assert "NO: it was changed since" in (tmp_path / "out" / page_name("PAY-1")).read_text()


def test_named_reports_only(db: Database, tmp_path: Path) -> None:
    told(db, "PAY-1")
    told(db, "PAY-2")
    assert exported(db, tmp_path / "out", report_ids=["PAY-2", "PAY-2"]).reports == 1
    assert not (tmp_path / "out" / page_name("PAY-1")).exists()
    with pytest.raises(NotFoundError, match="no report PAY-3"):
        exported(db, tmp_path / "other", report_ids=["PAY-3"])
    assert not (tmp_path / "other").exists()


def test_an_empty_workspace_exports_an_empty_index(db: Database, tmp_path: Path) -> None:
    assert exported(db, tmp_path / "out").entries == 0
    assert "No report was received" in (tmp_path / "out" / "index.html").read_text()
    assert run_script(tmp_path / "out").stdout.startswith("0 entries hold")


def test_a_folder_that_holds_something_or_cannot_be_made_is_refused(db: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        exported(db, tmp_path)
    with pytest.raises(UnavailableError, match="cannot be written"):
        exported(db, tmp_path / "file" / "out")


def test_the_anchors_are_copied_beside(db: Database, tmp_path: Path) -> None:
    anchors = Anchors(tmp_path / "elsewhere.jsonl")
    ledger = Ledger(anchors=anchors)
    with db.write() as connection:
        ledger.append(connection, "received", "R-1")
    ledger.anchor(db)
    assert exported(db, tmp_path / "out", anchors=anchors).verification.anchors == 1
    assert (tmp_path / "out" / "anchors.jsonl").read_bytes() == anchors.path.read_bytes()
