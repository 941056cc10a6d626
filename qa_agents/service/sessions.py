"""Who is at the page: login by token or password, a signed cookie, a key in every form, patience with guesses."""

import hashlib
import hmac
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from qa_agents.checkpoint.policy import Policy, Reviewer
from qa_agents.errors import NotAllowedError
from qa_agents.storage.engine import Database, recall_fact, remember_fact

if TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer

COOKIE = "qa_agents_session"
HOURS = 12
"""A session ends so long after its login, whatever was done meanwhile."""
TRIES, WINDOW = 5, 900.0
"""So many wrong logins by one name or from one address, within so many seconds; then it has to wait."""
_SECRET = "session_secret"


class Session(BaseModel):
    """Somebody who is logged in."""

    model_config = ConfigDict(frozen=True)

    name: str
    how: str
    """token or password"""
    form_key: str
    """Every form that changes something carries it; a forged request cannot know it."""


class Sessions:
    """Signs and reads session cookies; every process on the same database accepts the same ones."""

    def __init__(self, database: Database) -> None:
        self._signer = _signer(_secret(database))

    def open(self, name: str, how: str) -> tuple[str, Session]:
        """A new session and the cookie that carries it."""
        session = Session(name=name, how=how, form_key=secrets.token_urlsafe(24))
        cookie = self._signer.dumps(session.model_dump())
        return (cookie.decode() if isinstance(cookie, bytes) else cookie), session

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None for none, a forged or an old one."""
        from itsdangerous import BadData

        if not cookie or len(cookie) > 4096:
            return None
        try:
            return Session.model_validate(self._signer.loads(cookie, max_age=HOURS * 3600))
        except (BadData, ValueError):
            return None


class Patience:
    """Counts wrong logins by name and by address, in this process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: dict[str, deque[float]] = defaultdict(deque)

    def check(self, *keys: str) -> None:
        """Raise NotAllowedError while one of these has guessed too often."""
        for key in keys:
            tries = self._wrong[key]
            while tries and tries[0] < self._now() - WINDOW:
                tries.popleft()
            if len(tries) >= TRIES:
                raise NotAllowedError("Too many wrong logins.", hint="Wait a quarter of an hour, then try again.")

    def wrong(self, *keys: str) -> None:
        """Note one wrong login."""
        if len(self._wrong) > 10_000:
            self._wrong.clear()
        for key in keys:
            self._wrong[key].append(self._now())


def log_in(policy: Policy, name: str, secret: str) -> tuple[Reviewer, str]:
    """The listed person of this name whose token or password this is, and which of both. Raises NotAllowedError.

    One sentence for every reason, and as much work for a name that does not exist, so that nobody can find out who is listed.
    """
    listed = policy.reviewers.get(name)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    by_token = hmac.compare_digest(digest, (listed.key_sha256 if listed else None) or "-")
    by_password = _password_fits(secret, (listed.password_argon2 if listed else None) or _NOBODY)
    if listed is None or not (by_token or by_password):
        raise NotAllowedError("This name and secret do not belong together.", hint="Ask whoever keeps the policy.")
    how = "token" if by_token else "password"
    return Reviewer(name=name, roles=policy.roles_of(name), auth="token" if by_token else "password"), how


def hashed(password: str) -> str:
    """The password as Argon2id hash (RFC 9106), for the policy file."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def reviewer_of(policy: Policy, session: Session) -> Reviewer:
    """Whom a session stands for by today's policy. Raises NotAllowedError for somebody who is not listed any more."""
    if session.name not in policy.reviewers:
        raise NotAllowedError(f"{session.name} is not among the policy's reviewers any more.", hint="Log in again.")
    auth = "token" if session.how == "token" else "password"
    return Reviewer.model_validate({"name": session.name, "roles": policy.roles_of(session.name), "auth": auth})


_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY"
"""A hash that nothing fits: checking it takes as long as checking a real one."""


def _password_fits(password: str, stored: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _signer(secret: str) -> "URLSafeTimedSerializer":
    from itsdangerous import URLSafeTimedSerializer

    return URLSafeTimedSerializer(secret, salt="qa-agents review pages")


def _secret(database: Database) -> str:
    with database.write() as connection:
        known = recall_fact(connection, _SECRET)
        if not isinstance(known, str):
            known = secrets.token_hex(32)
            remember_fact(connection, _SECRET, known)
        return known
