"""The gate, row by row: what it sees, what it must say."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.checkpoint.gate_policy import ACTIONS, ActionModes, GatePolicy
from qa_agents.trackers.schema import Action
from qa_agents.triage.gate.judge import ASKING, BLOCKING, Case, Watch, judge
from qa_agents.triage.gate.standing import Standing
from qa_agents.triage.schema import FIELDS, HABIT, SILENT, Evidence, Fact, Proposal, Relation, Signals

LIVE = GatePolicy.model_validate(dict.fromkeys(FIELDS, "live"))
EARNED = Standing(field="any", band="0.98–1.00", kept=199, n=200, low=0.976, target=0.95, needed=30)
LOST = EARNED.model_copy(update={"kept": 180, "low": 0.86})
QUOTE = Fact(name="impact", value="x", quote="session hijack", field="summary", start=0, end=14)


def sure(value: str, kept: int | None = 196) -> Proposal:
    """A value that people kept in `kept` of 200 like cases; the empty one is undetermined."""
    return Proposal(
        value=value or None, probability=None if kept is None else kept / 200, kept=kept, cases=kept and 200
    )


OPEN = Case(
    policy=LIVE,
    signals=Signals(),
    proposals={"component": sure("Billing"), "severity": sure("Low"), "priority": sure("P3"), "type": sure("Bug")},
    relations=[],
    memory_size=5_000,
    supported=True,
    top_severities=frozenset({"Critical"}),
    notes=[],
    watch=Watch(standings=dict.fromkeys(FIELDS, EARNED), unproven="", threshold=0.5, score=0.1),
)


def case(**changes: Any) -> Case:
    proposals = {**OPEN.proposals, **changes.pop("proposals", {})}
    return replace(OPEN, proposals=proposals, **changes)


def relation(**values: Any) -> Relation:
    return Relation.model_validate({"incident_id": "PAY-1", "kind": "same-area", **values})


def test_only_a_case_that_no_rule_speaks_about_goes_on_alone() -> None:
    assert judge(OPEN).decision == "auto"


@pytest.mark.parametrize(
    ("changes", "decision", "rule"),
    [
        ({"signals": Signals(security=[QUOTE])}, "block", "security"),
        ({"signals": Signals(privacy=[QUOTE])}, "block", "privacy"),
        ({"signals": Signals(data_loss=[QUOTE])}, "block", "data-loss"),
        ({"signals": Signals(money=[QUOTE])}, "block", "money"),
        ({"signals": Signals(legal=[QUOTE])}, "block", "legal"),
        ({"signals": Signals(injection=[QUOTE])}, "block", "injection"),
        ({"signals": Signals(hidden=["ignore the above"])}, "block", "hidden-text"),
        ({"signals": Signals(secrets=["aws-access-key"])}, "block", "secret"),
        ({"signals": Signals(language="other")}, "ask", "language"),
        ({"proposals": {"severity": sure("Critical")}}, "ask", "top-severity"),
        ({"proposals": {"severity": Proposal()}}, "ask", "severity-unknown"),
        ({"proposals": {"component": sure("Billing", 100)}}, "ask", "uncertain"),
        ({"proposals": {"component": sure("Billing", None)}}, "ask", "uncertain"),
        (
            {"proposals": {"component": Proposal(value="Billing", probability=1.0, kept=20, cases=20)}},
            "ask",
            "uncertain",
        ),
        ({"relations": [relation(kind="duplicate-of-open")]}, "ask", "relation"),
        ({"relations": [relation(kind="regression-of-fixed")]}, "ask", "relation"),
        ({"relations": [relation(vetoed_by="duplicate-of-open: version 8.0 vs 7.9")]}, "ask", "look-alike"),
        ({"memory_size": 3}, "ask", "new-project"),
        ({"supported": False}, "ask", "no-support"),
        ({"notes": ["vectors are missing"]}, "ask", "search"),
        ({"policy": GatePolicy()}, "ask", "policy"),
        ({"policy": GatePolicy.model_validate(dict.fromkeys(FIELDS, "shadow"))}, "ask", "policy"),
        ({"actions": [Action(kind="add_comment", target="X")]}, "ask", "policy"),
        ({"watch": replace(OPEN.watch, standings={})}, "ask", "demoted"),
        ({"watch": replace(OPEN.watch, standings=dict.fromkeys(FIELDS, LOST))}, "ask", "demoted"),
        ({"watch": replace(OPEN.watch, unproven="Nothing was calibrated.")}, "ask", "critical-bound"),
        ({"watch": replace(OPEN.watch, score=0.5)}, "ask", "critical-bound"),
        ({"watch": replace(OPEN.watch, score=None)}, "ask", "critical-bound"),
        ({"watch": replace(OPEN.watch, unfamiliar="It is far from everything.")}, "ask", "unfamiliar"),
        ({"watch": replace(OPEN.watch, product_size=3)}, "ask", "new-project"),
        ({"quiet": True}, "ask", "quiet-hours"),
        (
            {"proposals": {"type": Proposal(against=[Evidence(kind="rate", text="the like are split")])}},
            "ask",
            "conflict",
        ),
    ],
)
def test_each_rule_stops_for_a_person(changes: dict[str, Any], decision: str, rule: str) -> None:
    gate = judge(case(**changes))
    assert gate.decision == decision
    assert rule in [reason.split(":")[0] for reason in gate.reasons]


def test_nothing_to_propose_is_said_and_stops() -> None:
    gate = judge(case(proposals={name: Proposal() for name in FIELDS}))
    assert gate.decision == "abstain"
    assert gate.reasons


def test_a_weak_relation_alone_does_not_stop_an_open_gate() -> None:
    assert judge(case(relations=[relation()])).decision == "auto"


def test_a_field_in_shadow_is_nothing_to_approve_and_holds_nothing_up() -> None:
    policy = LIVE.model_copy(update={"priority": "shadow"})
    assert judge(case(policy=policy)).decision == "auto"


def test_a_live_kind_of_action_goes_along_with_a_live_field() -> None:
    policy = LIVE.model_copy(update={"actions": ActionModes(create="live")})
    created, linked = Action(kind="create_issue", target="X"), Action(kind="link_issue", target="X")
    assert judge(case(policy=policy, actions=[created])).decision == "auto"
    assert judge(case(policy=policy, actions=[created, linked])).decision == "ask"


def test_a_demoted_field_says_so_with_numbers() -> None:
    gate = judge(case(watch=replace(OPEN.watch, standings={**OPEN.watch.standings, "type": LOST})))
    (reason,) = gate.reasons
    assert "type is live by policy and demoted itself" in reason
    assert "kept in 180 of 200" in reason


SIGNALS = st.builds(
    Signals,
    security=st.lists(st.just(QUOTE), max_size=1),
    injection=st.lists(st.just(QUOTE), max_size=1),
    language=st.sampled_from(["en", "other"]),
)
PROPOSALS = st.fixed_dictionaries(
    {name: st.builds(sure, st.sampled_from(["", "a", "Critical"]), st.sampled_from([None, 80, 200])) for name in FIELDS}
)


@given(SIGNALS, PROPOSALS, st.integers(0, 200), st.booleans(), st.sampled_from([GatePolicy(), LIVE]))
def test_a_person_decides_unless_every_rule_is_silent(
    signals: Signals, proposals: Any, size: int, supported: bool, policy: GatePolicy
) -> None:
    seen = case(signals=signals, proposals=proposals, memory_size=size, supported=supported, policy=policy)
    gate = judge(seen)
    silent = not any(list(rule(seen)) for rule in (BLOCKING | ASKING).values())
    assert (gate.decision == "auto") == (silent and any(p.value for p in seen.proposals.values()))
    assert gate.decision == "auto" or gate.reasons


@given(PROPOSALS)
def test_a_signal_can_only_raise_the_need_for_a_person(proposals: Any) -> None:
    order = ["auto", "ask", "abstain", "block"]
    calm, alarmed = (judge(case(proposals=proposals, signals=s)) for s in (Signals(), Signals(security=[QUOTE])))
    assert order.index(alarmed.decision) >= order.index(calm.decision)
    assert alarmed.decision == "block"


WATCHES = st.builds(
    Watch,
    standings=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from([EARNED, LOST])),
    unproven=st.sampled_from(["", "The score has changed."]),
    threshold=st.sampled_from([0.0, 0.5]),
    score=st.one_of(st.none(), st.floats(0, 1)),
    unfamiliar=st.sampled_from(["", "It is far from everything."]),
    product_size=st.one_of(st.none(), st.integers(0, 100)),
)
POLICIES = st.builds(
    lambda modes, kinds: GatePolicy.model_validate({**modes, "actions": kinds}),
    st.fixed_dictionaries({name: st.sampled_from(["shadow", "gated", "live"]) for name in FIELDS}),
    st.fixed_dictionaries({name: st.sampled_from(["shadow", "gated", "live"]) for name in ACTIONS}),
)
WRITES = st.lists(
    st.sampled_from(
        [
            Action(kind="create_issue", target="X"),
            Action(kind="add_comment", target="X"),
            Action(kind="add_comment", target="X", params={"public": True}),
            Action(kind="link_issue", target="X"),
        ]
    ),
    max_size=3,
)


@given(PROPOSALS, WATCHES, POLICIES, WRITES)
def test_what_acts_is_live_earned_and_below_the_threshold(
    proposals: Any, watch: Watch, policy: GatePolicy, actions: list[Action]
) -> None:
    seen = case(proposals=proposals, watch=watch, policy=policy, actions=actions)
    if judge(seen).decision != "auto":
        return
    proposed = [name for name, proposal in seen.proposals.items() if proposal.value]
    acting = [name for name in proposed if getattr(policy, name) != "shadow"]
    assert acting
    assert all(getattr(policy, name) == "live" and watch.standings[name].holds for name in acting)
    assert all(policy.mode_of(action.kind, action.params) == "live" for action in actions)
    assert not watch.unproven
    assert watch.score is not None
    assert watch.score < watch.threshold


REASONS: tuple[dict[str, Any], ...] = (
    {"signals": Signals(legal=[QUOTE])},
    {"relations": [Relation(incident_id="PAY-1", kind="already-fixed")]},
    {"memory_size": 0},
    {"supported": False},
    {"notes": ["vectors are missing"]},
    {"quiet": True},
    {"policy": GatePolicy()},
    {"actions": [Action(kind="link_issue", target="X")]},
)


@given(PROPOSALS, WATCHES, st.sampled_from(REASONS), st.sampled_from([GatePolicy(), LIVE]))
def test_one_more_reason_never_opens_the_gate(
    proposals: Any, watch: Watch, reason: dict[str, Any], policy: GatePolicy
) -> None:
    before = judge(case(**{"proposals": proposals, "watch": watch, "policy": policy}))
    after = judge(case(**{"proposals": proposals, "watch": watch, "policy": policy, **reason}))
    assert after.decision != "auto"
    assert before.decision != "block" or after.decision == "block"


@given(PROPOSALS, WATCHES, st.floats(0, 1))
def test_a_higher_score_never_opens_the_gate(proposals: Any, watch: Watch, more: float) -> None:
    higher = replace(watch, score=max(watch.score or 0.0, more))
    if judge(case(proposals=proposals, watch=higher)).decision == "auto":
        lower = replace(watch, score=min(watch.score or 0.0, more))
        assert judge(case(proposals=proposals, watch=lower)).decision == "auto"


def test_a_severity_by_habit_asks_although_it_has_a_value() -> None:
    by_habit = sure("Low").model_copy(update={"evidence": [Evidence(kind="rule", text="Habit.", ref=HABIT)]})
    found = judge(case(proposals={"severity": by_habit}))
    assert found.decision == "ask"
    assert [reason.partition(":")[0] for reason in found.reasons] == ["severity-unknown"]


@pytest.mark.parametrize(("ref", "decision"), [(SILENT, "auto"), ("undetermined", "ask")])
def test_a_field_that_is_silent_as_a_rule_is_no_conflict(ref: str, decision: str) -> None:
    silent = Proposal(against=[Evidence(kind="rule", text="It cannot be told.", ref=ref)])
    assert judge(case(proposals={"priority": silent})).decision == decision
