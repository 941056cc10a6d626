"""The stop switch: from its commit on nothing is written outside, by whoever, until somebody resumes."""

import random
from pathlib import Path

from qa_agents.operations import handling
from qa_agents.wiring import Workspace
from tests.crash.conftest import FULL, Tally
from tests.crash.crash_driver import Child, Home, Points, race, run
from tests.crash.test_faults import effects
from tests.crash.workloads import WORKLOADS, approve, failing, resume, stop


def attempt(workspace: Workspace) -> None:
    handling.recover(workspace)


def test_nothing_is_written_while_it_is_on_and_everything_after(
    stages: dict[str, Home], points: dict[str, list[str]], seed: int, ground: Path, tally: Tally
) -> None:
    """A worker dies anywhere in an approval, then everything is stopped: recovery writes nothing until it is resumed."""
    start, numbers = stages["waiting"], range(1, len(points["approve"]) + 1)
    for number in numbers if FULL else random.Random(seed).sample(list(numbers), 5):
        with start.copy(ground / f"stop-{start.engine}-{seed}-{number}") as home:
            Child(approve, home, Points(number)).start().wait()
            run(stop, home)
            before = effects(home)
            run(failing(approve), home)
            run(attempt, home)
            assert effects(home) == before
            tally.faults["stopped"] += 1
            tally.check(home, drained=False)
            run(resume, home)
            run(approve, home)
            tally.check(home)
            assert effects(home)


def test_stopping_in_the_middle_of_the_work_holds_what_is_left(
    stages: dict[str, Home], seed: int, ground: Path, tally: Tally
) -> None:
    start, draw = stages["waiting"], random.Random(seed)
    for number in range(10 if FULL else 3):
        with start.copy(ground / f"stopping-{start.engine}-{seed}-{number}") as home:
            race([failing(approve), stop], home, delays=(0, draw.randrange(150_000)))
            tally.faults["stopped while working"] += 1
            tally.check(home, drained=False)
            run(resume, home)
            run(WORKLOADS["approve"], home)
            tally.check(home)
