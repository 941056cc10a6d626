"""Short ways to write runs and histories in tests."""

from collections.abc import Mapping, Sequence

from qa_agents.results.history import History, history_of
from qa_agents.results.schema import Outcome, Run, RunInfo, TestResult

OUTCOMES: Mapping[str, Outcome] = {"P": "passed", "F": "failed", "E": "error", "S": "skipped"}


def result(name: str, outcome: Outcome = "passed", message: str = "", **more: object) -> TestResult:
    suite, _, own = name.rpartition("::")
    return TestResult(name=own, suite=suite, outcome=outcome, message=message, **more)


def run(run_id: str, *results: TestResult, commit: str = "", branch: str = "main") -> Run:
    return Run(info=RunInfo(run_id=run_id, commit=commit, branch=branch), results=results)


def history(
    lines: Mapping[str, str], *, messages: Mapping[str, str] | None = None, commits: Sequence[str] = ()
) -> History:
    """One line of P, F, E, S and . (absent) per test; lines end together, with the newest run."""
    length = max(map(len, lines.values()))
    said = messages or {}
    runs = []
    for at in range(length):
        results = []
        for name, line in lines.items():
            letter = line.rjust(length, ".")[at]
            if letter != ".":
                words = said.get(name, "") if letter in "FE" else ""
                results.append(result(name, OUTCOMES[letter], words))
        commit = commits[at] if commits else f"c{at:039x}"
        runs.append(run(f"r{at}", *results, commit=commit))
    return history_of(runs)
