"""The tokenizer of the lexical index: what a bug report says, as terms that match when two people mean the same thing.

`com.acme.Cart.addItem` counts whole, by segment and by camel-case word; `E_CONN_42`, `ORA-00942`, `0x8007000E`, `HTTP
503` and `7.0.3` stay whole; words are stemmed; addresses, GUIDs, hashes and timestamps, which no two reports share by
meaning, are dropped.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, islice, repeat

import numpy as np
import Stemmer
from numpy.typing import NDArray

from qa_agents.incidents.schema import Report

TOKENIZER_VERSION = "1"
"""Changes whenever the same text would give other terms or line shapes; an index of another version is rebuilt."""
MAX_TERMS = 1_000
"""Distinct terms kept per field, first come first kept: a 30 kB log stays one report, not a dictionary."""
MAX_TF = 4
"""A term that occurs more often than this in one field says nothing more."""
MAX_LINE = 400
"""Characters of a line that tell it from another."""
MAX_SHAPES = 2_000
"""Distinct lines per description that are counted towards boilerplate."""

Hashes = NDArray[np.uint64]
_WORD = r"[\w\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff]"
"""Letters, digits, underscore, and the vowel signs that many scripts write as combining marks."""
_CHUNK = re.compile(rf"{_WORD}{{1,64}}(?:(?:::|[.:\-$'’]){_WORD}{{1,64}}){{0,12}}(?:\+\+|#(?!\w))?")
_STATUS = re.compile(r"\b(?:http(?:/\d(?:\.\d)?)?|status|code|error|fehler|errno)[ :=#-]{1,3}(\d{2,6})\b", re.I)
_NOISE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # GUID
    r"|\d{4}-\d\d-\d\d(?:t\d\d(?::\d\d){0,2}(?:\.\d{1,9})?z?(?:[+-]\d\d:?\d\d)?)?"  # date, moment
    r"|\d\d?:\d\d(?::\d\d)?(?:[.,]\d{1,9})?"  # time of day
    r"|\d{1,2}[.-]\d{1,2}[.-]\d{4}"  # 31.12.2013
    # An address; eight digits that begin with 8, C or 00 are a code.
    r"|0x[0-9a-f]{5,7}|0x[1-79abdef][0-9a-f]{7}|0x0[1-9a-f][0-9a-f]{6}|0x[0-9a-f]{9,32}"
)
_VERSION = re.compile(r"v?(\d{1,6}(?:\.\d{1,6}){1,4}(?:[.-]?[a-z]{1,8}\d{0,4})?)")
_HASH = re.compile(r"(?=[a-f]{0,64}\d)(?=\d{0,64}[a-f])[0-9a-f]{8,64}")
_DIGITS = re.compile(rf"\d{{1,{MAX_LINE}}}")
_CAMEL = re.compile(r"[A-Z]{1,64}(?![a-z])|[A-Z]?[a-z]{1,64}|\d{1,64}")
_PARTS = re.compile(r"::|[._\-$+#]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
"""Scripts written without blanks (or, for Hangul, with particles attached): indexed by pairs of characters."""
_STOP_WORDS = """
    a about after all also am an and any are as at be because been being but by can could did do does for from get
    gets got had has have he her here him his how https i if in into is it its just me my of on or our out please
    she should so some such than that the their them then there these they this those to too was we were what when
    where which while who will with would www you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_stem = Stemmer.Stemmer("english").stemWord


@dataclass(frozen=True, slots=True)
class Analysed:
    """One report as the index sees it; the arrays are parallel to `terms`, which ascend."""

    terms: Hashes
    tf_summary: NDArray[np.uint8]
    tf_body: NDArray[np.uint8]
    """0 to MAX_TF."""
    shapes: Hashes
    """Line shapes of the whole description, distinct, in order of occurrence."""


def analyse(summary: str, body: str, shapes: Hashes | None = None) -> Analysed:
    """The terms of a summary and a body, with saturated counts. Linear in the text's length."""
    in_summary, in_body = _count(summary), _count(body)
    keys = in_summary.keys() | in_body.keys()
    terms = np.fromiter(keys, np.uint64, len(keys))
    terms.sort()
    found = terms.tolist()
    return Analysed(
        terms=terms,
        tf_summary=_saturated(in_summary, found),
        tf_body=_saturated(in_body, found),
        shapes=np.empty(0, np.uint64) if shapes is None else shapes,
    )


def _saturated(counts: Counter[int], terms: list[int]) -> NDArray[np.uint8]:
    # Counter.__getitem__ is Python code for what it does not hold; dict's own get is not.
    held = np.fromiter(map(counts.get, terms, repeat(0)), np.int64, len(terms))
    return np.minimum(held, MAX_TF).astype(np.uint8)


def surfaces(report: Report) -> dict[int, str]:
    """Term hash to the form a person can read, in order of occurrence."""
    found: dict[int, str] = {}
    for part in (report.summary, report.description):
        for chunk in islice(_CHUNK.finditer(part), 4 * MAX_TERMS):
            for term, surface in _expand(chunk[0]):
                found.setdefault(term_hash(term), surface)
    return found


@lru_cache(maxsize=1 << 14)
def sequence(text: str) -> tuple[int, ...]:
    """The terms of a line of text in their order, one for each chunk: an identifier counts by its first form."""
    return tuple(terms[0] for chunk in _CHUNK.findall(text[:MAX_LINE]) if (terms := _hashed(chunk)))


@lru_cache(maxsize=1 << 15)
def term_hash(term: str) -> int:
    """64 bits of BLAKE2b: the same in every process and release."""
    return int.from_bytes(blake2b(term.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def line_shape(line: str) -> int | None:
    """A hash of the line with blanks, case and digits levelled, by which templates are recognised.

    None when it holds fewer than four letters or digits: too little to call it a line anybody repeats.
    """
    return _shape(line[:MAX_LINE])


@lru_cache(maxsize=1 << 14)
def _shape(line: str) -> int | None:
    words = " ".join(line.casefold().split())
    if len(words) < 4 or sum(map(str.isalnum, words)) < 4:
        return None
    return term_hash(_DIGITS.sub("0", words))


def line_shapes(text: str) -> list[tuple[str, int | None]]:
    """Every line of a text with its shape; lines beyond MAX_SHAPES have none."""
    lines = text.splitlines()
    return [(line, line_shape(line) if i < MAX_SHAPES else None) for i, line in enumerate(lines)]


def _count(text: str) -> Counter[int]:
    """Term hashes with their counts, at most MAX_TERMS of them."""
    counts = Counter(chain(chain.from_iterable(map(_hashed, _CHUNK.findall(text))), _status_codes(text)))
    return counts if len(counts) <= MAX_TERMS else Counter(dict(islice(counts.items(), MAX_TERMS)))


def _status_codes(text: str) -> Iterator[int]:
    """`HTTP 503`, `error: 42`: a number that is called a code weighs more than one that is not."""
    return (term_hash(f"code {number}") for number in _STATUS.findall(text))


@lru_cache(maxsize=1 << 16)
def _hashed(chunk: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(term_hash(term) for term, _ in _expand(chunk)))


def _expand(chunk: str) -> list[tuple[str, str]]:
    """(term, readable form) for everything one chunk of text can be found by."""
    if not chunk.isascii():
        chunk = unicodedata.normalize("NFKC", chunk)
    if ":" in chunk and "::" not in chunk:
        if _NOISE.fullmatch(chunk.casefold()):
            return []
        return [pair for piece in chunk.split(":") for pair in _identifier(piece)]
    return _identifier(chunk)


def _identifier(chunk: str) -> list[tuple[str, str]]:
    folded = chunk.casefold()
    if _NOISE.fullmatch(folded):
        return []
    if version := _VERSION.fullmatch(folded):
        return _version(version[1])
    if "'" in folded or "’" in folded:
        chunk = re.sub(r"['’]s?\b", "", chunk)
        folded = chunk.casefold()
    parts = [part for part in _PARTS.split(chunk) if part]
    pairs = [pair for part in parts[:16] for pair in _part(part)]
    if len(parts) > 1 and len(folded) <= 120:
        return [(folded, folded), *pairs]
    return [(folded, folded), *pairs] if folded.endswith(("++", "#")) else pairs


def _version(version: str) -> list[tuple[str, str]]:
    """`7.0.3` counts whole and as `7.0`."""
    short = ".".join(version.split(".")[:2])
    return [(v, v) for v in dict.fromkeys((version, short))]


def _part(part: str) -> list[tuple[str, str]]:
    """One word of an identifier: whole, and split where the case changes."""
    pieces = _CAMEL.findall(part) if part.isascii() and not (part.islower() or part.isupper() or part.isdigit()) else []
    if sum(len(piece) > 1 for piece in pieces) > 1:
        return [*_word(part.casefold()), *(pair for piece in pieces[:12] for pair in _word(piece.casefold()))]
    return _word(part.casefold())


@lru_cache(maxsize=1 << 15)
def _word(word: str) -> list[tuple[str, str]]:
    if not word.isascii():
        return _foreign(word)
    if word in _STOP or len(word) < 2 or len(word) > 40 or _HASH.fullmatch(word):
        return []
    if word.isdigit():
        return [(word, word)] if len(word) <= 6 else []
    return [(_stem(word), word)] if word.isalpha() else [(word, word)]


def _foreign(word: str) -> list[tuple[str, str]]:
    if not _UNSPACED.search(word):
        return [(word, word)]
    pairs = [word[i : i + 2] for i in range(len(word) - 1)] or [word]
    return [(pair, pair) for pair in pairs]
