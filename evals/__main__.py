"""The command line of the measurements; see `python -m evals --help`."""

import argparse
import importlib
import runpy
import sys
from collections.abc import Sequence

from evals.commands.shared import shared_options
from evals.vectors import to_stderr
from qa_agents.errors import QAAgentsError, UnavailableError
from qa_agents.settings import prepare_environment

COMMANDS = (
    "triage",
    "learning",
    "audit",
    "retrieval",
    "proposals",
    "severity",
    "ceiling",
    "plans",
    "regressions",
    "speed",
    "all",
)
"""One module of evals/commands each."""
SUITES = {
    "monitor": "monitoring and quality gates: do intervals cover, do daily looks stay honest, what is found?",
    "witness": "a language model as second witness in triage, with and without it, on any endpoint",
    "injection": "twins with and without a payload: drift, goals, false alarms; and a model that always obeys the payload",
    "redaction": "secrets and personal data: what is hidden of each type, and what is hidden that is none",
    "gate": "the missed-critical bound: does it hold, and what does it cost?",
    "jira_effects": "is every change made exactly once in Jira, when answers are lost and workers killed?",
    "throughput": "the loop of one report against the bare graph",
    "receiver": "webhooks acknowledged, beside a plain endpoint with one transaction per request",
    "results_read": "the public collection of result files: read or refused, counted, cut off anywhere; the store of runs",
    "pages": "the review pages while ten thousand reviews wait",
    "queue": "our queue and Procrastinate on PostgreSQL: pace, order per issue, what a killed worker costs",
    "drain": "webhook to review, a burst, and what a second worker is worth",
}
"""Measurements with a command line of their own: `python -m evals NAME …` is `python -m evals.suites.NAME …`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 done, 1 a budget or gate was missed, 2 wrong input, 3 something needed is missing."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare_environment()
    try:
        if given and given[0] in SUITES:
            return _suite(given[0], given[1:])
        options = _parser().parse_args(given)
        return int(options.run(options))
    except QAAgentsError as error:
        to_stderr(f"Error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        to_stderr("Stopped.")
        return 130


def _suite(name: str, arguments: list[str]) -> int:
    """Run a suite's own command line; one that is broken says so and breaks nothing else."""
    kept = sys.argv
    sys.argv = [f"python -m evals {name}", *arguments]
    try:
        runpy.run_module(f"evals.suites.{name}", run_name="__main__", alter_sys=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ImportError as error:
        raise UnavailableError(f"The measurement {name} cannot be loaded ({error}).") from None
    finally:
        sys.argv = kept
    return 0


def _parser() -> argparse.ArgumentParser:
    more = "".join(f"  {name:<14}{what}\n" for name, what in SUITES.items())
    parser = argparse.ArgumentParser(
        prog="python -m evals",
        description="Measure how good and how fast, always beside the plain alternatives.",
        epilog=f"with options of their own (--help):\n{more}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="suite", required=True, metavar="|".join((*COMMANDS, *SUITES)))
    for name in COMMANDS:
        module = importlib.import_module(f"evals.commands.{name}")
        command = commands.add_parser(name, parents=[shared_options()], help=module.HELP)
        module.add(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
