"""A real site behind the connections that `forewarn serve` has, with limits that a test can wait for."""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
import uvloop

from forewarn.api.application import create_app
from forewarn.api.front_door import FrontDoor
from forewarn.app.connection import ConnectionLimits, connection_class, look_after
from tests.api.site import Opened, open_parts


@dataclass(frozen=True)
class Answer:
    """status: 0 when the connection ended without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        return str(json.loads(self.body)["detail"])


@dataclass(frozen=True)
class BoundedSite:
    opened: Opened
    port: int
    server: uvicorn.Server

    def connect(self, timeout: float = 60) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def ask(self, sent: bytes, timeout: float = 60) -> Answer:
        with self.connect(timeout) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(sent)
            return answer_of(connection)

    @property
    def held(self) -> int:
        return len(self.server.server_state.connections)


def answer_of(connection: socket.socket) -> Answer:
    """What comes until the server closes, or as much as Content-Length says."""
    got = b""
    while b"\r\n\r\n" not in got or not _whole(got):
        try:
            piece = connection.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLError):
            break
        if not piece:
            break
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split()[1]) if lines[0] else 0
    return Answer(status, {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}, body)


def _whole(got: bytes) -> bool:
    head, _, body = got.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


@contextlib.contextmanager
def bounded_site(directory: Path, limits: ConnectionLimits, door: FrontDoor | None = None) -> Iterator[BoundedSite]:
    with open_parts(directory) as opened:
        bound = socket.create_server(("127.0.0.1", 0))
        app = create_app(opened.parts, opened.access, door)
        config = uvicorn.Config(
            app, http=connection_class(limits), ws="none", log_config=None, access_log=False, proxy_headers=False
        )
        server = uvicorn.Server(config)

        async def serve() -> None:
            looking = asyncio.create_task(look_after(lambda: server.server_state.connections, 0.1))
            try:
                await server.serve([bound])
            finally:
                looking.cancel()

        thread = threading.Thread(target=uvloop.run, args=(serve(),), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        try:
            yield BoundedSite(opened, bound.getsockname()[1], server)
        finally:
            opened.parts.feed.close()
            server.should_exit = True
            thread.join(60)
            bound.close()
            assert not thread.is_alive(), "the server did not shut down"
