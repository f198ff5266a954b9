"""An OpenID Connect provider that says whatever a test wants, for what a real one never says."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import Key, RSAKey

CLIENT = "forewarn"
ACCESS_TOKEN = "an access token"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, private=True)
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, private=True)


@dataclass
class LyingProvider:
    """Honest as it is made. nonce: of the sign-in under way. sign: makes the ID token of its claims.

    metadata, keys, token, userinfo: what the four addresses answer; a callable may answer (status, content type, body)
    itself."""

    issuer: str
    nonce: str = ""
    claims: dict[str, object] = field(default_factory=dict)
    sign: Callable[[dict[str, object]], str] = lambda claims: signed(claims, KEY)
    metadata: dict[str, object] = field(default_factory=dict)
    keys: list[object] = field(default_factory=lambda: [KEY.as_dict(private=False)])
    token: dict[str, object] = field(default_factory=dict)
    userinfo: dict[str, object] | None = field(default_factory=lambda: dict[str, object](sub="anna"))
    instead: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def be_honest(self) -> None:
        """As it was made."""
        self.__dict__.update(LyingProvider(self.issuer).__dict__)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        self.asked.append(path)
        if path in self.instead:
            return self.instead[path]
        answers: dict[str, Callable[[], object]] = {
            "/.well-known/openid-configuration": self._description,
            "/jwks": lambda: {"keys": self.keys},
            "/token": self._token,
            "/me": lambda: self.userinfo,
        }
        found = answers[path]()
        return 200, "application/json", json.dumps(found).encode()

    def _description(self) -> dict[str, object]:
        more = {} if self.userinfo is None else {"userinfo_endpoint": f"{self.issuer}/me"}
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        } | more | self.metadata  # fmt: skip

    def _token(self) -> dict[str, object]:
        now = int(time.time())
        honest = {"iss": self.issuer, "sub": "anna", "aud": CLIENT, "nonce": self.nonce, "iat": now, "exp": now + 600}
        claims = {name: value for name, value in (honest | self.claims).items() if value is not None}
        made = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": self.sign(claims)} | self.token
        return {name: value for name, value in made.items() if value is not None}


def signed(claims: dict[str, object], key: Key, **header: Any) -> str:
    header = {"alg": "RS256", "kid": "k1"} | header
    algorithms = [header["alg"]]
    return jwt.encode({k: v for k, v in header.items() if v is not None}, claims, key, algorithms=algorithms)


@contextlib.contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, kind, body = provider.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = LyingProvider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
