"""The page's routes. Nothing here changes anything."""

import asyncio
from typing import Final
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.kit.http_listener import Refusal, read_body
from forewarn.plugins.outputs.local_page.access import Access
from forewarn.plugins.outputs.local_page.metrics import CONTENT_TYPE, exposition
from forewarn.plugins.outputs.local_page.page import HEADERS, document, sign_in
from forewarn.plugins.outputs.local_page.rates import Rates
from forewarn.plugins.outputs.local_page.sections import sections
from forewarn.plugins.outputs.local_page.settings import LocalPageSettings

_WRITE_S: Final = 5.0
_BEAT_S: Final = 3.0
_WRONG_TOKEN_S: Final = 1.0
_LONGEST_FORM: Final = 2_000


class PageServer:
    def __init__(self, request: OutputRequest, board: StatusBoard, token: str | None) -> None:
        assert isinstance(request.settings, LocalPageSettings)
        self._settings = request.settings
        self._gateway = request.gateway
        self._board = board
        self._access = Access(self._settings, token)
        self._rates = Rates()
        self._viewers = 0
        self._made: dict[str, str] = {}
        self._made_at = float("-inf")

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._access.check_host(request)
        if request.path == "/healthz":
            return web.Response(text="ok\n", headers=HEADERS)
        if request.path == "/sign-in" and request.method == "POST":
            return await self._sign_in(request)
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405, f"{request.method} is not understood here: this page is read only")
        if not self._access.may_read(request):
            if request.path == "/":
                return _html(sign_in(self._gateway), 401)
            raise Refusal(401, "give the token of this page as Authorization: Bearer", field="Authorization")
        return await self._read(request)

    async def _read(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.path:
            case "/":
                return _html(document(self._gateway, self._sections()))
            case "/events":
                return await self._events(request)
            case "/status.json":
                body = msgspec.json.encode(self._board.status())
                return web.Response(body=body, headers={**HEADERS, "Content-Type": "application/json"})
            case "/models.json":
                body = msgspec.json.encode(self._board.models())
                return web.Response(body=body, headers={**HEADERS, "Content-Type": "application/json"})
            case "/metrics":
                body = exposition(self._board.status()).encode()
                return web.Response(body=body, headers={**HEADERS, "Content-Type": CONTENT_TYPE})
            case "/favicon.ico":
                return web.Response(status=204)
        raise Refusal(404, f"there is nothing at {request.path}")

    async def _sign_in(self, request: web.BaseRequest) -> web.Response:
        form = parse_qs((await read_body(request, _LONGEST_FORM, _WRITE_S)).decode("utf-8", "replace"))
        try:
            return self._access.sign_in(form.get("token", [""])[0].strip())
        except Refusal as refusal:
            await asyncio.sleep(_WRONG_TOKEN_S)  # guessing is slow
            return _html(sign_in(self._gateway, refusal.detail), 401)

    def _sections(self) -> dict[str, str]:
        """Made once for all who look at about the same time."""
        now = asyncio.get_running_loop().time()
        if now - self._made_at >= self._settings.refresh_s / 2:
            self._made, self._made_at = sections(self._board, self._rates), now
        return self._made

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._viewers >= self._settings.most_viewers:
            raise Refusal(503, f"{self._viewers} pages are open already: close one", retry_after_s=10)
        self._viewers += 1
        try:
            stream = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
            await stream.prepare(request)
            await self._follow(stream)
        except (TimeoutError, ConnectionError):
            return stream  # who does not read is let go
        finally:
            self._viewers -= 1
        return stream

    async def _follow(self, stream: web.StreamResponse) -> None:
        sent: dict[str, str] = {}
        number, silent_s = 0, 0.0
        while True:
            now = self._sections()
            if news := {name: html for name, html in now.items() if sent.get(name) != html}:
                await _send(stream, "sections", msgspec.json.encode(news))
                sent, silent_s = now, 0.0
            elif silent_s >= _BEAT_S:
                await _send(stream, "beat", b"{}")
                silent_s = 0.0
            await asyncio.sleep(self._settings.refresh_s / 2)
            silent_s += self._settings.refresh_s
            number = await self._board.changed(number, self._settings.refresh_s / 2)


async def _send(stream: web.StreamResponse, event: str, data: bytes) -> None:
    """Raises TimeoutError when the other side does not read."""
    async with asyncio.timeout(_WRITE_S):
        await stream.write(b"event: " + event.encode() + b"\ndata: " + data + b"\n\n")


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
