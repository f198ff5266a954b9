"""One HTTP connection: how much it may send, how slowly, and whose certificate it showed.

uvicorn bounds neither a request's head nor the time that a client takes over it."""

import asyncio
import hashlib
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any, ClassVar, Final, cast

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from forewarn.api.guard import PEER_CERTIFICATE
from forewarn.api.problems import problem
from forewarn.api.security_headers import added_to

_log = structlog.get_logger(__name__)
_SWEEP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """head_bytes: request line and headers. head_s: to send them, the first byte included. body_bytes_s: at least that
    fast, after grace_s. stalled_s: an answer of which the client takes nothing for so long."""

    head_bytes: int = 32 << 10
    headers: int = 100
    head_s: float = 10.0
    body_bytes_s: float = 1024.0
    grace_s: float = 10.0
    stalled_s: float = 120.0
    connections: int = 8_192
    connections_of_address: int = 2_048


class _Phase(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class _HeadTooLarge(Exception):
    """Stops the parser."""


class Connection(HttpToolsProtocol):
    """For one event loop. `look` wants to be called about once a second."""

    limits: ClassVar[ConnectionLimits]
    addresses: ClassVar[Counter[str]]

    _refused = False
    _too_much = False
    _certificate: str | None = None
    _expires_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast(asyncio.Transport, transport)
        super().connection_made(made)
        self._phase = _Phase.HEAD
        self._since = self.loop.time()
        self._head = self._body = 0
        self._unsent: tuple[int, float] = (0, self._since)
        self._address = self.client[0] if self.client else ""
        self.addresses[self._address] += 1
        self._certificate, self._expires_at = _peer_certificate(made)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "more connections are open than this site carries; try again later")
        elif self.addresses[self._address] > self.limits.connections_of_address:
            self._refuse(503, "this address holds as many connections as one may; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.addresses[self._address] -= 1
        if not self.addresses[self._address]:
            del self.addresses[self._address]

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._phase is _Phase.IDLE:
            # Also for what is no beginning yet, as empty lines: they may not keep a connection open.
            self._phase, self._since = _Phase.HEAD, self.loop.time()
        if self._phase is _Phase.HEAD:
            self._head += len(data)
        super().data_received(data)
        if self._phase is _Phase.HEAD and self._head > self.limits.head_bytes and not self._refused:
            self._refuse(431, self._too_large())

    def send_400_response(self, msg: str) -> None:
        if self._too_much:
            self._refuse(431, self._too_large())
        else:
            self._refuse(400, "this is no HTTP/1.1 request")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._certificate is not None and time.time() < self._expires_at:
            cast(dict[str, Any], self.scope)[PEER_CERTIFICATE] = self._certificate

    def on_headers_complete(self) -> None:
        if len(self.headers) > self.limits.headers or (
            self._head > self.limits.head_bytes
            and len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.limits.head_bytes
        ):
            self._too_much = True
            raise _HeadTooLarge
        super().on_headers_complete()
        self._phase, self._since, self._body = _Phase.BODY, self.loop.time(), 0

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._phase, self._head = _Phase.IDLE, 0

    def look(self, now: float, passed: float) -> None:
        """Ends what takes too long. now: of the loop's clock. passed: seconds since the last look."""
        if self._stalled(now):
            _log.info("connection_stalled", address=self._address)
            self.transport.abort()
        elif self._refused or self.transport.is_closing():
            return
        elif self._phase is _Phase.HEAD and now - self._since > self.limits.head_s:
            self._refuse(408, f"the request's head did not come within {self.limits.head_s:g} s")
        elif self._phase is _Phase.BODY:
            self._look_at_body(now, passed)

    def _look_at_body(self, now: float, passed: float) -> None:
        if self.flow.read_paused:
            self._since += passed  # what the site lets wait is not the client's fault
            return
        waited = now - self._since - self.limits.grace_s
        # Nobody reads what comes after the answer.
        if waited > 0 and (self._body < waited * self.limits.body_bytes_s or self.cycle.response_complete):
            self._refuse(408, f"the body comes slower than {self.limits.body_bytes_s:,.0f} bytes a second")

    def _stalled(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent[0]:
            self._unsent = unsent, now
        return now - self._unsent[1] > self.limits.stalled_s

    def _too_large(self) -> str:
        limits = self.limits
        return f"the request line and headers are more than {limits.head_bytes:,} bytes or {limits.headers} headers"

    def _refuse(self, status: int, detail: str) -> None:
        """Answers where nothing was answered yet, and ends the connection."""
        self._refused = True
        _log.debug("connection_refused", address=self._address, status=status, why=detail)
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_answer(status, detail, self.scheme == "https"))
            self.transport.close()
        else:
            self.transport.abort()
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()


def connection_class(limits: ConnectionLimits) -> type[Connection]:
    """Of one server."""
    return type("BoundedConnection", (Connection,), {"limits": limits, "addresses": Counter()})


async def look_after(connections: Callable[[], Iterable[Any]], every_s: float = _SWEEP_S) -> None:
    """Until cancelled."""
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(every_s)
        now = loop.time()
        for connection in list(connections()):
            connection.look(now, now - last)
        last = now


@lru_cache(64)
def _answer(status: int, detail: str, secure: bool) -> bytes:
    refused = problem("", status, detail)
    headers = [*refused.raw_headers, *added_to("/api/", refused.raw_headers, secure=secure), (b"connection", b"close")]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[status] + lines + b"\r\n" + bytes(refused.body)


def _peer_certificate(transport: asyncio.Transport) -> tuple[str | None, float]:
    """SHA-256 (hex) of the client's certificate and when it expires (seconds since 1970); None without one."""
    secured = transport.get_extra_info("ssl_object")
    told = secured.getpeercert() if secured is not None else None
    if not told:
        return None, 0.0
    encoded = secured.getpeercert(binary_form=True)
    return hashlib.sha256(encoded).hexdigest(), float(ssl.cert_time_to_seconds(told["notAfter"]))
