"""`python -m evals severity`: the rubric, its second opinion, the inflation meter, hypotheses and questions."""

import argparse

from evals.commands.shared import kept_vectors, show, tracker_at, tracker_options, write_json
from evals.vectors import to_stderr

HELP = "the rubric and its second opinion beside plain peers"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    tracker_options(parser)
    parser.add_argument(
        "--labels", choices=("filed", "resolved"), default="filed", help="when severities count as known"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.suites.severity import run_severity
    from evals.suites.triage.tables import severity_report

    kept = kept_vectors(options)
    found = run_severity(tracker_at(options.data).dataset, options.start, kept, labels=options.labels, tell=to_stderr)
    kept.save()
    show(options, "severity", severity_report(found))
    write_json(options.json, severity=found)
    return 0
