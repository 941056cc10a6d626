"""The triage suite from end to end on small histories: everything is measured, on odd data too, and nothing leaks."""

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from evals.baseline import accept, baseline_of, compare_with
from evals.commands import shared
from evals.data import load_examples
from evals.page import page
from evals.suites.triage import run as suite
from evals.suites.triage.learning import run_learning
from evals.suites.triage.result import SYSTEM, Curve, Measured, Point
from evals.suites.triage.run import earlier_of_cluster, run_triage
from evals.suites.triage.tables import learning_report, triage_report
from evals.tracker import Tracker, read_tracker, tracker_of
from evals.vectors import KeptVectors
from qa_agents.errors import InvalidInputError
from qa_agents.testing.embedder import HashingEmbedder

START = datetime(2026, 5, 20, tzinfo=UTC)
"""The last few of the example product's incidents."""


def kept() -> KeptVectors:
    return KeptVectors(HashingEmbedder(), None)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    tracker = tracker_of(load_examples())
    start = tracker.incidents[-40].created
    assert start is not None
    return run_triage(tracker, start, kept(), tmp_path_factory.mktemp("work"))


def test_every_report_gets_a_verdict(measured: Measured) -> None:
    line = measured.line("verdicts.reports without one")
    assert line is not None
    assert (line.value.value, line.value.n) == (0.0, measured.reports)
    assert 38 <= measured.reports <= 42


def test_the_system_stands_beside_every_peer(measured: Measured) -> None:
    found = {line.who for line in measured.lines if line.key == "duplicates.recall@10"}
    assert found == {SYSTEM, "Chroma top-k, MiniLM", "plain BM25", "TF-IDF cosine", "RRF hybrid"}
    for field in ("component", "type", "priority", "severity"):
        found = {line.who for line in measured.lines if line.key == f"{field}.top-1"}
        assert found >= {SYSTEM, "majority", "neighbours' vote", "TF-IDF + linear"}


def test_each_comparison_has_its_interval_its_adjusted_p_and_what_could_be_seen(measured: Measured) -> None:
    compared = [line for line in measured.lines if line.difference is not None]
    assert len(compared) > 30
    for line in compared:
        assert line.difference is not None
        assert line.p is not None
        assert line.p_holm is not None
        assert line.p <= line.p_holm <= 1.0
        assert line.difference.low <= line.difference.high
        assert line.detectable is not None
    assert all(
        line.value.low <= line.value.value <= line.value.high for line in measured.lines if line.measure != "ECE"
    )


def test_the_report_is_one_table_with_its_conditions(measured: Measured) -> None:
    text = triage_report(measured)
    assert "95 % CI" in text
    assert "lower bounds" in text
    assert text.count("| measure") == 1


class _Page(HTMLParser):
    """What a page holds, and whether its elements close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        found = dict(attrs)
        if tag == "svg" and found.get("role") == "img":
            self.labels.append(found.get("aria-label") or "")
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_without_script_and_names_what_it_draws(measured: Measured) -> None:
    drawn = [Curve(name="<b>", points=[Point(x=0, y=0.5), Point(x=20, y=0.6)])]
    text = page(measured.model_copy(update={"dataset": "<script>alert(1)</script>", "learning": {"recall@10": drawn}}))
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    assert "script" not in parser.seen
    assert "http" not in text.replace("http-equiv", "")
    assert len(parser.labels) >= 4
    assert all(parser.labels)
    assert {"h1", "h2", "table", "caption", "th", "figcaption"} <= set(parser.seen)
    assert "prefers-color-scheme:dark" in text


def test_a_run_against_its_own_baseline_is_unchanged(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    accept(measured, path)
    text, broken = compare_with(measured, path)
    assert not broken
    assert "broken |" in text
    assert baseline_of(measured).measures.keys() == measured.cases.keys()
    worse = measured.model_copy(update={"cases": {m: dict.fromkeys(c, 0.0) for m, c in measured.cases.items()}})
    assert compare_with(worse, path)[1]


def test_no_report_from_the_start_on_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="No report was filed from"):
        run_triage(tracker_of(load_examples()), datetime(2040, 1, 1, tzinfo=UTC), kept(), tmp_path)


def odd_tracker(path: Path) -> Tracker:
    """Unsorted, other severities, no links, null and surplus fields, wrong types, a report in another language."""
    first = datetime(2023, 1, 1, tzinfo=UTC)
    rows = [
        {
            "id": n,
            "summary": ["Lamp flickers", "Gate stuck", "Das Tor klemmt", "🙂"][n % 4] + f" {n}",
            "description": None if n % 5 == 0 else "It happens at dusk.\x00 " * (n % 7),
            "created": None if n % 11 == 0 else (first + timedelta(days=n)).isoformat(),
            "resolved": (first + timedelta(days=n + 3)).isoformat() if n % 2 else None,
            "severity": [None, "blocker!!", 3, "S-⚠", ""][n % 5],
            "priority": None,
            "component": ["a/b", "", None, "Ünïcode", {"name": "x"}][n % 5],
            "type": [[], "Bug"][n % 2],
            "assignee": {"weird": []} if n % 3 else "ana",
            "labels": None,
            "duplicate_of": None,
            "unknown": {"deep": [1, {"x": None}]},
        }
        for n in range(60)
    ]
    path.write_text("\n".join(json.dumps(row) for row in reversed(rows)), "utf-8")
    return read_tracker(path)


def test_a_tracker_of_an_odd_shape_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    tracker = odd_tracker(tmp_path / "odd.jsonl")
    found = run_triage(tracker, datetime(2023, 2, 10, tzinfo=UTC), kept(), tmp_path / "work")
    said = " ".join(found.notes)
    assert "Duplicates were not measured" in said
    assert "priority was not measured" in said
    line = found.line("verdicts.reports without one")
    assert line is not None
    assert line.value.value == 0.0
    assert "<h1>" in page(found)
    assert triage_report(found)


@pytest.mark.parametrize("count", [1, 3])
def test_a_handful_of_reports_is_enough_to_get_a_table(count: int, tmp_path: Path) -> None:
    rows = [{"id": str(n), "summary": f"Lamp {n} flickers", "created": f"2024-01-0{n + 1}"} for n in range(count)]
    path = tmp_path / "few.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = run_triage(read_tracker(path), datetime(2024, 1, 1, tzinfo=UTC), kept(), tmp_path / "work")
    assert found.reports == count
    assert "memory is empty at the beginning" in " ".join(found.notes)
    assert triage_report(found)


def test_the_command_writes_table_json_and_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from evals.__main__ import main

    monkeypatch.setattr(shared, "new_embedder", HashingEmbedder)
    monkeypatch.setattr(shared, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(suite, "QUICK_REPORTS", 12)
    monkeypatch.setattr(suite, "QUICK_MEMORY", 60)
    outputs = ["--json", str(tmp_path / "t.json"), "--html", str(tmp_path / "t.html")]
    assert main(["triage", "--data", "examples/incidents.jsonl", "--quick", *outputs]) == 0
    shown = capsys.readouterr()
    assert "## Triage" in shown.out
    assert "measuring" in shown.err
    document = orjson.loads((tmp_path / "t.json").read_bytes())
    assert Measured.model_validate(document["triage"]).reports == 12
    assert (tmp_path / "t.html").read_text("utf-8").startswith("<!doctype html>")


def test_a_gate_that_fails_or_has_too_few_cases_ends_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from evals.__main__ import main

    monkeypatch.setattr(shared, "new_embedder", HashingEmbedder)
    monkeypatch.setattr(shared, "RUNS", tmp_path / "runs")
    gate = tmp_path / "gate.toml"
    gate.write_text('[[gate]]\nmetric = "verdicts.reports without one"\nop = "<="\nvalue = 0.9\nmin_n = 10000\n')
    arguments = ["triage", "--data", "examples/incidents.jsonl", "--limit", "6", "--gate", str(gate)]
    assert main(arguments) == 1
    assert "insufficient" in capsys.readouterr().out


def test_the_learning_curve_hides_links_and_shows_all(tmp_path: Path) -> None:
    tracker = tracker_of(load_examples())
    first = len(tracker.incidents) - 60
    _, wanted = earlier_of_cluster(tracker.incidents, first)
    found = run_learning(tracker, first, dict(list(wanted.items())[:4]), kept(), tmp_path)
    assert found.steps[0].links == 0
    assert found.steps[-1].links > 0
    assert all(step.recall[10].n == 4 for step in found.steps)
    assert "known links" in learning_report(found)
