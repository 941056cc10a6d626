"""The `[gate]` table: nothing is open by default, and every kind of write has a mode."""

from pathlib import Path

import pytest

from qa_agents.checkpoint.gate_policy import FIELD_MODES, GatePolicy
from qa_agents.checkpoint.policy import load_policy
from qa_agents.errors import InvalidInputError
from qa_agents.triage.schema import FIELDS


def test_nothing_is_open_by_default() -> None:
    policy = GatePolicy()
    assert not policy.is_open
    assert tuple(FIELDS) == FIELD_MODES
    assert {policy.mode_of("set_field", {"field": name}) for name in FIELDS} == {"gated"}


@pytest.mark.parametrize(
    ("kind", "params", "mode"),
    [
        ("set_field", {"field": "type"}, "live"),
        ("set_field", {"field": "priority"}, "gated"),
        ("set_field", {"field": "target"}, "gated"),
        ("set_field", {}, "gated"),
        ("create_issue", {}, "live"),
        ("add_comment", {"public": False}, "shadow"),
        ("add_comment", {"public": True}, "gated"),
        ("add_label", {"label": "x"}, "gated"),
        ("link_issue", {}, "gated"),
        ("withdraw_issue", {}, "gated"),
    ],
)
def test_every_write_has_a_mode_and_the_unknown_is_gated(kind: str, params: dict[str, object], mode: str) -> None:
    policy = GatePolicy.model_validate({"type": "live", "actions": {"create": "live", "comment": "shadow"}})
    assert policy.mode_of(kind, params) == mode


def test_filers_are_known_by_name() -> None:
    policy = GatePolicy(split_by=["filer"], filers={"staff": ["Ada", "linus"]})
    assert policy.filer_of(" ada ") == "staff"
    assert policy.filer_of("grace") == policy.filer_of(None) == "other"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[gate]\ncomponent = "open"', "gate: component: Input should be 'shadow', 'gated' or 'live'"),
        ('[gate]\ncomponents = "live"', "gate: components is not a known key (did you mean component?)"),
        ('[gate.actions]\ncoment = "live"', "gate: actions: coment is not a known key (did you mean comment?)"),
        ("[gate]\nmin_decisions = 300", "min_decisions is more than last"),
        ('[gate]\nsplit_by = ["filer"]', "filers says of nobody"),
        ("[gate]\ntarget = 1.0", "target: Input should be less than 1"),
        ("[gate.costs]\nreview = 0\nmiss = 1", "costs: review: Input should be greater than 0"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError) as raised:
        load_policy(path)
    assert said in str(raised.value)
