"""A small HTTP/1.1 server with every bound set: connections, bytes of headers and body, and time."""

import asyncio
import hmac
import json
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, cast

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_CLOSING_S: Final = 0.5
_LINGERING_S: Final = 0.5
_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
)


class Refusal(Exception):
    """An answer that is no success. field: what of the request is wrong, as its sender would name it."""

    def __init__(self, status: int, detail: str, *, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.retry_after_s = retry_after_s

    def response(self) -> web.Response:
        """As problem+json (RFC 9457)."""
        told: dict[str, object] = {"type": "about:blank", "status": self.status, "detail": self.detail}
        if self.field is not None:
            told["field"] = self.field
        answer = web.Response(
            status=self.status, body=json.dumps(told).encode(), headers={"Content-Type": "application/problem+json"}
        )
        if self.retry_after_s is not None:
            answer.headers["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        if self.status in (408, 413):
            answer.force_close()
        return answer


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and how much is borne. idle_s: longest from a connection's start, or the end of a request, to
    the end of the next one's headers."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    most_connections: int = 64
    idle_s: float = 10.0

    @property
    def on_loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def serving(where: Listening, handler: Handler) -> AsyncIterator[int]:
    """Serves inside the block; yields the port (the one that was found when 0 was asked for); afterwards all sockets
    are closed. A Refusal that the handler raises is answered. Raises OSError when it cannot listen there."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refusal.response()

    server = web.Server(
        answer,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=where.idle_s,
        lingering_time=_LINGERING_S,
        auto_decompress=False,
    )

    def accept() -> asyncio.Protocol:
        return _TurnedAway() if len(server.connections) >= where.most_connections else server()

    listener = await asyncio.get_running_loop().create_server(accept, where.host, where.port, ssl=where.tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        server.pre_shutdown()
        # Shielded: a second cancellation must not leave a socket open.
        await asyncio.shield(server.shutdown(_CLOSING_S))


class _TurnedAway(asyncio.Protocol):
    """The answer to one connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        stream.write(_TOO_MANY)
        stream.close()


async def read_body(request: web.BaseRequest, most: int, within_s: float) -> bytes:
    """The body, plain or gzip, of at most `most` bytes before and after decompression.

    Raises Refusal: 413, 408 (slower than `within_s`), 415 (another Content-Encoding), 400 (broken gzip)."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise Refusal(415, f"Content-Encoding {encoding!r} is not understood: send plain or gzip")
    too_large = Refusal(413, f"the body is larger than {most} bytes: send it in parts")
    if (request.content_length or 0) > most:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for part in request.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > most:
                    raise too_large
    except TimeoutError:
        raise Refusal(408, f"the body did not arrive within {within_s:g} s") from None
    except web.RequestPayloadError as error:
        raise Refusal(400, f"the body is broken off or malformed: {error}") from None
    return _inflated(b"".join(parts), most, too_large) if encoding == "gzip" else b"".join(parts)


def _inflated(body: bytes, most: int, too_large: Refusal) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise Refusal(400, f"the body is no valid gzip: {error}") from None
    if len(plain) > most:
        raise too_large
    if not inflater.eof:
        raise Refusal(400, "the body's gzip stream is cut short")
    return plain


def check_host(request: web.BaseRequest, names: Collection[str]) -> None:
    """Against DNS rebinding: the Host header must be a loopback name or one of `names`. Raises Refusal 421."""
    given = request.headers.get("Host", "")
    name, _, _ = given.partition(":") if not given.startswith("[") else given[1:].partition("]")
    if not is_loopback(name.lower()) and name.lower() not in {known.lower() for known in names}:
        raise Refusal(421, f"Host {given!r} is not a name of this server: add it to the setting host_names")


def same_secret(given: str, secret: str) -> bool:
    """Takes as long wherever the two differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode("utf-8", "surrogateescape"))


def server_tls(certificate: str, private_key: str, client_ca: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer with our certificate; with `client_ca` only clients it signed get in. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, private_key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
