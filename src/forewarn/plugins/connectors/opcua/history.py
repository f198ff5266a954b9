"""What was missed, read from the server's own history (OPC UA Part 4, 5.10.3; Part 11) beside the live values."""

import asyncio
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import extensionobject_from_binary, struct_from_binary
from asyncua.ua.uaerrors import UaError
from numpy.typing import NDArray

from forewarn.contracts.connector import ReadingSink
from forewarn.domain.errors import SourceUnreachable
from forewarn.kit.clock import DAY, HOUR, now_us
from forewarn.plugins.connectors.opcua.columns import Items, decode_values
from forewarn.plugins.connectors.opcua.deadband import Reported
from forewarn.plugins.connectors.opcua.facts import Limits, keep_history
from forewarn.plugins.connectors.opcua.feed import Feed, marked, to_microseconds
from forewarn.plugins.connectors.opcua.missed import FAR, Missed
from forewarn.plugins.connectors.opcua.publish import from_library, skip_header
from forewarn.plugins.connectors.opcua.session import Entrance, close_session
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings
from forewarn.plugins.connectors.opcua.subscription import send

_log = logging.getLogger(__name__)
_HISTORY_DATA: Final = ObjectIds.HistoryData_Encoding_DefaultBinary
# Asking again would not help.
_FOR_GOOD: Final = (
    StatusCodes.BadHistoryOperationUnsupported,
    StatusCodes.BadHistoryOperationInvalid,
    StatusCodes.BadNodeIdUnknown,
    StatusCodes.BadNodeIdInvalid,
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadNotReadable,
    StatusCodes.BadNoData,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKS: Final = 60
_LOOK_S: Final = 0.05
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What one node's history told. items is None where it is not plain numbers; `values` has them then."""

    status: int
    continuation: bytes
    items: Items | None
    values: tuple[ua.DataValue, ...] = ()


class HistoryReader:
    """Fills what `missed` says is due, for as long as the run lasts, over a session of its own."""

    def __init__(
        self, entrance: Entrance, settings: OpcUaSettings, limits: Limits, feed: Feed, missed: Missed, sink: ReadingSink
    ) -> None:
        self._entrance, self._settings, self._limits = entrance, settings, limits
        self._feed, self._missed, self._sink = feed, missed, sink
        self._reported: Reported = feed.filter()

    async def run(self) -> None:
        """For ever: what fails is tried again, and never ends the live subscription."""
        wait_s = _FIRST_WAIT_S
        while True:
            rows = await self._missed.take()
            await self._first_values(rows)
            try:
                client = await self._entrance.open()
                try:
                    await self._fill(client, rows)
                finally:
                    await close_session(client, polite=True)
                wait_s = _FIRST_WAIT_S
            except (SourceUnreachable, OSError, TimeoutError, UaError) as error:
                _log.warning("history of %s: %s; it is tried again", self._entrance.url, error or type(error).__name__)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                self._missed.due(rows)

    async def _first_values(self, rows: Sequence[int]) -> None:
        """The first live value says where the hole ends; a node may have none."""
        for _ in range(_LOOKS):
            if (self._feed.live_from[list(rows)] != FAR).all():
                return
            await asyncio.sleep(_LOOK_S)

    async def _fill(self, client: Client, rows: Sequence[int]) -> None:
        nodes = [self._feed.addresses[row].node for row in rows]
        kept = await keep_history(client, nodes, self._limits)
        if any(self._feed.addresses[row].needs_types for row, keeps in zip(rows, kept, strict=True) if keeps):
            await client.load_data_type_definitions()
        for row, keeps in zip(rows, kept, strict=True):
            while not keeps and self._missed.hole(row)[0] != FAR:
                self._missed.filled(row)
        wanted = [row for row, keeps in zip(rows, kept, strict=True) if keeps]
        refused: dict[int, int] = {}
        per_call = min(self._settings.history.nodes, self._limits.histories)
        while wanted:  # a signal may have several holes: the oldest of each, then the next
            wanted.sort(key=self._missed.hole)
            for start in range(0, len(wanted), per_call):
                refused |= await self._fill_some(client, wanted[start : start + per_call])
            wanted = [row for row in wanted if row not in refused and self._missed.hole(row)[0] != FAR]
        if refused:
            name = ua.StatusCode(ua.UInt32(next(iter(refused.values())))).name
            raise SourceUnreachable(f"{len(refused)} nodes' history cannot be read at the moment: {name}")

    async def _fill_some(self, client: Client, rows: list[int]) -> dict[int, int]:
        """Holes that begin near each other, page by page; the status of rows that the server refuses at the moment."""
        now = now_us()
        earliest = now - int(self._settings.history.longest_hours * HOUR)
        holes = {row: self._missed.hole(row) for row in rows}
        first = max(min(since for since, _ in holes.values()) + 1, earliest)
        details = ua.ReadRawModifiedDetails()
        details.IsReadModified = False
        # Not to our own clock alone: it may be behind the server's, and the hole would count as filled with nothing.
        last = max(now + DAY if until == FAR else until for _, until in holes.values())
        details.StartTime, details.EndTime = _moment(first), _moment(max(now, last, first + 1))
        details.NumValuesPerNode = self._settings.history.page
        details.ReturnBounds = False
        refused: dict[int, int] = {}
        open_: list[tuple[int, bytes]] = [(row, b"") for row in rows]
        while open_:
            pages = await self._read(client, details, open_)
            count = 0
            following: list[tuple[int, bytes]] = []
            for (row, _), page in zip(open_, pages, strict=True):
                if page.status >> 31 and page.status not in _FOR_GOOD:
                    refused[row] = page.status
                    continue
                got, last = await self._take(row, page, holes[row])
                count += got
                ends = not page.continuation or last >= holes[row][1]
                self._missed.filled(row, None if ends else last)
                if not ends:
                    following.append((row, page.continuation))
            open_ = following
            await asyncio.sleep(count / self._settings.history.values_per_s)
        return refused

    async def _read(
        self, client: Client, details: ua.ReadRawModifiedDetails, asked: Sequence[tuple[int, bytes]]
    ) -> list[Page]:
        request = ua.HistoryReadRequest()
        request.Parameters.HistoryReadDetails = details
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ReleaseContinuationPoints = False
        request.Parameters.NodesToRead = []
        for row, continuation in asked:
            node = ua.HistoryReadValueId()
            node.NodeId = self._feed.addresses[row].node
            node.ContinuationPoint = continuation or None
            request.Parameters.NodesToRead.append(node)
        return decode_history(bytes(await send(client, request, 4 * self._settings.timeout_s)))

    async def _take(self, row: int, page: Page, hole: tuple[int, int]) -> tuple[int, int]:
        """How many values it had, and the newest one's time."""
        part = self._feed.addresses[row].part
        items = page.items
        if items is None or part:
            values = page.values
            items, refused = from_library(((0, value) for value in values), {0: ((0, part),)})
            if refused and not len(items.handle):
                return 0, FAR
        if not len(items.handle):
            return 0, hole[0]
        time = to_microseconds(items.source, items.server, now_us())
        await self._put(row, time, items, hole)
        return len(time), int(time.max())

    async def _put(self, row: int, time: NDArray[np.int64], items: Items, hole: tuple[int, int]) -> None:
        """Only what lies in the hole: what was stored before, and what came live, is there already."""
        status, value = marked(items), items.value
        missing = np.flatnonzero((time > hole[0]) & (time < hole[1]))
        kept = self._reported.keep(np.full(len(missing), row, np.intp), value[missing], status[missing])
        missing = missing if kept is None else missing[kept]
        if len(missing):
            keys = np.full(len(missing), self._feed.keys[row], np.int32)
            await self._sink.put(keys, time[missing], value[missing], status[missing])


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def decode_history(data: bytes) -> list[Page]:
    """A HistoryReadResponse, from its type id on; one page a node. Raises UaError."""
    try:
        return _decode_fast(data)
    except (ValueError, struct.error, IndexError):
        return _decode_slow(data)


def _decode_fast(data: bytes) -> list[Page]:
    at = skip_header(data)
    (n,) = struct.unpack_from("<i", data, at)
    at += 4
    pages = []
    for _ in range(max(n, 0)):
        status, length = struct.unpack_from("<Ii", data, at)
        at += 8
        continuation = data[at : at + max(length, 0)]
        at += max(length, 0)
        if data[at : at + 3] == b"\0\0\0":  # no history data
            pages.append(Page(status, continuation, None))
            at += 3
            continue
        encoding, namespace, identifier, body, size, values = struct.unpack_from("<BBHBii", data, at)
        if (encoding, namespace, identifier, body) != (1, 0, _HISTORY_DATA, 1):
            raise ValueError("not the usual encoding")
        decoded = decode_values(data, at + 13, values)
        if decoded is None or decoded[1] != at + 9 + size:
            raise ValueError("not plain numbers")
        pages.append(Page(status, continuation, decoded[0]))
        at += 9 + size
    return pages


def _decode_slow(data: bytes) -> list[Page]:
    response = struct_from_binary(ua.HistoryReadResponse, Buffer(data))
    response.ResponseHeader.ServiceResult.check()
    pages = []
    for result in response.Results or ():
        told = result.HistoryData
        if isinstance(told, bytes):
            told = extensionobject_from_binary(Buffer(told))
        values = tuple(getattr(told, "DataValues", None) or ())
        pages.append(Page(result.StatusCode.value, bytes(result.ContinuationPoint or b""), None, values))
    return pages
