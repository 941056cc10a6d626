"""Whatever Jira does to an answer, every change is made exactly once, and what it refuses is refused once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.errors import ConflictError, InvalidInputError, NotFoundError, QAAgentsError, UnavailableError
from qa_agents.runtime.outbox import Outbox
from qa_agents.storage.engine import open_database
from qa_agents.trackers.jira import JiraTracker
from qa_agents.trackers.schema import Action
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.server import FakeJira, Faults
from tests.fakes.jira.tracker import Clock, serving, tracker_on

HARSH = ("503", "drop-after", "html200", None, "429", "drop-before", None)
"""Five of seven calls go wrong, two of them after the change was made."""


def harsh(method: str, path: str, number: int) -> str | None:
    return HARSH[number % len(HARSH)]


def on_writes(*faults: str | None) -> Faults:
    """The n-th write meets the n-th fault, everything after and every read goes well."""
    waiting = list(faults)
    return lambda method, path, _: waiting.pop(0) if method != "GET" and "/search" not in path and waiting else None


@contextmanager
def site(*faults: str | None, cloud: bool = True, **changes: object) -> Iterator[tuple[FakeJira, Clock, JiraTracker]]:
    with serving(cloud=cloud, faults=on_writes(*faults)) as (jira, clock):
        jira.site.add("PAY-1")
        jira.site.add("PAY-2")
        yield jira, clock, tracker_on(jira, clock, **changes)


COMMENT = Action(kind="add_comment", target="PAY-1", params={"text": "Like PAY-2.", "public": False})
FIELD = Action(kind="set_field", target="PAY-1", params={"field": "severity", "value": "critical"})
LABEL = Action(kind="add_label", target="PAY-1", params={"label": "crash"})
LINK = Action(kind="link_issue", target="PAY-1", params={"to": "PAY-2", "relation": "duplicates"})
CREATE = Action(
    kind="create_issue", target="R-1", params={"fields": {"summary": "It rings twice", "platform": "Linux"}}
)
REPEATED = [
    "503",
    "503-after",
    "500",
    "502-html",
    "html200",
    "429",
    "429-date",
    "429-issue",
    "drop-before",
    "drop-after",
]


@pytest.mark.parametrize("fault", REPEATED)
@pytest.mark.parametrize("action", [COMMENT, FIELD, LABEL, LINK, CREATE], ids=lambda action: action.kind)
@pytest.mark.parametrize("cloud", [True, False], ids=["cloud", "dc"])
def test_a_lost_or_late_answer_leaves_one_change(action: Action, fault: str, cloud: bool) -> None:
    with site(fault, fault, cloud=cloud) as (jira, _, tracker):
        applied = tracker.apply(action, "op")
        assert applied.inverse is not None
        assert not applied.already_there
        assert tracker.was_applied(action.target, "op")
        assert len(jira.site.issues) == 2 + (action.kind == "create_issue")
        issue = jira.site.issue("PAY-1")
        made = (
            len(issue.comments),
            issue.fields.get("customfield_10045"),
            issue.fields["labels"],
            len(jira.site.links),
        )
        assert (
            made
            == {
                "add_comment": (1, None, [], 0),
                "set_field": (0, "Critical", [], 0),
                "add_label": (0, None, ["crash"], 0),
                "link_issue": (0, None, [], 1),
                "create_issue": (0, None, [], 0),
            }[action.kind]
        )
        assert objections(jira) == []


def test_a_creation_whose_answer_was_lost_is_looked_for_only_when_the_index_has_caught_up() -> None:
    with site("drop-after") as (jira, clock, tracker):
        jira.site.index_lag = 30.0
        tracker.apply(CREATE, "op")
        assert [issue.fields["summary"] for issue in jira.site.issues.values()].count("It rings twice") == 1
        assert max(clock.slept) >= 30.0


@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", UnavailableError), ("captcha", UnavailableError), ("413", InvalidInputError), ("302", InvalidInputError)],
)
def test_what_is_final_is_asked_once(fault: str, error: type[QAAgentsError]) -> None:
    with site(*[fault] * 9) as (jira, _, tracker):
        with pytest.raises(error):
            tracker.apply(LABEL, "op")
        assert len(jira.writes()) == 1
        assert jira.site.issue("PAY-1").fields["labels"] == []


@pytest.mark.parametrize("fault", ["401", "captcha"])
def test_an_account_that_is_not_let_in_asks_nothing_more(fault: str) -> None:
    with site(fault) as (jira, _, tracker):
        for _ in range(3):
            with pytest.raises(UnavailableError, match="does not let this account in"):
                tracker.apply(LABEL, "op")
        asked = len(jira.exchanges)
        with pytest.raises(UnavailableError):
            tracker.get("PAY-1")
        assert len(jira.exchanges) == asked


def test_two_changes_at_the_same_time_are_settled_by_looking_again_and_given_back_when_it_goes_on() -> None:
    with site("409", "409") as (jira, _, tracker):
        assert tracker.apply(LABEL, "op").inverse is not None
    with site(*["409"] * 9) as (jira, _, tracker):
        with pytest.raises(ConflictError, match="somebody else"):
            tracker.apply(LABEL, "op")
        assert len(jira.writes()) == 3


def test_retry_after_is_waited_for_in_both_forms_and_a_long_one_puts_the_change_off() -> None:
    with site("429", "429-date") as (jira, clock, tracker):
        tracker.apply(LABEL, "op")
        assert sum(clock.slept) >= 2.9
    with site("429", max_wait=0.5) as (jira, clock, tracker):
        with pytest.raises(UnavailableError, match="asks to wait 1 s"):
            tracker.apply(LABEL, "op")
        assert len(jira.writes()) == 1


def test_an_outage_ends_in_one_sentence_after_the_allowed_tries() -> None:
    with site(*["503"] * 99, tries=4) as (jira, _, tracker):
        with pytest.raises(UnavailableError, match="asked 4 times"):
            tracker.apply(LABEL, "op")
        assert len(jira.writes()) == 4


def test_a_page_instead_of_data_is_no_answer_to_a_question() -> None:
    with serving(faults=lambda *_: "html200") as (jira, clock):
        tracker = tracker_on(jira, clock)
        with pytest.raises(UnavailableError, match="a page instead of data"):
            tracker.get("PAY-1")


def test_writes_to_one_issue_stay_under_the_limit_and_others_do_not_wait_for_it() -> None:
    with site() as (jira, clock, tracker):
        for number in range(60):
            tracker.apply(Action(kind="add_label", target="PAY-1", params={"label": f"l{number}"}), f"op{number}")
        assert 10.0 <= sum(clock.slept) <= 14.0
        assert not [one for one in jira.exchanges if one.status == 429]
        before = clock()
        tracker.apply(Action(kind="add_label", target="PAY-2", params={"label": "x"}), "op")
        assert clock() == before


def test_a_timeout_is_an_answer_that_was_lost() -> None:
    with site("slow") as (jira, clock, _):
        jira.slow_seconds = 0.3
        tracker = tracker_on(jira, clock, timeout=(1.0, 0.1))
        tracker.apply(COMMENT, "op")
        assert len(jira.site.issue("PAY-1").comments) == 1


def test_under_the_harsh_mix_two_workers_make_everything_exactly_once(tmp_path: Path) -> None:
    assert carry_out_all(tmp_path, issues=6) == (6, Counter({1: 6}))


def carry_out_all(folder: Path, issues: int) -> tuple[int, Counter[int]]:
    """Two workers race for the same runs until nothing is open: (runs done, how often each comment stands)."""
    with serving(faults=harsh) as (jira, clock):
        target = jira.site.add("PAY-1").key
        runs = [(f"run-{n}", jira.site.add().key) for n in range(issues)]
        database = open_database(folder / "qa-agents.db")
        done: set[str] = set()

        def work(offset: int) -> None:
            tracker = tracker_on(jira, clock, tries=20)
            outbox = Outbox(database, tracker, Ledger())
            for run_id, key in [*runs[offset:], *runs[:offset]]:
                for _ in range(50):
                    try:
                        issue = tracker.get(key)
                        known = versions.setdefault(run_id, issue.version if issue else "")
                        effects = outbox.carry_out(run_id, plan(key, target), known)
                    except (UnavailableError, ConflictError):
                        continue
                    assert not effects.failed
                    done.add(run_id)
                    break

        versions: dict[str, str] = {}
        workers = [threading.Thread(target=work, args=(offset,)) for offset in (0, issues // 2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        held = [jira.site.issue(key) for _, key in runs]
        database.close()
        assert all(issue.fields["labels"] == ["crash"] for issue in held)
        assert all(issue.fields["customfield_10045"] == "Critical" for issue in held)
        assert all(comment["visibility"] for issue in held for comment in issue.comments)
        assert len(jira.site.links) == issues
        return len(done), Counter(len(issue.comments) for issue in held)


def plan(key: str, target: str) -> list[Action]:
    def action(kind: str, **params: object) -> Action:
        return Action.model_validate({"kind": kind, "target": key, "params": params})

    return [
        action("set_field", field="severity", value="Critical"),
        action("add_label", label="crash"),
        action("link_issue", to=target, relation="duplicates"),
        action("add_comment", text="Triage note.", public=False),
    ]


def test_a_missing_issue_is_told_apart_from_an_outage() -> None:
    with site() as (_, _, tracker):
        with pytest.raises(NotFoundError):
            tracker.apply(LABEL.model_copy(update={"target": "PAY-404"}), "op")
        assert tracker.get("PAY-404") is None
