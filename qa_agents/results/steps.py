"""The nodes of the summary graph: plain functions from state to update, each testable without LangGraph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from qa_agents.checkpoint.agent_inbox import with_agent_inbox
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import ConflictError
from qa_agents.results.cluster import Cause, cluster
from qa_agents.results.compare import Comparison, compare
from qa_agents.results.gate_metrics import Compared, Facts, measure
from qa_agents.results.gates import Judged, judge, load_gates
from qa_agents.results.history import History
from qa_agents.results.narrate.executives import three_sentences
from qa_agents.results.narrate.story import text_of
from qa_agents.results.related import Relate, relate_causes
from qa_agents.results.requirements import Planned, of_tests, prove
from qa_agents.results.schema import Run
from qa_agents.results.summary import Summary, SummaryState, summarise
from qa_agents.results.suspects import Between, commits_between, ranked
from qa_agents.storage.canonical import digest_of

_CAUSES: TypeAdapter[list[Cause]] = TypeAdapter(list[Cause])
SHOWN_CAUSES = 10


@dataclass(frozen=True)
class SummaryParts:
    """What the nodes work with; composed in wiring, replaced by twins in tests."""

    document: Callable[[str], bytes]
    """The bytes kept under a SHA-256."""
    keep: Callable[[bytes], str]
    """Keep bytes; their SHA-256."""
    publish: Callable[..., str]
    """(run_id, document, event=…, **summary) -> SHA-256 of the kept summary."""
    finish: Callable[..., None]
    """(run_id, report_state, **summary)"""
    run: Callable[[str], Run]
    """A kept run."""
    digest: Callable[[str], str]
    """Its digest."""
    history: Callable[[Run, Sequence[str] | None, str | None], History]
    """(run, branches, baseline) to the runs before it, the run last."""
    relate: Relate
    planned: Callable[[], Sequence[Planned]]
    """The requirements of the plans of this workspace."""
    criticals: Callable[[], tuple[int, int] | None]
    """(open incidents of the highest severity, all incidents); None without incidents."""
    now: Callable[[], datetime]


class SummarySteps:
    """One method per node."""

    def __init__(self, parts: SummaryParts) -> None:
        self._parts = parts

    def read(self, state: SummaryState) -> SummaryState:
        """Make sure that the run is there and is the very one that was asked about. Raises ConflictError."""
        options = state["options"]
        if self._parts.digest(options["run"]) != options["digest"]:
            raise ConflictError(
                f"The run {options['run']} is not the one that was to be summarised.", hint="Summarise it again."
            )
        return {}

    def compare(self, state: SummaryState) -> SummaryState:
        """Judge every test against the baseline and its own past."""
        history = self._history(state)
        base = state["options"].get("baseline")
        found = compare(history, baseline=None if base is None else history.index(base))
        return {"comparison_sha256": self._parts.keep(found.model_dump_json().encode())}

    def cluster(self, state: SummaryState) -> SummaryState:
        """Put failures together into causes, with the commits that may have brought them and the requirements left unproven."""
        run, comparison, history = self._run(state), self._comparison(state), self._history(state)
        proof = prove(self._parts.planned(), run, comparison)
        causes = cluster(run, comparison, history)
        repository = state["options"].get("repository")
        causes = [
            cause.model_copy(
                update={
                    "requirements": of_tests(proof, (*cause.tests, *cause.took_down)),
                    "suspects": tuple(_suspects(cause, comparison, history, repository)) if repository else (),
                }
            )
            for cause in causes
        ]
        return {"causes_sha256": self._parts.keep(_CAUSES.dump_json(causes))}

    def relate(self, state: SummaryState) -> SummaryState:
        """Ask the memory about every cause: a known bug, or one that was fixed and is back?"""
        causes = relate_causes(self._causes(state), self._parts.relate)
        return {"causes_sha256": self._parts.keep(_CAUSES.dump_json(causes))}

    def narrate(self, state: SummaryState) -> SummaryState:
        """Say what it all means, each number with its source."""
        run, comparison = self._run(state), self._comparison(state)
        base = comparison.baseline
        summary = summarise(
            run,
            state["options"]["digest"],
            comparison,
            self._causes(state),
            proof=prove(self._parts.planned(), run, comparison),
            coverage_before=self._parts.run(base.run_id).coverage if base and run.coverage else None,
            notes=_notes(state, comparison),
        )
        return {"summary_sha256": self._parts.keep(_told(summary).model_dump_json().encode())}

    def judge(self, state: SummaryState) -> SummaryState:
        """Hold the run against the quality gate, publish the summary, and say whether a person must sign."""
        summary = self._summary(state)
        gates = self._judged(state, summary)
        run = self._run(state)
        summary = summarise(
            run,
            summary.run_sha256,
            summary.comparison,
            summary.causes,
            proof=summary.proof,
            gates=gates,
            coverage_before=summary.coverage_before,
            notes=_notes(state, summary.comparison),
        )
        summary = _told(summary)
        sha = self._parts.publish(
            state["run_id"],
            summary.model_dump_json().encode(),
            event="summarised",
            light=summary.light,
            gate=summary.gate,
            run=summary.run.run_id,
            run_sha256=summary.run_sha256,
        )
        update: SummaryState = {"summary_sha256": sha, "gate_decision": "ask" if summary.holds_back else "auto"}
        if summary.holds_back:
            shown = {**sign_off_shown(summary), "schema_version": 1, "summary_sha256": sha}
            update["shown"] = with_agent_inbox(shown)
            update["decision"] = None
        return update

    def publish(self, state: SummaryState) -> SummaryState:
        """Close the account of the summary: published as it is, signed for, or refused."""
        summary = {"summary": state["summary_sha256"], "gate": self._summary(state).gate}
        if state.get("gate_decision") == "auto":
            self._parts.finish(state["run_id"], "decided", verdict="passed", **summary)
            return {}
        decision = _decision(state)
        self._parts.finish(
            state["run_id"],
            "decided",
            verdict=decision.verdict,
            by=decision.reviewer,
            accountable=decision.accountable,
            waivers=[waiver.model_dump(mode="json") for waiver in decision.waivers],
            **summary,
        )
        return {}

    def _judged(self, state: SummaryState, summary: Summary) -> list[Judged]:
        sha = state["options"].get("gates_sha256")
        if not sha:
            return []
        file = load_gates(self._parts.document(sha), str(state["options"].get("gates_name") or "gates.toml"))
        facts = Facts(
            run=self._run(state),
            compared=as_compared(summary.comparison),
            requirements=(summary.proof.proven, summary.proof.planned) if summary.proof.planned else None,
            open_criticals=self._parts.criticals(),
            before=self._parts.run(summary.baseline.run_id) if summary.baseline and summary.outputs else None,
        )
        judged = []
        for gate in file.gate:
            found = measure(facts, gate)
            judged.append(
                judge(
                    gate,
                    found.estimate,
                    file.waiver,
                    now=self._parts.now(),
                    missing=found.missing,
                    source=found.source,
                )
            )
        return judged

    def _run(self, state: SummaryState) -> Run:
        return self._parts.run(state["options"]["run"])

    def _history(self, state: SummaryState) -> History:
        options = state["options"]
        return self._parts.history(self._run(state), options.get("branches"), options.get("baseline"))

    def _comparison(self, state: SummaryState) -> Comparison:
        return Comparison.model_validate_json(self._parts.document(state["comparison_sha256"]))

    def _causes(self, state: SummaryState) -> list[Cause]:
        return _CAUSES.validate_json(self._parts.document(state["causes_sha256"]))

    def _summary(self, state: SummaryState) -> Summary:
        return Summary.model_validate_json(self._parts.document(state["summary_sha256"]))


def after_judging(state: SummaryState) -> str:
    """A promise that is broken or open needs a signature; everything else goes out."""
    return "sign_off" if state["gate_decision"] == "ask" else "publish"


def sign_off_shown(summary: Summary) -> dict[str, Any]:
    """What is shown to whoever takes accountability for shipping although the quality gate is red or undecided."""
    held = [one for one in summary.gates if one.outcome in ("red", "undecided")]
    return {
        "form": "signoff",
        "rules": ["quality-gate", *(f"quality-gate-{summary.gate}" for _ in held[:1])],
        "summary": f"Run {summary.run.run_id}: {' '.join(summary.sentences)}",
        "run": summary.run.model_dump(mode="json"),
        "run_sha256": summary.run_sha256,
        "baseline": summary.baseline.run_id if summary.baseline else None,
        "light": summary.light,
        "counts": {one.name: one.value for one in summary.figures},
        "gates": [
            {"name": one.gate.name, "promise": one.gate.promise, "outcome": one.outcome, "because": one.because}
            for one in summary.gates
        ],
        "causes": [
            {"id": one.id, "kind": one.kind, "title": one.title, "tests": one.size}
            for one in summary.causes[:SHOWN_CAUSES]
        ],
        "unproven": [one.requirement_id for one in summary.proof.unproven],
        "waivable": [one.gate.name for one in held],
    }


def as_compared(comparison: Comparison) -> Compared | None:
    """The comparison as the quality gate asks about it; None without a baseline."""
    if comparison.baseline is None:
        return None

    def ids(*kinds: Any) -> tuple[str, ...]:
        return tuple(change.test_id for change in comparison.of(*kinds))

    return Compared(
        baseline=comparison.baseline.run_id,
        tests=comparison.in_both,
        new_failures=ids("new"),
        still_failing=ids("still"),
        flaky=ids("flaky", "suspected"),
        slower=tuple(one.test_id for one in comparison.slower),
        missing=ids("missing"),
    )


def _told(summary: Summary) -> Summary:
    """The summary with the sentences that sum it up."""
    return summary.model_copy(update={"sentences": tuple(text_of(line) for line in three_sentences(summary))})


def _suspects(cause: Cause, comparison: Comparison, history: History, repository: str) -> Sequence[Any]:
    """The commits between the last run in which the cause's representative passed and the first in which it failed."""
    change = next((one for one in comparison.changes if one.test_id == cause.tests[0]), None)
    if change is None or change.kind in ("flaky", "failing") or not change.last_green:
        return ()
    commits = {info.run_id: info.commit for info in history.runs}
    between: Between = commits_between(
        Path(repository), commits.get(change.last_green, ""), commits.get(change.first_red, "")
    )
    return ranked(between, cause.files, cause.tests)


def _notes(state: SummaryState, comparison: Comparison) -> list[str]:
    found = []
    if comparison.baseline is None:
        found.append("There was no earlier run to compare with, so nothing can be called new, flaky or slower.")
    elif comparison.runs_known < 10:
        found.append(f"Only {comparison.runs_known} runs are known; flaking and slower tests show with more of them.")
    if not state["options"].get("repository"):
        found.append("No repository was given, so no commit is suspected.")
    if not state["options"].get("gates_sha256"):
        found.append("No gate file was given, so no promise was checked.")
    return found


def _decision(state: SummaryState) -> Decision:
    """The decision about what this run shows. Raises ConflictError for one about something else."""
    decision = Decision.model_validate(state.get("decision"))
    if decision.digest != digest_of(state["shown"]):
        raise ConflictError(
            "The decision is about something else than what this summary shows.",
            hint="`qa-agents review list` shows what waits.",
        )
    return decision
