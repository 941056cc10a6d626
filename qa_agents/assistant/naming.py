"""What conversations are called."""

import re
import secrets

from qa_agents.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def thread_name(given: str | None) -> str:
    """The name of a conversation: the one given, or a new one. Raises UsageError for one that cannot be."""
    if given is None:
        return f"t-{secrets.token_hex(3)}"
    if not _NAME.fullmatch(given):
        raise UsageError(
            "A conversation's name has letters, digits, dots and dashes, at most 40 of them.",
            hint="For example monday-triage.",
        )
    return given
