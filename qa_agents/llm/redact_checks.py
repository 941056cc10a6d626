"""Whether what a pattern found is what it looks like: check digits, registered lengths, and the words around it."""

import base64
import binascii
import ipaddress
import itertools
import json
import re

_PASSWORD = re.compile(r"(?!.*(?:secret|token|key))")
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


def is_jwt(match: re.Match[str]) -> bool:
    """The first part decodes to a JSON object that names an algorithm (RFC 7519)."""
    head = match.group().split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def is_card(match: re.Match[str]) -> bool:
    """An issuer's prefix and length, and Luhn's check digit (ISO/IEC 7812)."""
    digits = re.sub(r"\D", "", match.group())
    total = sum(int(d) for d in digits[-1::-2]) + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    # Register dumps print floats whose hexadecimal digits happen to be decimal and end in zeros.
    return _CARD_ISSUER.fullmatch(digits) is not None and total % 10 == 0 and not digits.endswith("0" * 8)


def is_iban(match: re.Match[str]) -> bool:
    """A registered country's length, and mod 97 (ISO 13616)."""
    code = match.group().replace(" ", "")
    if _IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return int("".join(str(int(char, 36)) for char in code[4:] + code[:4])) % 97 == 1


def is_mail(match: re.Match[str]) -> bool:
    """An address, not the user of a repository or the name of a picture."""
    local, _, domain = match.group().lower().rpartition("@")
    return local != "git" and domain.rpartition(".")[2] not in _FILE_ENDINGS


def is_phone(match: re.Match[str]) -> bool:
    """Not a number with a decimal point."""
    return "." not in match.group() or match.group().count(".") > 1


def is_public_ip(match: re.Match[str]) -> bool:
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


def is_assigned(match: re.Match[str]) -> bool:
    """Whether the value looks like a secret, and not like code, a hint, a label or a placeholder."""
    value, key = match.group(match.lastgroup or 0), match["key"].lower()
    quoted, passwordish = match.lastgroup == "q", _PASSWORD.match(key) is not None
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


def is_given(match: re.Match[str]) -> bool:
    """Whether the value of an element or an option is one, and no placeholder."""
    return not _NO_SECRET.fullmatch(match.group(match.lastgroup or 0))


def is_told(match: re.Match[str]) -> bool:
    """Whether what follows the word in prose looks like a secret: not like a word with a digit, a version or a file name."""
    value = match.group(match.lastgroup or 0).rstrip(".!?")
    odd = sum(map(str.isdigit, value)) >= 3 or (not value.islower() and not value.isupper()) or _ODD.search(value)
    return bool(odd) and not (_NO_SECRET.fullmatch(value) or _CODE_PATH.match(value) or _ORDINARY.fullmatch(value))


def is_drawn(match: re.Match[str]) -> bool:
    """Whether a machine drew it: digits, small and capital letters, and they change more often than in words put together."""
    kinds = ["0" if char.isdigit() else "A" if char.isupper() else "a" for char in match["v"] if char.isalnum()]
    changes = sum(one != other and (one, other) != ("A", "a") for one, other in itertools.pairwise(kinds))
    return len(set(kinds)) == 3 and kinds.count("0") >= 3 and changes >= 0.3 * len(kinds)


def is_login(match: re.Match[str]) -> bool:
    """Base64 of a name and a password, as registries keep them."""
    try:
        return ":" in base64.b64decode(match["v"], validate=True).decode("utf-8")
    except ValueError:
        return False


def has_digits(match: re.Match[str]) -> bool:
    """A number that people are known by has digits, whatever letters it has."""
    return any(map(str.isdigit, match["v"]))


def is_persons(match: re.Match[str]) -> bool:
    """A folder named after somebody, not after a role, a machine or a placeholder."""
    return match["v"].casefold() not in _NOBODY and not match["v"].startswith(("<", "{", "["))


def is_public_ipv6(match: re.Match[str]) -> bool:
    """A routable address: times and hashes with colons are none."""
    try:
        return ipaddress.IPv6Address(match.group()).is_global
    except ValueError:
        return False


_GENERIC = (
    "public default root app apps admin administrator user users username name me ubuntu debian ec2-user node jenkins "
    "vagrant runner runneradmin build builder ci git circleci travis vsts vscode deploy docker jovyan www www-data shared "
    "guest test qa"
)
_NOBODY = frozenset(_GENERIC.split())
