"""`python -m evals all`: a version of everything that takes about five minutes; `--full` is everything there is."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from evals.data import ROOT, RUNS
from evals.report import table
from evals.vectors import to_stderr

HELP = "everything: about five minutes, or with --full all there is"
QUICK = (
    ("triage", "--quick", "--html", "evals/runs/triage-quick.html", "--json", "evals/runs/triage-quick.json"),
    ("gate", "--quick"),
    ("speed", "--quick"),
)
FULL = (
    ("learning", "--json", "evals/runs/learning.json"),
    (
        *("triage", "--html", "evals/runs/triage.html", "--json", "evals/runs/triage.json"),
        *("--learning", "evals/runs/learning.json"),
        *("--baseline", "evals/baselines/triage.json", "--gate", "evals/gates/triage.toml"),
    ),
    ("audit",),
    ("retrieval", "--json", "evals/runs/retrieval.json"),
    ("proposals",),
    ("plans", "--json", "evals/runs/plans.json"),
    ("severity",),
    ("gate",),
    ("speed", "--json", "evals/runs/speed.json"),
    ("throughput",),
)
CODES = {0: "done", 1: "missed a budget or a gate", 2: "wrong input", 3: "something needed is missing"}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--full", action="store_true", help="everything in full; hours on two cores")


def run(options: argparse.Namespace) -> int:
    """Run every measurement in a process of its own; what fails there does not stop the rest. The highest exit code."""
    RUNS.mkdir(parents=True, exist_ok=True)
    rows, worst, texts = [], 0, []
    for command in FULL if options.full else QUICK:
        to_stderr(f"== python -m evals {' '.join(command)}")
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "evals", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="", flush=True)
        texts.append(done.stdout)
        worst = max(worst, done.returncode if done.returncode in CODES else 1)
        minutes = f"{(time.monotonic() - began) / 60:.1f}"
        rows.append((" ".join(command[:2]), CODES.get(done.returncode, f"ended with {done.returncode}"), minutes))
    summary = "## What was run\n\n" + table(("measurement", "outcome", "minutes"), rows)
    print(summary)
    path = Path(RUNS / ("all-full.md" if options.full else "all.md"))
    path.write_text("\n".join([*texts, summary, ""]), "utf-8")
    to_stderr(f"All tables are in {path.relative_to(ROOT)}.")
    return worst
