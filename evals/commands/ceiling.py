"""`python -m evals ceiling`: how well could anybody name these labels?"""

import argparse

from evals.commands.shared import show, tracker_at, tracker_options, write_json

HELP = "how far two people agree who labelled one bug: what no method exceeds"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    tracker_options(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.suites.ceiling import ceiling_report, run_ceiling

    found = run_ceiling(tracker_at(options.data).dataset, options.start)
    show(options, "ceiling", ceiling_report(found))
    write_json(options.json, ceiling=found)
    return 0
