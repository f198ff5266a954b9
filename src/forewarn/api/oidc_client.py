"""The site as a client of one OpenID Connect provider: authorization code with PKCE (OpenID Connect Core 1.0, 3.1)."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import anyio
import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError

from forewarn.api.id_token import Keys, keys_of, signed_by_another, verified
from forewarn.api.sign_on_attempt import Attempt
from forewarn.api.sign_on_problems import SignOnProblem, SignOnRefused
from forewarn.kit.clock import HOUR, SECOND
from forewarn.kit.web_address import is_private, of_this_machine

_ANSWER_S: Final = 10.0
_WHOLE_S: Final = 20.0
_MOST_BYTES: Final = 1 << 20
_KEEP_US: Final = HOUR
_AWAY_US: Final = 3 * SECOND


@dataclass(frozen=True, slots=True)
class Provider:
    """issuer: exactly as the provider calls itself. client_secret: None for a public client; never shown."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What the provider says of itself, read at read_at (microseconds UTC)."""

    metadata: Mapping[str, Any]
    keys: Keys
    read_at: int


class OidcClient:
    """clock: microseconds UTC. Of one event loop.

    Reads the provider's description and keys at first use, once an hour, and when a token names a key it has not."""

    def __init__(self, provider: Provider, clock: Callable[[], int]) -> None:
        self._provider, self._clock = provider, clock
        self._turn = anyio.Lock()
        self._known: _Known | None = None
        self._away_at: int | None = None

    @property
    def issuer(self) -> str:
        return self._provider.issuer

    async def authorization_url(self, attempt: Attempt) -> str:
        """Where the browser goes to sign in. Raises SignOnRefused."""
        async with self._talking() as client:
            known = await self._description(client)
            client.redirect_uri = attempt.redirect_uri
            url, _ = client.create_authorization_url(
                known.metadata["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
            return str(url)

    async def claims(self, code: str, attempt: Attempt, issuer: str | None) -> dict[str, object]:
        """What the provider says of who signed in: the ID token's claims over those of its userinfo. Raises
        SignOnRefused for whatever is not the provider's word, for us, for this attempt, and of now.

        issuer: as the answer in the browser named it (RFC 9207)."""
        async with self._talking() as client:
            known = await self._description(client)
            names_itself = known.metadata.get("authorization_response_iss_parameter_supported") is True
            if issuer != self.issuer and (issuer is not None or names_itself):
                raise _untrusted("the answer names another issuer than the provider's, or none")
            token = await self._exchanged(client, known, code, attempt)
            id_token, access_token = token.get("id_token"), token.get("access_token")
            if not (isinstance(id_token, str) and isinstance(access_token, str)):
                raise _untrusted("the provider sent no ID token; do its scopes hold openid?")
            claims = await self._verified(client, known, id_token, access_token, attempt.nonce)
            if endpoint := known.metadata.get("userinfo_endpoint"):
                more = await _json(client, endpoint, bearer=True)
                if more.get("sub") != claims["sub"]:
                    raise _untrusted("the provider's userinfo is of another person than its ID token")
                claims = {**more, **claims}
            return claims

    async def _exchanged(
        self, client: AsyncOAuth2Client, known: _Known, code: str, attempt: Attempt
    ) -> Mapping[str, object]:
        async def exchanged(way: object) -> Mapping[str, object]:
            token: Mapping[str, object] = await client.fetch_token(
                known.metadata["token_endpoint"],
                auth=way,
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.verifier,
                redirect_uri=attempt.redirect_uri,
            )
            return token

        *others, last = self._ways_to_show_the_secret(client, known.metadata)
        for way in others:
            try:
                return await exchanged(way)
            except OAuthError as error:
                # Many providers can do both ways, and let each client do one. The code is not used up by this.
                if error.error != "invalid_client":
                    raise
        return await exchanged(last)

    async def _verified(
        self, client: AsyncOAuth2Client, known: _Known, id_token: str, access_token: str, nonce: str
    ) -> dict[str, object]:
        try:
            keys = known.keys
            if signed_by_another(id_token, keys):
                keys = (await self._read(client)).keys
            return verified(
                id_token,
                keys,
                issuer=self.issuer,
                client_id=self._provider.client_id,
                nonce=nonce,
                access_token=access_token,
                now_s=self._clock() // SECOND,
            )
        except JoseError as error:
            # Joserfc's own words: `invalid_claim: Invalid claim: 'aud'`; never the token.
            raise _untrusted(f"the ID token is refused: {error}") from None

    def _ways_to_show_the_secret(self, client: AsyncOAuth2Client, metadata: Mapping[str, Any]) -> list[object]:
        """Best first (RFC 6749, 2.3.1)."""
        secret, client_id = self._provider.client_secret, self._provider.client_id
        if secret is None:
            return [client.client_auth("none")]
        # Form-encoded before, as the RFC wants and Authlib's own does not.
        basic = httpx2.BasicAuth(quote_plus(client_id), quote_plus(secret))
        able = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        posted = [client.client_auth("client_secret_post")] if "client_secret_post" in able else []
        return [basic, *posted] if "client_secret_basic" in able or not posted else [*posted]

    async def _description(self, client: AsyncOAuth2Client) -> _Known:
        async with self._turn:
            known, now = self._known, self._clock()
            if known is not None and 0 <= now - known.read_at < _KEEP_US:
                return known
            if self._away_at is not None and 0 <= now - self._away_at < _AWAY_US:
                raise _away("it did not answer a moment ago")
            self._away_at = now
            known = await self._read(client)
            self._away_at = None
            return known

    async def _read(self, client: AsyncOAuth2Client) -> _Known:
        metadata = await _json(client, get_well_known_url(self.issuer, external=True))
        if metadata.get("issuer") != self.issuer:
            raise _untrusted(
                f"the provider calls itself {str(metadata.get('issuer'))[:200]!r}, FOREWARN_OIDC_ISSUER "
                f"{self.issuer!r}: they must be the same, letter by letter"
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            if (name in metadata or name != "userinfo_endpoint") and not is_private(metadata.get(name)):
                raise _untrusted(f"the provider's {name} is no https address")
        self._known = _Known(metadata, keys_of(await _json(client, metadata["jwks_uri"])), self._clock())
        return self._known

    @contextlib.asynccontextmanager
    async def _talking(self) -> AsyncIterator[AsyncOAuth2Client]:
        """A connection to the provider; every way to fail becomes a SignOnRefused."""
        provider = self._provider
        # A proxy of the environment is for the world, not for this machine.
        outside = not of_this_machine(provider.issuer)
        try:
            with anyio.fail_after(_WHOLE_S):
                async with AsyncOAuth2Client(
                    provider.client_id,
                    provider.client_secret,
                    scope=provider.scopes,
                    code_challenge_method="S256",
                    timeout=_ANSWER_S,
                    trust_env=outside,
                ) as client:
                    yield client
        except OAuthError as error:
            raise _of_provider(str(error.error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError) as error:
            raise _away(type(error).__name__) from None
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise _untrusted(f"the provider's answer cannot be read ({type(error).__name__})") from None


async def _json(client: AsyncOAuth2Client, url: str, *, bearer: bool = False) -> dict[str, Any]:
    """Raises httpx2.HTTPError, ValueError."""
    body = bytearray()
    headers = {"Accept": "application/json"}
    async with client.stream("GET", url, withhold_token=not bearer, headers=headers) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise ValueError(f"more than {_MOST_BYTES:,} bytes")
    read = json.loads(body)
    if not isinstance(read, dict):
        raise ValueError("no JSON object")
    return read


def of_answer(error: str) -> SignOnRefused:
    """For the `error` that the browser brought back (RFC 6749, 4.1.2.1). The text is anybody's and is not kept."""
    if error == "access_denied":
        return SignOnRefused(SignOnProblem.CANCELLED, "the person or the provider said no (access_denied)")
    if error in ("temporarily_unavailable", "server_error"):
        return _away(error)
    return _untrusted("the provider answered with an error that is not access_denied")


def _of_provider(error: str) -> SignOnRefused:
    """For the token endpoint's refusal (RFC 6749, 5.2)."""
    if error == "invalid_grant":
        return SignOnRefused(SignOnProblem.EXPIRED, "the provider did not take the code: used before, or too late")
    known = ("invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type", "invalid_scope")
    word = error if error in known else "an error of its own"
    return _untrusted(f"the provider refused this site as its client ({word}): check the OIDC client id and secret")


def _away(how: str) -> SignOnRefused:
    return SignOnRefused(SignOnProblem.PROVIDER_AWAY, f"the single sign-on provider does not answer ({how})")


def _untrusted(why: str) -> SignOnRefused:
    return SignOnRefused(SignOnProblem.NOT_TRUSTED, why)
