"""An epic with its stories, from wherever the team keeps its issues: the words that a test plan rests on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.trackers.file import FileTracker
from qa_agents.trackers.schema import Issue

KEY = re.compile(r"[A-Z][A-Z0-9_]{1,40}-[0-9]{1,10}")
MOST_STORIES = 150
"""More than a plan has room for; what is beyond is named as not read."""
CRITERIA = ("acceptance_criteria", "acceptance criteria")
"""What the field with acceptance criteria is called in our words (`jira.fields` gives its id)."""


@dataclass(frozen=True)
class Story:
    """One issue as a document of its own: `# Summary`, then its description and acceptance criteria as Markdown."""

    key: str
    text: str
    unread: list[str] = field(default_factory=list)
    """What of the issue was not read and why, one sentence each."""
    level: str = ""
    """Its security level; empty where everybody may see it."""


class EpicSource(Protocol):
    """Reads an epic; writes nothing."""

    def epic(self, key: str, *, restricted: bool = False) -> list[Story]:
        """The epic first, then its stories in the order of their keys; issues that not everybody may see only if `restricted`.

        Raises InvalidInputError for what is no key, NotFoundError where there is no such issue, UnavailableError.
        """
        ...


class FileEpics:
    """Epics of the file tracker: a story names its epic in the field `parent` or `epic`."""

    def __init__(self, tracker: FileTracker) -> None:
        self._tracker = tracker

    def epic(self, key: str, *, restricted: bool = False) -> list[Story]:
        """See EpicSource. A damaged file of another issue is left out and named."""
        checked(key)
        found = self._tracker.get(key)
        if found is None:
            raise missing(key)
        children: list[Issue] = []
        damaged: list[str] = []
        for name in self._tracker.stored_keys():
            try:
                issue = self._tracker.get(name)
            except (InvalidInputError, OSError):
                damaged.append(f"{name}: its file is damaged, not read.")
                continue
            if issue is not None and key in (issue.fields.get("parent"), issue.fields.get("epic")):
                children.append(issue)
        stories = [_of_file(issue) for issue in [found, *children]]
        levels = [str(issue.fields.get("security") or "") for issue in [found, *children]]
        return settled(list(zip(stories, levels, strict=True)), restricted=restricted, notes=damaged)


def _of_file(issue: Issue) -> Story:
    given = next((str(issue.fields[name]) for name in CRITERIA if issue.fields.get(name)), "")
    notes = [f"{len(issue.comments)} of its comments: not read."] if issue.comments else []
    return Story(
        issue.key,
        document(str(issue.fields.get("summary") or issue.key), str(issue.fields.get("description") or ""), given),
        notes,
    )


def document(summary: str, description: str, criteria: str) -> str:
    """One issue as Markdown. The summary stays on its line, whatever it holds."""
    title = " ".join(summary.split()) or "Without a summary"
    parts = [f"# {title}", description.strip()]
    if criteria.strip():
        parts += ["## Acceptance criteria", criteria.strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def settled(issues: Sequence[tuple[Story, str]], *, restricted: bool, notes: Iterable[str] = ()) -> list[Story]:
    """The epic (the first) and its stories by key, without restricted ones unless asked for; the epic says what is missing.

    `issues` are pairs of a story and its security level, empty where everybody may see it.
    """
    (epic, level), *rest = [(replace(story, level=level), level) for story, level in issues]
    if level and not restricted:
        raise InvalidInputError(
            f"{epic.key} is restricted to “{level}”.",
            hint="--restricted reads it; everybody who may open the plan then sees its words.",
        )
    rest.sort(key=lambda pair: order_of(pair[0].key))
    told = list(notes)
    hidden = [story.key for story, level in rest if level and not restricted]
    told += (
        [f"{', '.join(hidden)}: restricted by a security level, not read; --restricted reads them."] if hidden else []
    )
    kept = [story for story, level in rest if restricted or not level]
    told += [f"{len(kept) - MOST_STORIES} stories after the first {MOST_STORIES}: not read."] * (
        len(kept) > MOST_STORIES
    )
    told += ["No story belongs to this epic; only its own text was read."] * (not rest)
    return [replace(epic, unread=[*epic.unread, *told]), *kept[:MOST_STORIES]]


def checked(key: str) -> str:
    """The key itself. Raises InvalidInputError for what cannot name an issue: nothing else is put into a query or an address."""
    if not KEY.fullmatch(key):
        raise InvalidInputError(f"{key[:60]!r} is no issue key.", hint="It looks like PAY-12.")
    return key


def missing(key: str) -> NotFoundError:
    """There is no such issue, or not for this account."""
    return NotFoundError(f"There is no issue {key} in the tracker, or not for this account.", hint="Check the key.")


def order_of(key: str) -> tuple[str, int]:
    """PAY-9 before PAY-10."""
    project, _, number = key.rpartition("-")
    return project, int(number) if number.isascii() and number.isdigit() else 0
