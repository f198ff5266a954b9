"""Requests wait here for the disk; what waits together is stored together."""

import asyncio
from typing import Final

from forewarn.contracts.connector import ReadingSink
from forewarn.kit.http_listener import Refusal
from forewarn.plugins.connectors.webhook.columns import Columns, concatenated

_ALIVE_EVERY_S: Final = 5.0


class Intake:
    """silence_s: the longest pause between two requests that is no fault; None: any."""

    def __init__(self, sink: ReadingSink, most_waiting: int, store_within_s: float, silence_s: float | None) -> None:
        self._sink = sink
        self._most = most_waiting
        self._within_s = store_within_s
        self._silence_s = silence_s
        self._waiting: list[tuple[Columns, asyncio.Future[None]]] = []
        self._rows = 0
        self._arrived = asyncio.Event()
        self._heard_at = asyncio.get_running_loop().time()

    def heard(self) -> None:
        """A sender that may was here."""
        self._heard_at = asyncio.get_running_loop().time()
        self._sink.alive()

    async def store(self, columns: Columns) -> None:
        """Returns once they are durable. Raises Refusal: 429 when too much waits already; 503 when the disk took too
        long: they may be stored yet, and sent again nothing is doubled that carries its own time."""
        rows = len(columns[0])
        if not rows:
            return
        if self._rows and self._rows + rows > self._most:
            raise Refusal(429, f"{self._rows} readings wait for the disk already: send again later", retry_after_s=2)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((columns, stored))
        self._rows += rows
        self._arrived.set()
        try:
            async with asyncio.timeout(self._within_s):
                await stored
        except TimeoutError:
            detail = (
                f"the buffer did not take it within {self._within_s:g} s (it is full, or the disk refuses): send again"
            )
            raise Refusal(503, detail, retry_after_s=5) from None

    async def run(self) -> None:
        """Stores until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_ALIVE_EVERY_S):
                    await self._arrived.wait()
            except TimeoutError:
                quiet_s = asyncio.get_running_loop().time() - self._heard_at
                if self._silence_s is None or quiet_s <= self._silence_s:
                    self._sink.alive()
                continue
            self._arrived.clear()
            together, self._waiting = self._waiting, []
            await self._sink.put(*concatenated([columns for columns, _ in together]))
            self._rows -= sum(len(columns[0]) for columns, _ in together)
            for _, stored in together:
                if not stored.done():
                    stored.set_result(None)
