"""`python -m evals ceiling`: how well could anybody name these labels?"""

import argparse
from pathlib import Path

from evals.commands.shared import START, date, show, tracker_at, write_json

HELP = "how far two people agree who labelled one bug: what no method exceeds"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", type=Path, metavar="FILE", help="a tracker as JSON Lines, .zst too")
    parser.add_argument(
        "--start", metavar="DATE", type=date, default=date(START), help=f"measure reports from here on ({START})"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.suites.ceiling import ceiling_report, run_ceiling

    found = run_ceiling(tracker_at(options.data).dataset, options.start)
    show(options, "ceiling", ceiling_report(found))
    write_json(options.json, ceiling=found)
    return 0
