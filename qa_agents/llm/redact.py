"""Secrets and personal data in text: found by named patterns, replaced by placeholders that this machine can undo.

Applied before text reaches a model, the index, a log or a tracker. Only named shapes are matched, never mere
randomness: commit hashes, GUIDs and trace ids, which triage lives on, stay as they are. Every pattern is linear-time.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

PERSONAL_NAMES = frozenset({"EMAIL", "PHONE", "IPV4"})
"""Personal data; every other pattern name is a secret."""


class Span(NamedTuple):
    """Where a pattern matched: `text[start:end]` is what must not be shown."""

    start: int
    end: int
    name: str


@dataclass(frozen=True)
class Redacted:
    """A text with placeholders, and what it takes to undo them."""

    text: str
    spans: list[Span]
    """Offsets into the original text, in order, not overlapping."""
    placeholders: dict[str, str]
    """Placeholder to original; holds the secrets, so it must stay on this machine."""


def find_sensitive(text: str, *, phones: bool = False) -> list[Span]:
    """Every secret and piece of personal data, in order, not overlapping.

    Where two patterns meet, the one listed first wins. `phones` adds telephone numbers, easily taken for other numbers.
    """
    return _find(text, frozenset() if phones else frozenset({"PHONE"}))


def find_secrets(text: str) -> list[Span]:
    """What `find_sensitive` finds, without the personal data."""
    return _find(text, PERSONAL_NAMES)


def _find(text: str, without: frozenset[str]) -> list[Span]:
    lowered = text.lower()
    taken: list[Span] = []
    for pattern in _PATTERNS:
        if pattern.name in without or not _worth_trying(pattern, lowered):
            continue
        spans = [
            Span(*match.span(match.lastgroup or 0), pattern.name)
            for match in pattern.regex.finditer(text)
            if pattern.check(match)
        ]
        taken = _merged(taken, spans) if spans else taken
    return taken


def redact(text: str, *, phones: bool = False) -> Redacted:
    """Replace every secret and piece of personal data by a numbered placeholder, `⟨EMAIL_1⟩`; one value, one number.

    `restore(redacted.text, redacted.placeholders) == text`, whatever the text holds.
    """
    spans = find_sensitive(text, phones=phones)
    given: dict[tuple[str, str], str] = {}
    parts, position = [], 0
    for span in spans:
        key = (span.name, text[span.start : span.end])
        if key not in given:
            given[key] = _free_placeholder(span.name, text, set(given.values()))
        parts += [text[position : span.start], given[key]]
        position = span.end
    redacted = "".join([*parts, text[position:]])
    return Redacted(redacted, spans, {placeholder: value for (_, value), placeholder in given.items()})


def restore(text: str, placeholders: dict[str, str]) -> str:
    """Put the originals back in one pass, so that an original which looks like a placeholder stays as it is."""
    return _PLACEHOLDER.sub(lambda match: placeholders.get(match.group(), match.group()), text)


def mask(text: str, *, personal: bool = False) -> str:
    """The text for display: secrets become `⟨NAME⟩`, which cannot be undone; with `personal`, personal data too."""
    parts, position = [], 0
    for start, end, name in find_sensitive(text, phones=personal):
        if personal or name not in PERSONAL_NAMES:
            parts += [text[position:start], f"⟨{name}⟩"]
            position = end
    return "".join([*parts, text[position:]])


class _Pattern(NamedTuple):
    """`regex`'s last matched group is the sensitive part; `needles` are lower-case, and one must be in the text."""

    name: str
    needles: tuple[str, ...]
    regex: re.Pattern[str]
    check: Callable[[re.Match[str]], bool] = lambda _match: True


_PLACEHOLDER = re.compile(r"⟨[A-Z0-9_]{1,40}⟩")


def _free_placeholder(name: str, text: str, taken: set[str]) -> str:
    number = 1
    while (placeholder := f"⟨{name}_{number}⟩") in taken or placeholder in text:
        number += 1
    return placeholder


def _worth_trying(pattern: _Pattern, lowered: str) -> bool:
    return not pattern.needles or any(needle in lowered for needle in pattern.needles)


def _merged(taken: list[Span], new: list[Span]) -> list[Span]:
    """Both lists as one, in order; of `new`, only what overlaps nothing of `taken`."""
    merged: list[Span] = []
    old = iter([*taken, None])
    upcoming = next(old)
    for span in new:
        while upcoming and upcoming.end <= span.start:
            merged.append(upcoming)
            upcoming = next(old)
        if not upcoming or upcoming.start >= span.end:
            merged.append(span)
    return merged + ([upcoming, *(span for span in old if span)] if upcoming else [])


def _is_jwt(match: re.Match[str]) -> bool:
    """The first part decodes to a JSON object that names an algorithm (RFC 7519)."""
    head = match.group().split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def _is_card(match: re.Match[str]) -> bool:
    """An issuer's prefix and length, and Luhn's check digit (ISO/IEC 7812)."""
    digits = re.sub(r"\D", "", match.group())
    total = sum(int(d) for d in digits[-1::-2]) + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    # Register dumps print floats whose hexadecimal digits happen to be decimal and end in zeros.
    return _CARD_ISSUER.fullmatch(digits) is not None and total % 10 == 0 and not digits.endswith("0" * 8)


def _is_iban(match: re.Match[str]) -> bool:
    """A registered country's length, and mod 97 (ISO 13616)."""
    code = match.group().replace(" ", "")
    if _IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return int("".join(str(int(char, 36)) for char in code[4:] + code[:4])) % 97 == 1


def _is_mail(match: re.Match[str]) -> bool:
    local, _, domain = match.group().lower().rpartition("@")
    return local != "git" and domain.rpartition(".")[2] not in _FILE_ENDINGS


def _is_phone(match: re.Match[str]) -> bool:
    return "." not in match.group() or match.group().count(".") > 1


def _is_public_ip(match: re.Match[str]) -> bool:
    """A routable address, and not a four-part version: those have small parts and no network word before them."""
    octets = [int(part) for part in match.group().split(".")]
    if any(part.startswith("0") and part != "0" for part in match.group().split(".")) or max(octets) > 255:
        return False
    a, b = octets[:2]
    if a in (0, 10, 127) or a >= 224 or (a, b) in ((192, 168), (169, 254)) or (a == 172 and 16 <= b <= 31):
        return False
    before = match.string[max(0, match.start() - 30) : match.start()]
    if _NET_BEFORE.search(before):
        return True
    like_version = a < 30 and sum(octet < 10 for octet in octets[1:]) >= 2
    return not like_version and not _VERSION_BEFORE.search(before)


def _is_assigned(match: re.Match[str]) -> bool:
    """Whether the value looks like a secret, and not like code, a hint, a label or a placeholder."""
    value, key = match.group(match.lastgroup or 0), match["key"].lower()
    quoted, passwordish = match.lastgroup == "q", key.startswith(("pass", "pwd"))
    after = match.string[match.end() : match.end() + 1]
    if _NO_SECRET.fullmatch(value) or value.lower().startswith(key) or " " in value:
        return False
    has_digit = any(char.isdigit() for char in value)
    if not passwordish:
        return len(value) >= 8 and (has_digit or (quoted and len(value) >= 16 and "." not in value))
    if quoted or (has_digit and not _CODE_PATH.match(value)):
        return True
    if after in "([" and after:
        return False
    # Letters only, unquoted: a secret in `key=value` lists and at a line's end, a variable's name elsewhere.
    tight = match.string[match.start(match.lastgroup or 0) - 1] == "="
    return (
        value.isascii()
        and not _CODE_PATH.match(value)
        and not _KEY_WORD.search(value)
        and (tight or (after in "\r\n" and len(value) >= 6))
    )


def _is_given(match: re.Match[str]) -> bool:
    """Whether the value of an element or an option is one, and no placeholder."""
    return not _NO_SECRET.fullmatch(match.group(match.lastgroup or 0))


def _is_told(match: re.Match[str]) -> bool:
    """Whether what follows the word in prose looks like a secret: not like a word with a digit, a version or a file name."""
    value = match.group(match.lastgroup or 0).rstrip(".!?")
    odd = sum(map(str.isdigit, value)) >= 3 or (not value.islower() and not value.isupper()) or _ODD.search(value)
    return bool(odd) and not (_NO_SECRET.fullmatch(value) or _CODE_PATH.match(value) or _ORDINARY.fullmatch(value))


_ODD = re.compile(r"[!$%&?*+#@^~]")
_ORDINARY = re.compile(
    r"(?i)v?\d[\d.]*[a-z]{0,4}\d{0,3}|[a-z]+-?\d{1,2}|[\w-]+\.[a-z]{2,5}|\w+(?:[-_]\w+){2,}|0x[0-9a-f]+|sha-?\d+|[a-z]{2,10}-\d+"
)
"""Words of letters and digits that are no secret: 2fa, base64, utf-8, a file, an issue key, several-words-1."""
_CARD_ISSUER = re.compile(
    r"(?:4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14}|3(?:0[0-5]"
    r"|[68]\d)\d{11})",
    re.ASCII,
)
_COUNTRIES = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 "
    "FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 "
    "LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 "
    "SA24 SC31 SE24 SI19 SK24 SM27 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _COUNTRIES.split()}
_ENDINGS = "png jpg jpeg gif svg webp bmp js ts jsx css html xml json txt log zip jar py java so c h m"
_FILE_ENDINGS = frozenset(_ENDINGS.split())
_NET_BEFORE = re.compile(
    r"(?:://|@|\b(?:ip|ipv4|host|hostname|addr|address|ping|dns|ssh|nameserver|resolver)\W{0,3})$", re.IGNORECASE
)
_VERSION_BEFORE = re.compile(
    r"(?:\b(?:version|release|sdk|build|firmware|ver|rev|v)(?![a-z])|/)[^\n,;]{0,10}$", re.IGNORECASE
)
_NO_SECRET = re.compile(
    r"(?i)[*x.•#_-]{3,}|[<$%{\[].*|null|none|nil|undefined|true|false|required|optional|empty|missing|invalid"
    r"|incorrect|wrong|expired|string|text|number|value|field|redacted|masked|hidden|failed|changed?|reset|enabled"
    r"|disabled|password|secret|username|(?:[a-z]:)?[\\/][^\\/]{1,80}[\\/].*|https?://.*|[\w.$]{1,200}@[0-9a-f]{4,16}"
)
_KEY_WORD = re.compile(r"(?i)pass|pwd|token|secret")
_CODE_PATH = re.compile(r"[A-Za-z_$][\w$]{0,60}(?:\.[A-Za-z_$][\w$]{0,60}){1,8}$", re.ASCII)
_SEPARATOR = r"[\"'\]]{0,2}[ \t]{0,4}(?:=>|:=|={1,2}|:)[ \t]{0,4}"
_VALUE = r"(?:[\"'`](?P<q>[^\"'`\n]{3,300})[\"'`]|(?P<v>[^\s\"'`,;&<>(){}\[\]]{4,300}))"


def _p(regex: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(regex, flags | re.ASCII)


_PATTERNS: tuple[_Pattern, ...] = (
    _Pattern(
        "PRIVATE_KEY",
        ("private key",),
        _p(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:[^-]"
            r"|-(?!----)){0,20000}+-----END[^-\n]{0,60}-----|[A-Za-z0-9+/=\s]{0,20000})"
        ),
    ),
    _Pattern("AWS_ACCESS_KEY", ("akia", "asia"), _p(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")),
    _Pattern(
        "AWS_SECRET_KEY",
        ("aws",),
        _p(
            r"(?i)aws[\w .-]{0,20}(?:secret|key)[\w .-]{0,20}"
            + _SEPARATOR
            + r"[\"']?(?P<v>[A-Za-z0-9/+]{40})(?![\w/+])"
        ),
    ),
    _Pattern(
        "GITHUB_TOKEN",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        _p(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    ),
    _Pattern(
        "GITLAB_TOKEN",
        ("gl",),
        _p(
            r"(?<![A-Za-z0-9])gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat"
            r"|ffct)-[A-Za-z0-9_-]{20,255}(?:\.[\w.]{2,40})?"
        ),
    ),
    _Pattern("SLACK_TOKEN", ("xox", "xapp-"), _p(r"(?<![A-Za-z0-9])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250}")),
    _Pattern(
        "SLACK_WEBHOOK",
        ("hooks.slack.com",),
        _p(r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_/+-]{20,200}"),
    ),
    _Pattern(
        "STRIPE_KEY",
        ("_live_", "_test_", "whsec_"),
        _p(r"(?<![A-Za-z0-9])(?:(?:sk|rk)_(?:live|test)_|whsec_)[A-Za-z0-9+/=]{16,250}"),
    ),
    _Pattern(
        "OPENAI_KEY",
        ("sk-",),
        _p(r"(?<![A-Za-z0-9_-])sk-(?:proj-|svcacct-|admin-|or-v1-|ant-)?(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{20,300}"),
    ),
    _Pattern("GOOGLE_API_KEY", ("aiza",), _p(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
    _Pattern("NPM_TOKEN", ("npm_",), _p(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])")),
    _Pattern("PYPI_TOKEN", ("pypi-",), _p(r"(?<![A-Za-z0-9])pypi-AgE[A-Za-z0-9_-]{40,300}")),
    _Pattern("HUGGINGFACE_TOKEN", ("hf_",), _p(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,60}(?![A-Za-z0-9])")),
    _Pattern("ATLASSIAN_TOKEN", ("atatt3",), _p(r"(?<![A-Za-z0-9])ATATT3[A-Za-z0-9_=-]{40,300}")),
    _Pattern("SENDGRID_KEY", ("sg.",), _p(r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}")),
    _Pattern(
        "AZURE_KEY",
        ("accountkey", "sharedaccesskey"),
        _p(r"(?i)(?:Account|SharedAccess)Key=(?P<v>[A-Za-z0-9+/]{30,100}={0,2})"),
    ),
    _Pattern(
        "JWT",
        ("eyj",),
        _p(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{4,8000}\.[A-Za-z0-9_-]{0,2000}"),
        _is_jwt,
    ),
    _Pattern("BASIC_AUTH_URL", ("://",), _p(r"://(?P<v>[^\s/:@\"'<>]{0,100}:[^\s/@\"'<>]{1,200})@")),
    _Pattern(
        "AUTH_HEADER",
        ("authorization", "bearer"),
        _p(
            r"(?i)\b(?:authorization[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?:(?:bearer|basic|token|digest|apikey"
            r"|negotiate)[ \t]{1,3}|(?=[A-Za-z._~+/=-]{0,200}\d))(?P<v>[\w.~+/=-]{8,4000})"
            r"|bearer[ \t]{1,3}(?P<b>(?=[A-Za-z._~+/-]{0,200}\d)[\w.~+/=-]{16,4000}))"
        ),
    ),
    _Pattern("COOKIE", ("cookie",), _p(r"(?i)\bcookie[\"']?[ \t]?:[ \t]?[\"']?(?P<v>[\w.%-]{1,60}=[^\n\"']{8,4000})")),
    _Pattern(
        "SECRET",
        ("pass", "pwd", "secret", "token", "key", "credential"),
        _p(
            r"(?i)(?P<key>pass(?:word|wd|phrase|code)|(?<![a-z])(?:pass|pwd)|(?:client|app|api"
            r"|shared)?[_-]?secret(?:[_-]?key)?|(?:api|access|auth|private|signing|encryption|license)[_-]?key"
            r"|(?:access|auth|refresh|session|api|bot|csrf|id)?[_-]?token)" + _SEPARATOR + _VALUE
        ),
        _is_assigned,
    ),
    _Pattern(
        "SECRET",
        ("password is", "passwd is", "passphrase is", "pwd is"),
        _p(
            r"(?i)(?P<key>pass(?:word|wd|phrase)"
            r"|pwd) is:? {1,3}[\"'`]?(?P<v>(?=[A-Za-z_-]{0,60}[^A-Za-z\s_-])[^\s\"'`,;]{4,80}[^\s\"'`,;.])"
        ),
        _is_assigned,
    ),
    _Pattern(
        "SECRET",
        ("pass", "pwd", "secret", "token"),
        _p(
            r"(?i)(?:<(?P<key>pass(?:word|wd|phrase)|pwd|(?:client)?[_-]?secret|(?:access|api|auth)?[_-]?token)>"
            r"(?P<x>[^<>\s]{4,300})</|(?<!\S)--?(?P<name>pass(?:word|wd|phrase)?|pwd|secret|token)[ \t]{1,3}"
            r"[\"']?(?P<o>(?!-)[^\s\"']{4,300}))"
        ),
        _is_given,
    ),
    _Pattern(
        "SECRET",
        ("mysql",),
        _p(r"(?i)\bmysql\w{0,10}[ \t][^\n]{0,120}?[ \t]-p(?P<v>[^\s\"'-][^\s\"']{3,100})"),
    ),
    _Pattern(
        "SECRET",
        ("password", "passwd", "pwd", "passphrase", "key ", "token ", "secret "),
        _p(
            r"(?i)\b(?:pass(?:word|wd|phrase)|pwd|(?:api|access|secret|auth|license)[ _-]?(?:key|token)|client secret)"
            r" {1,2}[\"'`]?(?P<v>(?=[^\s\"'`]{0,100}\d)(?=[^\s\"'`]{0,100}[a-z])[^\s\"'`,;:<>()\[\]{}=/\\]{8,200})"
        ),
        _is_told,
    ),
    _Pattern(
        "IBAN",
        (),
        _p(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Za-z0-9])"),
        _is_iban,
    ),
    _Pattern(
        "CARD_NUMBER",
        (),
        _p(r"(?<![\w.-])(?:\d{14,16}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -])\d{6}\2\d{5})(?![\w-]|\.\d)"),
        _is_card,
    ),
    _Pattern(
        "EMAIL",
        ("@",),
        _p(
            r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![\w@])"
        ),
        _is_mail,
    ),
    _Pattern("IPV4", (".",), _p(r"(?<![\w.-])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\d)"), _is_public_ip),
    _Pattern(
        "PHONE",
        (),
        _p(
            r"(?<![\w+.-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}"
            r"|\(\d{3}\) ?\d{3}-\d{4})(?![\w-])"
        ),
        _is_phone,
    ),
)
"""The patterns, the more specific first."""
