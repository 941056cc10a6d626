"""`python -m evals speed`: import, triage, batch, memory and disk."""

import argparse
import tempfile
from pathlib import Path

from evals.commands.shared import NO_DATA, kept_vectors, new_embedder, positive, show, write_json
from evals.data import Dataset, load_dataset, load_examples
from evals.vectors import to_stderr

QUICK_SIZES = (2_000, 5_000)
QUICK_TEXTS = 1_000
"""Real texts that a quick speed run embeds and makes its incidents from."""
HELP = "import, triage, batch, memory and disk"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--quick", action="store_true", help="smaller, in minutes; figures are not the full run's")
    parser.add_argument("--sizes", type=_sizes, metavar="N,N,…", help="incidents in memory (10000,30000,100000)")
    parser.add_argument("--reports", type=positive, metavar="N", help="fresh reports at each size (200)")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw cost per report against size")


def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 when a budget was missed."""
    from evals.budgets import speed_budgets
    from evals.plots import cost_curve
    from evals.report import speed_report
    from evals.suites.speed import run_speed
    from evals.suites.speed_result import Plan

    plan = Plan(sizes=QUICK_SIZES, reports=40, batch=40, peer_every=4, repeats=2) if options.quick else Plan()
    plan = Plan(
        sizes=options.sizes or plan.sizes,
        reports=options.reports or plan.reports,
        batch=options.reports or plan.batch,
        peer_every=plan.peer_every,
        repeats=plan.repeats,
    )
    dataset = load_dataset()
    if dataset is None:
        to_stderr(f"{NO_DATA} Speed is measured on incidents made from the examples, which are fewer and shorter.")
        dataset = load_examples()
    if options.quick:
        newest = dataset.incidents[-QUICK_TEXTS:]
        dataset = Dataset(dataset.name, newest, dataset.sha256, dataset.licence, dataset.checked)
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work:
        speed = run_speed(plan, dataset, new_embedder, kept_vectors(options), Path(work), to_stderr)
    budgets = speed_budgets(speed)
    show(options, "speed", speed_report(speed, budgets))
    if options.plot:
        cost_curve(speed, options.plot)
    rows = [{**budget.model_dump(), "state": budget.state} for budget in budgets]
    write_json(options.json, speed=speed, budgets=rows)
    return 1 if any(budget.state == "MISS" for budget in budgets) else 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({positive(part) for part in text.split(",")}))
