"""`python -m evals plans`."""

import argparse

from evals.commands.shared import NO_DATA, show, write_json
from evals.vectors import to_stderr
from qa_agents.errors import UnavailableError

HELP = "test plans: grounding, cost, diff, tests that run beside Schemathesis, coverage beside its controls"


def add(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    parser.add_argument("--quick", action="store_true", help="a dozen faults, without Schemathesis")
    parser.add_argument("--schemathesis", metavar="COMMAND", help="the peer's command, where it is not on the path")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and 1 when a promise is missed."""
    from evals.plans.report import plans_report
    from evals.suites.plans import promises, run_plans

    found = run_plans(quick=options.quick, schemathesis=options.schemathesis, tell=to_stderr)
    if found is None:
        raise UnavailableError(NO_DATA)
    kept = promises(found)
    show(options, "plans", plans_report(found, kept))
    write_json(options.json, plans=found, promises=[one.model_dump() for one in kept])
    return int(any(one.kept is False for one in kept))
