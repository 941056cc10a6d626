"""kill -9 at every node boundary and every durable operation, in real processes over real files and a real server."""

import random
from pathlib import Path

import pytest

from tests.crash.conftest import FULL, Tally, chosen, finish, stage_of
from tests.crash.crash_driver import Home, kill
from tests.crash.workloads import DECISIONS, WORKLOADS, drain


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_kill_at_any_point_loses_nothing_and_repeats_nothing(
    workload: str,
    seed: int,
    part: int,
    stages: dict[str, Home],
    points: dict[str, list[str]],
    ground: Path,
    tally: Tally,
) -> None:
    start = stages[stage_of(workload)]
    for number in chosen(points[workload], seed, part, start.engine):
        with start.copy(ground / f"{workload}-{start.engine}-{seed}-{number}") as home:
            assert kill(WORKLOADS[workload], home, number), f"point {number} was not reached"
            tally.killed(start.engine, workload, number, points[workload][number - 1])
            finish(workload, home, tally)


@pytest.mark.parametrize("workload", DECISIONS)
def test_a_kill_at_any_point_of_the_recovery_is_recovered_from(
    workload: str, seed: int, stages: dict[str, Home], points: dict[str, list[str]], ground: Path, tally: Tally
) -> None:
    """Die once after the decision is stored, then at the first, second, third … point of the recovery, until it gets through."""
    start, draw = stages["waiting"], random.Random(f"{seed} {workload}")
    stored = next(n for n, name in enumerate(points[workload], 1) if name.endswith("commit Inbox.decide"))
    first = draw.randrange(stored + 1, len(points[workload]) - 2)
    for second in range(1, 1_000, 1 if FULL else 9):
        with start.copy(ground / f"again-{workload}-{start.engine}-{seed}-{second}") as home:
            assert kill(WORKLOADS[workload], home, first)
            died = kill(drain, home, second)
            if died:
                tally.killed(start.engine, f"recovery of {workload} at {first}", second)
            finish(workload, home, tally)
        if not died:
            return
