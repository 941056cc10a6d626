"""Relations: what became of the incident decides, differences veto, chains end at one open canonical."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.relate import (
    AREA_DENSE,
    MAX_RELATIONS,
    STRONG_DENSE,
    Facts,
    compare,
    fixed_versions,
    relate,
    version_key,
)
from qa_agents.triage.schema import Fact, Relation

NOW = datetime(2024, 6, 1, tzinfo=UTC)
AGO = NOW - timedelta(days=40)
SUMMARY = "Checkout fails with a timeout after the coupon is applied"


def report(**fields: Any) -> Report:
    return Report(id="R-1", summary=SUMMARY, created=NOW, **fields)


def incident(name: str, **fields: Any) -> Incident:
    return Incident(id=name, **{"summary": SUMMARY, "created": AGO, **fields})


def fixed(name: str, **fields: Any) -> Incident:
    return incident(name, resolution="Fixed", status="Closed", resolved=NOW - timedelta(days=9), **fields)


def near(one: Incident, dense: float | None = 0.9, **scores: Any) -> tuple[Candidate, Incident]:
    return Candidate(incident_id=one.id, score=dense or 0.0, dense=dense, **scores), one


def fact(name: Any, value: str) -> Fact:
    return Fact(name=name, value=value, quote=value, field="description", start=0, end=len(value))


def related(
    one: Report,
    neighbours: Iterable[tuple[Candidate, Incident]],
    *,
    facts: list[Fact] | None = None,
    theirs: dict[str, Facts] | None = None,
    chains: dict[str, list[str]] | None = None,
    known: dict[str, Incident] | None = None,
) -> list[Relation]:
    return relate(
        one,
        facts or [],
        list(neighbours),
        chain=lambda name: (chains or {}).get(name, [name]),
        facts_of=lambda i: (theirs or {}).get(i.id, {}),
        as_of=NOW,
        incident_of=lambda name: (known or {}).get(name),
    )


def only(relations: list[Relation]) -> Relation:
    assert len(relations) == 1
    return relations[0]


def test_a_strongly_similar_open_incident_is_a_duplicate_of_open() -> None:
    relation = only(related(report(), [near(incident("A"))]))
    assert (relation.kind, relation.incident_id, relation.state) == ("duplicate-of-open", "A", "open")
    assert relation.probability is None
    assert relation.summary == SUMMARY


def test_a_merely_similar_incident_is_same_area() -> None:
    assert only(related(report(), [near(incident("A"), STRONG_DENSE - 0.01)])).kind == "same-area"


def test_a_distant_incident_is_not_shown() -> None:
    assert related(report(), [near(incident("A"), AREA_DENSE - 0.01)]) == []


def test_a_similarity_that_is_no_number_is_far() -> None:
    assert related(report(), [near(incident("A"), float("nan"))]) == []


def test_nothing_in_memory_relates_to_nothing() -> None:
    assert related(report(), []) == []


def test_shared_words_alone_claim_only_where_no_vectors_were_compared() -> None:
    assert only(related(report(), [near(incident("A"), None, lexical=0.95)])).kind == "duplicate-of-open"
    assert only(related(report(), [near(incident("A"), 0.5, lexical=0.95)])).kind == "same-area"


@pytest.mark.parametrize("resolution", ["Won't Fix", "Invalid", "Cannot Reproduce", "Duplicate", "Withdrawn"])
def test_a_closed_incident_is_never_a_duplicate_of_open(resolution: str) -> None:
    closed = incident("A", resolution=resolution, resolved=NOW - timedelta(days=1))
    relation = only(related(report(), [near(closed, 0.99)]))
    assert (relation.kind, relation.state) == ("same-area", resolution)


def test_an_incident_closed_after_the_report_was_filed_counts_as_open() -> None:
    later = incident("A", resolution="Fixed", resolved=NOW + timedelta(days=1))
    assert only(related(report(), [near(later)])).kind == "duplicate-of-open"


@pytest.mark.parametrize(
    ("reported", "fixed_in", "kind"),
    [
        ("8.0", ["7.9"], "regression-of-fixed"),
        ("8.0", ["8.0.0"], "regression-of-fixed"),
        ("7.8", ["7.9"], "already-fixed"),
        ("8.0.0", ["7.9.3", "8.0.1"], "already-fixed"),
        ("7.9.4", ["7.9.3", "8.0.1"], "regression-of-fixed"),
        ("7.10", ["7.9"], "regression-of-fixed"),
        (None, ["7.9"], "regression-of-fixed"),
        ("Release 7.8.1", "Release 7.9", "already-fixed"),
    ],
)
def test_the_fixed_version_tells_a_regression_from_an_old_version(
    reported: str | None, fixed_in: object, kind: str
) -> None:
    neighbours = [near(fixed("A", version="7.7", fix_versions=fixed_in))]
    assert only(related(report(version=reported), neighbours)).kind == kind


@pytest.mark.parametrize(("reported", "kind"), [("7.9", "already-fixed"), ("8.0", "regression-of-fixed")])
def test_without_a_fixed_version_the_affected_one_bounds_it(reported: str, kind: str) -> None:
    assert only(related(report(version=reported), [near(fixed("A", version="7.9"))])).kind == kind


def test_the_resolution_note_may_name_the_fixed_version() -> None:
    one = fixed("A", version="7.7", resolution_note="Root cause found. Fixed in version 7.9.2, see the release notes.")
    assert fixed_versions(one) == ["7.9.2"]
    assert only(related(report(version="7.8"), [near(one)])).kind == "already-fixed"


def test_same_text_but_another_version_is_vetoed_and_says_why() -> None:
    relation = only(related(report(version="8.0"), [near(incident("A", version="7.9"), 0.99)]))
    assert relation.kind == "same-area"
    assert relation.vetoed_by == "duplicate-of-open: same text, but version 8.0 vs 7.9"
    assert relation.differs == ["version: 8.0 vs 7.9"]


def test_equal_versions_written_differently_are_no_difference() -> None:
    relation = only(related(report(version="8.0"), [near(incident("A", version="Release 8.0.0"))]))
    assert relation.kind == "duplicate-of-open"
    assert relation.same == ["version: 8.0"]
    assert relation.vetoed_by is None


def test_the_version_field_outweighs_versions_in_the_text() -> None:
    relation = only(
        related(
            report(version="8.0"),
            [near(incident("A", version="8.0"))],
            facts=[fact("version", "1.2.3")],
            theirs={"A": {"version": {"4.5.6"}}},
        )
    )
    assert relation.kind == "duplicate-of-open"


@pytest.mark.parametrize(
    ("name", "mine", "dimension", "theirs", "words"),
    [
        ("os", "ios", "os", "android", "OS ios vs android"),
        ("platform", "chrome", "platform", "firefox", "platform chrome vs firefox"),
        ("error_code", "http 500", "error_code", "http 404", "error code http 500 vs http 404"),
        ("endpoint", "/v1/pay", "endpoint", "/v1/search", "endpoint /v1/pay vs /v1/search"),
        ("exception", "a.IOException", "exception", "npe", "exception ioexception vs npe"),
        ("stack_frame", "Cart.add", "top_frame", "Search.run", "top stack frame Cart.add vs Search.run"),
    ],
)
@pytest.mark.parametrize("state", ["open", "fixed"])
def test_any_conflict_vetoes_the_stronger_relation(
    name: str, mine: str, dimension: str, theirs: str, words: str, state: str
) -> None:
    one = incident("A") if state == "open" else fixed("A")
    relation = only(related(report(), [near(one)], facts=[fact(name, mine)], theirs={"A": {dimension: {theirs}}}))
    kind = "duplicate-of-open" if state == "open" else "regression-of-fixed"
    assert relation.kind == "same-area"
    assert relation.vetoed_by == f"{kind}: similar text, but {words}"


def test_a_dimension_only_one_side_names_is_no_conflict() -> None:
    relation = only(related(report(), [near(incident("A"))], facts=[fact("os", "ios")]))
    assert (relation.kind, relation.same, relation.differs) == ("duplicate-of-open", [], [])


def test_one_shared_value_is_agreement() -> None:
    comparison = compare({"os": {"ios", "android"}}, {"os": {"Android", "windows"}})
    assert comparison.same == ["OS: android"]
    assert comparison.conflicts == {}


def test_another_version_than_the_fixed_incidents_does_not_veto_a_regression() -> None:
    relation = only(related(report(version="8.0"), [near(fixed("A", version="7.7", fix_versions=["7.9"]))]))
    assert (relation.kind, relation.vetoed_by) == ("regression-of-fixed", None)
    assert relation.differs == ["version: 8.0 vs 7.7"]


def test_a_chain_of_three_ends_at_its_open_canonical() -> None:
    middle = incident("B", resolution="Duplicate", resolved=AGO, duplicate_of=["A"])
    last = incident("C", resolution="Duplicate", resolved=AGO, duplicate_of=["B"])
    chains = {"C": ["C", "B", "A"], "B": ["B", "A"]}
    relations = related(report(), [near(last), near(middle), near(incident("A"), 0.7)], chains=chains)
    assert [(r.incident_id, r.kind) for r in relations] == [("A", "duplicate-of-open")]
    assert relations[0].same == ["C, its duplicate, is alike"]


def test_a_canonical_outside_the_neighbours_is_looked_up() -> None:
    duplicate = incident("B", resolution="Duplicate", resolved=AGO, duplicate_of=["A"])
    found = only(
        related(report(), [near(duplicate)], chains={"B": ["B", "A"]}, known={"A": incident("A", summary="Original")})
    )
    assert (found.incident_id, found.kind, found.summary) == ("A", "duplicate-of-open", "Original")


def test_an_unknown_canonical_is_named_but_only_as_same_area() -> None:
    duplicate = incident("B", resolution="Duplicate", resolved=AGO, duplicate_of=["A"])
    found = only(related(report(), [near(duplicate)], chains={"B": ["B", "A"]}))
    assert (found.incident_id, found.kind, found.state) == ("A", "same-area", "")
    assert found.same == ["B, its duplicate, is alike"]


def test_a_version_that_a_confirmed_duplicate_names_is_no_difference() -> None:
    duplicate = incident("B", version="8.0", resolution="Duplicate", resolved=AGO, duplicate_of=["A"])
    original = incident("A", version="7.9")
    found = only(related(report(version="8.0"), [near(duplicate)], chains={"B": ["B", "A"]}, known={"A": original}))
    assert found.kind == "duplicate-of-open"


def test_a_report_is_never_related_to_itself() -> None:
    itself = incident("R-1")
    through = incident("B", resolution="Duplicate", resolved=AGO, duplicate_of=["R-1"])
    assert related(report(), [near(itself), near(through)], chains={"B": ["B", "R-1"]}) == []


def test_only_the_nearest_incident_is_claimed_and_the_claim_comes_first() -> None:
    neighbours = [near(incident("A"), 0.85), near(incident("B"), 0.95), near(fixed("C"), 0.82)]
    relations = related(report(), neighbours)
    assert [(r.incident_id, r.kind) for r in relations] == [
        ("B", "duplicate-of-open"),
        ("C", "regression-of-fixed"),
        ("A", "same-area"),
    ]


def test_a_vetoed_lookalike_leaves_the_claim_to_the_next() -> None:
    neighbours = [near(incident("OLD", version="7.9"), 0.99), near(incident("NEW", version="8.0"), 0.90)]
    relations = related(report(version="8.0"), neighbours)
    assert [(r.incident_id, r.kind) for r in relations] == [("NEW", "duplicate-of-open"), ("OLD", "same-area")]


def test_a_vague_report_is_no_duplicate_of_anything() -> None:
    vague = Report(id="R-1", summary="crash on start", created=NOW)
    assert only(related(vague, [near(incident("A", summary="crash on start"), 1.0)])).kind == "same-area"


def test_no_more_than_the_limit_is_shown_each_incident_once() -> None:
    neighbours = [near(incident(f"I-{k % 9}"), 0.9) for k in range(30)]
    relations = related(report(), neighbours)
    assert len(relations) == MAX_RELATIONS
    assert len({r.incident_id for r in relations}) == MAX_RELATIONS


def test_shared_rare_words_are_shown() -> None:
    relation = only(related(report(), [near(incident("A"), shared=["coupon", "timeout"])]))
    assert relation.same == ["words: coupon, timeout"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Release 8.0", (8,)),
        ("v1.10.0", (1, 10)),
        ("3.1.0.v2013", (3, 1)),
        ("0", (0,)),
        ("next", None),
        ("9" * 100_000, (999_999_999,)),
    ],
)
def test_versions_compare_by_their_numbers(text: str, key: tuple[int, ...] | None) -> None:
    assert version_key(text) == key


def test_hostile_texts_are_handled() -> None:
    hostile = "fixed in " * 25_000
    one = fixed("A", resolution_note=hostile, fix_versions=[{"a": 1}, None, "." * 200_000])
    relation = only(related(report(version="1." * 100_000), [near(one)], facts=[fact("endpoint", "/x" * 100_000)]))
    assert relation.kind == "regression-of-fixed"


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1), st.booleans(), st.sampled_from([None, "1.0", "2.0"]), st.sampled_from(["Fixed", "Invalid"])
        ),
        max_size=20,
    ),
    st.sampled_from([None, "1.0", "2.0"]),
)
def test_invariants_hold_whatever_the_neighbours(
    rows: list[tuple[float, bool, str | None, str]], version: str | None
) -> None:
    neighbours = [
        near(
            incident(f"I-{k}", version=v, **({} if is_open else {"resolution": r, "resolved": AGO})),
            dense,
        )
        for k, (dense, is_open, v, r) in enumerate(rows)
    ]
    relations = related(report(version=version), neighbours)
    assert len(relations) <= MAX_RELATIONS
    for relation in relations:
        assert relation.kind != "duplicate-of-open" or relation.state == "open"
        assert relation.kind == "same-area" or relation.vetoed_by is None
        assert relation.kind != "duplicate-of-open" or relation.differs == []
    kinds = [relation.kind == "same-area" for relation in relations]
    assert kinds == sorted(kinds)
