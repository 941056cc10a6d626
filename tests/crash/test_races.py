"""Two workers at once, and one that sleeps past its lease and wakes up."""

import random
import re
import signal
from pathlib import Path

import pytest

from qa_agents.runtime import savers
from qa_agents.storage import engine as storage_engine
from tests.crash.conftest import FULL, Tally, finish
from tests.crash.crash_driver import Child, Home, Points, race, run, shift_clock
from tests.crash.workloads import WORKLOADS, approve, drain, failing, one_decision, refusable, triage

ROUNDS = 20 if FULL else 5
AN_HOUR = 3600.0


def delays(seed: int, number: int) -> tuple[int, int]:
    """Microseconds by which each of two racers starts late: none at first, then drawn."""
    draw = random.Random(f"{seed} {number}")
    return (0, 0) if number == 0 else (draw.randrange(60_000), draw.randrange(60_000))


def test_two_workers_on_one_report_triage_it_once(
    stages: dict[str, Home], seed: int, ground: Path, tally: Tally
) -> None:
    for number in range(ROUNDS):
        with stages["fresh"].copy(ground / f"race-{stages['fresh'].engine}-{seed}-{number}") as home:
            race([refusable(triage), refusable(triage)], home, delays=delays(seed, number))
            tally.faults["two workers, one report"] += 1
            finish("triage", home, tally)


def test_of_two_people_who_decide_at_once_exactly_one_is_heard(
    stages: dict[str, Home], seed: int, ground: Path, tally: Tally
) -> None:
    for number in range(ROUNDS):
        with stages["waiting"].copy(ground / f"decide-{stages['fresh'].engine}-{seed}-{number}") as home:
            log = home.folder / "answers.log"
            clicks = [one_decision("ada", "approve", log), one_decision("grace", "reject", log, reason_code="other")]
            race(clicks, home, delays=delays(seed, number))
            tally.faults["two decisions at once"] += 1
            said = sorted(line.split()[1] for line in log.read_text().splitlines())
            tally.check(home)
            assert said == ["refused", "taken"]


def test_two_workers_that_recover_one_decided_run_write_it_once(
    stages: dict[str, Home], points: dict[str, list[str]], seed: int, ground: Path, tally: Tally
) -> None:
    """The worker that took the decision died with it stored; two others come to finish its work."""
    stored = next(n for n, name in enumerate(points["approve"], 1) if name == "after commit Inbox.decide")
    for number in range(ROUNDS):
        with stages["waiting"].copy(ground / f"recover-{stages['fresh'].engine}-{seed}-{number}") as home:
            Child(approve, home, Points(stored + number)).start().wait()
            race([refusable(drain_or_refuse), refusable(drain_or_refuse)], home, delays=delays(seed, number))
            tally.faults["two recoveries at once"] += 1
            finish("approve", home, tally)


def drain_or_refuse(workspace: object) -> None:
    from qa_agents.operations import handling

    handling.recover(workspace)  # type: ignore[arg-type]


@pytest.mark.parametrize("workload", ["triage", "approve"])
def test_a_worker_that_slept_past_its_lease_does_no_harm_when_it_wakes(
    workload: str,
    stages: dict[str, Home],
    points: dict[str, list[str]],
    seed: int,
    ground: Path,
    tally: Tally,
) -> None:
    """Another takes the run over an hour later, unless the sleeper holds a lock: then the other says so.

    It is paused at points where the thread that passes them holds none; LangGraph's other threads may hold one all the same.
    """
    start = stages["fresh" if workload == "triage" else "waiting"]
    names = list(enumerate(points[workload], 1))
    open_points = [n for n, name in names if not name.startswith("before commit") and "tracker file" not in name]
    sampled = open_points if FULL else random.Random(f"{seed} {start.engine}").sample(open_points, 5)
    for number in sampled:
        with start.copy(ground / f"pause-{workload}-{start.engine}-{seed}-{number}") as home:
            sleeper = Child(failing(WORKLOADS[workload]), home, Points(number, signal=signal.SIGSTOP)).start()
            assert sleeper.wait_for_pause()
            log = home.folder / "said.txt"
            try:
                took_over = Child(failing(WORKLOADS[workload], log), home, before=an_impatient_hour).start().wait()
            finally:
                sleeper.go_on()
                code = sleeper.wait()
            where = f"paused at {points[workload][number - 1]}"
            assert took_over == 0, f"{where}: who took over failed with no sentence of ours"
            assert not log.exists() or re.search("locked|lock timeout", log.read_text()), f"{where}: {log.read_text()}"
            assert code == 0, f"{where}: it failed with no sentence of ours"
            tally.faults["paused past its lease"] += 1
            finish(workload, home, tally)


def an_impatient_hour() -> None:
    """An hour later, and not willing to wait long for a lock."""
    shift_clock(AN_HOUR)
    storage_engine.BUSY_TIMEOUT_MS = 1_000
    savers.WAIT_SECONDS = 1.0


def test_workers_of_several_processes_open_a_new_workspace_at_once(
    stages: dict[str, Home], seed: int, ground: Path, tally: Tally
) -> None:
    with stages["empty"].copy(ground / f"open-{stages['fresh'].engine}-{seed}") as home:
        race([WORKLOADS["remember"]] * 4, home)
        run(drain, home)
        tally.faults["four processes open a new workspace"] += 1
        finish("remember", home, tally)
