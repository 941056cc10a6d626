"""Settings, read once at the entry and passed down: environment QA_AGENTS_*, then qa-agents.toml, then defaults."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from qa_agents.errors import InvalidInputError

CONFIG_NAME = "qa-agents.toml"


LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
"""What may be reached over plain http: nobody can listen in between."""


def _bare_address(value: str, name: str, *, plain_http: bool = False, or_else: str = "") -> str:
    """`value`, an address that exposes no secret: https (plain http on this machine, or allowed), no user, query or fragment."""
    from urllib.parse import urlsplit

    parts = urlsplit(value)
    plain = plain_http or parts.hostname in LOCAL_HOSTS
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and plain)):
        raise ValueError(f"{name} must begin with https://{or_else}")
    if parts.username or parts.query or parts.fragment:
        raise ValueError(f"{name} must be a bare address, without user, query or fragment")
    return value


class Visibility(BaseModel):
    """Who may read a private comment: a project role, or a group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["role", "group"]
    value: str = Field(min_length=1)
    """The role's or the group's name."""


class JiraSettings(BaseModel):
    """One Jira site. Without it, issues live in the workspace's file tracker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """`https://…`, with the context path if there is one; plain http on this machine only. Nothing else is ever called."""
    deployment: Literal["cloud", "dc"] = "cloud"
    user: str | None = None
    """Cloud: the e-mail address that the API token belongs to. Data Center uses a personal access token alone."""
    token: SecretStr
    projects: list[str] = Field(default_factory=list)
    """Keys of the projects that are watched; new issues go into the first."""
    issue_type: str = "Bug"
    """Name of the type of new issues."""
    visibility: Visibility | None = None
    """Who reads private comments. Without it, and without jsm_internal, none is written: they would be public."""
    jsm_internal: bool = False
    """Service Management: private comments are internal notes."""
    severity_field: str | None = None
    """Id of the field that holds the severity (`customfield_10045`); without it severity is never written."""
    fields: dict[str, str] = Field(default_factory=dict)
    """More fields: our name to Jira's field id."""
    never: list[str] = Field(default_factory=lambda: ["resolution", "security", "reporter", "project"])
    """Field ids that are never written."""
    link_types: dict[str, str] = Field(
        default_factory=lambda: {"duplicates": "Duplicate", "regression of": "Relates", "fixed by": "Relates"}
    )
    """Our relation to the name of the site's link type; the new issue is always the subject."""
    transitions: list[Literal["new", "indeterminate", "done"]] = Field(default_factory=list)
    """Status categories an issue may be moved to; none by default."""
    tries: int = Field(8, ge=1, le=50)
    """How often one change is tried while Jira is busy, each time after looking whether it is there."""
    max_wait: float = Field(60.0, gt=0, le=900)
    """Seconds: when Jira asks to wait longer than this, the change is put off instead."""
    writes_per_second: float = Field(5.0, gt=0, le=10)
    """Per issue; Jira itself allows 10."""
    index_seconds: float = Field(60.0, ge=0, le=600)
    """How far Jira's search may lag behind; waited for only when the answer to a creation was lost."""
    timeout: tuple[float, float] = (3.0, 20.0)
    """Seconds to connect, and to wait for data."""
    ca_bundle: Path | None = None
    """Certificates to trust, instead of the public ones."""
    proxy: str | None = None
    """The proxy to use; those of the environment are not."""

    @field_validator("base_url")
    @classmethod
    def _plain_https(cls, value: str) -> str:
        """A bare address, whose scheme does not expose the token."""
        return _bare_address(value, "base_url").rstrip("/")


class ModelPrice(BaseModel):
    """What a model costs, in any one currency, per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class ModelSettings(BaseModel):
    """A language model behind an OpenAI-compatible endpoint. Without it everything works; nothing here is ever required."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """`https://…/v1`, or an Azure address; plain http on this machine only, unless plain_http. Nothing else is called."""
    api_key: SecretStr | None = None
    """None for servers that want none."""
    fast: str = Field(min_length=1)
    """Name of the model that reads and sorts (Azure: of the deployment)."""
    strong: str | None = None
    """Name of the model that judges and writes; the fast one when absent."""
    azure_api_version: str | None = None
    """Set for Azure OpenAI: `2024-10-21`, say."""
    plain_http: bool = False
    """Allow plain http beyond this machine: texts and the key can then be read on the way."""
    timeout: float = Field(60.0, gt=0, le=1_800)
    """Seconds for one whole answer, retries included, however slowly it drips."""
    connect_timeout: float = Field(5.0, gt=0, le=60)
    tries: int = Field(3, ge=1, le=10)
    """How often a question is put while the endpoint is busy or fails."""
    max_wait: float = Field(15.0, ge=0, le=600)
    """Seconds: when the endpoint asks to wait longer than this, the flow goes on without it."""
    concurrency: int = Field(4, ge=1, le=256)
    """Questions at once per process."""
    temperature: float = Field(0.0, ge=0, le=2)
    send_temperature: bool = True
    """False for models that accept none, as reasoning models do."""
    tokens_per_subject: int = Field(200_000, ge=0)
    """For one report, plan or conversation, within 30 days."""
    tokens_per_day: int = Field(5_000_000, ge=0)
    money_per_subject: float | None = Field(None, ge=0)
    money_per_day: float | None = Field(None, ge=0)
    """Limits in the currency of `prices`; they need prices."""
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    """Model name to its price."""
    uses: dict[str, bool] = Field(default_factory=dict)
    """What the model is asked for; `qa-agents prompts list` names every use, its default, and why."""
    levels: list[str] = Field(default_factory=list)
    """Security levels whose reports and incidents the model, and an embedder elsewhere, may be shown; by default none.

    A report or an incident with a `security` level that is not listed here never leaves this machine that way; nor does one
    with `restricted`, whatever is listed.
    """
    cache_days: int = Field(30, ge=0, le=3_650)
    """How long an answer is kept for the very same question; 0 keeps none."""
    ca_bundle: Path | None = None
    """Certificates to trust, instead of the public ones."""
    proxy: str | None = None
    """The proxy to use; those of the environment are not."""
    telemetry: str | None = None
    """An OTLP collector's address (`http://127.0.0.1:4317`): a span per question, without its text. Off when absent."""

    @model_validator(mode="after")
    def _sensible(self) -> "ModelSettings":
        """A bare address that does not expose the key, and limits that can be counted."""
        way_out = " (or set plain_http = true)"
        _bare_address(self.base_url, "base_url", plain_http=self.plain_http, or_else=way_out)
        names = {self.fast, self.strong or self.fast}
        if (self.money_per_day is not None or self.money_per_subject is not None) and names - set(self.prices):
            raise ValueError(f"limits of money need prices of {', '.join(sorted(names - set(self.prices)))}")
        return self

    def model_of(self, role: str) -> str:
        """The name of the model for `fast` or `strong`."""
        return self.strong or self.fast if role == "strong" else self.fast


class OidcSettings(BaseModel):
    """Login to the review pages through an identity provider: OpenID Connect, authorization code with PKCE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    """`https://…`, exactly as the provider's discovery document says it; plain http on this machine only."""
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    """None for a public client."""
    public_url: str
    """Where the pages are reached (`https://qa.example.com`); the provider must know `/login/oidc/callback` below it."""
    claim: str = Field("sub", min_length=1)
    """The claim that the policy's `oidc` is compared with; `email` counts only where the provider says it is verified."""
    scopes: list[str] = Field(default_factory=lambda: ["openid", "email", "profile"])
    label: str = "single sign-on"
    """What the button says after “Log in with”."""
    timeout: float = Field(10.0, gt=0, le=60)
    """Seconds for one answer of the provider."""

    @field_validator("issuer", "public_url")
    @classmethod
    def _safe(cls, value: str, info: ValidationInfo) -> str:
        """A bare address that nobody on the way can read or change."""
        address = _bare_address(value, str(info.field_name))
        return address if info.field_name == "issuer" else address.rstrip("/")


class HookSecret(BaseModel):
    """One secret of a hook; while secrets are exchanged, the old one stays valid until a moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: SecretStr = Field(min_length=8)
    until: datetime | None = None
    """When it stops being accepted (without a zone: UTC); never, when absent."""


class HookSettings(BaseModel):
    """One sender of events, at `/hooks/jira/NAME` and `/hooks/automation/NAME`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secrets: list[HookSecret] = Field(default_factory=list)
    """What Jira signs its webhooks with; without one `/hooks/jira/NAME` is not there."""
    tokens: list[HookSecret] = Field(default_factory=list)
    """Bearer tokens of automations; without one `/hooks/automation/NAME` is not there."""
    networks: list[IPvAnyNetwork] = Field(default_factory=list)
    """Addresses that may send (`10.0.0.0/8`); all, when empty."""
    projects: list[str] = Field(default_factory=list)
    """Keys of the projects that are watched; all of what is sent, and no polling, when empty."""
    own_accounts: list[str] = Field(default_factory=list)
    """Accounts whose events are ignored, beside the one that we write as: other bots."""
    folder: Path | None = None
    """Read issues again from this folder (`<id>.json`, one report each), instead of from Jira: for trying things out."""


class Settings(BaseSettings):
    """One immutable picture of the configuration."""

    model_config = SettingsConfigDict(
        env_prefix="QA_AGENTS_", env_nested_delimiter="__", frozen=True, extra="forbid", env_ignore_empty=True
    )

    home: Path = Path(".qa-agents")
    """The workspace: database, indexes and the file tracker's issues."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL of a PostgreSQL database; a SQLite file in the workspace when absent."""
    chroma_url: str | None = None
    """A Chroma server on a private address; an embedded index in the workspace when absent."""

    embedder: Literal["minilm", "openai", "none"] = "minilm"
    embedder_dir: Path | None = None
    """Folder with MiniLM's files, instead of those the data package carries."""
    embedder_threads: int = Field(2, ge=1, le=64)
    embedder_model: str = "text-embedding-3-small"
    """Model name for `embedder = "openai"`."""
    openai_base_url: str | None = None
    openai_api_key: SecretStr | None = None

    reviewer: str | None = None
    """Who decides at the checkpoint, when --as is not given; the login name when absent."""
    reviewer_token: SecretStr | None = None
    """The token by which the policy recognises the reviewer."""
    intake_days: int = Field(90, ge=7)
    """How long the service remembers what is settled; deliveries and jobs that wait or are dead are kept."""
    max_report_bytes: int = Field(10_000_000, ge=10_000)
    """A larger report is refused, with its hash kept."""
    analysed_chars: int = Field(200_000, ge=1_000)
    """How much of a description is read; the rest is kept and said to be unread."""
    policy: Path | None = None
    """Who may decide what, and what may go through alone (TOML, see examples/policy.toml); without one, anyone who can use the
    workspace decides everything."""
    rubric: Path | None = None
    """A severity rubric (TOML) of the team's own, instead of the one that ships."""
    required_facts: Path | None = None
    """Which facts reports need (TOML), a file of the team's own instead of the one that ships."""
    learn: Literal["auto", "manual"] = "auto"
    """`auto` fits what is learned from outcomes after an import, when they grew by a fifth; `manual` leaves it to `learn`."""
    anchor_file: Path | None = None
    """Where the ledger's newest hash is written outside the database; `ledger.anchors.jsonl` in the workspace when absent.

    Best on other media, or in a git working tree: who can rewrite the database should not be able to rewrite this.
    """
    anchor_git: Path | None = None
    """A git working tree that holds the anchor file, which is committed there; the file's folder when anchor_file is absent."""
    model: ModelSettings | None = None
    """A language model as second witness; none when absent."""
    prompts: Path | None = None
    """A folder with prompts of the team's own (`triage/relations.md`), each in place of the one of the same name that ships."""
    jira: JiraSettings | None = None
    """The team's Jira site; the workspace's file tracker when absent."""
    hooks: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")], HookSettings] = Field(
        default_factory=dict
    )
    """Senders of events by name."""
    debounce_seconds: float = Field(5.0, ge=0, le=300)
    """An issue that was looked at just now is looked at again after so long, together with what comes until then."""
    max_delivery_bytes: int = Field(2 * 1024 * 1024, ge=1_024)
    """A larger delivery is refused, and retried by nobody: the polling finds the issue."""
    intake_limit: int = Field(1_024, ge=1)
    """How many deliveries may wait for the disk before senders are told to come back."""
    min_free_bytes: int = Field(200_000_000, ge=0)
    """With less free space on the workspace's disk, senders are told to come back."""
    https: bool = False
    """The review pages are reached over https: their cookie is sent over nothing else."""
    oidc: OidcSettings | None = None
    """Login to the review pages through the team's identity provider, beside tokens and passwords; off when absent."""
    debug: bool = False
    """Show tracebacks instead of sentences."""

    @property
    def database_path(self) -> Path:
        """The embedded database."""
        return self.home / "qa-agents.db"

    @property
    def anchor_path(self) -> Path:
        """Where anchors are written."""
        return self.anchor_file or (self.anchor_git or self.home) / "ledger.anchors.jsonl"

    @property
    def default_reviewer(self) -> str:
        """The configured reviewer, else the login name, else `unknown`."""
        return self.reviewer or os.environ.get("USER") or os.environ.get("LOGNAME") or "unknown"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then qa-agents.toml of the current folder."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=Path(CONFIG_NAME))


def load_settings(home: Path | None = None) -> Settings:
    """Build the settings once; `home` (the --home option) wins over everything.

    Raises InvalidInputError naming the first wrong setting.
    """
    if any(name.upper().startswith("QA_AGENTS_GATE") for name in os.environ):
        raise _gate_is_policy()  # unknown variables are ignored, and this one must not be
    try:
        return Settings(home=home) if home else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if name.partition(".")[0] == "gate":
            raise _gate_is_policy() from None
        raise InvalidInputError(
            f"The setting {name} is wrong: {first['msg']}.", hint=f"Correct it in {CONFIG_NAME} or QA_AGENTS_*."
        ) from None
    except ValueError as error:
        raise InvalidInputError(f"{CONFIG_NAME} cannot be read: {error}.", hint="Correct the file.") from None


def _gate_is_policy() -> InvalidInputError:
    return InvalidInputError(
        "The gate is no setting: what may be written without a person is the [gate] table of the policy.",
        hint="Move it to the file that `policy` (QA_AGENTS_POLICY) names; `qa-agents policy check FILE` reads it.",
    )


def prepare_environment(direct: str | None = None) -> None:
    """Set what libraries read from the environment, before any of them is imported: strict state, no telemetry.

    `direct` is a host that no proxy of the environment may stand before: Chroma's client would ask one.
    """
    os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("NO_PROXY", "no_proxy") if direct else ():
        known = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*known, str(direct)]))


class CiFacts(BaseModel):
    """What a CI system says of the job that runs here."""

    model_config = ConfigDict(frozen=True)

    provider: Literal["github", "gitlab"]
    commit: str = ""
    branch: str = ""
    base_branch: str = ""
    """Where the work goes: the target of a merge request, else the default branch."""
    job: str = ""
    """What tells this job from all others, repetitions too."""
    summary: Path | None = None
    """The file that becomes the job's page."""


def ci_facts() -> CiFacts | None:
    """What GitHub Actions or GitLab CI say of this job; None outside of both."""
    said = os.environ
    if said.get("GITHUB_ACTIONS") == "true":
        job = [said.get(name, "") for name in ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB")]
        page = said.get("GITHUB_STEP_SUMMARY")
        return CiFacts(
            provider="github",
            commit=said.get("GITHUB_SHA", ""),
            branch=said.get("GITHUB_HEAD_REF") or said.get("GITHUB_REF_NAME", ""),
            base_branch=said.get("GITHUB_BASE_REF", ""),
            job="-".join(filter(None, job)),
            summary=Path(page) if page else None,
        )
    if said.get("GITLAB_CI") == "true":
        return CiFacts(
            provider="gitlab",
            commit=said.get("CI_COMMIT_SHA", ""),
            branch=said.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or said.get("CI_COMMIT_REF_NAME", ""),
            base_branch=said.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or said.get("CI_DEFAULT_BRANCH", ""),
            job=said.get("CI_JOB_ID", ""),
        )
    return None


def debugging() -> bool:
    """Whether QA_AGENTS_DEBUG asks for tracebacks, even where the settings cannot be read."""
    return os.environ.get("QA_AGENTS_DEBUG", "").lower() in ("1", "true", "yes")


def resource_dir(name: str) -> Path:
    """The folder `prompts` or `examples`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / name
