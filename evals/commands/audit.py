"""`python -m evals audit`: what a reader made of the likeliest pairs that no link connects."""

import argparse

from evals.audit import LIKELIEST, NAME, audit_report, read_audit
from evals.commands.shared import show

HELP = "precision of relations where links are missing, from judged pairs"


def add(parser: argparse.ArgumentParser) -> None:
    """There are no options but the shared ones."""


def run(options: argparse.Namespace) -> int:
    """Print."""
    show(options, "audit", "\n\n".join(audit_report(read_audit(name), name) for name in (NAME, LIKELIEST)))
    return 0
