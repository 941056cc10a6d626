"""The draw, what oversight leaves in the ledger, and that no answer is ever about several reviews."""

import ast
import inspect
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import entries
from qa_agents.checkpoint.oversight import drawn, secret_seed
from qa_agents.checkpoint.schema import Decision
from qa_agents.storage.engine import Database
from tests.unit.checkpoint.watched import Bench

PACKAGE = Path(__file__).resolve().parents[3] / "qa_agents"


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


@settings(deadline=None, max_examples=20)
@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.sampled_from([0.02, 0.05, 0.5]))
def test_a_draw_hits_its_rate_and_depends_on_nothing_but_the_name(seed: str, rate: float) -> None:
    names = [f"rv-{number:08x}" for number in range(10_000)]
    hits = {name for name in names if drawn(seed, "canary", name, rate)}
    spread = (10_000 * rate * (1 - rate)) ** 0.5
    assert abs(len(hits) - 10_000 * rate) < 6 * spread
    random.Random(1).shuffle(names)
    assert hits == {name for name in names if drawn(seed, "canary", name, rate)}
    assert hits <= {name for name in names if drawn(seed, "canary", name, rate * 1.5)}


def test_a_draw_is_never_made_at_rate_zero_and_always_at_one() -> None:
    assert not any(drawn("s", "second", str(number), 0.0) for number in range(1000))
    assert all(drawn("s", "second", str(number), 1.0) for number in range(1000))


def test_draws_for_different_purposes_are_independent() -> None:
    names = [str(number) for number in range(10_000)]
    both = sum(drawn("s", "canary", name, 0.1) and drawn("s", "second", name, 0.1) for name in names)
    assert 50 < both < 150


def test_the_seed_is_made_once_and_differs_between_workspaces(db: Database, tmp_path: Path) -> None:
    from qa_agents.storage.engine import open_database

    other = open_database(tmp_path / "other" / "qa-agents.db")
    assert secret_seed(db) == secret_seed(db) != secret_seed(other)
    other.close()


def test_what_oversight_does_is_in_the_ledger(bench: Bench) -> None:
    bench.seconds.decide(bench.answer(bench.decided(), "approve", "bob"))
    bench.canaries.decide(bench.answer(bench.canary(), "reject"))
    bench.applied(1, 0.99)
    bench.audits.record("AUTO-1", "confirm", auditor="cyd")
    events = [(entry.event, entry.actor) for entry in entries(bench.db)]
    for expected in (("second_look", "bob"), ("canary_decided", "ada"), ("audited", "cyd")):
        assert expected in events


def test_an_answer_names_exactly_one_review(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from qa_agents.cli import review

    group: Any = typer.main.get_command(review.app)
    for name in ("approve", "edit", "reject", "ask", "defer"):
        arguments = [p for p in group.commands[name].params if p.param_type_name == "argument"]
        assert [(argument.name, argument.nargs) for argument in arguments] == [("name", 1)], name
        options = {option for p in group.commands[name].params for option in p.opts}
        assert not options & {"--all", "--batch", "--every"}, name


def test_no_code_decides_several_reviews_at_once() -> None:
    loops = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.AsyncFor)
    for path in sorted(PACKAGE.rglob("*.py")):
        for loop in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, loops)):
            for call in (node for node in ast.walk(loop) if isinstance(node, ast.Call)):
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                assert name not in ("decide", "_decide"), f"{path}:{call.lineno}: one answer, one review"


def test_the_inbox_takes_one_decision_about_one_review() -> None:
    (_, decision, *_rest) = inspect.signature(Inbox.decide).parameters.values()
    assert decision.annotation in (Decision, "Decision")
    assert Decision.model_fields["review_id"].annotation is str
