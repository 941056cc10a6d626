"""`python -m evals regressions`: does the regression agent surface what matters, and only that?"""

import argparse

from evals.commands.shared import positive, show, write_json
from evals.vectors import to_stderr

HELP = "test runs: noise suppressed, regressions found, false alarms, speed at 50,000 tests"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=positive, default=1_000, help="comparisons of equal runs (1000)")
    parser.add_argument(
        "--half",
        choices=("earlier", "later"),
        default="later",
        help="the earlier one is what parameters were chosen on",
    )
    parser.add_argument("--tests", type=positive, default=50_000, help="tests of the speed measurement (50000)")
    parser.add_argument("--runs", type=positive, default=200, help="runs of the speed measurement (200)")
    parser.add_argument("--only", choices=("quality", "speed"), help="measure one of the two")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.suites.regressions import run_regressions
    from evals.suites.regressions_report import regressions_report, speed_report
    from evals.suites.regressions_speed import measure_speed

    found = speed = None
    if options.only != "speed":
        found = run_regressions(to_stderr, rounds=options.rounds, half=options.half)
        show(options, "regressions", regressions_report(found, options.half))
    if options.only != "quality":
        speed = measure_speed(options.tests, options.runs, to_stderr)
        show(options, "regressions-speed", speed_report(speed))
    write_json(options.json, **{k: v for k, v in (("quality", found), ("speed", speed)) if v is not None})
    missed = found is not None and not all(found.promises().values())
    return 1 if missed or (speed is not None and not speed.holds) else 0
