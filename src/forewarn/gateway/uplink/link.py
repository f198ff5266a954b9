"""One HTTPS client to the site, and what its answers mean."""

import asyncio
import hashlib
import math
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from forewarn.contracts.outbox import Delivery, Parcel
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, ForewarnError
from forewarn.kit.named_secret import named_secret
from forewarn.policies.gateway_settings import UplinkSettings
from forewarn.policies.model_artifact import MOST_BYTES

# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED (openssl, x509_vfy.h)
_NOT_IN_TIME: Final = {9: "is not valid yet: is this machine's clock right?", 10: "has expired: renew it at the site"}
_LONGEST_ANSWER: Final = 1 << 20
_LONGEST_MODEL: Final = MOST_BYTES + 1  # one that is too large shall be told so
_KEPT_OPEN_S: Final = 3.0  # a site closes after five seconds


class SiteAway(ForewarnError):
    """Nothing came back, or nothing that a site would say; try again."""

    def __init__(self, message: str, *, condition: ConditionCode = ConditionCode.SITE_UNREACHABLE) -> None:
        super().__init__(message)
        self.condition = condition


class SiteBusy(SiteAway):
    """The site asks to come again later."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SiteRefuses(ForewarnError):
    """The site does not take it from us: a key that is not good, or a name that is not ours."""


class ParcelRefused(ForewarnError):
    """The site cannot read this parcel; the others are not concerned."""


class ParcelEarly(ForewarnError):
    """By the site's clock the parcel's newest reading is still to come: one of the two clocks is wrong."""


class TableUnknown(ForewarnError):
    """The site does not have our signal table: send it."""


class SiteLink:
    """Used by one event loop. `open` before anything else; every request raises SiteAway or SiteRefuses."""

    def __init__(self, settings: UplinkSettings, gateway: str, version: str) -> None:
        self._settings = settings
        self._base = f"{settings.url}/api/v1/gateways/{quote(gateway, safe='')}"
        self._agent = f"forewarn-gateway/{version}"
        self._session: aiohttp.ClientSession | None = None
        self.table = ""
        self.sent_bytes = 0

    async def open(self) -> None:
        """Read key and certificates. Raises ConfigurationError."""
        await self.close()
        headers = {"User-Agent": self._agent}
        if (key := _key(self._settings)) is not None:
            headers["Authorization"] = f"Bearer {key}"
        timeout = aiohttp.ClientTimeout(
            total=None, connect=self._settings.timeout_s, sock_read=self._settings.timeout_s
        )
        connector = aiohttp.TCPConnector(ssl=_context(self._settings), limit=16, keepalive_timeout=_KEPT_OPEN_S)
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send_table(self, signals: Mapping[int, str]) -> list[str]:
        """Ids that the site does not know."""
        table = table_name(signals)
        body = {"table": table, "signals": {str(key): name for key, name in signals.items()}}
        answer = await self._ask("PUT", "/signals", orjson.dumps(body), {"Content-Type": "application/json"})
        unknown = answer.get("unknown")
        if not isinstance(unknown, list):
            raise SiteAway(f"{self._settings.url} gave no answer of a site to a signal table")
        self.table = table
        return [str(name) for name in unknown]

    async def send_parcel(self, parcel: Parcel) -> Delivery:
        """Raises TableUnknown, ParcelEarly and ParcelRefused besides."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "zstd",
            "Forewarn-Parcel": parcel.packed.kind.value,
            "Forewarn-Signals": self.table,
            "Forewarn-Newest": str(parcel.packed.last_time),
        }
        answer = await self._ask("POST", f"/parcels/{parcel.number}", parcel.packed.body, headers)
        try:
            accepted, late, duplicate, rejected = (
                int(answer[name]) for name in ("accepted", "late", "duplicate", "rejected")
            )
            reasons = {str(reason): int(n) for reason, n in dict(answer.get("reasons") or {}).items()}
        except (KeyError, TypeError, ValueError) as error:
            raise SiteAway(f"{self._settings.url} gave no answer of a site to a parcel") from error
        self.sent_bytes += len(parcel.packed.body)
        return Delivery(accepted, late, duplicate, rejected, reasons)

    async def heartbeat(self, body: bytes) -> dict[str, Any]:
        return await self._ask("POST", "/heartbeat", body, {"Content-Type": "application/json"})

    async def lease(self, body: Mapping[str, object]) -> dict[str, Any]:
        return await self._ask("POST", "/lease", orjson.dumps(body), {"Content-Type": "application/json"})

    async def models(self) -> dict[str, Any]:
        """Which versions we should hold."""
        return await self._ask("GET", "/models", b"", {})

    async def artifact(self, version_id: str) -> bytes:
        """One of them, unchecked; cut after the most that a model may have."""
        return await self._bytes("GET", f"/models/{quote(version_id, safe='')}", b"", {}, _LONGEST_MODEL)

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        return _json(await self._bytes(method, path, body, headers))

    async def _bytes(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], most: int = _LONGEST_ANSWER
    ) -> bytes:
        if self._session is None:
            raise SiteAway("the link is not open")
        try:
            try:
                return await self._once(self._session, method, path, body, headers, most)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                # A server ends connections that were idle for some seconds, also while we write to one. Whatever
                # we send may be sent twice, and nobody is away for that.
                return await self._once(self._session, method, path, body, headers, most)
        except aiohttp.ClientConnectorCertificateError as error:  # which calls itself an SSLCertVerificationError, too
            raise _untrusted(error.certificate_error, self._settings.url) from error
        except ssl.SSLCertVerificationError as error:
            raise _untrusted(error, self._settings.url) from error
        except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise SiteAway(f"{self._settings.url} does not answer: {str(error) or type(error).__name__}") from error

    async def _once(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        most: int,
    ) -> bytes:
        async with session.request(method, self._base + path, data=body, headers=headers) as answer:
            text = await self._whole(answer, most)
            return _meaning(answer.status, answer.headers, text, self._settings.url)

    async def _whole(self, answer: aiohttp.ClientResponse, most: int) -> bytes:
        """To its end: `read(n)` of a stream gives what came so far. One that trickles for ever is none."""
        text = bytearray()
        async with asyncio.timeout(self._settings.timeout_s):
            async for piece in answer.content.iter_any():
                text += piece
                if len(text) > most:
                    raise SiteAway(f"{self._settings.url} gave an answer that is longer than a site's")
        return bytes(text)


def table_name(signals: Mapping[int, str]) -> str:
    """What a signal table is called (docs/formats/uplink.md)."""
    lines = "".join(f"{key}\t{signals[key]}\n" for key in sorted(signals))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _json(text: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        answer = {}
    return answer if isinstance(answer, dict) else {}


def _meaning(status: int, headers: Mapping[str, str], text: bytes, url: str) -> bytes:
    if 200 <= status < 300:
        return text
    answer = _json(text)
    why = str(answer.get("detail") or answer.get("title") or f"status {status}")[:500]
    if status in (401, 403):
        raise SiteRefuses(
            f"{url} refuses this gateway: {why}. Is the key its own? forewarn machines add NAME --role gateway --key "
            "makes one at the site"
        )
    if status == 409 and answer.get("code") == "signal_table_unknown":
        raise TableUnknown(why)
    if status == 409 and answer.get("code") == "too_early":
        raise ParcelEarly(why)
    if status in (429, 503):
        raise SiteBusy(f"{url} is busy: {why}", _seconds(headers.get("Retry-After")))
    if status in (400, 409, 413, 415, 422):
        raise ParcelRefused(f"{url} cannot read it: {why}")
    raise SiteAway(f"{url} answers {status}: {why}")


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or 1.0)
    except ValueError:
        return 1.0
    return min(max(seconds, 0.1), 60.0) if math.isfinite(seconds) else 1.0


def _untrusted(error: Exception, url: str) -> SiteAway:
    if (when := _NOT_IN_TIME.get(getattr(error, "verify_code", 0))) is not None:
        return SiteAway(f"the certificate of {url} {when}", condition=ConditionCode.CERTIFICATE_EXPIRED)
    why = getattr(error, "verify_message", "") or str(error)
    text = f"the certificate of {url} is not trusted ({why}): set gateway.uplink.ca to who signed it"
    return SiteAway(text, condition=ConditionCode.CERTIFICATE_UNTRUSTED)


def _key(settings: UplinkSettings) -> str | None:
    try:
        return named_secret("key", settings.key_env, settings.key_file)
    except LookupError as error:
        raise ConfigurationError(f"gateway.uplink: {error}") from None


def _context(settings: UplinkSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"gateway.uplink: ca, certificate or private_key cannot be read: {error}",
            condition=ConditionCode.CERTIFICATE_UNTRUSTED,
        ) from error
    return context
