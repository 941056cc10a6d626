"""Fit the weights that ship with the release: `python -m evals.fit_ranker`.

From the public Titanium reports filed before 2013, each duplicate replayed against the memory as it was; the
probability curve from every report of the last quarter of 2012, put in order by trees that were fitted on what came
before. 2013 stays unseen. Once with vectors, once without.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import lightgbm

from evals.data import RUNS, TITANIUM, Dataset, load_dataset
from evals.suites.retrieval import BATCH, earlier_of_cluster
from evals.vectors import KeptVectors, to_stderr
from qa_agents.errors import QAAgentsError, UnavailableError
from qa_agents.incidents.embedders import Embedder
from qa_agents.incidents.minilm import MiniLM, packaged_folder
from qa_agents.incidents.schema import Report
from qa_agents.settings import Settings, load_settings, prepare_environment
from qa_agents.triage.ranking.examples import Examples, collect
from qa_agents.triage.ranking.fit import PARAMETERS, ROUNDS, SEEDS, fit_model
from qa_agents.triage.ranking.weights import SHIPPED, Ranker, dump
from qa_agents.wiring import Workspace

FIT_BEFORE = datetime(2012, 10, 1, tzinfo=UTC)
ODDS_BEFORE = datetime(2013, 1, 1, tzinfo=UTC)
_START = datetime.min.replace(tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write the file; 0 done, 3 where the data are not here."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_ranker", description="Fit the weights that ship.")
    parser.add_argument("--out", type=Path, default=SHIPPED, metavar="FILE.npz", help="where to write them")
    options = parser.parse_args(arguments)
    prepare_environment()
    try:
        dataset = load_dataset(TITANIUM)
        if dataset is None:
            raise UnavailableError("The public data are not here; set QA_AGENTS_DATA.")
        settings = load_settings()
        model = MiniLM(settings.embedder_dir or packaged_folder(), threads=settings.embedder_threads)
        kept = KeptVectors(model, RUNS / "vectors.npz", to_stderr)
        ranker = fit_shipped(dataset, kept)
        kept.save()
    except QAAgentsError as error:
        to_stderr(f"Error: {error}")
        return error.exit_code
    options.out.write_bytes(dump(ranker))
    to_stderr(f"{options.out}: {options.out.stat().st_size:,} bytes, {ranker.about}")
    return 0


def fit_shipped(dataset: Dataset, embedder: Embedder) -> Ranker:
    """The ranker fitted on what was filed before ODDS_BEFORE, its odds on what came from FIT_BEFORE on."""
    with_vectors, held = _examples(dataset, embedder)
    words_only, held_words = _examples(dataset, None)
    rank = (with_vectors + held).answered()
    about = {
        "data": f"{dataset.name}, {dataset.licence}, sha256 {dataset.sha256}",
        "fitted_on": f"{len(rank)} duplicates filed before {ODDS_BEFORE:%Y-%m-%d} whose original was in the pool",
        "odds_on": f"{len(held)} reports filed from {FIT_BEFORE:%Y-%m-%d} on, by trees fitted on what was filed before",
        "method": f"LambdaMART, LightGBM {lightgbm.__version__}, {ROUNDS} rounds, seeds {list(SEEDS)}",
        "parameters": PARAMETERS,
        "made_by": "python -m evals.fit_ranker",
    }
    ranker = Ranker(with_vectors.names, fit_model(with_vectors, held), fit_model(words_only, held_words), about)
    identity = hashlib.sha256(dump(ranker)).hexdigest()[:12]
    return Ranker(ranker.names, ranker.with_vectors, ranker.words_only, {**about, "id": identity})


def _examples(dataset: Dataset, embedder: Embedder | None) -> tuple[Examples, Examples]:
    """Pools of the duplicates to fit on, and of every report to calibrate on."""
    incidents = [i for i in dataset.incidents if i.created and i.created < ODDS_BEFORE]
    wanted = earlier_of_cluster(incidents, _START)
    fit: list[tuple[Report, frozenset[str]]] = []
    odds: list[tuple[Report, frozenset[str]]] = []
    for place, incident in enumerate(incidents):
        answers = frozenset(wanted.get(place, ()))
        if incident.created and incident.created >= FIT_BEFORE:
            odds.append((incident, answers))
        elif answers:
            fit.append((incident, answers))
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qa-agents-fit-")))
        workspace = stack.enter_context(Workspace(Settings(home=home, embedder="minilm" if embedder else "none")))
        if embedder is not None:
            workspace.embedder = embedder
        for start in range(0, len(incidents), BATCH):
            workspace.store.upsert(incidents[start : start + BATCH])
        if problems := workspace.memory.catch_up():
            raise UnavailableError(f"The memory could not be completed: {problems[0]}")
        return (
            collect(workspace.memory, fit, progress=_told, total=len(fit), stage="to fit on"),
            collect(workspace.memory, odds, progress=_told, total=len(odds), stage="for the odds"),
        )


def _told(stage: str, done: int, total: int) -> None:
    if done % 200 == 0 or done == total:
        to_stderr(f"{stage}: {done} of {total}")


if __name__ == "__main__":
    sys.exit(main())
