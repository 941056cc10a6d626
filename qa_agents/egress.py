"""Where this program may connect to: one list out of the settings, and one judgement that every adapter asks first."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from qa_agents.errors import EgressError

if TYPE_CHECKING:
    import httpx

    from qa_agents.settings import Settings

OPENAI = "https://api.openai.com/v1"
"""Where embeddings come from when no server of one's own is named."""
_PORTS = {"http": 80, "https": 443}


class Destination(NamedTuple):
    """One address that the settings let this program connect to, and what for."""

    what: str
    url: str
    """Scheme, host and port; never a user, a password or a path."""


Origin = tuple[str, str, int]
"""(scheme, host, port)"""


def destinations(settings: "Settings") -> list[Destination]:
    """Everything that these settings let this program connect to; empty for a workspace of this machine alone.

    An identity provider's own discovery document may name further addresses of that provider; a proxy stands for all behind it.
    """
    model, jira, oidc = settings.model, settings.jira, settings.oidc
    database = settings.database_url.get_secret_value() if settings.database_url else None
    named = (
        ("language model", model and model.base_url),
        ("proxy of the language model", model and model.proxy),
        ("telemetry", model and model.telemetry),
        ("embeddings", (settings.openai_base_url or OPENAI) if settings.embedder == "openai" else None),
        ("Chroma", settings.chroma_url and _of_chroma(settings.chroma_url)),
        ("Jira", jira and jira.base_url),
        ("proxy of Jira", jira and jira.proxy),
        ("identity provider", oidc and oidc.issuer),
        ("database", database if database and urlsplit(database).hostname else None),
    )
    return [Destination(what, _bare(url)) for what, url in named if url]


def permit(url: str, allowed: Iterable[str]) -> None:
    """Return for an address with scheme, host and port of one of `allowed`; raise EgressError for every other one.

    A user in the address is refused too: what stands before the @ is easily taken for the host.
    """
    if "@" in urlsplit(url).netloc or origin_of(url) not in {origin_of(one) for one in allowed}:
        raise EgressError(
            "A connection was refused: the settings do not name that address.",
            hint="`qa-agents doctor` lists those that they name.",
        )


def origin_of(url: str) -> Origin:
    """Scheme, host and port of a web address, lower case, the port always said. Raises EgressError for anything else."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS[parts.scheme.lower()]
    except (KeyError, ValueError):
        raise EgressError("A connection was refused: its address is none of the web.") from None
    if not parts.hostname:
        raise EgressError("A connection was refused: its address names no host.")
    return parts.scheme.lower(), parts.hostname.lower().rstrip("."), port


def chroma_host(url: str) -> str:
    """The host of a Chroma server's address, with or without a scheme; "" where it names none."""
    return urlsplit(url if "//" in url else f"//{url}").hostname or ""


def open_client(allowed: Iterable[str], *, timeout: Any) -> "httpx.Client":
    """An HTTP client that reaches the allowed origins and nothing else: no redirects, no proxies of the environment.

    A refused address raises httpx.ConnectError, as one that is down.
    """
    import httpx

    known = tuple(allowed)

    class _Guarded(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            try:
                permit(str(request.url), known)
            except EgressError as error:
                raise httpx.ConnectError(error.message, request=request) from None
            return super().handle_request(request)

    return httpx.Client(transport=_Guarded(trust_env=False), trust_env=False, follow_redirects=False, timeout=timeout)


def _of_chroma(url: str) -> str:
    """As its client understands it: plain http and port 8000 where the address does not say."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" + ("" if re.search(r":\d+$", host) else ":8000")


def _bare(url: str) -> str:
    """Scheme, host and port as they stand in the address, without whatever else it holds."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
