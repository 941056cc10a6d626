"""Which facts a report needs here: a rule file people edit, and what this team's past shows.

Learned are two things per component: how often past triagers asked for a fact in so many words, and how much more often
reports without it ended as incomplete than reports with it. A difference counts only when the 95 % intervals of the two
rates (Wilson, 1927) do not touch.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa_agents.checkpoint.rates import wilson
from qa_agents.errors import InvalidInputError
from qa_agents.incidents.schema import Incident
from qa_agents.storage.learned import keep_learned, load_learned
from qa_agents.triage.facts.phrases import Phrases, compile_phrases, find_phrases

if TYPE_CHECKING:
    from qa_agents.incidents.search import Memory
    from qa_agents.storage.engine import Database

RULES_PATH = Path(__file__).with_name("required_facts.toml")
NAME = "required-facts"
ANY = "*"
MAX_READ = 8_000
"""Only the newest decided incidents are read: what a team asks for changes."""
MIN_DECIDED = 100
MIN_ASKED = 3
"""So often must a fact have been asked for in a component before it counts as asked for there."""
MIN_CASES = 30
NOTE_CHARS = 4_000

UNREADABLE = frozenset({"impact", "reach", "workaround", "area"})
"""Facts whose absence is not read off the text, so that reports with and without them cannot be held against each other."""

Lacking = Callable[[Incident], frozenset[str] | None]
"""The facts that a report, as filed, leaves open; None for one that needs none, a wish."""


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ask(_Rule):
    """One fact: how it is asked for, and by which phrases a past request for it is recognised."""

    text: str = Field(min_length=1)
    asked: Phrases
    order: int = 100
    always: bool = False

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """The phrases as one pattern."""
        return compile_phrases(self.asked)


class Require(_Rule):
    """What a team requires outright."""

    component: str = ANY
    type: str = ANY
    facts: list[str] = Field(min_length=1)

    def holds(self, component: str | None, kind: str | None) -> bool:
        """Whether it speaks of this component and type."""
        return self.component in (ANY, component) and self.type in (ANY, kind)


class Rules(_Rule):
    """The rule file."""

    version: str
    incomplete: list[str] = Field(min_length=1)
    asking: list[str] = Field(min_length=1)
    facts: dict[str, Ask]
    require: list[Require] = []
    sha256: str = ""

    @functools.cached_property
    def asking_pattern(self) -> re.Pattern[str]:
        """The phrases of asking as one pattern."""
        return compile_phrases(self.asking)

    def asked_in(self, text: str) -> set[str]:
        """The facts that a sentence of the text asks for; none where nothing is asked."""
        found: set[str] = set()
        for sentence in _SENTENCE.split(text[:NOTE_CHARS]):
            if next(find_phrases(self.asking_pattern, sentence), None) or sentence.rstrip().endswith("?"):
                found |= {name for name, fact in self.facts.items() if next(find_phrases(fact.pattern, sentence), None)}
        return found


_SENTENCE = re.compile(r"(?<=[.!?])\s{1,20}|\n{1,20}")


class Need(_Rule):
    """What the past says about one fact in one component (or anywhere)."""

    asked: int = 0
    """Past notes that asked for it."""
    incomplete_without: int = 0
    without: int = 0
    incomplete_with: int = 0
    with_it: int = 0

    @property
    def excess(self) -> float:
        """How much more often reports without it came back, 0 to 1; 0 unless the intervals of the two rates part."""
        if min(self.without, self.with_it) < MIN_CASES:
            return 0.0
        without, with_it = wilson(self.incomplete_without, self.without), wilson(self.incomplete_with, self.with_it)
        return max(0.0, self.incomplete_without / self.without - self.incomplete_with / self.with_it) * (
            without.low > with_it.high
        )

    @property
    def counts(self) -> bool:
        """Whether the past speaks for asking."""
        return self.excess > 0 or self.asked >= MIN_ASKED

    def told(self, where: str) -> str:
        """The reason in one sentence."""
        place = "Here" if where == ANY else f"In {where}"
        if self.excess:
            return (
                f"{place} {self.incomplete_without} of {self.without} reports without it ended as incomplete, "
                f"{self.incomplete_with} of {self.with_it} with it."
            )
        return f"{place} it was asked for {self.asked} times after the report."


class Required(BaseModel):
    """What was learned: place (component, or `*`) to fact to what the past says."""

    model_config = ConfigDict(frozen=True)

    needs: dict[str, dict[str, Need]] = Field(default_factory=dict)
    n: int = 0
    fingerprint: str = ""

    def need(self, fact: str, component: str | None) -> tuple[str, Need] | None:
        """Where the past speaks for asking, the component first, then anywhere; None where it does not."""
        for where in (component, ANY):
            found = self.needs.get(where, {}).get(fact) if where else None
            if found is not None and where is not None and found.counts:
                return where, found
        return None


class Seen(NamedTuple):
    """One decided past report."""

    components: Sequence[str]
    lacking: frozenset[str]
    incomplete: bool
    asked: frozenset[str]


def load_required_rules(path: Path | None = None) -> Rules:
    """The rules at `path`, or those that ship. Raises InvalidInputError naming what is wrong."""
    return _shipped() if path is None else _read(path)


def observe(incident: Incident, lacking: Lacking, rules: Rules) -> Seen | None:
    """What one decided incident tells; None for a wish."""
    ended = (incident.resolution or incident.status or "").casefold()
    asked = rules.asked_in(incident.resolution_note or "")
    incomplete = ended in rules.incomplete
    open_ = lacking(incident)
    if open_ is None:
        return None
    return Seen(incident.components, open_, incomplete, frozenset(asked & open_) if asked else frozenset())


def learn(seen: Iterable[Seen | None], rules: Rules, fingerprint: str = "") -> Required | None:
    """Count over the past; None when there is too little of it."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    n = 0
    for one in seen:
        n += 1
        if one is None:
            continue
        for fact in rules.facts:
            side = "without" if fact in one.lacking else "with_it"
            for place in (ANY, *one.components):
                count = counts[place, fact]
                count["asked"] += fact in one.asked
                if fact not in UNREADABLE:
                    count[side] += 1
                    count[f"incomplete_{side.removesuffix('_it')}"] += one.incomplete
    if n < MIN_DECIDED:
        return None
    needs: dict[str, dict[str, Need]] = defaultdict(dict)
    for (place, fact), count in sorted(counts.items()):
        need = Need(**count)
        if need.counts:
            needs[place][fact] = need
    return Required(needs=dict(needs), n=n, fingerprint=fingerprint)


def fit_from_memory(
    memory: Memory,
    database: Database,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    rules: Rules | None = None,
) -> dict[str, object] | None:
    """Learn from the newest decided incidents and keep it; what was learned in short, or None with too few of them."""
    from qa_agents.triage.questions.missing import lacking_of

    rules = rules or load_required_rules()
    decided = memory.store.newest_decided(MAX_READ)
    seen = []
    for place, incident in enumerate(decided):
        if progress is not None and place % 200 == 0:
            progress("learning what to ask for", place, len(decided))
        seen.append(observe(incident, lacking_of, rules))
    found = learn(seen, rules, fingerprint=rules.sha256)
    if found is None:
        return None
    about: dict[str, object] = {"n": found.n, "places": len(found.needs), "fingerprint": found.fingerprint}
    with database.write() as connection:
        keep_learned(connection, NAME, found.model_dump_json().encode(), **about)
    return about


def load_required(database: Database, fingerprint: str) -> Required | None:
    """What was learned with these rules; None before, or when the rules are others by now."""
    with database.read() as connection:
        stored = load_learned(connection, NAME)
    if stored is None or stored.about.get("fingerprint") != fingerprint:
        return None
    try:
        return Required.model_validate(json.loads(stored.body))
    except ValueError:
        return None


@functools.cache
def _shipped() -> Rules:
    return _read(RULES_PATH)


def _read(path: Path) -> Rules:
    hint = "Correct it, or remove the setting to use the rules that ship."
    try:
        body = path.read_bytes()
        return Rules.model_validate({**tomllib.loads(body.decode()), "sha256": hashlib.sha256(body).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "rules"
        raise InvalidInputError(f"{path.name} is wrong at {place}: {first['msg']}.", hint=hint) from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path.name} cannot be read: {error}.", hint=hint) from None
