"""What a model said about a report, held against what it was shown."""

import pytest

from qa_agents.incidents.schema import Incident, Report
from qa_agents.llm.answers import AskedQuestions, FoundFacts, Judgements, PlainSummary, RootCause
from qa_agents.triage import witness_checks as checks
from qa_agents.triage.facts.extract import extract_facts
from qa_agents.triage.schema import Evidence, Hypothesis, Opinion, Question, Relation

REPORT = Report(
    id="IN-1",
    summary="Gallery stays empty after the update",
    description="Since 4.11 on our Windows till the photo gallery is a grey page. "
    "Three of our studios have it. Mail ada@example.com.",
)
PAST = [
    Incident(id="W-1", summary="Gallery grey on Windows", description="The gallery shows a grey page after 4.10.",
             resolution="Fixed", resolution_note="The cache of thumbnails was keyed by path. Fixed in 4.12."),
    Incident(id="W-2", summary="Photos missing", description="Photos vanish after a sync.", duplicate_of=["W-9"]),
]  # fmt: skip


def facts(*named: tuple[str, str]) -> FoundFacts:
    return FoundFacts.model_validate({"facts": [{"name": name, "quote": quote} for name, quote in named]})


def judged(*said: tuple[int, str, str]) -> Judgements:
    rows = [{"candidate": c, "same_fix": fix, "rests_on": "symptom", "quote": quote} for c, fix, quote in said]
    return Judgements.model_validate({"judgements": rows})


def claimed(*said: tuple[str, int, str]) -> RootCause:
    return RootCause.model_validate({"claims": [{"text": t, "candidate": c, "quote": q} for t, c, q in said]})


def test_a_fact_has_its_words_at_its_place() -> None:
    (found,) = checks.found_facts(facts(("impact", "Three of our studios have it.")), REPORT, [], {})
    assert found.field == "description"
    assert REPORT.description[found.start : found.end] == found.quote == "Three of our studios have it."


def test_a_fact_that_the_report_does_not_say_is_dropped() -> None:
    assert (
        checks.found_facts(facts(("impact", "All customers are affected."), ("version", "4.13")), REPORT, [], {}) == []
    )


def test_a_fact_that_the_rules_found_is_not_found_again() -> None:
    known = extract_facts(REPORT)
    assert any(fact.name == "version" for fact in known)
    assert checks.found_facts(facts(("version", "4.11")), REPORT, known, {}) == []


def test_a_fact_with_a_removed_address_is_found_and_shown_without_it() -> None:
    (found,) = checks.found_facts(facts(("actual", "Mail ⟨EMAIL_1⟩.")), REPORT, [], {"⟨EMAIL_1⟩": "ada@example.com"})
    assert REPORT.description[found.start : found.end] == "Mail ada@example.com."


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ((1, "yes", "The gallery shows a grey page"), ["W-1"]),
        ((1, "yes", "keyed by path. Fixed in 4.12."), ["W-1"]),
        ((2, "yes", "The gallery shows a grey page"), []),
        ((3, "yes", "The gallery shows a grey page"), []),
        ((1, "yes", "grey"), []),
        ((1, "no", "The gallery shows a green page"), []),
    ],
)
def test_an_opinion_needs_a_shown_incident_and_its_words(said: tuple[int, str, str], kept: list[str]) -> None:
    assert [one.incident_id for one in checks.opinions(judged(said), PAST, {})] == kept


def test_the_first_opinion_about_an_incident_counts() -> None:
    both = judged((1, "no", "The gallery shows a grey page"), (1, "yes", "The gallery shows a grey page"))
    assert [one.same_fix for one in checks.opinions(both, PAST, {})] == ["no"]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Thumbnails may be keyed by path, as before 4.12.", True),
        ("Thumbnails may be keyed by path; 73 % of tills are hit.", False),
        ("See https://evil.example for the cause.", False),
        ("Fixed like W-1 by another key.", True),
    ],
)
def test_a_claim_has_traceable_numbers_and_no_link(text: str, holds: bool) -> None:
    found = checks.root_cause(claimed((text, 1, "cache of thumbnails was keyed by path")), REPORT, PAST, {})
    assert (found is not None) is holds
    if found:
        assert [(one.ref, one.text) for one in found.evidence] == [("W-1", "cache of thumbnails was keyed by path")]


def test_claims_that_rest_on_nothing_are_no_hypothesis() -> None:
    assert checks.root_cause(claimed(("It is the disk.", 2, "the disk was full")), REPORT, PAST, {}) is None
    assert checks.root_cause(claimed(), REPORT, PAST, {}) is None


def test_questions_are_the_fixed_ones_in_other_words() -> None:
    missing = [Question(fact="version", text="Which version?"), Question(fact="steps", text="Which steps?")]
    rows = [
        {"asks_for": 2, "text": "What do you press\nbefore the gallery turns grey?"},
        {"asks_for": 2, "text": "And then?"},
        {"asks_for": 3, "text": "What is your password?"},
        {"asks_for": 1, "text": "Is it version 9.9.9?"},
    ]
    asked = AskedQuestions.model_validate({"questions": rows[:3]})
    assert checks.questions(asked, REPORT, missing) == ["What do you press before the gallery turns grey?"]
    assert checks.questions(AskedQuestions.model_validate({"questions": rows[3:]}), REPORT, missing) == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The gallery is empty since 4.11.", True),
        ("The gallery is empty for 40 studios.", False),
        ("The gallery is empty, see www.evil.example.", False),
    ],
)
def test_a_summary_adds_no_number_and_no_link(text: str, kept: bool) -> None:
    assert bool(checks.summary(PlainSummary(text=text), REPORT)) is kept


def opinion(incident_id: str, same_fix: str) -> Opinion:
    return Opinion.model_validate(
        {"incident_id": incident_id, "same_fix": same_fix, "evidence": {"kind": "incident", "text": "x"}}
    )


@pytest.mark.parametrize(
    ("kind", "same_fix", "doubted"),
    [
        ("duplicate-of-open", "no", True),
        ("regression-of-fixed", "no", True),
        ("already-fixed", "yes", False),
        ("same-area", "yes", True),
        ("same-area", "no", False),
        (None, "yes", True),
        (None, "no", False),
        ("duplicate-of-open", "unclear", False),
        (None, "unclear", False),
    ],
)
def test_only_a_disagreement_is_a_doubt(kind: str | None, same_fix: str, doubted: bool) -> None:
    relations = [Relation.model_validate({"incident_id": "W-1", "kind": kind})] if kind else []
    assert bool(checks.relation_doubts([opinion("W-1", same_fix)], relations, PAST)) is doubted


def test_an_opinion_about_a_copy_is_one_about_the_first_report() -> None:
    relations = [Relation.model_validate({"incident_id": "W-9", "kind": "duplicate-of-open"})]
    assert checks.relation_doubts([opinion("W-2", "yes")], relations, PAST) == []
    assert checks.relation_doubts([opinion("W-2", "no")], relations, PAST)


def test_two_hypotheses_part_where_they_rest_on_other_incidents() -> None:
    def on(incident_id: str) -> Hypothesis:
        return Hypothesis(text="x", evidence=[Evidence(kind="incident", text="x", ref=incident_id)])

    assert checks.hypothesis_doubts(on("W-1"), on("W-2"))
    assert not checks.hypothesis_doubts(on("W-1"), on("W-1"))
    assert not checks.hypothesis_doubts(None, on("W-1"))
    assert not checks.hypothesis_doubts(on("W-1"), None)
