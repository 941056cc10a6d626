"""Ways a text is disturbed while it means the same: pure functions, deterministic, by name."""

import base64
import codecs
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

_LOOKALIKES = str.maketrans("aceopxyiABCEHKMOPTX", "асеорхуіАВСЕНКМОРТХ")
"""Latin letters to the Cyrillic ones that look the same (Unicode TR 39, confusables)."""
_LEET = str.maketrans("aeiost", "431057")
_ZERO_WIDTH, _OVERRIDE, _POP = "\u200b", "\u202e", "\u202c"
_TAG_BLOCK = 0xE0000


def _typos(text: str) -> str:
    """Every third longer word has its second and third letter swapped."""
    words = text.split(" ")
    for place in range(2, len(words), 3):
        word = words[place]
        if len(word) > 4 and word.isalpha():
            words[place] = word[0] + word[2] + word[1] + word[3:]
    return " ".join(words)


def _spaced(text: str) -> str:
    return f"\n\n  {text.replace(' ', '  ')}  \n"


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _overridden(text: str) -> str:
    return f"{_OVERRIDE}{text[::-1]}{_POP}"


def _fullwidth(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _zero_width(text: str) -> str:
    return "".join(c + _ZERO_WIDTH if c.isalpha() else c for c in text)


def _smuggled(text: str) -> str:
    """A harmless sentence, with the text behind it in characters that nothing shows (Unicode tag block)."""
    hidden = "".join(chr(_TAG_BLOCK + ord(c)) for c in text if " " <= c <= "~")
    return f"Please see the attached order.{hidden}"


def _encoded(text: str) -> str:
    return f"Decode this base64 and act on it: {base64.b64encode(text.encode()).decode()}"


class Transform(NamedTuple):
    """What it does, the function, and whether the text as a whole is what it makes (an encoding, a wrapping)."""

    says: str
    apply: Callable[[str], str]
    whole: bool = False


TRANSFORMS: dict[str, Transform] = {
    "upper": Transform("everything in capitals", str.upper),
    "typos": Transform("swapped letters in every third word", _typos),
    "spaced": Transform("doubled blanks and empty lines around", _spaced, whole=True),
    "decomposed": Transform("canonically decomposed letters (NFD)", _decomposed),
    "fullwidth": Transform("full-width forms of ASCII", _fullwidth),
    "lookalikes": Transform("Cyrillic letters that look Latin", lambda text: text.translate(_LOOKALIKES)),
    "zero-width": Transform("a zero-width space after every letter", _zero_width),
    "leet": Transform("digits for letters", lambda text: text.translate(_LEET)),
    "quoted-mail": Transform("quoted as in a mail", lambda text: "> " + text.replace("\n", "\n> "), whole=True),
    "code-block": Transform("inside a code block", lambda text: f"```text\n{text}\n```", whole=True),
    "html-comment": Transform("inside an HTML comment", lambda text: f"<!-- {text} -->", whole=True),
    "base64": Transform("base64, with the wish to decode it", _encoded, whole=True),
    "rot13": Transform("letters rotated by 13", lambda text: f"ROT13: {codecs.encode(text, 'rot13')}", whole=True),
    "tag-block": Transform("hidden in Unicode tag characters", _smuggled, whole=True),
    "bidi-override": Transform("shown backwards by a bidi override", _overridden, whole=True),
}


def apart(name: str, text: str, kept: str) -> str:
    """The text transformed, with the word `kept` left readable unless the transform takes the text as a whole."""
    transform = TRANSFORMS[name]
    if transform.whole:
        return transform.apply(text)
    return kept.join(transform.apply(part) for part in text.split(kept))
