"""Untrusted text made safe for a terminal."""

import unicodedata

_KEPT = {"\n", "\t"}


def printable(text: object, *, limit: int | None = None) -> str:
    """`text` without control, escape and invisible format characters; cut visibly at `limit` characters.

    Removed are the Unicode categories Cc (C0, C1, ESC), Cf (zero-width, bidi overrides), Cs, Co and Cn, but for newline and tab.
    """
    value = str(text)
    if not (value.isascii() and value.isprintable()):
        value = "".join(c for c in value if c in _KEPT or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    if limit is not None and len(value) > limit:
        return f"{value[: limit - 1]}…"
    return value


def one_line(text: object, *, limit: int = 100) -> str:
    """`printable` text on one line, blanks joined."""
    return printable(" ".join(printable(text).split()), limit=limit)
