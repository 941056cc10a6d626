"""Jira's wiki markup and document format as plain text, and plain text as wiki markup that does nothing. Linear, tolerant."""

import re
from collections.abc import Mapping

MAX_CHARS = 200_000
MAX_DEPTH = 100
MAX_COMMENT_CHARS = 32_767
"""Jira's limit for a text field."""

_LIVE = frozenset("{}[]!|\\&<>^~")
"""What begins macros, links, mentions, images and entities: written as a numeric entity, which the renderer shows as itself."""
_AUTOLINK = re.compile(r"(?<=[a-zA-Z0-9])://|(?i:(?<=mailto)):|(?<=www)\.|(?<=^h[1-6])\.|(?<=^bq)\.", re.MULTILINE)
_TOKEN = re.compile(
    r"&#(?P<code>[0-9]{1,6});"
    r"|\\(?P<escaped>[^\w\s])"
    r"|\{(?P<macro>noformat|code|quote|panel|color)(?:[:=][^{}\n]{0,200})?\}"
    r"|\[~(?P<person>[^\[\]\n|]{1,200})\]"
    r"|\[(?P<label>[^\[\]\n|]{1,500})\|(?P<address>[^\[\]\n|]{1,2000})(?:\|[^\[\]\n]{0,100})?\]"
    r"|!(?P<image>[^!\s|]{1,200})(?:\|[^!\n]{0,100})?!"
    r"|^(?:h[1-6]\.|bq\.)[ \t]{0,3}(?P<line>)",
    re.MULTILINE,
)


def plain(body: object) -> str:
    """A body as text: wiki markup without its live parts, a document flattened, anything else empty. At most MAX_CHARS."""
    if isinstance(body, str):
        return _TOKEN.sub(_shown, body[:MAX_CHARS].replace("\r\n", "\n"))[:MAX_CHARS]
    return _flattened(body) if isinstance(body, Mapping) else ""


def inert(words: str) -> str:
    """Wiki markup that shows exactly these words: no macro, mention, link, image or address in them works.

    `plain(inert(words)) == words` for text without carriage returns.
    """
    marked = "".join(f"&#{ord(c)};" if c in _LIVE else c for c in words)
    return _AUTOLINK.sub(lambda found: found.group().replace(":", "&#58;", 1).replace(".", "&#46;", 1), marked)


def _shown(found: re.Match[str]) -> str:
    parts = found.groupdict()
    if (code := parts["code"]) is not None:
        number = int(code)
        return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else found.group()
    if parts["macro"] is not None or parts["line"] is not None:
        return ""
    if parts["person"] is not None:
        return f"@{parts['person'].removeprefix('accountid:')}"
    if parts["label"] is not None:
        return f"{parts['label']} ({parts['address']})"
    if parts["image"] is not None:
        return f"(image {parts['image']})"
    return parts["escaped"]


def _flattened(document: Mapping[object, object]) -> str:
    """Atlassian's document format: its texts in order, a line for each block."""
    told: list[str] = []
    room = MAX_CHARS
    waiting: list[tuple[object, int]] = [(document, 0)]
    while waiting and room > 0:
        node, depth = waiting.pop()
        if isinstance(node, str):
            told.append(node[:room])
            room -= len(node)
        elif isinstance(node, Mapping) and depth < MAX_DEPTH:
            kind, own = node.get("type"), node.get("text")
            attrs = node.get("attrs")
            if kind in ("paragraph", "heading", "codeBlock", "tableRow", "hardBreak"):
                waiting.append(("\n", depth))
            if isinstance(attrs, Mapping) and not isinstance(own, str):
                own = attrs.get("text") or attrs.get("url")
            content = node.get("content")
            waiting.extend((child, depth + 1) for child in reversed(content if isinstance(content, list) else []))
            if isinstance(own, str):
                waiting.append((own, depth))
    return "".join(told).strip("\n")
