"""A run and what is in it: test results, scored outputs of AI systems, coverage. Imports only pydantic."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Outcome = Literal["passed", "failed", "error", "skipped"]
"""failed: an expectation did not hold; error: the test broke before it could tell; skipped: not run, whatever the reason."""
RED: tuple[Outcome, ...] = ("failed", "error")

Name = Annotated[str, Field(max_length=2_000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class TestResult(BaseModel):
    """One execution of one test. A test that was retried within a run is one result with its `attempts`."""

    __test__ = False  # so that pytest does not take the class for a test
    model_config = ConfigDict(frozen=True)

    name: Name
    """The test's own name, parameters included."""
    suite: Name = ""
    """What it stands in: class, file or suite, as the format says it; "" where it says nothing."""
    outcome: Outcome
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    message: str = ""
    """First words about a failure or a skip, as the format gives them."""
    details: str = ""
    """Trace or output of a failure, cut by the reader to a stated length."""
    file: Name = ""
    line: int | None = None
    attempts: tuple[Outcome, ...] = ()
    """Outcomes of every try within the run, oldest first, where the format tells; empty otherwise."""
    tags: tuple[str, ...] = ()
    """Markers that the format carries (tags, labels, properties such as `req`), each at most a line."""

    @property
    def test_id(self) -> str:
        """What identifies the test across runs: suite and name."""
        return f"{self.suite}::{self.name}" if self.suite else self.name

    @property
    def is_red(self) -> bool:
        """Whether it failed or broke."""
        return self.outcome in RED

    @property
    def is_inconsistent(self) -> bool:
        """Whether its tries within this run disagree: passed and red on the very same commit."""
        return "passed" in self.attempts and any(outcome in RED for outcome in self.attempts)


class ScoredOutput(BaseModel):
    """One output of an AI system that was judged: scores, latency, and what group of inputs it belongs to."""

    model_config = ConfigDict(frozen=True)

    case_id: Name
    scores: dict[str, Finite] = Field(default_factory=dict)
    """Name of a measure to its value; yes/no measures are 1 and 0."""
    latency_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    output: str = ""
    label: str | None = None
    """The class the system answered, where it classifies."""
    expected: str | None = None
    groups: dict[str, str] = Field(default_factory=dict)
    """Attribute to value, for slices and fairness: {"language": "de"}."""
    at: AwareDatetime | None = None


class Coverage(BaseModel):
    """How much code the run reached. None where the format does not count it."""

    model_config = ConfigDict(frozen=True)

    lines_covered: int = 0
    lines_total: int = 0
    branches_covered: int | None = None
    branches_total: int | None = None

    @property
    def line_rate(self) -> float | None:
        """Share of lines reached, 0 to 1; None without lines."""
        return self.lines_covered / self.lines_total if self.lines_total else None


class ReadFile(BaseModel):
    """What became of one file: read (with what was left out) or refused, and why."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str = ""
    flavour: str = ""
    """What it was taken for: `JUnit XML`, `TAP`, …; "" when refused."""
    tests: int = 0
    outputs: int = 0
    notes: tuple[str, ...] = ()
    """What was odd or not read, one sentence each: never silent."""
    refused: str = ""
    """The one clear sentence why nothing was read; "" when it was."""
    is_whole: bool = True
    """False when something that should have been read was not: it is damaged, cut off, or larger than the limits."""


class RunInfo(BaseModel):
    """Where a run comes from. All optional: a folder of files is a run."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    commit: str = ""
    branch: str = ""
    environment: str = ""
    at: AwareDatetime | None = None
    """When it ran, as the files or the caller say."""


class Run(BaseModel):
    """A set of results that belong together."""

    model_config = ConfigDict(frozen=True)

    info: RunInfo
    results: tuple[TestResult, ...] = ()
    outputs: tuple[ScoredOutput, ...] = ()
    coverage: Coverage | None = None
    files: tuple[ReadFile, ...] = ()
