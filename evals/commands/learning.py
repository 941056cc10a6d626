"""`python -m evals learning`: does retrieval help a team with few duplicate links, and gain from more?"""

import argparse
import tempfile
from bisect import bisect_left
from pathlib import Path

from evals.commands.shared import START, date, kept_vectors, show, tracker_at, write_json
from evals.tracker import default_start
from evals.vectors import to_stderr
from qa_agents.errors import InvalidInputError

HELP = "recall with 0, 20, 200 and all duplicate links known"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", type=Path, metavar="FILE", help="a tracker as JSON Lines, .zst too")
    parser.add_argument("--start", type=date, metavar="DATE", help=f"look for duplicates filed from here on ({START})")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.suites.triage.learning import run_learning
    from evals.suites.triage.run import earlier_of_cluster
    from evals.suites.triage.tables import learning_report

    tracker = tracker_at(options.data)
    start = options.start or (default_start(tracker.incidents) if options.data else date(START))
    first = bisect_left(tracker.incidents, start, key=lambda incident: incident.created or start)
    if first >= len(tracker.incidents):
        raise InvalidInputError(f"No report was filed from {start:%Y-%m-%d} on.", hint="Give an earlier --start.")
    _, wanted = earlier_of_cluster(tracker.incidents, first)
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work:
        found = run_learning(tracker, first, wanted, kept_vectors(options), Path(work), tell=to_stderr)
    show(options, "learning", learning_report(found))
    write_json(options.json, learning=found)
    return 0
