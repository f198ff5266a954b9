"""A site that answers as a test tells it to, byte by byte where that matters."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np

from forewarn.contracts.outbox import Packed, Tally, Urgency
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.uplink.link import SiteLink
from forewarn.gateway.uplink.raw_requests import RawRequest
from forewarn.gateway.uplink.uplink import Uplink
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import now_us
from forewarn.kit.retry import Backoff
from forewarn.policies.gateway_settings import UplinkSettings

NAME = "gw"
SIGNALS = {1: "p1.flow"}
ROWS = 5
Answer = tuple[int, object] | bytes


class OddSite:
    """Answers well, but for what a test puts in the place of `table`, `parcel` and `beat`."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[int] = []
        self.beats: list[dict[str, object]] = []
        self.table: Callable[[], Answer] = lambda: (200, {"unknown": []})
        self.parcel: Callable[[int], Answer] = self.takes
        self.beat: Callable[[], Answer] = lambda: (200, {"time": now_us(), "requests": []})
        self.piece_bytes = 1 << 20
        self.piece_s = 0.0

    def takes(self, number: int) -> Answer:
        self.taken.append(number)
        return 200, {"accepted": ROWS, "late": 0, "duplicate": 0, "rejected": 0, "reasons": {}}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next((int(x[15:]) for x in head.split("\r\n") if x.lower().startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                await self._answer(head.split(" ")[1], body, writer)

    async def _answer(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path.endswith("/signals"):
            answer = self.table()
        elif path.endswith("/heartbeat"):
            self.beats.append(json.loads(body))
            answer = self.beat()
        else:
            answer = self.parcel(int(path.rsplit("/", 1)[1]))
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return
        status, said = answer
        text = json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status} Odd\r\nContent-Length: {len(text)}\r\n\r\n".encode())
        for start in range(0, len(text), self.piece_bytes):
            await writer.drain()
            await asyncio.sleep(self.piece_s)
            writer.write(text[start : start + self.piece_bytes])
        await writer.drain()


class Sending:
    def __init__(self, site: OddSite, outbox: SqliteOutbox, conditions: Conditions) -> None:
        self.site, self.outbox, self.conditions = site, outbox, conditions
        self.uplink: Uplink
        self.task: asyncio.Task[None]
        self._offset = 0

    def pack(self, parcels: int = 1, ahead_us: int = 0) -> None:
        packed: list[Packed] = []
        for _ in range(parcels):
            at = now_us() + ahead_us - ROWS + np.arange(ROWS, dtype=np.int64)
            rows = Series(np.full(ROWS, 1, np.int32), at, np.arange(ROWS) / 8.0, np.zeros(ROWS, np.uint32))
            packed.append(Wire().readings(rows, Urgency.NORMAL))
        self._offset += 1
        self.outbox.pack(packed, Tally(parcels * ROWS, parcels * ROWS, 0, 0), b"", self._offset)

    async def until(self, holds: Callable[[], object], limit_s: float = 60.0) -> None:
        async with asyncio.timeout(limit_s):
            while not holds():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def sending(
    directory: Path,
    site: OddSite,
    *,
    answer: Callable[[RawRequest], None] = lambda request: None,
    refuse_status: Callable[[], None] = lambda: None,
) -> AsyncIterator[Sending]:
    outbox, conditions = SqliteOutbox(directory), Conditions("site", now_us)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    settings = UplinkSettings(f"http://127.0.0.1:{site.port}", heartbeat_s=0.2, timeout_s=1.0)
    it = Sending(site, outbox, conditions)

    def status() -> GatewayStatus:
        refuse_status()
        site_side = it.uplink.status()
        alone, buffer = GatewayRole.ALONE, BufferStatus(1, 1, 1, 1)
        return GatewayStatus(NAME, "1", now_us(), now_us(), alone, site_side, buffer, LedgerSums())

    link, again = SiteLink(settings, NAME, "1"), Backoff(0.02, 0.2)
    it.uplink = Uplink(settings, link, outbox, lambda: SIGNALS, status, answer, conditions, backoff=again)
    it.task = asyncio.create_task(it.uplink.run())
    try:
        yield it
    finally:
        it.task.cancel()
        await asyncio.gather(it.task, return_exceptions=True)
        server.close()
        outbox.close()
