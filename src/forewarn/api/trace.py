"""The outermost layer: trace id, request metrics, log of what was slow or failed, and no stack trace ever sent.

Here as well, since it sees every request and every answer: what is refused before any route, and the headers that keep
browsers from harm."""

import secrets
import time
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forewarn.api.front_door import FrontDoor
from forewarn.api.instruments import Instruments
from forewarn.api.problems import of_error, problem
from forewarn.api.security_headers import added_to
from forewarn.domain.errors import ForewarnError

_log = structlog.get_logger("forewarn.api")
SLOW_S: Final = 1.0


class TraceMiddleware:
    """Gives each request an id (answered as X-Trace-Id), times it, and turns what nobody caught into a 500."""

    def __init__(self, app: ASGIApp, instruments: Instruments, door: FrontDoor) -> None:
        self._app = app
        self._instruments = instruments
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_id = secrets.token_hex(8)
        scope["forewarn.trace_id"] = trace_id
        status = 0

        async def traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                added = added_to(scope["path"], given, secure=scope["scheme"] == "https")
                message["headers"] = [*given, *added, (b"x-trace-id", trace_id.encode())]
            await send(message)

        started = time.perf_counter()
        try:
            self._door.origin.refuse(scope)
            await self._app(scope, receive, traced)
        except ForewarnError as error:
            # Of the door; what a route raises was answered further in.
            await of_error(trace_id, error)(scope, receive, traced)
        except ClientDisconnect:
            _log.info("client_left", trace_id=trace_id, path=scope["path"])
        except Exception as error:
            _log.exception("request_crashed", trace_id=trace_id, path=scope["path"], error=repr(error))
            if status == 0:
                detail = f"an unexpected error; the log holds it under trace id {trace_id}"
                await problem(trace_id, 500, detail)(scope, receive, traced)
        self._done(scope, status, time.perf_counter() - started, trace_id)

    def _done(self, scope: Scope, status: int, seconds: float, trace_id: str) -> None:
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        if route == "/api/v1/live":
            return
        self._instruments.request_seconds.labels(scope["method"][:8], route, f"{status // 100}xx").observe(seconds)
        if status >= 500 or seconds > SLOW_S:
            _log.warning(
                "request_slow_or_failed",
                trace_id=trace_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=round(seconds, 4),
            )
