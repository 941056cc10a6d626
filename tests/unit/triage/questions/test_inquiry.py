"""Questions: what hangs on the answer comes first, what the past asked for counts, nothing is asked twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.questions.missing import MAX_QUESTIONS, ask, lacking_of
from qa_agents.triage.questions.required_facts import (
    ANY,
    MIN_DECIDED,
    RULES_PATH,
    Need,
    Require,
    Required,
    learn,
    load_required_rules,
    observe,
)
from qa_agents.triage.questions.stakes import Stake, component_stakes, relation_stakes, severity_stakes
from qa_agents.triage.schema import Alternative, Fact, Proposal, Question, Relation, Signals
from qa_agents.triage.severity.factors import read_factors
from qa_agents.triage.severity.rubric import load_rubric

RULES, RUBRIC = load_required_rules(), load_rubric()
TOLD = "When I save in version 2.1 on iOS, the page should stay open but it closes every time."


def asked(description: str = TOLD, **more: object) -> list[Question]:
    report = Report(id="R-1", summary="The booking page is odd", description=description)
    return ask(report, [], Signals(), **more)  # type: ignore[arg-type]


def stakes(summary: str) -> dict[str, Stake]:
    report = Report(id="R-1", summary=summary)
    return severity_stakes(read_factors(report, find_signals(report, []), RUBRIC), RUBRIC, ["Critical", "High", "Low"])


def test_the_question_with_the_higher_stake_comes_first_with_its_reason() -> None:
    found = asked("Odd today, I must say, very odd.", stakes={"version": Stake(2.5, "It would decide.")})
    assert (found[0].fact, found[0].changes_decision) == ("version", "It would decide.")
    assert len(found) <= MAX_QUESTIONS


def test_what_was_asked_is_not_asked_again_in_whatever_words() -> None:
    plain = asked("Odd today, I must say, very odd.")
    first = plain[0]
    assert first.fact not in {q.fact for q in asked("Odd today, I must say, very odd.", asked=[first.text])}
    own = ["Could you please tell us the version?", "Can you send the steps?"]
    assert not {"version", "steps"} & {q.fact for q in asked("Odd today, I must say, very odd.", asked=own)}


def test_a_fact_that_past_triagers_asked_for_is_asked_for_with_the_reason() -> None:
    assert "code" not in {q.fact for q in asked()}
    need = Need(asked=9, incomplete_without=30, without=100, incomplete_with=5, with_it=100)
    found = asked(required=Required(needs={"Booking": {"code": need}}), component="Booking")
    assert next(q.because for q in found if q.fact == "code").startswith("In Booking 30 of 100 reports without it")
    assert "code" not in {q.fact for q in asked(required=Required(needs={"Booking": {"code": need}}), component="Mail")}


def test_a_difference_within_the_noise_is_none() -> None:
    assert Need(incomplete_without=6, without=50, incomplete_with=5, with_it=50).excess == 0
    assert not Need(asked=2, incomplete_without=6, without=50, incomplete_with=5, with_it=50).counts


def test_a_team_may_require_a_fact_outright() -> None:
    rules = RULES.model_copy(update={"require": [Require(component="Booking", facts=["log"])]})
    assert "log" in {q.fact for q in asked(rules=rules, component="Booking")}
    assert "log" not in {q.fact for q in asked(rules=rules, component="Mail")}


def test_the_past_is_learned_from_resolutions_and_notes() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    past = []
    for n in range(2 * MIN_DECIDED):
        bare = n % 2 == 0
        past.append(
            Incident(
                id=f"WKB-{n}",
                summary="Import stops",
                description="The import stops in the middle of it." + ("" if bare else " {code}run(){code}"),
                created=start + timedelta(hours=n),
                component="Import",
                resolution="Needs more info" if bare else "Fixed",
                resolution_note="Please attach a test case." if bare else "Done.",
            )
        )
    found = learn((observe(one, lacking_of, RULES) for one in past), RULES)
    assert found is not None
    where, need = found.need("code", "Import") or ("", Need())
    assert where == "Import"
    assert need.asked == MIN_DECIDED
    assert need.excess == 1.0
    assert found.need("code", "Elsewhere") == (ANY, need)
    assert found.need("reach", "Import") is None
    assert learn((observe(one, lacking_of, RULES) for one in past[:9]), RULES) is None


def test_a_note_that_only_tells_asks_for_nothing() -> None:
    assert RULES.asked_in("Please provide the steps. Fixed in the log module.") == {"steps"}
    assert RULES.asked_in("Fixed the version check and the test case.") == set()


def test_only_a_factor_that_moves_the_level_has_a_stake_and_only_one() -> None:
    assert set(stakes("Question about vouchers")) == {"impact"}
    found = stakes("The total is not updated")
    assert len(found) == 1
    assert "instead of" in next(iter(found.values())).reason


def test_an_open_component_with_two_candidates_has_a_stake() -> None:
    two = [Alternative(value="Booking"), Alternative(value="Import")]
    assert component_stakes(Proposal(alternatives=two))["area"].reason.endswith("Booking and Import.")
    assert component_stakes(Proposal(value="Booking", alternatives=two)) == {}
    assert component_stakes(Proposal(alternatives=two[:1])) == {}


@pytest.mark.parametrize("decides", [True, False])
def test_a_version_has_a_stake_only_where_it_changes_the_relation(decides: bool) -> None:
    def again(facts: object) -> list[Relation]:
        versions = {fact.value for fact in facts if isinstance(fact, Fact) and fact.name == "version"}  # type: ignore[attr-defined]
        kind = "regression-of-fixed" if not decides or "4.2" in versions else "already-fixed"
        return [Relation(incident_id="WKB-7", kind=kind)]  # type: ignore[arg-type]

    found = relation_stakes([], {}, [("WKB-7", {"version": {"4.2"}})], again)
    assert set(found) == ({"version"} if decides else set())
    assert relation_stakes([], {"version": {"4.1"}}, [("WKB-7", {"version": {"4.2"}})], again) == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"steps"', '"Steps ("', "not a phrase"),
        ("order = 4", 'order = "x"', "order"),
        ("[facts.steps]", "[facts", "read"),
    ],
)
def test_wrong_rules_are_refused_in_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "required_facts.toml"
    path.write_text(RULES_PATH.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidInputError, match=message):
        load_required_rules(path)
