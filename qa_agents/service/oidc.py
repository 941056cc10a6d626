"""Login through an identity provider: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636)."""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa_agents.checkpoint.policy import Policy
from qa_agents.egress import open_client, permit
from qa_agents.errors import NotAllowedError, UnavailableError
from qa_agents.settings import LOCAL_HOSTS, OidcSettings

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import OAuth2Client
    from joserfc.jwk import KeySet

CALLBACK = "/login/oidc/callback"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a public key: `none` and those with a shared secret are refused, whatever the provider offers."""
LEEWAY = 60
"""Seconds by which two clocks may differ."""
FRESH_SECONDS = 600.0
"""How long what the provider publishes about itself is believed without asking again."""


class Provider(BaseModel):
    """What a provider publishes about itself (OpenID Connect Discovery 1.0), as far as it is used."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str] = Field(default_factory=lambda: ["RS256"])
    token_endpoint_auth_methods_supported: list[str] = Field(default_factory=lambda: ["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False


class Attempt(BaseModel):
    """One login on its way, kept in a signed cookie until the provider sends the person back."""

    model_config = ConfigDict(frozen=True)

    state: str
    nonce: str
    verifier: str
    to: str
    """The page that was asked for."""


class Oidc:
    """Sends people to the provider and recognises them when they come back. Thread-safe."""

    def __init__(self, settings: OidcSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def start(self, to: str) -> tuple[str, Attempt]:
        """Where to send the person, and what must be remembered meanwhile. Raises UnavailableError."""
        attempt = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            to=to,
        )
        provider = self._discovered()
        with self._client(provider) as client:
            url, _ = client.create_authorization_url(
                provider.authorization_endpoint,
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), attempt

    def finish(self, attempt: Attempt, answer: dict[str, str], policy: Policy) -> str:
        """The name of the policy's reviewer who came back with this answer (the callback's query).

        Raises NotAllowedError for an answer that is not the provider's own to this very attempt, and for somebody who is not
        listed; UnavailableError when the provider cannot be asked.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise _untrusted("it belongs to another login")
        if "error" in answer:
            raise NotAllowedError("The identity provider did not log you in.", hint="Try again, or ask its keepers.")
        provider = self._discovered()
        came_from = answer.get("iss")
        named = provider.authorization_response_iss_parameter_supported
        if (named or came_from is not None) and came_from != provider.issuer:
            raise _untrusted("it comes from another issuer")  # RFC 9207
        if not answer.get("code"):
            raise _untrusted("it holds no code")
        return _listed(
            policy, self._settings, self._claims(provider, self._token(provider, answer["code"], attempt), attempt)
        )

    def _token(self, provider: Provider, code: str, attempt: Attempt) -> str:
        """The signed statement that the code is exchanged for."""
        from authlib.integrations.base_client import OAuthError
        from httpx import HTTPError

        try:
            with self._client(provider) as client:
                found = client.fetch_token(
                    provider.token_endpoint, code=code, code_verifier=attempt.verifier, grant_type="authorization_code"
                )
        except (HTTPError, ValueError):
            raise _silent() from None
        except OAuthError:
            raise _untrusted("the provider does not know its code") from None
        token = found.get("id_token") if isinstance(found, dict) else None
        if not isinstance(token, str):
            raise _untrusted("it says nobody's name")
        return token

    def _claims(self, provider: Provider, token: str, attempt: Attempt) -> dict[str, Any]:
        """What the token says, once signature, issuer, audience, times and nonce are in order (OpenID Connect Core, 3.1.3.7)."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        algorithms = [name for name in provider.id_token_signing_alg_values_supported if name in ALGORITHMS]
        wanted: dict[str, Any] = {
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "nonce": {"essential": True, "value": attempt.nonce},
        }
        registry = jwt.JWTClaimsRegistry(leeway=LEEWAY, **wanted)
        for again in (False, True):
            try:
                decoded = jwt.decode(token, self._signed_by(provider, again=again), algorithms=algorithms)
                registry.validate(decoded.claims)
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if again or not _is_about_keys(error):
                    raise _untrusted(f"its token does not hold ({type(error).__name__})") from None
                continue  # the keys may have been exchanged since they were read
            claims: dict[str, Any] = decoded.claims
            audience = claims.get("aud")
            several = isinstance(audience, list) and len(audience) > 1
            if (several or "azp" in claims) and claims.get("azp") != self._settings.client_id:
                raise _untrusted("its token was made for somebody else")
            return claims
        raise _untrusted("its token does not hold")

    def _discovered(self) -> Provider:
        with self._lock:
            known = self._provider
        if known is not None and known[0] > self._now() - FRESH_SECONDS:
            return known[1]
        issuer = self._settings.issuer
        found = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            provider = Provider.model_validate(found)
        except ValidationError:
            raise _silent() from None
        if provider.issuer != issuer:
            raise UnavailableError(
                "The identity provider gives itself another name than the issuer in the settings.",
                hint="Set `issuer` of [oidc] exactly as its discovery document says it.",
            )
        for url in (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri):
            parts = urlsplit(url)
            if parts.scheme != "https" and parts.hostname not in LOCAL_HOSTS:
                raise UnavailableError(
                    "The identity provider offers an address that is not https.", hint="Ask its keepers."
                )
        with self._lock:
            self._provider = (self._now(), provider)
        return provider

    def _signed_by(self, provider: Provider, *, again: bool) -> "KeySet":
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        with self._lock:
            known = self._keys
        if known is not None and not again and known[0] > self._now() - FRESH_SECONDS:
            return known[1]
        try:
            keys = KeySet.import_key_set(self._fetch(provider.jwks_uri, provider.jwks_uri))
        except (JoseError, ValueError, TypeError, KeyError):
            raise _silent() from None
        with self._lock:
            self._keys = (self._now(), keys)
        return keys

    def _fetch(self, url: str, *named: str) -> Any:
        """A JSON document of the provider's: at the issuer, or at an address that its discovery document named."""
        _need_library()
        import httpx

        try:
            with open_client([self._settings.issuer, *named], timeout=self._settings.timeout) as client:
                answer = client.get(url, headers={"Accept": "application/json"})
                answer.raise_for_status()
                return answer.json()
        except (httpx.HTTPError, ValueError):
            raise _silent() from None

    def _client(self, provider: Provider) -> "OAuth2Client":
        _need_library()
        from authlib.integrations.httpx_client import OAuth2Client

        secret = self._settings.client_secret
        basic = "client_secret_basic" in provider.token_endpoint_auth_methods_supported
        method = "none" if secret is None else "client_secret_basic" if basic else "client_secret_post"
        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            scope=" ".join(dict.fromkeys(["openid", *self._settings.scopes])),
            redirect_uri=self._settings.public_url + CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method=method,
            timeout=self._settings.timeout,
            follow_redirects=False,
            trust_env=False,
            event_hooks={"request": [lambda request: permit(str(request.url), [provider.token_endpoint])]},
        )


def _listed(policy: Policy, settings: OidcSettings, claims: dict[str, Any]) -> str:
    """The reviewer whose `oidc` is what the claim says. Roles are the policy's, whatever the token says of groups."""
    said = claims.get(settings.claim)
    if settings.claim == "email" and claims.get("email_verified") is not True:
        raise NotAllowedError("The identity provider has not verified your address.", hint="Ask its keepers.")
    for name, listed in policy.reviewers.items():
        if isinstance(said, str) and said and listed.oidc == said:
            return name
    raise NotAllowedError(
        "You are logged in there, but the policy lists nobody with this account.", hint="Ask whoever keeps the policy."
    )


def _is_about_keys(error: Exception) -> bool:
    """Whether other keys could make the token hold."""
    return type(error).__name__ in ("BadSignatureError", "InvalidKeyIdError", "KeyError", "ValueError")


def _untrusted(why: str) -> NotAllowedError:
    return NotAllowedError(f"The answer of the identity provider cannot be trusted: {why}.", hint="Log in again.")


def _silent() -> UnavailableError:
    return UnavailableError(
        "The identity provider cannot be asked, or answers something else than it should.",
        hint="Try again, or log in with a token or password.",
    )


def _need_library() -> None:
    from importlib.util import find_spec

    if find_spec("authlib") is None:
        raise UnavailableError(
            "Login through an identity provider is not installed.",
            hint="Install it with `pip install 'qa-agents[oidc]'`.",
        )
