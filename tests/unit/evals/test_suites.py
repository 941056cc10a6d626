"""The suites from end to end on a tiny memory: everything is measured, nothing is left behind; no time is asserted."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evals.__main__ import main
from evals.budgets import Budget, speed_budgets
from evals.data import Dataset, load_examples
from evals.report import refresh, retrieval_report, speed_report, table
from evals.suites.retrieval import SYSTEM, rank_of, run_retrieval
from evals.suites.speed import run_speed
from evals.suites.speed_result import Plan, Speed
from evals.vectors import KeptVectors
from qa_agents.errors import InvalidInputError, UnavailableError
from qa_agents.incidents.schema import Incident
from qa_agents.testing.embedder import HashingEmbedder

TINY = Plan(sizes=(60, 200), reports=3, peer_every=2, batch=3, repeats=1, env={"QA_AGENTS_EMBEDDER": "none"})


@pytest.fixture(scope="module")
def speed(tmp_path_factory: pytest.TempPathFactory) -> Speed:
    work = tmp_path_factory.mktemp("speed")
    found = run_speed(TINY, load_examples(), HashingEmbedder, KeptVectors(HashingEmbedder(), None), work)
    assert not [path for path in work.glob("home-*") if path.is_dir()], "a workspace was left behind"
    return found


@pytest.mark.slow
def test_speed_measures_every_size_with_n_and_spread(speed: Speed) -> None:
    assert [at.size for at in speed.sizes] == [60, 200]
    for at in speed.sizes:
        assert at.imported.incidents == at.size
        assert at.triage.n == TINY.reports
        assert at.search.n == 2
        assert 0 < at.triage.low <= at.triage.median <= at.triage.p95 <= at.triage.high
        assert at.failed == 0, at.notes
        assert at.batch.reports == TINY.batch
        assert 0 < at.batch.start_seconds < at.batch.seconds
        assert {"qa-agents.db", "checkpoints.db", "chroma"} <= at.disk_mb.keys()
    assert speed.imports.n == 3
    assert speed.growth is not None


@pytest.mark.slow
def test_speed_puts_the_peers_beside_the_system(speed: Speed) -> None:
    for at in speed.sizes:
        assert "chroma_topk" in at.peers
        assert "bm25_scan" in at.peers or any("bm25_scan was not measured" in note for note in at.notes)
        for peer in at.peers.values():
            assert peer.query.n == peer.triage_ratio.n == 2
            assert 0 < peer.triage_ratio.low <= peer.triage_ratio.value <= peer.triage_ratio.high


@pytest.mark.slow
def test_a_speed_report_says_what_was_not_measured(speed: Speed) -> None:
    budgets = speed_budgets(speed)
    text = speed_report(speed, budgets)
    assert {budget.state for budget in budgets if "30,000" in budget.name} == {"not measured"}
    assert "not measured" in text
    assert f"commit {speed.provenance.commit}" in text
    assert Speed.model_validate_json(speed.model_dump_json()) == speed


@pytest.mark.slow
def test_a_batch_in_which_reports_failed_keeps_no_promise(speed: Speed) -> None:
    at = speed.sizes[1]
    broken = at.batch.model_copy(update={"failed": 1, "peak_mb": 1.0, "rate": 99.0})
    sizes = [at.model_copy(update={"size": size, "batch": broken, "failed": 1}) for size in (30_000, 100_000)]
    states = {budget.name: budget.state for budget in speed_budgets(speed.model_copy(update={"sizes": sizes}))}
    assert states["batch at 30,000, after the start"] == states["peak memory at 100,000"] == "not measured"
    assert states["reports without a verdict"] == "MISS"


@pytest.mark.parametrize(
    ("at_least", "value", "state"),
    [(True, 10, "pass"), (True, 9.9, "MISS"), (False, 10, "pass"), (False, 10.1, "MISS"), (True, None, "not measured")],
)
def test_a_budget_is_kept_missed_or_not_measured(at_least: bool, value: float | None, state: str) -> None:
    assert Budget(name="b", unit="u", at_least=at_least, limit=10, value=value).state == state


def test_retrieval_replays_a_tracker_beside_the_peers(tmp_path: Path) -> None:
    dataset = load_examples()
    start = datetime(2024, 1, 1, tzinfo=UTC)
    kept = KeptVectors(HashingEmbedder(), tmp_path / "vectors.npz")
    found = run_retrieval(dataset, start, kept, tmp_path)
    assert {SYSTEM, "chroma_topk"} <= found.quality.keys()
    assert len(found.queries) > 5
    for quality in found.quality.values():
        recalls = [quality.recall[cut].value for cut in (1, 5, 10, 20)]
        assert recalls == sorted(recalls)
        assert quality.recall[1].value <= quality.mrr.value <= quality.recall[20].value
        assert quality.mrr.n == len(found.queries)
    assert found.quality[SYSTEM].recall[20].value > 0
    difference = found.differences["chroma_topk"]
    assert difference.recall_at_10.value * len(found.queries) == pytest.approx(
        difference.only_system - difference.only_peer
    )
    assert "| qa-agents" in retrieval_report(found)
    assert (tmp_path / "vectors.npz").exists()


def test_retrieval_without_duplicates_is_said(tmp_path: Path) -> None:
    alone = [Incident(id="A", summary="alone", created=datetime(2024, 1, 1, tzinfo=UTC))]
    with pytest.raises(UnavailableError, match="names no duplicate"):
        run_retrieval(
            Dataset("one", alone, "", "", False),
            alone[0].created,
            KeptVectors(HashingEmbedder(), None),
            tmp_path,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(("found", "rank"), [(["x", "a", "b"], 2), (["x"], None), ([], None), (["b"], 1)])
def test_a_rank_is_that_of_the_first_right_answer(found: Sequence[str], rank: int | None) -> None:
    assert rank_of(found, {"a", "b"}) == rank


def test_a_table_is_markdown_and_aligned() -> None:
    assert table(("a", "long"), [("1", "2"), ("three", "4")]).splitlines() == [
        "| a     | long |",
        "| ----- | ---- |",
        "| 1     | 2    |",
        "| three | 4    |",
    ]


def test_a_page_is_refreshed_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin speed -->\nold\n<!-- end speed -->\nafter\n")
    refresh(page, "speed", "new")
    refresh(page, "speed", "newer")
    assert page.read_text() == "before\n<!-- begin speed -->\nnewer\n<!-- end speed -->\nafter\n"
    with pytest.raises(InvalidInputError, match="has no place for retrieval"):
        refresh(page, "retrieval", "new")


@pytest.mark.parametrize("arguments", [["speed", "--sizes", "ten"], ["retrieval", "--start", "soon"], ["nothing"], []])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_missing_data_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evals.commands.shared.RUNS", tmp_path)
    assert main(["retrieval", "--data", str(tmp_path / "none.jsonl")]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_absent_public_data_are_said_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evals.commands.shared.RUNS", tmp_path)
    monkeypatch.setenv("QA_AGENTS_DATA", str(tmp_path))
    assert main(["retrieval"]) == 3
    assert "set QA_AGENTS_DATA" in capsys.readouterr().err


def test_a_tracker_of_ones_own_is_measured_and_written_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evals.commands.shared.new_embedder", HashingEmbedder)
    monkeypatch.setattr("evals.commands.shared.RUNS", tmp_path)
    rows = [
        {"id": "A", "summary": "cart stays empty after login", "created": "2024-01-01"},
        {"id": "B", "summary": "search is slow", "created": "2024-01-02"},
        {"id": "C", "summary": "after login the cart is empty", "created": "2024-01-03", "duplicate_of": ["A"]},
    ]
    data, out = tmp_path / "own.jsonl", tmp_path / "out.json"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["retrieval", "--data", str(data), "--start", "2024-01-02", "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    assert document["retrieval"]["queries"] == [
        {"incident_id": "C", "ranks": document["retrieval"]["queries"][0]["ranks"]}
    ]
    assert document["retrieval"]["quality"]["qa-agents"]["recall"]["1"]["n"] == 1
    assert "## Retrieval" in capsys.readouterr().out
