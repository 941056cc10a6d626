"""`python -m evals proposals`: component, type, priority and assignee, the fusion beside its parts and plain peers."""

import argparse

from evals.commands.shared import kept_vectors, show, tracker_at, tracker_options, write_json
from evals.vectors import to_stderr

HELP = "component, type, priority and assignee: fusion beside plain peers"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    tracker_options(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from evals.data import as_filed
    from evals.suites.proposals import proposals_report, run_proposals
    from qa_agents.incidents.embedders import text_for_embedding

    dataset, kept = tracker_at(options.data).dataset, kept_vectors(options)
    texts = [text_for_embedding(as_filed(incident)) for incident in dataset.incidents]
    vectors = dict(zip((incident.id for incident in dataset.incidents), kept.embed(texts), strict=True))
    kept.save()
    found = run_proposals(dataset, options.start, vectors, tell=to_stderr)
    show(options, "proposals", proposals_report(found))
    write_json(options.json, proposals=found)
    return 0
