"""The measurement of effects on Jira, reduced: two processes, spoiled answers, one kill."""

from pathlib import Path

import pytest

from evals.suites.jira_effects import jira_effects_report, run_jira_effects

pytestmark = pytest.mark.slow


def test_two_workers_of_which_one_is_killed_make_everything_exactly_once(tmp_path: Path) -> None:
    result = run_jira_effects(4, tmp_path, postgres=False, kills=1, bare=14)
    (found,) = result.engines
    assert found.is_exact
    assert (found.kills, found.failed) == (1, 0)
    assert found.spoiled > found.calls / 2
    assert set(result.bare) != {1}, "the bare package doubles some: otherwise the faults are not harsh"
    assert "4 of 4 once" in jira_effects_report(result)
