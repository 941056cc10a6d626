"""How fast: import, triage, batch, memory and disk at several sizes of the memory, with the peers in the same process.

The durable graph runs whole: every report is accepted, triaged through LangGraph with each step stored, remembered,
and left at the checkpoint. The peers only answer their query. Reports are timed one by one, the contenders taking
turns, so that whatever else the machine does meets all of them alike.
"""

import gc
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import orjson

from evals.data import Dataset
from evals.peers import BM25Scan, ChromaTopK, MissingPeerError, Peer
from evals.provenance import load, provenance
from evals.stats import Spread, growth, paired_ratio, spread
from evals.suites.batch import run_batch
from evals.suites.speed_result import AtSize, Import, PeerSpeed, Plan, Speed
from evals.synthesis import fresh, make
from evals.vectors import KeptVectors, Replayed, Tell
from qa_agents.errors import UnavailableError
from qa_agents.incidents.embedders import CachedEmbedder, Embedder, text_for_embedding
from qa_agents.incidents.importers import import_files
from qa_agents.incidents.intake import ReceivedReport, read_batch
from qa_agents.incidents.minilm import Vectors
from qa_agents.incidents.schema import Incident
from qa_agents.operations.handling import handle
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

K = 20
OPTIONS = {"k": K, "remember": True}
WARM_UP = 5
"""Reports that are not counted."""
EMBEDDED = 32
"""Texts in one round of the embedder's own rate."""

P = ParamSpec("P")
T = TypeVar("T")


def run_speed(
    plan: Plan,
    dataset: Dataset,
    make_embedder: Callable[[], Embedder],
    kept: KeptVectors,
    work: Path,
    tell: Tell = lambda _: None,
) -> Speed:
    """Measure; `work` is filled with workspaces and emptied again.

    Raises UnavailableError when the system refuses something that a measurement needs.
    """
    started, origin = time.perf_counter(), provenance(dataset, plan.seed)
    base = dataset.incidents
    texts = [text_for_embedding(incident) for incident in base]
    bench = _Bench(plan, base, kept.embed(texts), make_embedder, work, tell)
    kept.save()
    tell("measuring the embedder")
    embedder = _embedder_rate(make_embedder(), texts, plan.repeats)
    imports = [bench.import_only(repeat) for repeat in range(plan.repeats)]
    sizes = [bench.measure(size) for size in plan.sizes]
    rates = [one.rate for one in (*imports, *(at.imported for at in sizes))]
    several = len(plan.sizes) > 1
    return Speed(
        provenance=origin,
        imports=spread(rates),
        embedder=embedder,
        sizes=sizes,
        growth=growth(plan.sizes, [at.triage.median for at in sizes]) if several else None,
        seconds=time.perf_counter() - started,
        notes=[
            f"{len(base)} texts of {dataset.name} have vectors computed by {kept.fingerprint}; made incidents have "
            "these, moved by seeded noise. Fresh reports are embedded for real.",
        ],
    )


class _Bench:
    """Workspaces filled with made incidents, and what is timed on them."""

    def __init__(
        self,
        plan: Plan,
        base: Sequence[Incident],
        vectors: Vectors,
        make_embedder: Callable[[], Embedder],
        work: Path,
        tell: Tell,
    ) -> None:
        self._plan, self._base, self._vectors = plan, base, vectors
        self._make_embedder, self._work, self._tell = make_embedder, work, tell

    def import_only(self, repeat: int) -> Import:
        """One import of the smallest size."""
        size = min(self._plan.sizes)
        self._tell(f"importing {size} incidents, round {repeat + 1}")
        home = self._work / f"import-{repeat}"
        file, _ = self._incidents(size)
        with Workspace(Settings(home=home)) as workspace:
            imported = _import(workspace, file)
        shutil.rmtree(home)
        return imported

    def measure(self, size: int) -> AtSize:
        """Everything at one size, from an empty workspace to an empty folder."""
        self._tell(f"{size} incidents: importing")
        file, made_from = self._incidents(size)
        embedder = Replayed(CachedEmbedder(self._make_embedder()), self._vectors, made_from)
        home = self._work / f"home-{size}"
        with Workspace(Settings(home=home)) as workspace:
            workspace.embedder = embedder
            imported = _import(workspace, file)
            vectors_seconds, calibration_seconds = self._complete(workspace, size)
            times = self._one_by_one(workspace, size, file, made_from)
        self._tell(f"{size} incidents: batch of {self._plan.batch}")
        reports = self._reports("batch", self._plan.batch, made_from, seed=300 + self._plan.seed)
        batch = run_batch(home, reports, self._plan.env)
        result = AtSize(
            size=size,
            imported=imported,
            vectors_seconds=vectors_seconds,
            calibration_seconds=calibration_seconds,
            triage=spread(times.triage),
            triage_cpu=spread(times.cpu),
            search=spread(times.search),
            peers=times.peers(),
            batch=batch,
            disk_mb=disk_mb(home),
            load=times.load,
            failed=times.failed + batch.failed,
            notes=times.notes + [f"a line of the batch has no verdict: {batch.first_error}"] * bool(batch.failed),
        )
        shutil.rmtree(home)
        file.unlink()
        return result

    def _complete(self, workspace: Workspace, size: int) -> tuple[float, float]:
        """Vectors and calibration; the seconds each took."""
        self._tell(f"{size} incidents: storing vectors")
        started = time.perf_counter()
        if problems := workspace.memory.catch_up():
            raise UnavailableError(f"The memory could not be completed: {problems[0]}")
        stored = time.perf_counter()
        self._tell(f"{size} incidents: calibrating")
        workspace.learn()
        return stored - started, time.perf_counter() - stored

    def _one_by_one(self, workspace: Workspace, size: int, file: Path, made_from: Mapping[str, int]) -> "_Times":
        """Fresh reports, each given to the system and now and then to the others too."""
        plan = self._plan
        received = self._received(workspace, plan.reports + WARM_UP, made_from, seed=100 + plan.seed)
        searched = self._received(workspace, plan.reports // plan.peer_every + 1, made_from, seed=200 + plan.seed)
        times = _Times()
        for one in received[:WARM_UP]:
            handle(workspace, one, options=OPTIONS)
        peers = list(self._peers(size, file, made_from, times))
        # The peers' millions of small objects are not to be walked through at the system's expense.
        gc.collect()
        gc.freeze()
        self._tell(f"{size} incidents: triaging {plan.reports} reports")
        for number, one in enumerate(received[WARM_UP:]):
            cpu = time.process_time()
            seconds, handled = _timed(handle, workspace, one, options=OPTIONS)
            times.cpu.append((time.process_time() - cpu) * 1e3)
            times.triage.append(seconds * 1e3)
            times.saw(handled.triage.provenance if handled.triage else None, handled.account.error)
            if number % plan.peer_every == 0:
                times.paired.append(seconds * 1e3)
                _search_beside(workspace, peers, searched[number // plan.peer_every], one, times)
        times.load = load()
        for peer in peers:
            peer.close()
        gc.unfreeze()
        return times

    def _peers(self, size: int, file: Path, made_from: Mapping[str, int], times: "_Times") -> Iterator[Peer]:
        self._tell(f"{size} incidents: building the peers")
        incidents = [Incident.model_validate(orjson.loads(line)) for line in file.open("rb")]
        try:
            seconds, bm25 = _timed(BM25Scan, incidents)
            times.built[bm25.name] = seconds
            yield bm25
        except MissingPeerError as missing:
            times.notes.append(f"bm25_scan was not measured: {missing}")
        replayed = Replayed(self._make_embedder(), self._vectors, made_from)
        chroma = ChromaTopK(self._work / f"chroma-{size}", replayed)
        times.built[chroma.name], _ = _timed(chroma.add, incidents)
        chroma.search(incidents[0], K)
        yield chroma

    def _incidents(self, size: int) -> tuple[Path, dict[str, int]]:
        """A file of made incidents, and which real one each summary was made from."""
        made_from: dict[str, int] = {}
        path = self._work / f"incidents-{size}.jsonl"
        with path.open("wb") as file:
            for made in make(self._base, size, seed=self._plan.seed):
                made_from[made.row["summary"]] = made.base
                file.write(orjson.dumps(made.row) + b"\n")
        return path, made_from

    def _reports(self, name: str, count: int, made_from: Mapping[str, int], *, seed: int) -> Path:
        path = self._work / f"reports-{name}.jsonl"
        rows = fresh(self._base, count, seed=seed, avoid=made_from)
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return path

    def _received(
        self, workspace: Workspace, count: int, made_from: Mapping[str, int], *, seed: int
    ) -> list[ReceivedReport]:
        path = self._reports("single", count, made_from, seed=seed)
        return list(read_batch(path, workspace.settings.max_report_bytes))


@dataclass
class _Times:
    """Milliseconds as they come in."""

    triage: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    paired: list[float] = field(default_factory=list)
    """Of `triage`, those whose report the peers got too."""
    search: list[float] = field(default_factory=list)
    query: dict[str, list[float]] = field(default_factory=dict)
    built: dict[str, float] = field(default_factory=dict)
    load: float | None = None
    failed: int = 0
    notes: list[str] = field(default_factory=list)

    def saw(self, verdict: object, error: str | None) -> None:
        """Count what has no verdict, and say why once."""
        if verdict is None:
            self.failed += 1
            self.note(f"a report has no verdict: {error}")

    def note(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def peers(self) -> dict[str, PeerSpeed]:
        """Each peer beside the system."""
        return {
            name: PeerSpeed(
                build_seconds=self.built[name],
                query=spread(query),
                triage_ratio=paired_ratio(self.paired, query),
                search_ratio=paired_ratio(self.search, query),
            )
            for name, query in self.query.items()
        }


def _search_beside(
    workspace: Workspace, peers: Sequence[Peer], unseen: ReceivedReport, same: ReceivedReport, times: _Times
) -> None:
    """The bare search, for a report never seen, and each peer's query for the report just triaged."""
    if unseen.report is None or same.report is None:
        raise UnavailableError("A made report was refused by the intake.")
    report, query = unseen.report, same.report
    seconds, retrieval = _timed(workspace.memory.search, report, k=K)
    times.search.append(seconds * 1e3)
    for sentence in retrieval.notes:
        times.note(sentence)
    for peer in peers:
        seconds, _ = _timed(peer.search, query, K)
        times.query.setdefault(peer.name, []).append(seconds * 1e3)


def _import(workspace: Workspace, file: Path) -> Import:
    """What `qa-agents incidents import --no-vectors` does, without starting a process."""
    started = time.perf_counter()
    report = import_files([file], workspace.store.upsert)
    workspace.lexical.catch_up()
    seconds = time.perf_counter() - started
    if report.rejected:
        raise UnavailableError(f"The import rejected {report.rejected} rows: {report.rejections[0].reason}.")
    return Import(incidents=report.imported, seconds=seconds, rate=report.imported / seconds)


def _embedder_rate(embedder: Embedder, texts: Sequence[str], rounds: int) -> Spread:
    embedder.embed(texts[:1])
    rates = []
    for start in range(0, rounds * EMBEDDED, EMBEDDED):
        batch = [texts[(start + i) % len(texts)] for i in range(EMBEDDED)]
        seconds, _ = _timed(embedder.embed, batch)
        rates.append(EMBEDDED / seconds)
    return spread(rates)


def _timed(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    """The seconds a call took, and its result."""
    started = time.perf_counter()
    result = work(*args, **kwargs)
    return time.perf_counter() - started, result


def disk_mb(home: Path) -> dict[str, float]:
    """Megabytes (10^6 bytes) of each file and folder of a workspace; a database counts with its journal."""
    sizes: dict[str, float] = {}
    for path in home.rglob("*"):
        if path.is_file():
            top = path.relative_to(home).parts[0]
            name = top.removesuffix("-wal").removesuffix("-shm")
            sizes[name] = sizes.get(name, 0.0) + path.stat().st_size / 1e6
    return dict(sorted(sizes.items()))
