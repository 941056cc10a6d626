"""What Jira's exports, JSON and CSV, have in common: link directions, the closing note, the environment."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

LinkKind = Literal["duplicate_of", "cloned_from"]

NOTE_CHARS = 40
"""A shorter comment ("fixed", "+1") explains nothing."""
NOTE_MAX_CHARS = 4_000
NOTE_DELAY = timedelta(days=1)
"""How long after closing a comment may still be the explanation."""

_BACKWARD = (" by", " into", " to")
"""How the wordings end that say something about the other issue ("is duplicated by", "is cloned into")."""
_STEMS: tuple[tuple[str, LinkKind], ...] = (("duplicate", "duplicate_of"), ("clone", "cloned_from"))


class Comment(NamedTuple):
    """One comment of an issue."""

    created: datetime | None
    author: str | None
    text: str


def link_kind(type_name: str, wording: str, *, outward: bool) -> LinkKind | None:
    """What a link says about the issue that carries it, or None when it says it about the other one.

    `wording` is the sentence between the two ("duplicates", "is duplicated by"). It decides, because sites reword and
    turn their link types; where it says nothing, the type's name does, and its outward side is the original.
    """
    said = wording.strip().casefold()
    if said.endswith(_BACKWARD):
        return None
    for stem, kind in _STEMS:
        if stem in said or (outward and stem in type_name.casefold()):
            return kind
    return None


def closing_note(comments: Iterable[Comment], reporters: set[str], resolved: datetime | None) -> str | None:
    """The comment that explains the outcome: the last of at least 40 characters, by somebody other than the reporter,
    at most a day after closing; None while the issue is unresolved.
    """
    if resolved is None:
        return None
    note: str | None = None
    latest: datetime | None = None
    for comment in comments:
        if comment.created is None or comment.created > resolved + NOTE_DELAY or comment.author in reporters:
            continue
        if len(comment.text.strip()) >= NOTE_CHARS and (latest is None or comment.created >= latest):
            note, latest = comment.text.strip(), comment.created
    return note[:NOTE_MAX_CHARS] if note else None


def with_environment(description: str, environment: str) -> str:
    """The description followed by Jira's Environment field, where versions and devices stand; both stripped."""
    about = f"Environment: {environment.strip()}" if environment.strip() else ""
    return "\n\n".join(filter(None, (description.strip(), about)))


def is_severity(field_name: str) -> bool:
    """Whether a custom field of this name holds the severity."""
    return "severity" in field_name.casefold()
