"""Untrusted text as inert HTML: secrets masked, everything escaped, nothing left invisible. Pure."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any

MAX_TEXT = 100_000
"""Characters of one text that a page shows; the rest is said to be missing."""
_MARGIN = 10_000
"""Masked beyond what is shown, so that no secret is cut in two."""
_MAX_RUN = 8
_IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_BREAKS = frozenset("\n\t")

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #585d66; --paper: #fff; --line: #d5d8dd; --box: #f5f6f8;
  --mark: #ffe08a; --good: #11663a; --bad: #a3201d; --accent: #1a4f9c }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e7ea; --soft: #a3a9b3; --paper: #17191c; --line: #3b4048; --box: #202328;
  --mark: #6b5200; --good: #6fd39b; --bad: #ff9a94; --accent: #8fb8f6 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere }
h2 { margin: 2.25rem 0 .5rem; padding-bottom: .25rem; border-bottom: 2px solid var(--line); font-size: 1.2rem }
h3 { margin: 1.25rem 0 .4rem; font-size: 1rem }
p, ul, ol { margin: .4rem 0 } a { color: var(--accent) }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .75rem 0; padding: 0; list-style: none; font-size: .9rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0 }
dt { color: var(--soft) } dd { margin: 0; min-width: 0; white-space: pre-wrap; overflow-wrap: anywhere }
td dl, td ul { margin: 0 } td ul { padding-left: 1.1rem }
table { width: 100%; margin: .5rem 0; border-collapse: collapse; font-size: .9rem }
caption { padding: .6rem 0 .2rem; font-size: 1rem; font-weight: 600; text-align: left }
th, td { min-width: 7.2rem; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: anywhere }
.record th, .record td { min-width: 2.8rem } .record td:nth-child(n+3) { min-width: 7.2rem }
.record td:nth-child(5) { width: 50% }
th { color: var(--soft); font-weight: 600 } tbody th { color: var(--ink) }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .82rem }
code { overflow-wrap: anywhere }
pre { margin: .5rem 0; padding: .75rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--box);
  white-space: pre-wrap; overflow-wrap: anywhere }
blockquote { margin: .4rem 0; padding: .1rem .8rem; border-left: .25rem solid var(--line) }
mark { background: var(--mark); color: inherit; padding: 0 .15rem; border-radius: .15rem }
.card { margin: .75rem 0; padding: .6rem 1rem .75rem; border: 1px solid var(--line); border-radius: .4rem }
.card > h3 { margin-top: .25rem }
.soft { color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad); font-weight: 600 }
.when { white-space: nowrap; font-variant-numeric: tabular-nums }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
.wide { overflow-x: auto }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --box: #fff; --mark: #eee; --good: #000;
  --bad: #000; --accent: #000 } body { max-width: none; padding: 0; font-size: 10pt }
  nav { display: none } h2, h3, tr { break-after: avoid }
  tr, .card > dl { break-inside: avoid } thead { display: table-header-group } }
"""


class Markup(str):
    """Text that is HTML already; everything else is escaped."""

    __slots__ = ()


class Writer:
    """Turns values into HTML. `mask` hides secrets and is applied to every text before anything else."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask

    def masked(self, text: str) -> str:
        """The text with its secrets hidden, cut visibly at MAX_TEXT characters; not escaped."""
        found = self._mask(text[: MAX_TEXT + _MARGIN])
        if len(text) <= MAX_TEXT and len(found) <= MAX_TEXT + _MARGIN:
            return found
        return f"{found[:MAX_TEXT]} [{len(text) - MAX_TEXT:,} more characters are in the stored document]"

    def text(self, value: object) -> Markup:
        """Any value as inert text: masked, cut visibly at MAX_TEXT characters, invisible characters shown, escaped."""
        if isinstance(value, Markup):
            return value
        whole = value if isinstance(value, str) else str(value)
        masked = self._mask(whole[: MAX_TEXT + _MARGIN])
        if len(whole) <= MAX_TEXT and len(masked) <= MAX_TEXT + _MARGIN:
            return visible(masked)
        cut = f"[{len(whole) - MAX_TEXT:,} more characters are in the stored document]"
        return Markup(f"{visible(masked[:MAX_TEXT])} <mark>{escape(cut)}</mark>")

    def json(self, value: Any) -> Markup:
        """Small JSON as code, in one line."""
        return tag("code", self.text(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)))

    def pairs(self, pairs: Iterable[tuple[str, object]]) -> Markup:
        """A list of names and values; empty values are left out."""
        rows = [
            tag("dt", self.text(name)) + tag("dd", self.text(value))
            for name, value in pairs
            if value not in (None, "", [])
        ]
        return tag("dl", Markup("".join(rows))) if rows else Markup("")

    def items(self, values: Iterable[object]) -> Markup:
        """A bulleted list, or nothing."""
        rows = [tag("li", self.text(value)) for value in values]
        return tag("ul", Markup("".join(rows))) if rows else Markup("")

    def table(self, caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
        """A table whose first column names its row; nothing when there are no rows."""
        body = "".join(
            f'<tr><th scope="row">{self.text(first)}</th>'
            + "".join(f"<td>{self.text(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in rows
        )
        if not body:
            return Markup("")
        names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
        return Markup(
            f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{names}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )


def tag(name: str, content: str, classes: str = "") -> Markup:
    """One element around `content`, which is escaped unless it is Markup. `name` and `classes` are ours, never a user's."""
    inner = content if isinstance(content, Markup) else escape(content)
    return Markup(f"<{name}{f' class={chr(34)}{classes}{chr(34)}' if classes else ''}>{inner}</{name}>")


def visible(text: str) -> Markup:
    """`text` escaped, with every invisible character (controls, formats, default-ignorables, tags) marked by its code point."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return Markup(escape(text))
    return Markup("".join(_shown(hidden, "".join(run)) for hidden, run in groupby(text, key=_is_hidden)))


def document(title: Markup, body: Markup) -> str:
    """A whole page: self-contained, without script, which the content security policy forbids in any case."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _is_hidden(char: str) -> bool:
    if char.isascii():
        return not char.isprintable() and char not in _BREAKS
    if char in _IGNORABLE or 0xE0000 <= ord(char) <= 0xE0FFF:
        return True
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") or char in "\u2028\u2029"


def _shown(hidden: bool, run: str) -> str:
    if not hidden:
        return escape(run)
    letters = "".join(chr(ord(char) - 0xE0000) for char in run if 0xE0020 <= ord(char) <= 0xE007E)
    if letters:
        return f"<mark>[hidden letters: {escape(letters)}]</mark>"
    points = " ".join(f"U+{ord(char):04X}" for char in run[:_MAX_RUN])
    more = f" and {len(run) - _MAX_RUN} more" if len(run) > _MAX_RUN else ""
    return f"<mark>[{points}{more}]</mark>"
