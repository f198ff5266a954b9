"""What a browser keeps while it is at the single sign-on provider: one sealed, short-lived cookie."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hmac import compare_digest
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey

from forewarn.api.sign_on_problems import SignOnProblem, SignOnRefused
from forewarn.kit.clock import MINUTE

LIFE_US: Final = 10 * MINUTE
LONGEST_PATH: Final = 2_000
_LONGEST: Final = 8_192
_MOST_USED: Final = 10_000
_HEADER: Final = {"alg": "dir", "enc": "A256GCM", "typ": "sign-on-attempt"}
_REGISTRY: Final = JWERegistry(algorithms=["dir", "A256GCM"])


@dataclass(frozen=True, slots=True)
class Attempt:
    """state, nonce, verifier: random, of this attempt alone. expires_at: microseconds UTC.
    return_to: a path of our own page."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    return_to: str
    expires_at: int


class Attempts:
    """key: 32 secret bytes that the site's processes share. clock: microseconds UTC. Thread-safe.

    The cookie holds all there is, so that nobody fills the memory by beginning; only what came back is remembered."""

    def __init__(self, key: bytes, clock: Callable[[], int]) -> None:
        self._key = OctKey.import_key(key)
        self._clock = clock
        self._turn = threading.Lock()
        self._used: dict[str, int] = {}

    def begin(self, redirect_uri: str, return_to: str) -> tuple[Attempt, str]:
        """The attempt and its cookie."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, redirect_uri, own_path(return_to), self._clock() + LIFE_US)
        return attempt, jwt.encode(_HEADER, asdict(attempt), self._key, registry=_REGISTRY)

    def take(self, cookie: str | None, state: str) -> Attempt:
        """The attempt that `state` belongs to, once. Raises SignOnRefused."""
        if not cookie:
            raise _gone("the browser brought no cookie of a sign-in that it began, or brought this answer twice")
        attempt = self._opened(cookie)
        if not compare_digest(attempt.state.encode(), state.encode("utf-8", "surrogatepass")):
            raise _gone("the answer's state is not the one this browser was sent off with")
        now = self._clock()
        if now >= attempt.expires_at:
            raise _gone("the sign-in took longer than ten minutes")
        with self._turn:
            if attempt.state in self._used:
                raise _gone("this answer came before: somebody copied it, or the page was loaded again")
            self._used = {used: until for used, until in self._used.items() if until > now}
            if len(self._used) >= _MOST_USED:
                # The provider takes its code once as well.
                del self._used[next(iter(self._used))]
            self._used[attempt.state] = attempt.expires_at
        return attempt

    def _opened(self, cookie: str) -> Attempt:
        try:
            if len(cookie) > _LONGEST:
                raise ValueError("too long")
            read = jwt.decode(cookie, self._key, registry=_REGISTRY)
            if read.header.get("typ") != _HEADER["typ"]:
                raise ValueError("another thing that was sealed with this key")
            return _attempt(read.claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise _gone("the browser's cookie was not made by this site") from None


def own_path(text: str) -> str:
    """`text` if it is a path of our own page, else `/`. Whatever a browser could read as another site is none."""
    plain = text.isascii() and text.isprintable() and not set(text) & {" ", "\\"}
    ours = text.startswith("/") and not text.startswith(("//", "/api/", "/sign-in"))
    return text if plain and ours and len(text) <= LONGEST_PATH else "/"


def _attempt(claims: Mapping[str, object]) -> Attempt:
    texts = [claims[name] for name in ("state", "nonce", "verifier", "redirect_uri", "return_to")]
    expires_at = claims["expires_at"]
    if not isinstance(expires_at, int):
        raise TypeError("expires_at")
    state, nonce, verifier, redirect_uri, return_to = (str(text) for text in texts)
    return Attempt(state, nonce, verifier, redirect_uri, return_to, expires_at)


def _gone(why: str) -> SignOnRefused:
    return SignOnRefused(SignOnProblem.EXPIRED, why)
