"""Access tokens: JWT (RFC 9068), signed with the site's own Ed25519 key."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from forewarn.domain.errors import NotSignedIn
from forewarn.kit.clock import MINUTE, SECOND

LIFE_US: Final = 10 * MINUTE
LONGEST: Final = 2_048
_AUDIENCE: Final = "forewarn"
_TYPE: Final = "at+jwt"
# RFC 9864 names the curve; plain `EdDSA` leaves it open and is deprecated.
_ALGORITHMS: Final = ("Ed25519",)
# Two processes of one site may read slightly different clocks.
_SKEW_US: Final = 30 * SECOND


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose token, and when it counts: microseconds UTC."""

    person_id: str
    session_id: str
    issued_at: int
    expires_at: int

    def check(self, now: int) -> None:
        """Raises NotSignedIn unless the token counts at `now`."""
        if now >= self.expires_at:
            raise NotSignedIn("the access token has expired; refresh the session")
        if now < self.issued_at - _SKEW_US:
            raise NotSignedIn("the access token is from the future; the server's clock was set back: sign in again")


class TokenSigner:
    """seed: 32 secret bytes, the site's key. clock: microseconds UTC. Thread-safe."""

    def __init__(self, seed: bytes, clock: Callable[[], int]) -> None:
        private = Ed25519PrivateKey.from_private_bytes(seed)
        self._private = OKPKey.import_key(private)
        self._public = OKPKey.import_key(private.public_key())
        self._clock = clock
        self._refresh_key = hashlib.sha256(b"forewarn refresh secrets 1\0" + seed).digest()
        self.site_id = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()[:32]

    def next_secret(self, session_id: str, secret: str) -> str:
        """What follows this refresh secret, the same each time: an answer that was lost on its way can be told again.
        Nobody can tell it without the site's key."""
        told = hmac.new(self._refresh_key, f"{session_id}.{secret}".encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(told).rstrip(b"=").decode()

    def issue(self, person_id: str, session_id: str) -> tuple[str, int]:
        """The token, and when it ends (microseconds UTC)."""
        issued = self._clock() // SECOND
        expires = issued + LIFE_US // SECOND
        claims = {
            "iss": self.site_id,
            "aud": _AUDIENCE,
            "sub": person_id,
            "sid": session_id,
            "iat": issued,
            "exp": expires,
        }
        header = {"alg": _ALGORITHMS[0], "typ": _TYPE}
        return jwt.encode(header, claims, self._private, algorithms=_ALGORITHMS), expires * SECOND

    def read(self, token: str) -> Claims:
        """Raises NotSignedIn for every token that this site did not make or that does not count now."""
        claims = self.verify(token)
        claims.check(self._clock())
        return claims

    def verify(self, token: str) -> Claims:
        """What does not change with time: the same token gives the same answer always. Raises NotSignedIn."""
        if len(token) > LONGEST:
            raise NotSignedIn(f"the access token is longer than {LONGEST:,} characters")
        try:
            read = jwt.decode(token, self._public, algorithms=_ALGORITHMS)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise NotSignedIn("the access token was not made by this site; sign in") from None
        if read.header.get("typ") != _TYPE:
            raise NotSignedIn("this is no access token; sign in")
        return self._claims(read.claims)

    def _claims(self, claims: Mapping[str, object]) -> Claims:
        person, session, issued, expires = (claims.get(name) for name in ("sub", "sid", "iat", "exp"))
        if claims.get("iss") != self.site_id or claims.get("aud") != _AUDIENCE:
            raise NotSignedIn("the access token is for another site; sign in here")
        # type(), because a bool is an int
        if not (isinstance(person, str) and isinstance(session, str) and type(issued) is type(expires) is int):
            raise NotSignedIn("the access token lacks a claim; sign in")
        return Claims(person, session, issued * SECOND, expires * SECOND)
