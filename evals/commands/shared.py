"""What the sub-commands share: the embedder with its kept vectors, the output files, the types of options."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import BaseModel

from evals.data import RUNS, load_dataset
from evals.report import refresh
from evals.tracker import Tracker, read_tracker, tracker_of
from evals.vectors import KeptVectors, to_stderr
from qa_agents.errors import InvalidInputError, UnavailableError
from qa_agents.incidents.embedders import Embedder

START = "2013-01-01"
"""The development data are measured from here on."""
NO_DATA = "The public data are not here; set QA_AGENTS_DATA."


def shared_options() -> argparse.ArgumentParser:
    """Options of every sub-command."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", type=Path, metavar="FILE", help="also write everything, per case too, as JSON")
    shared.add_argument(
        "--vectors", type=Path, metavar="FILE.npz", help="vectors computed before (what evals/runs/vectors.npz holds)"
    )
    shared.add_argument(
        "--docs", type=Path, metavar="FILE.md", help="also put the tables into this page, between its marks"
    )
    return shared


def tracker_options(parser: argparse.ArgumentParser) -> None:
    """Which tracker is measured, and from which day on."""
    parser.add_argument("--data", type=Path, metavar="FILE", help="a tracker as JSON Lines, .zst too")
    parser.add_argument(
        "--start", metavar="DATE", type=date, default=date(START), help=f"measure reports from here on ({START})"
    )


def new_embedder() -> Embedder:
    """The offline default, without a memory of recent texts."""
    from qa_agents.incidents.minilm import MiniLM, packaged_folder
    from qa_agents.settings import load_settings

    settings = load_settings()
    return MiniLM(settings.embedder_dir or packaged_folder(), threads=settings.embedder_threads)


def kept_vectors(options: argparse.Namespace) -> KeptVectors:
    """The embedder that computes each text once, with what earlier runs and `--vectors` hold."""
    kept = KeptVectors(new_embedder(), RUNS / "vectors.npz", to_stderr)
    if options.vectors:
        kept.read(options.vectors)
    return kept


def show(options: argparse.Namespace, section: str, text: str) -> None:
    """Print, and put into the page of `--docs`."""
    print(text, end="\n\n", flush=True)
    if options.docs:
        refresh(options.docs, section, text)


def write_json(path: Path | None, **documents: BaseModel | list[dict[str, object]]) -> None:
    """One JSON document with a key for each. Raises InvalidInputError when it cannot be written."""
    if path is None:
        return
    found = {k: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for k, v in documents.items()}
    write(path, orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def write(path: Path, body: bytes) -> None:
    """Write a file, its folder too. Raises InvalidInputError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written ({error.strerror}).", hint="Give another place.") from None


def date(text: str) -> datetime:
    """A date or moment, UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like {START}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def positive(text: str) -> int:
    """A whole number of at least 2."""
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 2")
    return int(text)


def tracker_at(path: Path | None) -> Tracker:
    """The tracker at `path`, or the development data. Raises UnavailableError where those are not here."""
    if path is not None:
        return read_tracker(path)
    dataset = load_dataset()
    if dataset is None:
        raise UnavailableError(NO_DATA, hint="Or give a tracker of your own with --data FILE.jsonl.")
    return tracker_of(dataset)
