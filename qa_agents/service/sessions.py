"""Who is at the page: login by token or password, a signed cookie that a logout ends, a key for every form."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, select

from qa_agents.checkpoint.policy import Listed, Policy, Reviewer
from qa_agents.errors import NotAllowedError
from qa_agents.storage.engine import Database, recall_fact, remember_fact
from qa_agents.storage.tables import workspace_facts

if TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer

COOKIE = "qa_agents_session"
HOURS = 12
"""A session ends so long after its login, whatever was done meanwhile."""
_SECRET = "session_secret"
_ENDED = "session_ended:"
_CHECKS_AT_ONCE = threading.BoundedSemaphore(2)
"""Checking a password takes 64 MiB; a crowd of guesses must not take all there is."""

How = Literal["token", "password", "oidc"]


class Session(BaseModel):
    """Somebody who is logged in."""

    model_config = ConfigDict(frozen=True)

    name: str
    how: How
    proof: str
    """Digest of what the policy recognised: exchanged there, the session ends."""
    form_key: str
    """Every form that changes something carries it; a forged request cannot know it."""


class Sessions:
    """Signs and reads session cookies; every process on the same database accepts the same ones."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._signer = _signer(_secret(database))

    def open(self, policy: Policy, name: str, how: How) -> tuple[str, Session]:
        """A new session of a listed person, and the cookie that carries it."""
        proof = proof_of(policy.reviewers[name], how)
        session = Session(name=name, how=how, proof=proof, form_key=secrets.token_urlsafe(24))
        return self.sealed(session.model_dump()), session

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None for none, a forged, an old or an ended one."""
        from itsdangerous import BadData

        if not cookie or len(cookie) > 4096:
            return None
        try:
            session = Session.model_validate(self._signer.loads(cookie, max_age=HOURS * 3600))
        except (BadData, ValueError):
            return None
        with self._database.read() as connection:
            return None if recall_fact(connection, _ended(session)) is not None else session

    def sealed(self, content: dict[str, str]) -> str:
        """A cookie that holds this and that nobody else can make; readable by its bearer."""
        cookie = self._signer.dumps(content)
        return cookie.decode() if isinstance(cookie, bytes) else cookie

    def unsealed(self, cookie: str | None, seconds: int) -> dict[str, str] | None:
        """What was sealed not longer ago than `seconds`; None for anything else."""
        from itsdangerous import BadData

        try:
            found = self._signer.loads(cookie or "", max_age=seconds)
        except (BadData, ValueError):
            return None
        return found if isinstance(found, dict) and "form_key" not in found else None

    def end(self, session: Session) -> None:
        """Let this session's cookie open nothing any more, wherever a copy of it may be."""
        now, names = self._now(), workspace_facts.c.name
        with self._database.write() as connection:
            past = select(names, workspace_facts.c.value).where(names.startswith(_ENDED, autoescape=True))
            old = [row.name for row in connection.execute(past) if float(row.value) < now - HOURS * 3600]
            connection.execute(delete(workspace_facts).where(names.in_(old)))
            remember_fact(connection, _ended(session), now)


def cookie_name(secure: bool) -> str:
    """The session cookie's name; over https browsers then take it from this very host only."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def proof_of(listed: Listed, how: How) -> str:
    """Digest of what the policy knows a person by."""
    known = {"token": listed.key_sha256, "password": listed.password_argon2, "oidc": listed.oidc}[how]
    return hashlib.sha256(f"{how}:{known}".encode()).hexdigest()[:16]


def log_in(policy: Policy, name: str, secret: str) -> tuple[Reviewer, How]:
    """The listed person of this name whose token or password this is, and which of both. Raises NotAllowedError.

    One sentence for every reason, and as much work for a name that does not exist, so that nobody can find out who is listed.
    """
    listed = policy.reviewers.get(name)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    by_token = hmac.compare_digest(digest, (listed.key_sha256 if listed else None) or "-")
    by_password = _password_fits(secret, (listed.password_argon2 if listed else None) or _NOBODY)
    if listed is None or not (by_token or by_password):
        raise NotAllowedError("This name and secret do not belong together.", hint="Ask whoever keeps the policy.")
    how: How = "token" if by_token else "password"
    return Reviewer(name=name, roles=policy.roles_of(name), auth=how), how


def hashed(password: str) -> str:
    """The password as Argon2id hash (RFC 9106), for the policy file."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def reviewer_of(policy: Policy, session: Session) -> Reviewer:
    """Whom a session stands for by today's policy. Raises NotAllowedError for somebody whom it does not know so any more."""
    listed = policy.reviewers.get(session.name)
    if listed is None or proof_of(listed, session.how) != session.proof:
        raise NotAllowedError(f"The policy does not know {session.name} by this login any more.", hint="Log in again.")
    return Reviewer(name=session.name, roles=policy.roles_of(session.name), auth=session.how)


_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY"
"""A hash that nothing fits: checking it takes as long as checking a real one."""


def _password_fits(password: str, stored: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        with _CHECKS_AT_ONCE:
            return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _signer(secret: str) -> "URLSafeTimedSerializer":
    from itsdangerous import URLSafeTimedSerializer

    return URLSafeTimedSerializer(secret, salt="qa-agents review pages")


def _ended(session: Session) -> str:
    return _ENDED + hashlib.sha256(session.form_key.encode()).hexdigest()[:40]


def _secret(database: Database) -> str:
    with database.write() as connection:
        known = recall_fact(connection, _SECRET)
        if not isinstance(known, str):
            known = secrets.token_hex(32)
            remember_fact(connection, _SECRET, known)
        return known
