"""The whole look: planted slices and gaps are recovered, and quiet runs stay quiet."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.results.monitor.fairness import fairness, gap, grouping
from qa_agents.results.monitor.monitoring import Monitoring, monitor
from qa_agents.results.monitor.page import page
from qa_agents.results.monitor.slices import find_slices
from qa_agents.results.monitor.words import headline, sentences
from qa_agents.results.schema import Run, RunInfo, ScoredOutput


def outputs(
    seed: int, n: int = 400, *, bad: dict[str, str] | None = None, drop: float = 0.35, **more: Any
) -> list[ScoredOutput]:
    shared, random = np.random.default_rng(1), np.random.default_rng(seed)
    made = []
    for number in range(n):
        groups = {"language": ["en", "de", "ja"][shared.integers(3)], "plan": ["free", "pro"][shared.integers(2)]}
        inside = bad is not None and all(groups[name] == value for name, value in bad.items())
        good = float(random.random() < 0.9 - (drop if inside else 0))
        made.append(
            ScoredOutput(
                case_id=f"c{number}",
                scores={"good": good},
                latency_ms=float(np.exp(6 + 0.3 * shared.normal() + 0.1 * random.normal()) * more.get("slow", 1.0)),
                output=f"answer {number}",
                groups=groups,
            )
        )
    return made


def run(name: str, made: list[ScoredOutput]) -> Run:
    return Run(info=RunInfo(run_id=name), outputs=tuple(made))


@pytest.mark.parametrize("where", [{"language": "ja"}, {"language": "de", "plan": "free"}])
def test_a_planted_slice_is_found_and_named_alone(where: dict[str, str]) -> None:
    found = find_slices(outputs(5, 900, bad=where), outputs(6, 900), ["good"])
    # A pair drags its parts down with it, so that one of them may be told too; what is told first is what was planted.
    assert found.found[0].where == where or found.found[0].where.items() <= where.items()
    assert any(one.where == where for one in found.found)
    assert any(one.where == where for one in found.worse)
    assert found.tested == 11


def test_a_slice_of_a_score_that_is_better_when_low_is_one_where_it_is_high() -> None:
    made = [
        one.model_copy(update={"scores": {"bad": 1 - one.scores["good"]}}) for one in outputs(5, bad={"plan": "pro"})
    ]
    (found,) = find_slices(made, [], ["bad"], lower_is_better=["bad"]).found
    assert (found.name, found.gap.value > 0) == ("plan pro", True)
    assert find_slices(made, [], ["bad"]).found[0].name == "plan free"


def test_small_slices_are_counted_and_not_judged() -> None:
    found = find_slices(outputs(1, 60), [], ["good"])
    assert found.too_small > 0


def test_a_group_that_is_worse_is_told_and_equal_ones_are_shown_to_be_equal() -> None:
    unfair = fairness(outputs(2, 900, bad={"language": "ja"}), "good", ["language"])
    assert unfair is not None
    assert unfair.standing == "worse"
    assert {one.value: one.standing for one in unfair.groups}["ja"] == "worse"
    rng = np.random.default_rng(0)
    many = [
        ScoredOutput(case_id=str(n), scores={"s": float(rng.random() < 0.9)}, groups={"g": "xy"[n % 2]})
        for n in range(6000)
    ]
    fair = fairness(many, "s", ["g"])
    assert fair is not None
    assert fair.standing == "equal"


def test_too_little_data_is_neither_a_difference_nor_equality() -> None:
    made = fairness(outputs(2, 100), "good", ["plan"])
    assert made is not None
    assert made.standing == "undecided"
    few = fairness(outputs(2, 40), "good", ["plan"])
    assert few is not None
    assert {one.standing for one in few.groups} == {"too few"}
    assert few.standing == "undecided"


def test_a_small_difference_within_the_margin_counts_as_equal() -> None:
    rng = np.random.default_rng(0)
    made = [
        ScoredOutput(
            case_id=str(n), scores={"s": 0.7 + 0.02 * (n % 2) + 0.01 * rng.normal()}, groups={"g": "xy"[n % 2]}
        )
        for n in range(400)
    ]
    found = fairness(made, "s", ["g"])
    assert found is not None
    assert found.standing == "equal"


def test_the_gap_of_a_gate_covers_the_largest_of_all_groups() -> None:
    known = [("a", float(n % 10 > 0)) for n in range(200)] + [("b", float(n % 10 > 4)) for n in range(200)]
    found, worst = gap(known, min_n=30, confidence=0.95)
    assert found is not None
    assert worst in ("a", "b")
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high
    assert gap(known[:200], min_n=30, confidence=0.95)[0] is None


def test_an_attribute_with_a_value_for_everybody_makes_no_groups() -> None:
    made = [
        ScoredOutput(case_id=str(n), groups={"customer": str(n), "plan": "ab"[n % 2], "all": "x"}) for n in range(50)
    ]
    assert grouping(made) == ["plan"]


def test_a_quiet_run_says_what_is_equal_and_what_is_open() -> None:
    found = monitor(run("b", outputs(3)), run("a", outputs(4)))
    assert not found.drifted
    assert headline(found).startswith("b: 400 outputs against a (400)")
    assert any("not shown to differ" in one for one in sentences(found))


def test_a_slower_and_worse_run_is_told_with_where_and_since_when() -> None:
    history = [run(f"day{n}", outputs(20 + n)) for n in range(4)]
    found = monitor(run("day4", outputs(9, bad={"language": "ja"}, slow=1.2)), None, history)
    assert set(found.drifted) == {"good", "latency"}
    assert "latency" in found.alarms
    told = " ".join(sentences(found))
    assert "good is worse where language ja" in told
    assert "shown since day4, look 4 of 4" in told
    assert found.latency[0].low is not None
    assert found.latency[0].low > 1.0


def test_texts_are_compared_by_meaning_where_there_is_an_embedder() -> None:
    def embed(texts: Any) -> Any:
        vectors = np.array([[1.0, 3.0 if "sorry" in text else 0.0, len(text) % 7 / 20] for text in texts], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    changed = [one.model_copy(update={"output": f"{one.output} sorry"}) for one in outputs(3)]
    found = monitor(run("b", changed), run("a", outputs(4)), embed=embed)
    assert "output meaning" in found.drifted
    watched = monitor(run("c", changed), None, [run(str(n), outputs(30 + n)) for n in range(4)], embed=embed)
    assert "output meaning" in watched.alarms


def test_a_score_that_came_or_went_is_said() -> None:
    other = [one.model_copy(update={"scores": {"better": 1.0}}) for one in outputs(3)]
    notes = " ".join(monitor(run("b", other), run("a", outputs(4))).notes)
    assert "better is new" in notes
    assert "good is gone" in notes


def test_scores_that_go_missing_are_a_column() -> None:
    holes = [one.model_copy(update={"scores": {}}) if n % 3 == 0 else one for n, one in enumerate(outputs(3))]
    assert "good missing" in monitor(run("b", holes), run("a", outputs(4))).drifted


def test_few_outputs_are_not_tested() -> None:
    found = monitor(run("b", outputs(3, 5)), run("a", outputs(4, 5)))
    assert found.columns == ()
    assert "Fewer than 20" in found.notes[0]
    assert not found.has_findings


def test_nothing_in_the_outputs_is_alive_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    made = [
        one.model_copy(update={"groups": {evil: "x" if n % 2 else f"y{evil}"}, "label": evil})
        for n, one in enumerate(outputs(3))
    ]
    text = page(monitor(run(evil, made), run("a", made)))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@settings(max_examples=12)
@given(
    st.lists(
        st.builds(
            ScoredOutput,
            case_id=st.sampled_from("abcdefgh"),
            scores=st.dictionaries(
                st.sampled_from(["s", "t"]), st.sampled_from([0.0, 1.0, 0.5, -3.0, 1e300]), max_size=2
            ),
            latency_ms=st.none() | st.floats(0, 1e9),
            label=st.none() | st.sampled_from("xy"),
            expected=st.none() | st.sampled_from("xy"),
            groups=st.dictionaries(st.just("g"), st.sampled_from("uv"), max_size=1),
        ),
        max_size=40,
    ),
    st.integers(0, 40),
)
def test_no_outputs_are_too_strange_to_be_looked_at(made: list[ScoredOutput], cut: int) -> None:
    found = monitor(run("b", made), run("a", made[:cut]), [run("c", made[:cut])], min_n=5)
    assert Monitoring.model_validate_json(found.model_dump_json()) == found
    page(found)


def test_a_group_or_score_that_nothing_has_is_said() -> None:
    notes = monitor(run("b", outputs(3)), attributes=["colour"], lower_is_better=["toxic"]).notes
    assert "No output says which colour it belongs to." in notes
    assert "No output has the score toxic." in notes
