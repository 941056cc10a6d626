"""From a delivery to a review that waits: routing, re-reading, polling, closing, and the way back from the dead letters."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qa_agents.errors import ConflictError, NotFoundError, UnavailableError
from qa_agents.incidents.schema import Report
from qa_agents.listening import Listener
from qa_agents.runtime.intake import MAX_RUNS_AN_HOUR, Delivery
from qa_agents.runtime.issues import FolderIssues
from qa_agents.settings import Settings
from qa_agents.testing.issues import MemoryIssues
from qa_agents.wiring import Workspace

WHEN = datetime(2026, 5, 1, tzinfo=UTC)


class Bench:
    """A workspace with one hook, issues in memory, and a worker that is run by hand."""

    def __init__(self, home: Path, **changes: Any) -> None:
        hook = {"secrets": [{"value": "a secret of the tests"}], "projects": ["WB"]}
        self.workspace = Workspace(
            Settings.model_validate(
                {"home": home, "embedder": "none", "debounce_seconds": 0, "hooks": {"main": hook}} | changes
            )
        )
        self.issues = MemoryIssues(account="ourselves")
        self.listener = Listener(self.workspace, lambda _: self.issues)
        self.listener._next["reconcile"] = float("inf")
        self.sent = 0

    def issue(self, number: int = 1, summary: str = "The front door bell stays silent") -> None:
        report = Report(id=f"WB-{number}", summary=summary, description="Steps: press the bell. Expected: it rings.")
        self.issues.put(str(10_000 + number), report, datetime.now(UTC))

    def send(self, number: int = 1, *, change: int | None = None, user: str = "somebody", **more: Any) -> None:
        self.sent += 1
        body = {
            "timestamp": int(time.time() * 1000),
            "webhookEvent": "jira:issue_updated",
            "user": {"accountId": user},
            "issue": {"id": str(10_000 + number), "key": f"WB-{number}"},
            "changelog": {"id": str(self.sent if change is None else change)},
            "nonce": self.sent,
        }
        self.deliver(json.dumps({**body, **more}).encode())

    def deliver(self, body: bytes, kind: Any = "webhook") -> None:
        self.workspace.intake.append(
            [Delivery("main", kind, None, body, f"{self.sent:05d}{hash(body) & 0xFFFFFFFF:059d}", time.time())]
        )

    def work(self) -> int:
        return self.listener.worker().run(threading.Event(), until_empty=True)

    def states(self) -> dict[str, int]:
        return self.workspace.intake.counts()

    def waiting(self) -> list[str]:
        return [review.subject_id for review in self.workspace.inbox.waiting()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.workspace.close()


def test_a_delivery_becomes_a_review_that_waits_and_its_body_is_forgotten(bench: Bench) -> None:
    bench.issue()
    bench.send()
    assert bench.work() == 1
    assert bench.waiting() == ["WB-1"]
    account = bench.workspace.received.find("WB-1")
    assert account
    assert (account.source, account.state) == ("jira:main", "waiting")
    assert bench.states() == {"routed": 1}
    assert bench.workspace.dead_letters.find("d1").body == b""
    assert not bench.workspace.received.balance().unaccounted


def test_a_burst_about_one_issue_is_one_look_and_one_review(bench: Bench) -> None:
    bench.issue()
    for _ in range(20):
        bench.send()
    bench.work()
    assert bench.issues.reads == ["10001"]
    assert len(bench.waiting()) == 1


def test_an_unchanged_issue_is_read_again_and_not_judged_again(bench: Bench) -> None:
    bench.issue()
    for _ in range(3):
        bench.send()
        bench.work()
    assert bench.issues.reads == ["10001"] * 3
    account = bench.workspace.received.find("WB-1")
    assert account
    assert account.version == 1


def test_a_changed_issue_is_judged_anew_and_what_waited_is_superseded(bench: Bench) -> None:
    for summary in ("The bell stays silent", "The bell rings twice"):
        bench.issue(summary=summary)
        bench.send()
        bench.work()
    assert len(bench.waiting()) == 1
    account = bench.workspace.received.find("WB-1")
    assert account
    assert account.version == 2


def test_the_same_change_announced_twice_is_looked_at_once(bench: Bench) -> None:
    bench.issue()
    for _ in range(2):
        bench.send(change=7)
        bench.work()
    assert bench.issues.reads == ["10001"]
    assert bench.states() == {"routed": 1, "duplicate": 1}


def test_our_own_writes_are_not_looked_at(bench: Bench) -> None:
    bench.issue()
    bench.send(user="ourselves")
    assert bench.work() == 0
    assert bench.states() == {"ignored": 1}


def test_events_before_their_issue_was_seen_and_after_a_decision_come_to_the_same(bench: Bench) -> None:
    bench.issue()
    bench.send(webhookEvent="comment_created")
    bench.send(webhookEvent="jira:issue_created")
    bench.work()
    assert bench.waiting() == ["WB-1"]


def test_an_issue_that_is_gone_is_asked_about_no_more_and_is_judged_again_when_it_is_back(bench: Bench) -> None:
    bench.issue()
    bench.send()
    bench.work()
    kept = bench.issues.reports.pop("10001")
    bench.send(webhookEvent="jira:issue_deleted")
    bench.work()
    assert bench.waiting() == []
    assert not bench.workspace.received.balance().unaccounted
    bench.issues.reports["10001"] = kept
    bench.send()
    bench.work()
    assert bench.waiting() == ["WB-1"]
    assert not bench.workspace.received.balance().unaccounted


def test_an_outage_of_the_tracker_leaves_the_job_in_the_queue(bench: Bench) -> None:
    bench.issue()
    bench.issues.fail_next = UnavailableError("Jira is down.")
    bench.send()
    bench.work()
    assert bench.workspace.queue.backlog().states == {"todo": 1}
    assert bench.waiting() == []


def test_what_cannot_be_read_is_dead_and_can_be_shown_replayed_and_dropped(bench: Bench) -> None:
    bench.deliver(b"{ no json")
    bench.work()
    letters = bench.workspace.dead_letters
    assert [letter.id for letter in letters.listed()] == ["d1"]
    assert "JSON" in str(letters.find("d1").reason)
    letters.replay("d1", by="ana")
    assert bench.states() == {"received": 1}
    bench.work()
    assert bench.states() == {"dead": 1}
    letters.drop("d1", by="ana", reason="noise")
    assert letters.find("d1").body == b""
    assert bench.states() == {"dropped": 1}
    for refused in (lambda: letters.drop("d1", by="ana", reason="again"), lambda: letters.replay("d1", by="ana")):
        with pytest.raises(ConflictError):
            refused()


def test_a_body_that_was_too_old_goes_through_when_a_person_says_so(bench: Bench) -> None:
    bench.issue()
    bench.send(timestamp=1_000)
    bench.work()
    assert bench.states() == {"dead": 1}
    bench.workspace.dead_letters.replay("d1", by="ana")
    bench.work()
    assert bench.waiting() == ["WB-1"]


def test_what_was_routed_long_ago_can_be_looked_at_again(bench: Bench) -> None:
    bench.issue()
    bench.send()
    bench.work()
    bench.workspace.dead_letters.replay("d1", by="ana")
    bench.work()
    assert len(bench.issues.reads) == 2


def test_a_dead_job_is_tried_again_when_a_person_says_so(bench: Bench) -> None:
    bench.issue()
    bench.send()
    bench.workspace.intake.route(bench.listener.decide)
    job = bench.workspace.queue.claim("elsewhere:1")
    assert job
    bench.workspace.queue.fail(job, "it made no sense", retry_in=None)
    assert [letter.reason for letter in bench.workspace.dead_letters.listed()] == ["it made no sense"]
    bench.workspace.dead_letters.replay(f"j{job.id}", by="ana")
    bench.work()
    assert bench.waiting() == ["WB-1"]


@pytest.mark.parametrize("name", ["", "d", "d99", "x1", "dd", "d-1", "d" + "9" * 40, "j１"])
def test_what_is_not_there_is_said(bench: Bench, name: str) -> None:
    with pytest.raises(NotFoundError):
        bench.workspace.dead_letters.find(name)


def test_polling_finds_what_no_delivery_told_and_reads_the_rest_once_more(bench: Bench) -> None:
    bench.issue(1)
    bench.send(1)
    bench.work()
    bench.issue(2)
    assert bench.listener.reconcile("main") == 2
    bench.work()
    assert sorted(bench.waiting()) == ["WB-1", "WB-2"]
    account = bench.workspace.received.find("WB-1")
    assert account
    assert account.version == 1


def test_polling_that_failed_begins_where_the_last_good_one_ended(bench: Bench) -> None:
    bench.listener.reconcile("main")
    before = bench.listener._last_look("main")

    def down(*_: object) -> list[str]:
        raise UnavailableError("Jira is down.")

    bench.issues.changed_since = down  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        bench.listener.reconcile("main")
    assert bench.listener._last_look("main") == before


def test_an_issue_that_never_rests_is_parked(bench: Bench) -> None:
    bench.issue()
    for _ in range(MAX_RUNS_AN_HOUR + 3):
        bench.send()
        bench.work()
    assert len(bench.issues.reads) == MAX_RUNS_AN_HOUR
    assert bench.workspace.queue.backlog().states["todo"] == 1


def test_a_hook_that_was_removed_sends_its_deliveries_to_the_dead_letters(bench: Bench) -> None:
    bench.workspace.intake.append([Delivery("gone", "webhook", None, b"{}", "0" * 64, time.time())])
    bench.work()
    assert "not configured" in str(bench.workspace.dead_letters.listed()[0].reason)


def test_a_delivery_that_breaks_the_reading_does_not_hold_up_the_next(bench: Bench) -> None:
    def broken(source: str, kind: Any, body: bytes, at: float, replayed: bool) -> Any:
        if body == b"break":
            raise ZeroDivisionError
        return bench.listener.decide(source, kind, body, at, replayed)

    bench.deliver(b"break")
    bench.issue()
    bench.send()
    bench.workspace.intake.route(broken)
    assert bench.states() == {"dead": 1, "routed": 1}


def test_two_workers_route_each_delivery_once_and_in_order(bench: Bench) -> None:
    for number in range(50):
        bench.send(number)
    other = Listener(bench.workspace, lambda _: bench.issues)
    threads = [
        threading.Thread(target=lambda one=one: [bench.workspace.intake.route(one.decide, limit=7) for _ in range(12)])
        for one in (bench.listener, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    keys = [job.subject for job in reversed(bench.workspace.dead_letters.listed("todo"))]
    assert keys == [f"jira:main:{10_000 + number}" for number in range(50)]


def test_a_delivery_in_quick_succession_waits_for_the_debounce(tmp_path: Path) -> None:
    bench = Bench(tmp_path, debounce_seconds=300)
    bench.issue()
    bench.send()
    bench.work()
    bench.send()
    bench.work()
    assert bench.issues.reads == ["10001"]
    assert bench.workspace.queue.backlog().states == {"done": 1, "todo": 1}
    bench.workspace.close()


def test_a_folder_of_reports_serves_as_a_tracker(tmp_path: Path) -> None:
    folder = FolderIssues(tmp_path / "issues")
    with pytest.raises(UnavailableError):
        folder.issue("WB-1")
    (tmp_path / "issues").mkdir()
    assert folder.issue("WB-1") is None
    assert folder.issue("../../etc/passwd") is None
    (tmp_path / "issues" / "WB-1.json").write_text('{"id": "WB-1", "summary": "The bell stays silent"}')
    report = folder.issue("WB-1")
    assert report
    assert report.id == "WB-1"
    assert folder.changed_since("WB", WHEN) == ["WB-1"]
    assert folder.changed_since("OTHER", WHEN) == []
    assert folder.account_id() is None


def test_a_hook_without_a_tracker_says_so(bench: Bench) -> None:
    with pytest.raises(UnavailableError):
        Listener(bench.workspace).triage({"source": "main", "issue": "1"})


def test_what_is_settled_is_forgotten_after_its_time_and_what_is_dead_or_waits_is_not(bench: Bench) -> None:
    bench.issue()
    bench.send()
    bench.deliver(b"no json")
    assert bench.work() == 1
    assert bench.states() == {"routed": 1, "dead": 1}
    intake = bench.workspace.intake
    assert intake.forget(7) == 0
    now = intake._now
    intake._now = lambda: now() + 8 * 86_400
    assert intake.forget(7) == 2  # the delivery and its job
    assert bench.states() == {"dead": 1}
    assert bench.waiting() == ["WB-1"]


def test_a_redaction_empties_dead_letters_that_name_the_report_and_no_others(bench: Bench) -> None:
    from qa_agents.operations import intervening

    bench.issue()
    bench.send()
    bench.work()
    bench.deliver(b"torn: WB-1 says Zebedee")
    bench.deliver(b"torn: WB-12 says Zebedee")
    bench.work()
    assert bench.states()["dead"] == 2
    done = intervening.redact(bench.workspace, "WB-1", reviewer="grace", reason="request 17", unsettled=True)
    assert done.letters == 1
    assert bench.states() == {"routed": 1, "dead": 1, "dropped": 1}
    (left,) = bench.workspace.dead_letters.listed()
    assert left.body == b"torn: WB-12 says Zebedee"
