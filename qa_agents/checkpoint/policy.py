"""The policy: who may decide what, how many of them, and by when. Read from a file that is reviewed like code."""

import difflib
import hashlib
import hmac
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from qa_agents.checkpoint.gate_policy import ActionModes, Costs, GatePolicy
from qa_agents.checkpoint.hours import QuietHours
from qa_agents.checkpoint.schema import REASON_CODES, Authentication, Form, Person, ReasonCode
from qa_agents.errors import InvalidInputError, NotAllowedError

MAX_POLICY_BYTES = 1_000_000
GateDecision = Literal["auto", "ask", "block", "abstain"]
Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Hours = Annotated[float, Field(gt=0.0, le=24 * 365)]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Listed(_Part):
    """A person who may decide, and how that person is recognised: by OS login, by a token, or by either."""

    roles: Annotated[list[Person], BeforeValidator(_listed)] = Field(default_factory=list)
    login: Person | None = None
    key_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of a random token as `qa-agents policy token` makes them: too long to guess, so no slow hash is needed."""
    password_argon2: str | None = Field(default=None, pattern=r"^\$argon2id\$", max_length=300)
    """Hash of a password for the review pages, as `qa-agents policy password` makes it."""
    oidc: Person | None = None
    """What the identity provider's claim says about this person (see `[oidc]` of the settings): its subject, or an address."""

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if not (self.login or self.key_sha256 or self.password_argon2 or self.oidc):
            raise ValueError(
                "needs a login, a key_sha256, a password_argon2 or an oidc, or nobody could be recognised as this person"
            )
        return self


class When(_Part):
    """What a rule is about. Every key given must match; a key matches when any of its values does."""

    form: Annotated[list[Form], BeforeValidator(_listed)] = Field(default_factory=list)
    kind: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    """Which graph asks: triage, plan, summary."""
    gate: Annotated[list[GateDecision], BeforeValidator(_listed)] = Field(default_factory=list)
    rules: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    """Ids of the gate's rules that spoke: security, money, relation, …"""
    fields: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    """Fields that would be written."""
    top_severity: Literal[True] | None = None
    """The proposed severity is the team's highest."""


class Rule(_Part):
    """Who decides about the reviews that match, how many of them, and what happens when nobody does."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    when: When = When()
    roles: Annotated[list[Person], BeforeValidator(_listed)] = Field(default_factory=list)
    of: Annotated[list[Person], BeforeValidator(_listed)] = Field(default_factory=list)
    """People who may decide beside those with one of `roles`; anybody may when both are empty."""
    approvals: int = Field(default=1, ge=1, le=20)
    proposer_may_approve: bool = False
    """Whether who proposed something (an edit, say) counts among those who approve it."""
    sla_hours: Hours | None = None
    reroute_to: Person | None = None
    escalate: Person | None = None
    expires_hours: Hours | None = None


class Policy(_Part):
    """The whole policy. Without a file anybody who can use the workspace may decide, alone."""

    reviewers: dict[Person, Listed] = Field(default_factory=dict)
    rule: list[Rule] = Field(default_factory=list)
    quiet_hours: QuietHours | None = None
    gate: GatePolicy = GatePolicy()
    reason_codes: list[ReasonCode] = Field(default_factory=list)
    """The team's own, beside those that every team has."""
    canary_rate: Rate = 0.0
    second_look_rate: Rate = 0.0
    audit_rate: Rate = 0.0
    sha256: str = Field(default=hashlib.sha256(b"").hexdigest(), pattern=r"^[0-9a-f]{64}$")
    """Of the file's bytes."""

    @property
    def all_reason_codes(self) -> tuple[str, ...]:
        """Every reason code that may be given, the common ones first."""
        return tuple(dict.fromkeys((*REASON_CODES, *self.reason_codes)))

    @property
    def roles(self) -> frozenset[str]:
        """Every role that somebody has."""
        return frozenset(role for listed in self.reviewers.values() for role in listed.roles)

    def roles_of(self, name: str) -> tuple[str, ...]:
        """The roles of a listed person; none for anybody else."""
        listed = self.reviewers.get(name)
        return tuple(listed.roles) if listed else ()

    def knows(self, name: str) -> bool:
        """Whether this is a listed person or role; without a list everybody is known."""
        return not self.reviewers or name in self.reviewers or name in self.roles

    def entitled(self, roles: Iterable[str], of: Iterable[str]) -> list[str]:
        """The listed people who have one of `roles` or are named in `of`; all of them when both are empty."""
        wanted, named = set(roles), set(of)
        return [
            name
            for name, listed in self.reviewers.items()
            if not (wanted or named) or name in named or wanted.intersection(listed.roles)
        ]

    @model_validator(mode="after")
    def _enforceable(self) -> Self:
        _distinct("name", [name.strip().casefold() for name in self.reviewers])
        _distinct("login", [listed.login for listed in self.reviewers.values() if listed.login])
        _distinct("key_sha256", [listed.key_sha256 for listed in self.reviewers.values() if listed.key_sha256])
        _distinct("oidc", [listed.oidc for listed in self.reviewers.values() if listed.oidc])
        clash = sorted(self.roles.intersection(self.reviewers))
        if clash:
            raise ValueError(f"{clash[0]} is the name of a person and of a role; rename one")
        _distinct("name of a rule", [rule.name for rule in self.rule])
        for rule in self.rule:
            complaint = _complaint(self, rule)
            if complaint:
                raise ValueError(f"the rule “{rule.name}” {complaint}")
        return self


class Reviewer(_Part):
    """A person who decides, as far as that is known."""

    name: Person
    roles: tuple[str, ...] = ()
    auth: Authentication = "unverified"


def load_policy(path: Path | None) -> Policy:
    """The policy of a TOML file, with the SHA-256 of its bytes; the default policy for None.

    Raises InvalidInputError naming the file, the place and the mistake.
    """
    if path is None:
        return DEFAULT
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_POLICY_BYTES + 1)
        if len(raw) > MAX_POLICY_BYTES:
            raise InvalidInputError(f"The policy {path} is larger than a megabyte.", hint="Name the right file.")
        content = tomllib.loads(raw.decode("utf-8"))
        if "sha256" in content:
            raise InvalidInputError(f"The policy {path} is wrong: sha256 is not a key of it.", hint="Remove it.")
        return Policy.model_validate({**content, "sha256": hashlib.sha256(raw).hexdigest()})
    except OSError as error:
        raise InvalidInputError(
            f"The policy {path} cannot be read ({error.strerror}).", hint="Name a readable TOML file."
        ) from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"The policy {path} is not UTF-8.", hint="Save it as UTF-8.") from None
    except RecursionError:
        raise InvalidInputError(f"The policy {path} is nested too deeply.", hint="Name the right file.") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"The policy {path} is not TOML: {error}.", hint="Correct that line.") from None
    except ValidationError as error:
        raise InvalidInputError(
            f"The policy {path} is wrong: {_sentence(error.errors()[0], content)}.",
            hint=f"Correct it, then `qa-agents policy check {path}`.",
        ) from None


def authenticate(policy: Policy, claimed: str | None, login: str | None, token: str | None) -> Reviewer:
    """Who this is: by the token, else by the OS login. `claimed` is the name they give; None lets the proof say it.

    Without a list of reviewers every name is taken as given. Raises NotAllowedError for a person who is not listed or cannot
    be recognised.
    """
    if not policy.reviewers:
        name = claimed or login or "unknown"
        return Reviewer(name=name, auth="os-login" if name == login else "unverified")
    proven: dict[str, Authentication] = {}
    digest = hashlib.sha256(token.encode()).hexdigest() if token else ""
    for name, listed in policy.reviewers.items():
        if hmac.compare_digest(digest, listed.key_sha256 or "-"):
            proven[name] = "token"
        elif login is not None and login == listed.login:
            proven.setdefault(name, "os-login")
    name = claimed or next((n for n, auth in proven.items() if auth == "token"), None) or next(iter(proven), "")
    if name in proven:
        return Reviewer(name=name, roles=policy.roles_of(name), auth=proven[name])
    if claimed and claimed not in policy.reviewers:
        raise NotAllowedError(
            f"{claimed[:80]} is not among the policy's reviewers.", hint="`qa-agents policy show` lists them."
        )
    raise NotAllowedError(
        f"{claimed or login or 'This person'} could not be recognised as one of the policy's reviewers.",
        hint="Use the OS login the policy names, or set QA_AGENTS_REVIEWER_TOKEN.",
    )


def unknown_names(policy: Policy, *, rules: Iterable[str], fields: Iterable[str], kinds: Iterable[str]) -> list[str]:
    """What rules of the policy ask for that never occurs, one sentence each: such a rule would silently never match."""
    known = {"rules": set(rules), "fields": set(fields), "kind": set(kinds)}
    return [
        f"The rule “{rule.name}” waits for {key} {value}, which does not exist{_suggestion(value, known[key])}."
        for rule in policy.rule
        for key in known
        for value in getattr(rule.when, key)
        if value not in known[key]
    ]


def never_approved(policy: Policy) -> list[str]:
    """Rules under which nobody is left to approve what one of the entitled people proposes, one sentence each."""
    return [
        f"Under the rule “{rule.name}” an edit or a waiver by one of the {able} who may decide could never be approved: "
        f"it takes {rule.approvals} others."
        for rule in policy.rule
        if policy.reviewers and not rule.proposer_may_approve
        for able in [len(policy.entitled(rule.roles, rule.of))]
        if able - 1 < rule.approvals
    ]


def _complaint(policy: Policy, rule: Rule) -> str | None:
    """Why a rule could not be kept, or None."""
    needs_names = rule.approvals > 1 or not rule.proposer_may_approve or rule.roles or rule.of
    if not policy.reviewers:
        return "needs [reviewers], or proposer_may_approve = true and nobody named" if needs_names else None
    for key in ("reroute_to", "escalate"):
        name = getattr(rule, key)
        if name is not None and not policy.knows(name):
            return f"has {key} {name}, who is neither a listed reviewer nor a role of one"
    for role in rule.roles:
        if role not in policy.roles:
            return f"names the role {role}, which nobody has"
    for name in rule.of:
        if name not in policy.reviewers:
            return f"names {name}, who is not a listed reviewer"
    able = len(policy.entitled(rule.roles, rule.of))
    if able < rule.approvals:
        return f"needs {rule.approvals} approvals, but those who may give them are {able}"
    if (rule.reroute_to or rule.escalate) and rule.sla_hours is None:
        return "says where overdue reviews go but not when they are overdue (sla_hours)"
    return None


def _distinct(what: str, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"two entries have the {what} {value[:80]}; people and rules must be told apart")
        seen.add(value)


def _sentence(error: Any, content: dict[str, Any]) -> str:
    """One pydantic error as the end of a sentence that a person can act on."""
    *place, last = error["loc"] or ("",)
    where = _place(tuple(place), content)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{where}{last} is not a known key{_suggestion(str(last), _keys(tuple(place)))}"
    if error["type"] == "missing":
        return f"{where}{last} is missing"
    return f"{where}{_place((last,), content).removesuffix(': ') + ': ' if last != '' else ''}{message}"


def _place(parts: tuple[Any, ...], content: dict[str, Any]) -> str:
    """`rule 2 (“money”): when: ` for ("rule", 1, "when")."""
    words: list[str] = []
    for index, part in enumerate(parts):
        if isinstance(part, int):
            found = content.get("rule", []) if index == 1 and parts[0] == "rule" else []
            name = found[part].get("name") if part < len(found) and isinstance(found[part], dict) else None
            words[-1:] = [f"{words[-1] if words else 'entry'} {part + 1}{f' (“{name}”)' if name else ''}"]
        else:
            words.append(str(part))
    return "".join(f"{word}: " for word in words)


_TABLES: dict[str, type[BaseModel]] = {
    "reviewers": Listed,
    "rule": Rule,
    "when": When,
    "quiet_hours": QuietHours,
    "gate": GatePolicy,
    "actions": ActionModes,
    "costs": Costs,
}


def _keys(place: tuple[Any, ...]) -> set[str]:
    model: type[BaseModel] = Policy
    for part in place:
        model = _TABLES.get(str(part), model)
    return set(model.model_fields)


def _suggestion(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


DEFAULT = Policy()
"""Anybody who can use the workspace may decide; one vote."""
