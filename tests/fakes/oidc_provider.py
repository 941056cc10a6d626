"""A small OpenID Connect provider on loopback: discovery, keys, the code flow with PKCE; it can be told to lie."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "qa-agents", "a client secret of the tests"


class Provider:
    """Logs in whoever comes as `person`; `lies` replaces claims, `forge` makes the token in another way."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://localhost:{port}"
        self.person: dict[str, Any] = {"sub": "u-1815", "email": "ada@example.com", "email_verified": True}
        self.lies: dict[str, Any] = {}
        self.forge = ""
        self.discovery: dict[str, Any] = {}
        self.query: dict[str, str] = {}
        self.key = RSAKey.generate_key(2048, parameters={"kid": "k1", "use": "sig"})
        self.foreign = RSAKey.generate_key(2048, parameters={"kid": "k1", "use": "sig"})
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, parameters={"kid": "k2", "use": "sig"})

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
            **self.discovery,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the person is sent back to."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(12)
        self._codes[code] = query
        self.asked.append(query)
        back = {"code": code, "state": query["state"], "iss": self.issuer, **self.query}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The tokens for a code, once; None for a wrong client, code or verifier."""
        expected = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization not in (f"Basic {expected}", f"Basic {plain}") or asked is None:
            return None
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        claims = {name: value for name, value in {**claims, **self.lies}.items() if value is not None}
        return {"access_token": "unused", "token_type": "Bearer", "id_token": self._token(claims)}

    def _token(self, claims: dict[str, Any]) -> str:
        match self.forge:
            case "none":
                parts = ({"alg": "none", "kid": "k1"}, claims)
                return ".".join(_packed(json.dumps(part).encode()) for part in parts) + "."
            case "foreign key":
                return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.foreign)
            case "shared secret":  # signed with what everybody knows: the public key
                import hmac

                parts = ({"alg": "HS256", "kid": "k1"}, claims)
                body = ".".join(_packed(json.dumps(part).encode()) for part in parts)
                public = self.key.as_pem(private=False)
                return f"{body}.{_packed(hmac.digest(public, body.encode(), 'sha256'))}"
            case "another algorithm":
                key = ECKey.generate_key("P-256", parameters={"kid": "k1"})
                return jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key)
            case "nonsense":
                return "not.a.token"
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self._json(provider.document())
            elif parts.path == "/keys":
                self._json({"keys": [provider.key.as_dict(private=False)]})
            elif parts.path == "/authorize":
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[-1] for name, values in parse_qs(body).items()}
            found = provider.exchange(form, self.headers.get("Authorization", ""))
            self._json(found or {"error": "invalid_grant"}, 200 if found else 400)

        def _json(self, content: Any, status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
