"""Severity: factors quoted or unknown, levels in the team's words, a second opinion, `undetermined`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.facts.extract import extract_facts
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.schema import Proposal
from qa_agents.triage.severity.rate import RUBRIC_PATH, UNKNOWN, load_rubric, rate_severity, read_factors

JIRA = ("Blocker", "Critical", "Major", "Minor", "Trivial")
RUBRIC = load_rubric()


def report(summary: str, description: str = "") -> Report:
    return Report(id="R-1", summary=summary, description=description)


def near(*severities: str | None) -> list[tuple[Candidate, Incident]]:
    return [
        (Candidate(incident_id=f"I-{i}", score=1.0), Incident(id=f"I-{i}", summary="like it", severity=severity))
        for i, severity in enumerate(severities)
    ]


def rate(
    summary: str, description: str = "", severities: tuple[str | None, ...] = (), words: tuple[str, ...] = JIRA
) -> Proposal:
    subject = report(summary, description)
    facts = extract_facts(subject)
    return rate_severity(subject, facts, find_signals(subject, facts), near(*severities), RUBRIC, words)


def factor(name: str, text: str) -> str:
    subject = report("Something", text)
    return read_factors(subject, find_signals(subject, []), RUBRIC)[name].value


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("Production is down", "Critical"),
        ("Stored XSS in comments", "Critical"),
        ("All customer data is lost after the upgrade", "Critical"),
        ("The app crashes on start", "Major"),
        ("Users cannot log in", "Major"),
        ("The total is not updated", "Minor"),
        ("Search is slow", "Minor"),
        ("Typo in the settings dialog", "Trivial"),
        ("It does not crash any more, but the list is not updated", "Minor"),
    ],
)
def test_the_impact_gives_the_level(summary: str, expected: str) -> None:
    assert rate(summary).value == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("", "Minor"),
        ("This is a regression.", "Major"),
        ("It affects all users, and there is no workaround.", "Major"),
        ("Workaround: reload. Only a single user is affected.", "Trivial"),
        ("It happens sometimes.", "Minor"),
    ],
)
def test_the_other_factors_shift_it(description: str, expected: str) -> None:
    assert rate("The total is not updated", description).value == expected


def test_a_signal_is_never_shifted_below_its_floor() -> None:
    assert (
        rate("Stored XSS in comments", "Workaround: reload. Happened once. Only a single user is affected.").value
        == "Major"
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("reach", "It affects all our users", "all"),
        ("reach", "many customers complain", "many"),
        ("reach", "some users see it", "some"),
        ("reach", "only me", "one"),
        ("reach", "it fails", UNKNOWN),
        ("workaround", "There is no workaround", "no"),
        ("workaround", "As a workaround, reload", "yes"),
        ("workaround", "it fails", UNKNOWN),
        ("regression", "It used to work in 2.1", "yes"),
        ("regression", "This is not a regression", UNKNOWN),
        ("regression", "Broken since the upgrade to 3.0", "yes"),
        ("frequency", "every time I save", "always"),
        ("frequency", "intermittently", "sometimes"),
        ("frequency", "it happened once", "once"),
        ("frequency", "the list is random", UNKNOWN),
    ],
)
def test_a_factor_is_read_or_unknown(name: str, text: str, expected: str) -> None:
    assert factor(name, text) == expected


def test_code_and_secrets_say_nothing_about_severity() -> None:
    assert factor("impact", "{code}\n// crashes for all users\n{code}") == UNKNOWN
    assert factor("impact", "```\nthrow crash\n```") == UNKNOWN


def test_every_factor_is_quoted_where_it_stands() -> None:
    subject = report("Checkout crashes", "It used to work. Every time. All users are affected, no workaround.")
    for found in read_factors(subject, find_signals(subject, []), RUBRIC).values():
        assert found.quote is not None
        assert getattr(subject, found.quote.field)[found.quote.start : found.quote.end] == found.quote.quote


def test_the_summary_outweighs_the_description() -> None:
    assert rate("Typo in the title", "Reported by the team that saw the crash last week.").value == "Trivial"


def test_an_unknown_impact_leaves_the_severity_undetermined_with_the_neighbours_as_alternative() -> None:
    proposal = rate("Question about the list", severities=("Major", "Major", "Minor"))
    assert proposal.value is None
    assert [alternative.value for alternative in proposal.alternatives] == ["Major"]
    assert any(evidence.kind == "incident" for evidence in proposal.evidence)
    assert "impact" in proposal.against[0].text


def test_neighbours_two_levels_apart_leave_the_severity_undetermined() -> None:
    proposal = rate("The app crashes on start", severities=("Trivial", "Trivial", "Trivial"))
    assert proposal.value is None
    assert [alternative.value for alternative in proposal.alternatives] == ["Major", "Trivial"]
    assert "3 similar incidents say Trivial" in proposal.against[0].text
    assert any(evidence.kind == "quote" for evidence in proposal.evidence)


def test_neighbours_one_level_apart_are_named_as_an_alternative() -> None:
    proposal = rate("The app crashes on start", severities=("Minor", "Minor", "Minor"))
    assert proposal.value == "Major"
    assert [alternative.value for alternative in proposal.alternatives] == ["Minor"]


def test_two_neighbours_are_no_second_opinion() -> None:
    assert rate("The app crashes on start", severities=("Trivial", "Trivial", None)).value == "Major"


def test_no_percentage_is_ever_given() -> None:
    for summary in ("The app crashes", "Question"):
        proposal = rate(summary, severities=("Major",) * 5)
        assert proposal.probability is None
        assert all(alternative.probability is None for alternative in proposal.alternatives)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("Critical", "High", "Medium", "Low", "Trivial"), ["Critical", "High", "Medium", "Low"]),
        (JIRA, ["Critical", "Major", "Minor", "Trivial"]),
        (("P1", "P2", "P3", "P4"), ["P1", "P1", "P2", "P3"]),
        (("Sev 10", "Sev 20", "Sev 30", "Sev 40"), ["Sev 10", "Sev 20", "Sev 30", "Sev 40"]),
        (("critical", "normal"), ["critical", "critical", "normal", "normal"]),
        (("Blocker", "Serious", "Average"), ["Blocker", "Serious", "Average", "Average"]),
        (("red", "green"), ["S1", "S2", "S3", "S4"]),
        ((), ["S1", "S2", "S3", "S4"]),
    ],
)
def test_levels_are_said_in_the_teams_own_words(words: tuple[str, ...], expected: list[str]) -> None:
    assert [RUBRIC.word_for(level, words) for level in (1, 2, 3, 4)] == expected


@given(st.lists(st.sampled_from([*JIRA, "High", "Medium", "Low", "P0", "P1", "Sev 2", "red", "Urgent"]), unique=True))
def test_every_level_has_a_word_and_every_known_word_a_level(words: list[str]) -> None:
    for level in (1, 2, 3, 4):
        word = RUBRIC.word_for(level, words)
        assert word in words or word == f"S{level}"
    assert all(RUBRIC.level_of(word, words) in (None, 1, 2, 3, 4) for word in words)


def test_the_top_words_are_those_of_the_highest_level_in_any_spelling() -> None:
    assert {"Critical", "Blocker", "critical", "S1"} <= RUBRIC.top_words()
    assert "Sev 10" in RUBRIC.top_words(["Sev 10", "Sev 20"])
    assert "Major" not in RUBRIC.top_words(JIRA)


def test_the_level_is_explained_in_words() -> None:
    texts = [evidence.text for evidence in rate("The total is not updated", "This is a regression.").evidence]
    assert "impact degraded is S3, regression yes -0.5, so Major." in texts


def test_a_team_can_bring_its_own_rubric(tmp_path: Path) -> None:
    path = tmp_path / "rubric.toml"
    path.write_text(
        'version = "mine"\n[[levels]]\nname = "bad"\n[[levels]]\nname = "fine"\n'
        '[[impact]]\nname = "smoke"\nlevel = 1\nphrases = ["smoke*"]\n',
        "utf-8",
    )
    rubric = load_rubric(path)
    subject = report("The server smokes")
    assert rate_severity(subject, [], find_signals(subject, []), [], rubric).value == "bad"
    assert rubric.sha256 != RUBRIC.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("level = 1", "level = 9"), "there is no level 9"),
        (('"crash*"', '"Crash ("'), "not a phrase"),
        (('version = "1"', "version = 1"), "version"),
        (("[opinion]", "[opinions]"), "opinions"),
        (('name = "S2"', 'name = "S1"'), "one name"),
        (("[[levels]]", "[[levels"), "cannot be read"),
    ],
)
def test_a_wrong_rubric_is_refused_in_one_sentence(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "rubric.toml"
    path.write_text(RUBRIC_PATH.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(InvalidInputError, match=message) as caught:
        load_rubric(path)
    assert caught.value.hint


def test_a_missing_rubric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        load_rubric(tmp_path / "nowhere.toml")


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_gets_a_proposal(description: str, summary: str) -> None:
    assert rate(summary, description).probability is None


@pytest.mark.parametrize("unit", ["a ", "no ", "crash ", "{code}", "```", "not a ", "all the users "])
def test_hostile_text_of_200_kb_is_rated(unit: str) -> None:
    assert rate("The app crashes", unit * (200_000 // len(unit))).evidence
