"""Settings to parts, composed once. Every heavy import sits inside the property that needs it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_agents.egress import chroma_host
from qa_agents.errors import QAAgentsError, UnavailableError, UsageError
from qa_agents.settings import Settings, prepare_environment, resource_dir

if TYPE_CHECKING:
    from qa_agents.checkpoint.anchor import Anchors
    from qa_agents.checkpoint.canaries import Canaries
    from qa_agents.checkpoint.inbox import Inbox
    from qa_agents.checkpoint.ledger import Ledger
    from qa_agents.checkpoint.policy import Policy
    from qa_agents.incidents.embedders import Embedder
    from qa_agents.incidents.lexical import LexicalIndex
    from qa_agents.incidents.schema import Report
    from qa_agents.incidents.search import Memory
    from qa_agents.incidents.store import IncidentStore
    from qa_agents.incidents.vectors import VectorIndex
    from qa_agents.llm.gateway import Gateway
    from qa_agents.llm.prompts import Prompts
    from qa_agents.llm.schema import Call
    from qa_agents.plans.steps import PlanParts
    from qa_agents.results.store import RunStore
    from qa_agents.runtime.dead_letters import DeadLetters
    from qa_agents.runtime.desk import Desk
    from qa_agents.runtime.intake import Intake
    from qa_agents.runtime.issues import IssueSource
    from qa_agents.runtime.outbox import Outbox
    from qa_agents.runtime.received import Received
    from qa_agents.runtime.switch import Switch
    from qa_agents.runtime.table_queue import TableQueue
    from qa_agents.storage.engine import Database
    from qa_agents.trackers.epics import EpicSource
    from qa_agents.trackers.jira import JiraTracker
    from qa_agents.trackers.protocol import Tracker
    from qa_agents.triage.gate.gatekeeper import Gatekeeper
    from qa_agents.triage.learning import LearnReport, Proposer, Standing
    from qa_agents.triage.questions.inquiry import Inquiry
    from qa_agents.triage.severity.inflation import Inflation
    from qa_agents.triage.severity.model import SecondOpinion
    from qa_agents.triage.severity.rate import Rubric
    from qa_agents.triage.steps import Parts
    from qa_agents.triage.witness import Witness
    from qa_agents.triage.witness_record import WitnessRecord


Progress = Callable[[str, int, int], None]
"""(what, done, total)"""


class Workspace:
    """Everything one process needs, built when first asked for. Close it (or use it as a context) to free the locks."""

    def __init__(self, settings: Settings) -> None:
        prepare_environment(chroma_host(settings.chroma_url) if settings.chroma_url else None)
        self.settings = settings

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.anchor()
        except QAAgentsError:
            if kind is None:
                raise
        finally:
            self.close()

    def anchor(self) -> None:
        """Write the ledger's newest hash outside the database, if this process appended anything. Raises UnavailableError."""
        if "ledger" in self.__dict__ and "database" in self.__dict__:
            self.ledger.anchor(self.database)

    def close(self) -> None:
        """Release the vector index's lock and the databases."""
        from qa_agents.runtime.savers import close_saver

        built = self.__dict__
        if "vectors" in built and self.vectors is not None:
            self.vectors.close()
        if "models" in built:
            self.models.close()
        if "saver" in built:
            close_saver(self.saver)
        if "database" in built:
            self.database.close()

    @cached_property
    def database(self) -> "Database":
        """The main database, migrated."""
        from qa_agents.storage.engine import open_database

        url = self.settings.database_url
        return open_database(url.get_secret_value() if url else self.settings.database_path)

    @cached_property
    def ledger(self) -> "Ledger":
        """Appends to the record of everything."""
        from qa_agents.checkpoint.ledger import Ledger

        return Ledger(anchors=self.anchors)

    @cached_property
    def anchors(self) -> "Anchors":
        """Where the ledger's newest hash is kept outside the database."""
        from qa_agents.checkpoint.anchor import Anchors

        return Anchors(self.settings.anchor_path, git=self.settings.anchor_git)

    @property
    def mask(self) -> Callable[[str], str]:
        """Hides the secrets in a text that is shown."""
        from qa_agents.llm.redact import mask

        return mask

    @cached_property
    def models(self) -> "Gateway":
        """The way to the configured language model; where none is configured, one that says so to every question."""
        from qa_agents.llm.gateway import NoModel

        if self.settings.model is None:
            return NoModel()
        from qa_agents.llm.models import Models
        from qa_agents.llm.tracing import open_tracer

        def record(call: "Call") -> None:
            told = call.model_dump(mode="json", exclude={"subject"})
            with self.database.write() as connection:
                self.ledger.append(connection, "model_asked", call.subject, **told)

        tracer = open_tracer(self.settings.model.telemetry)
        return Models(
            self.settings.model,
            self.database,
            record,
            tracer=tracer,
            earned=lambda use: (self.witness_standing(use) or (False,))[0],
        )

    @cached_property
    def witness_record(self) -> "WitnessRecord":
        """How often the language model was right about reports that were decided since."""
        from qa_agents.triage.witness_record import load_record

        return load_record(self.database)

    def witness_standing(self, use: str) -> tuple[bool, str] | None:
        """Whether a use has earned to be on by the team's own outcomes, and why; None where none of it was decided."""
        from qa_agents.wiring.witness import standing

        return standing(self, use)

    @property
    def model_uses(self) -> list[str]:
        """Everything that a language model can be asked for, by name."""
        from qa_agents.llm.uses import USES

        return list(USES)

    @cached_property
    def prompts(self) -> "Prompts":
        """What models are asked with: the prompts that ship, and the team's own in their place."""
        from qa_agents.llm.prompts import Prompts

        return Prompts(resource_dir("prompts"), self.settings.prompts)

    @cached_property
    def inbox(self) -> "Inbox":
        """The reviews that wait."""
        from qa_agents.checkpoint.inbox import Inbox

        return Inbox(self.database, self.ledger, policy=self.policy)

    @property
    def canaries(self) -> "Canaries":
        """Known-bad cases among the reviews that wait."""
        from qa_agents.checkpoint.canaries import Canaries

        return Canaries(self.database, self.inbox, self.ledger)

    @cached_property
    def policy(self) -> "Policy":
        """Who may decide what."""
        from qa_agents.checkpoint.policy import load_policy

        return load_policy(self.settings.policy)

    @cached_property
    def received(self) -> "Received":
        """The account of received reports."""
        from qa_agents.runtime.received import Received

        return Received(self.database, self.inbox, self.ledger)

    @cached_property
    def tracker(self) -> "Tracker":
        """Where decided actions are applied: the team's Jira where it is configured."""
        if self.settings.jira is not None:
            return self.jira
        from qa_agents.trackers.file import FileTracker

        return FileTracker(self.settings.home / "tracker")

    @cached_property
    def epics(self) -> "EpicSource":
        """Where epics with their stories are read: the team's Jira where it is configured, else the file tracker."""
        from qa_agents.trackers.epics import FileEpics
        from qa_agents.trackers.file import FileTracker

        if self.settings.jira is None:
            return FileEpics(FileTracker(self.settings.home / "tracker"))
        from qa_agents.trackers.jira_epics import JiraEpics

        return JiraEpics(self.jira)

    @cached_property
    def jira(self) -> "JiraTracker":
        """The team's Jira. Raises UsageError where none is configured."""
        from qa_agents.trackers.jira import JiraTracker
        from qa_agents.trackers.jira_notes import DatabaseNotes

        if self.settings.jira is None:
            raise UsageError(
                "No Jira is configured.", hint="Set `[jira]` with base_url, user, token in qa-agents.toml."
            )
        return JiraTracker(self.settings.jira, DatabaseNotes(self.database, self.settings.jira.base_url))

    @cached_property
    def store(self) -> "IncidentStore":
        """The incidents' table."""
        from qa_agents.incidents.store import IncidentStore
        from qa_agents.runtime.lease import Leases

        return IncidentStore(self.database, guard=Leases(self.database).refuse_stale)

    @cached_property
    def run_store(self) -> "RunStore":
        """The test runs that were kept."""
        from qa_agents.results.store import RunStore

        return RunStore(self.database)

    @cached_property
    def lexical(self) -> "LexicalIndex":
        """The word index."""
        from qa_agents.incidents.lexical import LexicalIndex

        return LexicalIndex(self.settings.home / "lexical", self.store)

    @cached_property
    def embedder(self) -> "Embedder | None":
        """The configured embedder; None when vectors are switched off."""
        from qa_agents.incidents.embedders import build_embedder

        return build_embedder(self.settings, outgoing=self._outgoing)

    def shows_level(self, level: str) -> bool:
        """Whether a model may be shown what has this security level; "" is what everybody may see."""
        return not level or level in self._model_levels

    def may_see(self, report: "Report") -> bool:
        """Whether a model may be shown it."""
        return report.open_to(self._model_levels)

    @property
    def _model_levels(self) -> Sequence[str]:
        return self.settings.model.levels if self.settings.model else ()

    def _outgoing(self, text: str) -> str:
        from qa_agents.llm.redact import redact

        return redact(text).text

    @cached_property
    def vectors(self) -> "VectorIndex | None":
        """The vector index; None when vectors are switched off."""
        if self.embedder is None:
            return None
        from qa_agents.incidents.vectors import VectorIndex

        home, url = self.settings.home, self.settings.chroma_url
        return VectorIndex(home, self.store, self.embedder, url=url)

    @cached_property
    def memory(self) -> "Memory":
        """Search over both indexes, in learned order."""
        from qa_agents.triage.ranking.current import CurrentOrder
        from qa_agents.triage.ranking.ranked import RankedMemory

        order = CurrentOrder(self.database, lambda: self.memory.fingerprint)
        parts = self.store, self.lexical, self.vectors, self.embedder
        elsewhere = self.settings.embedder == "openai"
        return RankedMemory(*parts, withheld=lambda report: elsewhere and not self.may_see(report), order=order)

    @cached_property
    def saver(self) -> Any:
        """LangGraph's saver."""
        from qa_agents.runtime.savers import open_saver

        self.database  # noqa: B018 - creates the workspace folder, or says why it cannot
        url = self.settings.database_url
        return open_saver(url.get_secret_value() if url else self.settings.home / "checkpoints.db")

    @cached_property
    def outbox(self) -> "Outbox":
        """Carries out decided actions, once each."""
        from qa_agents.runtime.outbox import Outbox

        return Outbox(self.database, self.tracker, self.ledger)

    def upgrade(self) -> int:
        """Bring the database, and what LangGraph keeps in it, to this release's schema under a lock; its number."""
        from qa_agents.storage.migrations import CURRENT

        self.saver  # noqa: B018 - opens the database first, which migrates it
        return CURRENT

    @cached_property
    def queue(self) -> "TableQueue":
        """The jobs that workers share."""
        from qa_agents.runtime.table_queue import TableQueue

        return TableQueue(self.database)

    @cached_property
    def intake(self) -> "Intake":
        """The deliveries that were acknowledged."""
        from qa_agents.runtime.intake import Intake

        return Intake(self.database, self.queue, debounce=self.settings.debounce_seconds)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """What could not be handled and waits for a person."""
        from qa_agents.runtime.dead_letters import DeadLetters

        return DeadLetters(self.database, self.ledger)

    def issues(self, hook: str) -> "IssueSource":
        """Where the issues of a hook are read again. Raises UnavailableError when nothing is configured for it."""
        from qa_agents.runtime.issues import FolderIssues

        folder = self.settings.hooks[hook].folder
        if folder is None and self.settings.jira is not None:
            from qa_agents.runtime.jira_issues import JiraIssues

            return JiraIssues(self.jira)
        if folder is None:
            raise UnavailableError(
                f"The hook {hook} has no tracker to read issues from.", hint="Configure one in qa-agents.toml."
            )
        return FolderIssues(folder, self.settings.max_report_bytes)

    @cached_property
    def switch(self) -> "Switch":
        """The stop switch over every outside effect."""
        from qa_agents.runtime.switch import Switch

        return Switch(self.database, self.ledger)

    @cached_property
    def desk(self) -> "Desk":
        """Starts, resumes and recovers runs."""
        from qa_agents.runtime.desk import Desk
        from qa_agents.runtime.lease import Leases

        graphs = {"triage": self._build_triage, "plan": self._build_plan, "summary": self._build_summary}
        return Desk(self.database, self.inbox, self.ledger, Leases(self.database), self.saver, graphs)

    @cached_property
    def rubric(self) -> "Rubric":
        """The severity rubric."""
        from qa_agents.triage.severity.rate import load_rubric

        return load_rubric(self.settings.rubric)

    @property
    def examples(self) -> Path:
        """The folder with the example product's incidents and reports: in the wheel, or beside the source."""
        return resource_dir("examples")

    @cached_property
    def triage_parts(self) -> "Parts":
        """What the triage graph's nodes work with."""
        from qa_agents.wiring.triage import triage_parts

        return triage_parts(self)

    @property
    def witness(self) -> "Witness | None":
        """The language model as a second witness; None where none is configured."""
        if not self.models.available:
            return None
        from qa_agents.wiring.witness import open_witness

        return open_witness(self)

    @cached_property
    def gatekeeper(self) -> "Gatekeeper":
        """What the gate knows of its own past."""
        from qa_agents.triage.gate.calibration import score_fingerprint
        from qa_agents.triage.gate.gatekeeper import Gatekeeper

        return Gatekeeper(
            self.database,
            self.ledger,
            self.policy.gate,
            self.rubric,
            fingerprint=lambda: score_fingerprint(
                self.database, self.memory.fingerprint, self.rubric, self.settings.analysed_chars
            ),
        )

    @cached_property
    def severity_opinion(self) -> "SecondOpinion | None":
        """The statistical second opinion on severity; None before it was fitted on this memory with this rubric."""
        from qa_agents.triage.severity.model import load_opinion

        return load_opinion(self.database, self.store, self.rubric, self.memory.fingerprint)

    def inflation(self) -> "Inflation":
        """Whether as many reports are called severe as before, as of now."""
        from datetime import UTC, datetime

        from qa_agents.triage.severity.inflation import read_inflation

        return read_inflation(self.database, self.store, self.rubric, datetime.now(UTC))

    @cached_property
    def inquiry(self) -> "Inquiry":
        """What reporters are asked: the rules, what was learned from the past, what was asked before."""
        from qa_agents.runtime.asked import asked_questions
        from qa_agents.triage.questions.inquiry import Inquiry
        from qa_agents.triage.questions.required_facts import load_required, load_required_rules

        rules = load_required_rules(self.settings.required_facts)
        learned = load_required(self.database, rules.sha256)
        return Inquiry(rules, lambda: learned, lambda target: asked_questions(self.database, target))

    @cached_property
    def proposer(self) -> "Proposer":
        """Proposes fields with the newest that was fitted on this memory."""
        from qa_agents.triage.learning import Proposer

        return Proposer(self.memory, self.database)

    @property
    def standing(self) -> "Standing":
        """How old what was fitted is, and whether fitting anew is due."""
        from qa_agents.triage.learning import standing

        return standing(self.memory, self.database)

    def follow(self, progress: "Progress | None" = None) -> int | None:
        """Let the probabilities of proposals follow the outcomes since the fit; on how many, None when too few are new."""
        from qa_agents.triage.following import follow

        return follow(self.memory, self.database, progress or (lambda *_: None))

    def learn(self, progress: "Progress | None" = None) -> "LearnReport":
        """Fit everything that is fitted on outcomes, and keep it."""
        from qa_agents.triage.learning import learn
        from qa_agents.wiring.triage import fits

        report = learn(self.memory, self.database, fits(self), progress or (lambda *_: None))
        for stale in ("severity_opinion", "inquiry", "triage_parts", "gatekeeper", "severity_words", "witness_record"):
            self.__dict__.pop(stale, None)
        return report

    @cached_property
    def severity_words(self) -> list[str]:
        """Every word the team has used for a severity."""
        return self.store.severities()

    def _build_triage(self) -> Any:
        from qa_agents.triage.graph import build_triage

        return build_triage(self.triage_parts)

    def _build_plan(self) -> Any:
        from qa_agents.plans.graph import build_plan

        return build_plan(self.plan_parts)

    def document(self, sha256: str) -> bytes:
        """The bytes kept under a SHA-256. Raises NotFoundError, and ErasedError when they were erased on request."""
        from qa_agents.storage.artifacts import get_artifact

        with self.database.read() as connection:
            return get_artifact(connection, sha256)

    def keep(self, body: bytes) -> str:
        """Keep a document; its SHA-256."""
        from qa_agents.storage.artifacts import put_artifact

        with self.database.write(durable=False) as connection:
            return put_artifact(connection, body)

    @cached_property
    def plan_parts(self) -> "PlanParts":
        """What the plan graph's nodes work with."""
        from qa_agents.wiring.plans import plan_parts

        return plan_parts(self)

    def _build_summary(self) -> Any:
        from qa_agents.results.graph import build_summary
        from qa_agents.wiring.summaries import summary_parts

        return build_summary(summary_parts(self))
