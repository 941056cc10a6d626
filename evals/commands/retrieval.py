"""`python -m evals retrieval`: are the known duplicates found?"""

import argparse
import tempfile
from pathlib import Path

from evals.commands.shared import NO_DATA, kept_vectors, show, tracker_options, write_json
from evals.data import load_dataset, load_file
from evals.vectors import to_stderr
from qa_agents.errors import UnavailableError

QUICK_WINDOW = 2_000
"""Incidents that a quick run replays."""
HELP = "known duplicates, replayed in time order"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    tracker_options(parser)
    parser.add_argument("--quick", action="store_true", help="smaller, in minutes; figures are not the full run's")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.report import retrieval_report
    from evals.suites.retrieval import run_retrieval

    dataset = load_file(options.data) if options.data else load_dataset()
    if dataset is None:
        raise UnavailableError(NO_DATA, hint="Or give a tracker of your own with --data FILE.jsonl.")
    window = QUICK_WINDOW if options.quick else None
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work:
        found = run_retrieval(dataset, options.start, kept_vectors(options), Path(work), window=window, tell=to_stderr)
    show(options, "retrieval", retrieval_report(found))
    write_json(options.json, retrieval=found)
    return 0
