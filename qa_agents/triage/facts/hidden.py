"""Text a reader would not see, made visible; text made hard to search, made plain; and the language of what is left.

Hidden text is found by Unicode property and by markup rules, not by a list of tricks.
"""

import base64
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

MAX_HIDDEN = 20
MAX_HIDDEN_CHARS = 300
_MAX_ENCODED = 50
_LONGEST = 5_000
"""Hidden text is read this far; what ends later is shown as unfinished."""


class Hidden(NamedTuple):
    """One hidden text: what hides it, what it says, and where: `text[start:end]`."""

    kind: str
    content: str
    start: int
    end: int

    def __str__(self) -> str:
        content = " ".join(self.content.split())
        return f"{self.kind}: {content[:MAX_HIDDEN_CHARS]}{' […]' * (len(content) > MAX_HIDDEN_CHARS)}"


class Plain(NamedTuple):
    """A text as it reads, whatever it is made of: full-width and look-alike letters plain, invisible ones removed."""

    text: str
    offsets: list[int] | None
    """Where each character comes from in the original, and the original's length; None where nothing was changed."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that became `text[start:end]`."""
        if self.offsets is None or start >= end:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def find_hidden(text: str) -> list[Hidden]:
    """At most MAX_HIDDEN hidden texts, by kind.

    Covers invisible characters (controls, formats, default-ignorables, tag letters decoded), HTML and Markdown comments,
    elements styled away, collapsed details, and encodings that decode to prose. Markup within code blocks is not hidden.
    """
    prose = _without_code(text)
    found = [*_invisible(text), *_comments(prose), *_styled_away(prose), *_collapsed(prose), *_encoded(text)]
    return [hidden for hidden in found if hidden.content.strip()][:MAX_HIDDEN]


def plain(text: str) -> Plain:
    """Undo what only serves to escape a search: compatibility forms, look-alikes, invisible characters, s p a c i n g."""
    if text.isascii() and not _SPACED.search(text):
        return Plain(text, None)
    chars: list[str] = []
    offsets: list[int] = []
    spaced = [(match.start(), match.end()) for match in _SPACED.finditer(text)]
    upcoming = iter([*spaced, (len(text), len(text))])
    start, end = next(upcoming)
    for index, char in enumerate(text):
        while index >= end and end < len(text):
            start, end = next(upcoming)
        if (start <= index < end and char == " ") or _is_ignorable(char):
            continue
        for folded in _fold(char):
            chars.append(folded)
            offsets.append(index)
    return Plain("".join(chars), [*offsets, len(text)])


def language_of(text: str) -> str:
    """`en`, or `other` when the prose is mostly in another script or holds more of another language's small words.

    Code blocks and addresses are left out; too little text to tell is `en`.
    """
    prose = _ADDRESS.sub(" ", _without_code(text[:20_000]))
    letters = [char for char in prose if char.isalpha()]
    if not letters:
        return "en"
    foreign = sum(not unicodedata.name(char, "LATIN").startswith("LATIN") for char in letters[:4_000])
    if foreign > 0.3 * min(len(letters), 4_000):
        return "other"
    words = Counter(_WORDS.findall(prose.lower()))
    english = sum(words[word] for word in _ENGLISH)
    other = max(
        (sum(words[word] for word in small) for small in _OTHERS if sum(word in words for word in small) >= 3),
        default=0,
    )
    return "other" if other > english else "en"


def _fold(char: str) -> str:
    if char.isascii():
        return char
    return _LOOK_ALIKE.get(char) or unicodedata.normalize("NFKC", char)


def _is_ignorable(char: str) -> bool:
    """Unicode's default-ignorable code points and controls, except line breaks and tabs."""
    if char.isascii():
        return not char.isprintable() and char not in "\t\n\r"
    return unicodedata.category(char) in ("Cf", "Cc") or char in _DEFAULT_IGNORABLE or 0xE0000 <= ord(char) <= 0xE0FFF


def _invisible(text: str) -> Iterator[Hidden]:
    """Invisible characters, counted by code point; letters of the tag block decoded."""
    if text.isascii() and text.isprintable():
        return
    places: dict[str, list[int]] = {}
    tags: list[int] = []
    for index, char in enumerate(text):
        if char.isprintable() and char not in _DEFAULT_IGNORABLE:
            continue
        if 0xE0020 <= ord(char) <= 0xE007E:
            tags.append(index)
        elif _is_ignorable(char) and not _is_customary(text, index):
            places.setdefault(char, []).append(index)
    if tags:
        yield Hidden(
            "invisible tag characters", "".join(chr(ord(text[i]) - 0xE0000) for i in tags), tags[0], tags[-1] + 1
        )
    for char, where in sorted(places.items(), key=lambda item: -len(item[1]))[:MAX_HIDDEN]:
        name = f"U+{ord(char):04X} {unicodedata.name(char, 'CONTROL')} ×{len(where)}"
        yield Hidden("invisible characters", name, where[0], where[0] + 1)


def _is_customary(text: str, index: int) -> bool:
    """Whether ordinary text holds this character here: a byte-order mark in front, a joiner or selector of an emoji,
    colours of a terminal log, direction marks beside letters written from right to left, soft hyphens."""
    char, before = text[index], text[max(0, index - 2) : index]
    if char == "\ufeff":
        return index == 0
    if char in "\u200d\ufe0f\ufe0e\u200c":
        return any(
            unicodedata.category(near) in ("So", "Sk", "Lo", "Mn", "Mc") or near in "0123456789#*" for near in before
        )
    if char in "\x1b\x08":  # a progress bar's backspaces hide nothing where they are shown
        return char == "\x08" or bool(_COLOUR.match(text, index))
    if char in "\u200e\u200f":
        return any(unicodedata.bidirectional(near) in ("R", "AL") for near in text[max(0, index - 40) : index + 40])
    return char == "\u00ad"


def _without_code(text: str) -> str:
    """The text with code blocks (``` and Jira's {code} and {noformat}) blanked out; an unclosed block is not one."""
    parts, position = [], 0
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        kind = fence["jira"] or "```"
        if opened is None:
            opened = fence
        elif kind == (opened["jira"] or "```"):
            parts += [text[position : opened.start()], " " * (fence.end() - opened.start())]
            position, opened = fence.end(), None
    return "".join([*parts, text[position:]])


def _comments(text: str) -> Iterator[Hidden]:
    position = 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start + 4)
        stop = end if end >= 0 else min(start + _LONGEST, len(text))
        yield Hidden("HTML comment", text[start + 4 : min(stop, start + _LONGEST)], start, stop)
        if end < 0:
            break
        position = end + 3
    for match in islice(_REFERENCE_COMMENT.finditer(text), MAX_HIDDEN):
        yield Hidden("Markdown comment", match["content"], *match.span())


def _styled_away(text: str) -> Iterator[Hidden]:
    tags = (match for match in _HIDING_TAG.finditer(text) if _HIDING_STYLE.search(match.group()))
    for match in islice(tags, MAX_HIDDEN):
        yield _until("text styled invisible", text, match, f"</{match['tag']}")
    for match in islice(_HIDING_COLOUR.finditer(text), MAX_HIDDEN):
        yield _until("text in the background's colour", text, match, "{color}")


def _collapsed(text: str) -> Iterator[Hidden]:
    for match in islice(_DETAILS.finditer(text), MAX_HIDDEN):
        if " open" not in match.group().lower():
            yield _until("collapsed details", text, match, "</details")


def _until(kind: str, text: str, opening: re.Match[str], closing: str) -> Hidden:
    """What stands between the opening tag and the closing one."""
    window = text[opening.end() : opening.end() + _LONGEST]
    end = window.lower().find(closing.lower())
    content = window if end < 0 else window[:end]
    return Hidden(kind, content, opening.start(), opening.end() + len(content))


def _encoded(text: str) -> Iterator[Hidden]:
    """Text in base64, hexadecimal, binary or character escapes that decodes to prose."""
    for kind, shape, decode in _ENCODINGS:
        for match in islice(shape.finditer(text), _MAX_ENCODED):
            try:
                decoded = decode(match.group())
            except ValueError:  # covers binascii.Error and UnicodeDecodeError
                continue
            if len(_PROSE_WORD.findall(decoded)) >= 3 and "".join(decoded.split()).isprintable():
                yield Hidden(kind, decoded, *match.span())


def _from_base64(body: str) -> str:
    return base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode()


def _from_binary(body: str) -> str:
    return bytes(int(octet, 2) for octet in body.split()).decode()


def _from_escapes(body: str) -> str:
    return "".join(chr(int(code or hexa, 10 if code else 16)) for code, hexa in _ESCAPED.findall(body))


_FENCE = re.compile(r"^[ \t]{0,8}(?:```|~~~)|\{(?P<jira>code|noformat)(?::[^}\n]{0,80})?\}", re.MULTILINE)
_REFERENCE_COMMENT = re.compile(
    r"^[ \t]{0,3}\[(?://|[^\]\n]{1,40})\]:[ \t]{0,4}(?:#"
    r"|<>)[ \t]{0,4}[\"'(](?P<content>[^\n]{1,2000})[\"')][ \t]{0,4}$",
    re.MULTILINE,
)
_HIDING_TAG = re.compile(r"<(?P<tag>[a-zA-Z][a-zA-Z0-9]{0,12})\s[^<>]{1,400}>")
_HIDING_STYLE = re.compile(
    r"(?:display\s{0,2}:\s{0,2}none|visibility\s{0,2}:\s{0,2}hidden|font-size\s{0,2}:\s{0,2}(?:0|1px|1pt)(?![\d.])"
    r"|opacity\s{0,2}:\s{0,2}0(?![.\d])"
    r"|(?<![\w-])color\s{0,2}[:=]\s{0,2}[\"']?(?:white|#fff(?:fff)?\b|transparent|rgba?\(\s?255\s?,\s?255\s?,\s?255)"
    r"|\shidden(?=[\s>/=])|(?:width|height)\s{0,2}[:=]\s{0,2}[\"']?0(?![.\d]))",
    re.IGNORECASE,
)
_HIDING_COLOUR = re.compile(r"\{color:\s?(?:white|#fff(?:fff)?|transparent)\}", re.IGNORECASE)
_DETAILS = re.compile(r"<details(?:\s[^<>]{0,200})?>", re.IGNORECASE)
_BASE64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/]{24,4000}={0,2}(?![\w+/=-])")
_HEX = re.compile(r"(?<![\w-])(?:[0-9a-fA-F]{2}[ :]?){16,4000}")
_BINARY = re.compile(r"(?<![\w])(?:[01]{8}[ \t]{1,2}){8,2000}[01]{8}(?![\w])")
_ESCAPED = re.compile(r"&#(\d{2,6});|(?:\\u|\\x|%|&#x)([0-9a-fA-F]{2,4});?")
_ESCAPES = re.compile(
    r"(?:&#\d{2,6};|&#x[0-9a-fA-F]{2,4};|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}){12,4000}"
)
_ENCODINGS = (
    ("base64", _BASE64, _from_base64),
    ("hexadecimal", _HEX, lambda body: bytes.fromhex(body.replace(":", " ")).decode()),
    ("binary", _BINARY, _from_binary),
    ("character escapes", _ESCAPES, _from_escapes),
)
ENCODED = frozenset({"invisible tag characters", *(kind for kind, _, _ in _ENCODINGS)})
"""Kinds of hidden text that no search over the visible text can see."""
_COLOUR = re.compile(r"\x1b\[(?!8m)[0-9;]{0,12}[mK]")
_PROSE_WORD = re.compile(r"\b[A-Za-z]{2,15}\b")
_SPACED = re.compile(r"(?<![\w'])(?:[A-Za-z] ){3,40}[A-Za-z](?![\w'])")
_DEFAULT_IGNORABLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))
)
_LOOK_ALIKE = dict(
    zip(
        "аеорсухіјѕԁһӏѵԛԝАВЕКМНОРСТУХІЈЅαεοριυνκτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "aeopcyxijsdhlvqwABEKMHOPCTYXIJSaeopiuvktABEZHIKMNOPTYX",
        strict=True,
    )
)
_ADDRESS = re.compile(r"https?://\S{1,500}|\S{1,200}@\S{1,200}")
_WORDS = re.compile(r"[^\W\d_]{1,20}")
_SMALL = "the and is are not this that with for when to of on in it be was from have has does will can after but if"
_ENGLISH = frozenset(_SMALL.split())
_OTHERS = tuple(
    frozenset(words.split())
    for words in (
        "der die das und ist nicht ein eine mit auf beim wenn wird ich wir den dem zu für nach kann bei sich",
        "le la les des et est pas une dans pour avec sur quand je nous qui que du au ne lorsque sont cette",
        "el los las que es una con para por cuando se en del al pero este esta como más aparece",
        "il lo gli che è non una con per quando si della nel sono questo questa come dopo viene",
        "os as que não um uma com para quando se em da na ao mas este esta são você",
        "de het een en is niet met voor op als wordt ik wij bij naar dat van kan deze zijn",
        "nie jest się na po jak przy ale że to co dla gdy oraz tylko",
        "och är inte en ett med för när jag vi som på av det att kan efter den",
        "ve bir bu için ile değil olarak ne zaman ama sonra var yok daha",
    )
)
"""Small words of other languages in Latin script; three different ones must occur."""
