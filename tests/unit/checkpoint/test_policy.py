import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.checkpoint.hours import QuietHours, active_hours, is_quiet
from qa_agents.checkpoint.policy import DEFAULT, Policy, authenticate, load_policy, unknown_names
from qa_agents.errors import InvalidInputError, NotAllowedError

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "policy.toml"
TOKEN = "a token that nobody guesses"
KEY = hashlib.sha256(TOKEN.encode()).hexdigest()
PEOPLE = f"""
[reviewers.ada]
roles = "triage"
login = "ada"
[reviewers.grace]
roles = ["lead"]
key_sha256 = "{KEY}"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_valid_and_every_rule_of_it_can_match() -> None:
    from typing import get_args

    from qa_agents.triage.gate.judge import ASKING, BLOCKING
    from qa_agents.triage.schema import FieldName

    policy = load_policy(EXAMPLE)
    assert policy.sha256 == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()
    assert len(policy.rule) >= 5
    assert policy.quiet_hours is not None
    known = {"rules": [*BLOCKING, *ASKING], "fields": get_args(FieldName), "kinds": ("triage", "plan", "summary")}
    assert unknown_names(policy, **known) == []


def test_without_a_file_anybody_may_decide_alone() -> None:
    assert load_policy(None) == DEFAULT
    assert (DEFAULT.reviewers, DEFAULT.rule) == ({}, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[rule]]\nname = "x"\naprovals = 2', "rule 1 (“x”): aprovals is not a known key (did you mean approvals?)"),
        ("anyone = true", "anyone is not a known key"),
        ('[quiet_hours]\nstart = "18:00"\nend = "08:00"\nzone = "UTC"', "quiet_hours: zone is not a known key"),
        ('[[rule]]\nname = "x"\n[rule.when]\ngates = "ask"', "when: gates is not a known key (did you mean gate?)"),
        ('[[rule]]\nname = "x"\n[rule.when]\ngate = "nope"', "Input should be 'auto', 'ask', 'block' or 'abstain'"),
        ("[[rule]]\napprovals = 2", "name is missing"),
        ("canary_rate = 2", "canary_rate: Input should be less than or equal to 1"),
        ("x = [", "not TOML"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        (f'sha256 = "{"0" * 64}"', "sha256 is not a key"),
        ("[reviewers.ada]\nroles = ['lead']", "needs a login, a key_sha256, a password_argon2 or an oidc"),
        (f'{PEOPLE}[[rule]]\nname = "m"\napprovals = 3', "needs 3 approvals, but those who may give them are 2"),
        (f'{PEOPLE}[[rule]]\nname = "m"\nroles = ["boss"]', "names the role boss, which nobody has"),
        (f'{PEOPLE}[[rule]]\nname = "m"\nof = ["bob"]', "names bob, who is not a listed reviewer"),
        (f'{PEOPLE}[[rule]]\nname = "m"\nsla_hours = 1\nescalate = "bob"', "escalate bob"),
        (f'{PEOPLE}[[rule]]\nname = "m"\nreroute_to = "lead"', "not when they are overdue"),
        (f'{PEOPLE}[[rule]]\nname = "m"\n[[rule]]\nname = "m"', "two entries have the name of a rule m"),
        (f'{PEOPLE}[reviewers.Ada]\nlogin = "ada2"', "two entries have the name ada"),
        (f'{PEOPLE}[reviewers.bob]\nlogin = "ada"', "two entries have the login ada"),
        (f'{PEOPLE}[reviewers.bob]\nkey_sha256 = "{KEY}"', "two entries have the key_sha256"),
        (f'{PEOPLE}[reviewers.lead]\nlogin = "x"', "lead is the name of a person and of a role"),
        ('[[rule]]\nname = "m"\napprovals = 2', "needs [reviewers]"),
        ('[quiet_hours]\nstart = "18:00"\nend = "18:00"', "start and end are the same"),
        ('[quiet_hours]\nstart = "18:00"\nend = "08:00"\ntimezone = "Mars/Base"', "no time zone known here"),
        ('[quiet_hours]\nstart = "18:00"\nend = "08:00"\ntimezone = "../../etc/passwd"', "no time zone known here"),
        ('reason_codes = ["Not A Code"]', "reason_codes"),
    ],
)
def test_a_wrong_policy_is_refused_saying_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load_policy(written(tmp_path, text))
    assert said in str(refused.value)
    assert "policy.toml" in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        load_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        load_policy(tmp_path / "latin.toml")


def test_a_rule_that_waits_for_something_that_never_occurs_is_named(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, f'{PEOPLE}[[rule]]\nname = "m"\nwhen = {{ rules = ["securty"] }}'))
    said = unknown_names(policy, rules=["security"], fields=[], kinds=[])
    assert said == ["The rule “m” waits for rules securty, which does not exist (did you mean security?)."]


@pytest.mark.parametrize(
    ("claimed", "login", "token", "expected"),
    [
        ("ada", "ada", None, ("ada", ("triage",), "os-login")),
        (None, "ada", None, ("ada", ("triage",), "os-login")),
        ("grace", "anybody", TOKEN, ("grace", ("lead",), "token")),
        (None, "ada", TOKEN, ("grace", ("lead",), "token")),
        ("ada", "ada", TOKEN, ("ada", ("triage",), "os-login")),
        ("ada", "grace", None, None),
        ("grace", "grace", None, None),
        ("grace", "ada", "another token", None),
        ("grace", "ada", "", None),
        ("ADA", "ada", None, None),
        ("mallory", "ada", TOKEN, None),
        (None, "mallory", None, None),
        (None, None, None, None),
    ],
)
def test_a_listed_person_is_recognised_by_login_or_token_and_nobody_else_is(
    tmp_path: Path, claimed: str | None, login: str | None, token: str | None, expected: object
) -> None:
    policy = load_policy(written(tmp_path, PEOPLE))
    if expected is None:
        with pytest.raises(NotAllowedError):
            authenticate(policy, claimed, login, token)
        return
    found = authenticate(policy, claimed, login, token)
    assert (found.name, found.roles, found.auth) == expected


def test_without_a_list_a_name_is_taken_as_given_and_said_to_be_unverified() -> None:
    assert authenticate(DEFAULT, "ada", "root", None).auth == "unverified"
    assert authenticate(DEFAULT, None, "root", None).auth == "os-login"


def test_the_teams_reason_codes_stand_beside_the_common_ones(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, 'reason_codes = ["known-limitation", "other"]'))
    assert policy.all_reason_codes[-1] == "known-limitation"
    assert policy.all_reason_codes.count("other") == 1


BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = QuietHours.model_validate(
    {"start": "18:00", "end": "08:00", "timezone": "Europe/Berlin", "all_day": ["sat", "sun"]}
)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-03-02T12:00", False),
        ("2026-03-02T17:59", False),
        ("2026-03-02T18:00", True),
        ("2026-03-03T07:59", True),
        ("2026-03-03T08:00", False),
        ("2026-03-07T12:00", True),
        ("2026-03-09T07:00", True),
        ("2026-03-09T08:00", False),
    ],
)
def test_nights_and_weekends_are_quiet(moment: str, quiet: bool) -> None:
    assert is_quiet(NIGHTS, at(moment)) is quiet


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-02T09:00", "2026-03-02T12:00", 3),
        ("2026-03-02T17:00", "2026-03-03T09:00", 2),
        ("2026-03-06T17:00", "2026-03-09T09:00", 2),
        ("2026-03-06T20:00", "2026-03-08T20:00", 0),
        ("2026-03-27T17:00", "2026-03-30T09:00", 2),
        ("2026-03-02T12:00", "2026-03-02T09:00", 0),
        ("2026-03-02T08:00", "2026-03-09T08:00", 50),
    ],
)
def test_clocks_stand_still_in_quiet_hours_also_over_a_change_of_the_clock(start: str, end: str, hours: float) -> None:
    assert active_hours(NIGHTS, at(start), at(end)) == pytest.approx(hours)


def test_a_window_within_one_day_is_quiet_at_noon_only() -> None:
    lunch = QuietHours.model_validate({"start": "12:00", "end": "13:00", "days": ["mon"]})
    monday = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    assert is_quiet(lunch, monday.timestamp())
    assert not is_quiet(lunch, (monday + timedelta(days=1)).timestamp())
    assert not is_quiet(None, monday.timestamp())


moments = st.floats(min_value=1.6e9, max_value=2.0e9)
spans = st.floats(min_value=0, max_value=40 * 86_400)


@given(moments, spans, spans)
def test_active_time_adds_up_and_is_never_more_than_time(start: float, first: float, second: float) -> None:
    middle, end = start + first, start + first + second
    whole = active_hours(NIGHTS, start, end)
    assert whole == pytest.approx(active_hours(NIGHTS, start, middle) + active_hours(NIGHTS, middle, end), abs=1e-5)
    assert -1e-6 <= whole <= (end - start) / 3600 + 1e-6
    assert active_hours(None, start, end) == pytest.approx((end - start) / 3600)


def test_a_policy_never_changes() -> None:
    with pytest.raises(ValueError, match="frozen"):
        DEFAULT.canary_rate = 0.5  # type: ignore[misc]
    assert Policy() == DEFAULT
