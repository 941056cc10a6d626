"""The hypothesis: quoted, cited, plain, and silent where nothing speaks of a cause."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.hypothesis import LEAD, MAX_CHARS, MIN_DENSE, hypothesise
from qa_agents.triage.notes import MIN_NOTES, note_sentences, tells_a_cause
from qa_agents.triage.schema import Fact

NOW = datetime(2024, 6, 1, tzinfo=UTC)
REPORT = Report(
    id="R-1",
    created=NOW,
    summary="Refund is paid out twice when the webhook is retried",
    description="PaymentStateError in the log after the provider retries the webhook.",
)
CAUSE = "The retry handler paid again because the webhook lock had expired before the refund was booked."


def near(
    name: str, note: str | None, dense: float | None = 0.8, resolution: str | None = "Fixed", **more: Any
) -> tuple[Candidate, Incident]:
    scores = {key: more.pop(key) for key in ("lexical", "shared") if key in more}
    one = Incident(
        id=name,
        summary=more.pop("summary", "Refund booked twice"),
        created=NOW - timedelta(days=60),
        resolution=resolution,
        resolved=NOW - timedelta(days=30) if resolution else None,
        resolution_note=note,
        **more,
    )
    return Candidate(incident_id=name, score=1.0, dense=dense, **scores), one


def test_a_cause_in_a_similar_incidents_note_becomes_a_cited_hypothesis() -> None:
    found = hypothesise(REPORT, [], [near("PAY-12", f"Hi all. {CAUSE} Deployed on Monday.")])
    assert found is not None
    assert found.text == f"{LEAD}PAY-12 was fixed, with the note “{CAUSE[:-1]}”."
    assert [(e.kind, e.ref, e.text) for e in found.evidence] == [("incident", "PAY-12", "PAY-12: Refund booked twice")]


def test_every_sentence_is_cited_and_there_are_at_most_three() -> None:
    neighbours = [
        near("PAY-1", CAUSE, summary="PaymentStateError when the refund webhook is retried"),
        near("PAY-2", "Root cause was a race condition between the webhook and the refund job."),
        near("PAY-3", "Refund webhook failed due to a leaked connection in the refund pool."),
    ]
    fact = Fact(
        name="exception",
        value="PaymentStateError",
        quote="PaymentStateError",
        field="description",
        start=0,
        end=17,
    )
    found = hypothesise(REPORT, [fact], neighbours)
    assert found is not None
    assert len(found.evidence) == 3
    assert found.text.endswith("Like PAY-1, the report names PaymentStateError.")
    assert found.evidence[-1].kind == "quote"
    assert found.evidence[-1].ref == "description:0-17"


def test_a_fact_that_many_neighbours_name_ties_nothing() -> None:
    neighbours = [near("PAY-1", CAUSE), *(near(f"N-{k}", None) for k in range(5))]
    neighbours = [
        (c, i.model_copy(update={"description": "calls api.createRefund", "id": i.id})) for c, i in neighbours
    ]
    quote = "api.createRefund"
    fact = Fact(name="identifier", value=quote, quote=quote, field="description", start=0, end=len(quote))
    found = hypothesise(REPORT, [fact], neighbours)
    assert found is not None
    assert len(found.evidence) == 1


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        "Cannot reproduce this refund issue because the webhook was not retried.",
        "Closing as stale, no refund activity due to inactivity.",
        "Closing ticket due to time passed. Please open a new ticket about the refund webhook.",
        "Could the refund webhook be retried because of the lock?",
        "Verified the fix for the refund webhook on staging because QA asked.",
        "Thanks for the refund report!",
        "[ERROR] refund webhook retried because of java.lang.X at a.b(C.java:3) {} [] () == != 0x1 0x2",
        "Maybe the refund webhook is retried because of the provider.",
    ],
)
def test_boilerplate_and_guesses_support_no_hypothesis(note: str | None) -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", note)]) is None


@pytest.mark.parametrize("resolution", ["Cannot Reproduce", "Duplicate", "Needs more info", None])
def test_an_incident_without_an_explaining_resolution_supports_none(resolution: str | None) -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", CAUSE, resolution=resolution)]) is None


def test_a_distant_incident_supports_none() -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", CAUSE, MIN_DENSE - 0.01)]) is None
    assert hypothesise(REPORT, [], [near("PAY-12", CAUSE, None, lexical=0.1)]) is None
    assert hypothesise(REPORT, [], [near("PAY-12", CAUSE, None, lexical=0.9)]) is not None


def test_a_cause_that_shares_nothing_with_the_report_is_not_quoted() -> None:
    note = "Thumbnails were blurred because the scaler rounded down."
    assert hypothesise(REPORT, [], [near("PAY-12", note)]) is None


def test_the_words_retrieval_found_rare_count_as_shared() -> None:
    note = "Fixed handling of the idempotency key in the gateway."
    assert hypothesise(REPORT, [], [near("PAY-12", note)]) is None
    assert hypothesise(REPORT, [], [near("PAY-12", note, shared=["idempotency"])]) is not None


def test_no_neighbours_is_no_hypothesis() -> None:
    assert hypothesise(REPORT, [], []) is None


def test_the_way_an_incident_was_closed_is_said() -> None:
    found = hypothesise(REPORT, [], [near("PAY-12", CAUSE, resolution="Not Our Bug")])
    assert found is not None
    assert "PAY-12 was closed as Not Our Bug, with the note" in found.text


def test_the_same_note_is_not_quoted_twice() -> None:
    found = hypothesise(REPORT, [], [near("PAY-1", CAUSE), near("PAY-2", CAUSE)])
    assert found is not None
    assert len(found.evidence) == 1


@pytest.mark.parametrize(
    ("note", "sentences"),
    [
        ("It was\nwrapped here. And ends.", ["It was wrapped here.", "And ends."]),
        ("- one thing\n- another thing", ["one thing", "another thing"]),
        ("* one thing\n* another thing", ["one thing", "another thing"]),
        ("See [the page|https://x.example/a] for it", ["See the page for it"]),
        ("See [the page](https://x.example/a) for it", ["See the page for it"]),
        ("Fixed by https://x.example/pull/1 today", ["Fixed by (link) today"]),
        ("[~jane] and @joe fixed it", ["and joe fixed it"]),
        ("before {code:java}int x;{code} after", ["before", "after"]),
        ("before ```int x;``` after", ["before", "after"]),
        ("{html}<b>bold</b> *strong* {{mono}}{html}", ["bold strong mono"]),
        ("(from [78ca20f1fc77df35bda995a076e89daf446a39da]) fixed", ["fixed"]),
        ("a\x1b[31mb\u202ec\x00d", ["a [31mb c d"]),
        ("", []),
    ],
)
def test_notes_become_plain_sentences(note: str, sentences: list[str]) -> None:
    assert [sentence for sentence in note_sentences(note) if sentence] == sentences


@pytest.mark.parametrize(
    ("sentence", "tells"),
    [
        ("The crash was caused by a missing lock in the cart.", True),
        ("Turns out the cache was never cleared after login.", True),
        ("Added a check for empty carts before checkout.", True),
        ("The page loads and shows the cart.", False),
        ("because", False),
    ],
)
def test_a_cause_is_told_from_other_prose(sentence: str, tells: bool) -> None:
    assert tells_a_cause(sentence) is tells


def test_a_long_sentence_is_cut_at_a_word() -> None:
    found = hypothesise(REPORT, [], [near("PAY-12", "The refund webhook failed because " + "of locks " * 200)])
    assert found is not None
    assert found.text.endswith(" …”.")
    assert len(found.text) < MAX_CHARS + 120


@pytest.mark.parametrize(
    "piece",
    ["[", "[a|", "](", "{", "{code:", "<a", "*_`", "@", "because ", "refund ", ". A", "http://", "\n- ", " ", "("],
)
def test_hostile_notes_are_read_in_bounded_time_and_space(piece: str) -> None:
    found = hypothesise(REPORT, [], [near("PAY-12", piece * (200_000 // len(piece)))])
    assert found is None or len(found.text) < 1_000


@given(st.text(max_size=400))
def test_what_is_shown_is_printable_whatever_the_note(note: str) -> None:
    found = hypothesise(REPORT, [], [near("PAY-12", f"{CAUSE} {note} {CAUSE}")])
    if found:
        assert found.text.isprintable()
        assert "://" not in found.text
        assert len(found.evidence) == 1


DONE = "The refund webhook takes a lock per booking before it pays."


def team(*notes: str) -> list[tuple[Candidate, Incident]]:
    """Neighbours too far away to explain anything, with the notes of their fixes."""
    return [near(f"T-{n}", note, 0.5) for n, note in enumerate(notes)]


PLAIN = (
    "Sessions end with the browser window.",
    "Totals are rounded once per invoice, not once per line.",
    "Slots of closed studios are left out of the search.",
)
CHATTY = ("Verified with build 3.1.", "Pull pending, please review it.", "I can confirm that it works for me now.")


def test_where_a_team_writes_what_was_done_its_notes_are_taken_at_their_word() -> None:
    found = hypothesise(REPORT, [], [near("PAY-12", DONE), *team(*PLAIN)])
    assert found is not None
    assert DONE[:-1] in found.text


def test_where_notes_are_talk_a_plain_sentence_explains_nothing() -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", DONE), *team(*CHATTY)]) is None


def test_too_few_notes_tell_nothing_of_a_teams_habit() -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", DONE), *team(*PLAIN[: MIN_NOTES - 2])]) is None


@pytest.mark.parametrize(
    "note",
    [
        f"{DONE} Verified on Android.",
        f"{DONE} https://git.example/pull/3",
        f"{DONE} Is that enough?",
        "We lock the booking before we pay out the refund.",
    ],
)
def test_a_note_with_talk_or_links_in_it_is_not_taken_at_its_word(note: str) -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", note), *team(*PLAIN)]) is None


def test_only_a_fix_says_what_was_done() -> None:
    assert hypothesise(REPORT, [], [near("PAY-12", DONE, resolution="Won't Fix"), *team(*PLAIN)]) is None
