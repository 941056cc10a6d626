"""Whether a request comes from who it says: signatures over the raw bytes, bearer tokens. Pure, and constant in time."""

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from qa_agents.settings import HookSecret

MAX_SIGNATURES = 8
"""A header may carry several, while secrets are exchanged; more are not looked at."""
_SCHEME = "sha256="
_DIGEST_CHARS = 64

Verdict = Literal["ok", "missing", "malformed", "wrong"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's bytes, and until when it counts (seconds since the epoch)."""

    value: bytes
    until: float | None


def secrets_of(configured: Sequence[HookSecret]) -> tuple[Secret, ...]:
    """Secrets as they are compared; taken literally, whatever encoding they look like."""
    found = []
    for one in configured:
        until = one.until
        if until is not None:
            until = until if until.tzinfo else until.replace(tzinfo=UTC)
        found.append(Secret(one.value.get_secret_value().encode(), until.timestamp() if until else None))
    return tuple(found)


def check_signature(
    header: str | None, body: bytes, secrets: Sequence[Secret], now: Callable[[], float] = time.time
) -> Verdict:
    """Whether `X-Hub-Signature` holds an HMAC-SHA256 of the body by a secret that still counts.

    Every secret is tried whatever the others said, so that the time tells nothing.
    """
    if not header:
        return "missing"
    given = [part.strip() for part in header.split(",", MAX_SIGNATURES)[:MAX_SIGNATURES]]
    digests = [part[len(_SCHEME) :].lower() for part in given if part[: len(_SCHEME)].lower() == _SCHEME]
    digests = [digest for digest in digests if len(digest) == _DIGEST_CHARS and digest.isascii()]
    if not digests:
        return "malformed"
    found = False
    for secret in active(secrets, now()):
        expected = hmac.new(secret.value, body, hashlib.sha256).hexdigest()
        for digest in digests:
            found |= hmac.compare_digest(expected, digest)
    return "ok" if found else "wrong"


def check_bearer(header: str | None, tokens: Sequence[Secret], now: Callable[[], float] = time.time) -> Verdict:
    """Whether `Authorization: Bearer …` names a token that still counts."""
    if not header:
        return "missing"
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return "malformed"
    given, found = hashlib.sha256(token.strip().encode("utf-8", "replace")).digest(), False
    for secret in active(tokens, now()):
        found |= hmac.compare_digest(hashlib.sha256(secret.value).digest(), given)
    return "ok" if found else "wrong"


def active(secrets: Sequence[Secret], now: float) -> list[Secret]:
    """Those that still count."""
    return [secret for secret in secrets if secret.until is None or now < secret.until]
