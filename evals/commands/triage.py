"""`python -m evals triage`: a tracker replayed in time order through the real triage, beside every peer."""

import argparse
import tempfile
from pathlib import Path

from evals.commands.shared import START, date, kept_vectors, show, tracker_at, write, write_json
from evals.tracker import default_start
from evals.vectors import to_stderr

HELP = "every judgement, a tracker replayed in time order, beside every peer"
FAILED_SHARE = 0.5
"""With more reports than this without a verdict, nothing was measured but a defect."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", type=Path, metavar="FILE", help="a tracker as JSON Lines, .zst too")
    parser.add_argument(
        "--start", type=date, metavar="DATE", help=f"measure reports from here on ({START}; own data: the last 30 %%)"
    )
    parser.add_argument("--quick", action="store_true", help="300 reports after 2,000; figures are not the full ones")
    parser.add_argument("--limit", type=int, metavar="N", help="measure at most so many reports")
    parser.add_argument(
        "--labels",
        choices=("filed", "resolved"),
        default="filed",
        help="when the fields that people chose count as known: the day after filing, or once closed (filed)",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the report with its plots")
    parser.add_argument("--learning", type=Path, metavar="FILE.json", help="draw what `learning --json` wrote, too")
    parser.add_argument("--gate", type=Path, metavar="FILE.toml", help="exit 1 unless every gate of this file passes")
    parser.add_argument("--baseline", type=Path, metavar="FILE.json", help="compare case by case with accepted scores")
    parser.add_argument("--accept", type=Path, metavar="FILE.json", help="write this run's scores as a baseline")


def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 when a gate did not pass, or most reports got no verdict."""
    from evals.baseline import accept, compare_with
    from evals.gating import judge_file
    from evals.page import page
    from evals.suites.triage.learning import read_learning
    from evals.suites.triage.run import run_triage
    from evals.suites.triage.tables import triage_report

    tracker = tracker_at(options.data)
    start = options.start or (default_start(tracker.incidents) if options.data else date(START))
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work:
        found = run_triage(
            tracker,
            start,
            kept_vectors(options),
            Path(work),
            labels=options.labels,
            quick=options.quick,
            limit=options.limit,
            tell=to_stderr,
        )
    if options.learning:
        found.learning = read_learning(options.learning).curves()
    show(options, "triage", triage_report(found))
    write_json(options.json, triage=found)
    if options.html:
        write(options.html, page(found).encode())
    failed = found.line("verdicts.reports without one")
    refused = failed is not None and failed.value.value > FAILED_SHARE
    if options.baseline:
        text, broken = compare_with(found, options.baseline)
        print(text, end="\n\n")
        refused |= broken and options.gate is not None
    if options.gate:
        text, passed = judge_file(found, options.gate)
        print(text)
        refused |= not passed
    if options.accept:
        accept(found, options.accept)
    return 1 if refused else 0
