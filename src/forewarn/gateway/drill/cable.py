"""A cable of TCP that can be cut, frozen and mended: what lies between a gateway and whoever it talks to."""

import asyncio
import contextlib
from enum import StrEnum
from typing import Final

_PIECE: Final = 65_536
_HERE: Final = "127.0.0.1"


class CableState(StrEnum):
    """CUT: connections end, new ones are refused. FROZEN: connections stand and nothing moves."""

    WHOLE = "whole"
    CUT = "cut"
    FROZEN = "frozen"


class Cable:
    """Listens on loopback and passes everything on to `host:port`. Used by one event loop."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._moving = asyncio.Event()
        self._moving.set()
        self.port = 0
        self.state = CableState.WHOLE
        self.connections = 0

    async def __aenter__(self) -> "Cable":
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        self.state = CableState.CUT
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Connections stay and new ones are taken, but no byte moves in either direction."""
        self.state = CableState.FROZEN
        self._moving.clear()

    async def mend(self) -> None:
        """Bytes that were held back go on; after a cut, who wants to may connect again."""
        self.state = CableState.WHOLE
        self._moving.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, _HERE, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # cut, or the other side is gone: both ends see a connection that ended
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._moving.wait()
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        try:
            ways = [
                asyncio.ensure_future(self._pass_on(reader, far_writer)),
                asyncio.ensure_future(self._pass_on(far_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            far_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                await self._moving.wait()
                writer.write(piece)
                await writer.drain()
