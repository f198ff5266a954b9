"""Modbus TCP: polled in blocks over one connection, one request at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Final

import numpy as np
from pydantic import BaseModel
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.assets import Signal
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.modbus.address import BIT_TABLES, Point, parse_address
from forewarn.plugins.connectors.modbus.blocks import Block, plan_blocks, split_block
from forewarn.plugins.connectors.modbus.decode import Layout
from forewarn.plugins.connectors.modbus.settings import ModbusSettings

# It reports each failed attempt; people learn of a loss from the source's state.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

BAD_TIMEOUT: Final = 0x800A_0000
BAD_CONFIGURATION_ERROR: Final = 0x8089_0000
BAD_DEVICE_FAILURE: Final = 0x808B_0000
BAD_OUT_OF_SERVICE: Final = 0x808D_0000
BAD_NO_DATA: Final = 0x809B_0000
# Modbus exception code (V1.1b3, 7) -> its name and the StatusCode of the block's signals.
_EXCEPTIONS: Final = {
    1: ("illegal function", BAD_CONFIGURATION_ERROR),
    2: ("illegal data address", BAD_CONFIGURATION_ERROR),
    3: ("illegal data value", BAD_CONFIGURATION_ERROR),
    4: ("server device failure", BAD_DEVICE_FAILURE),
    5: ("acknowledge", BAD_OUT_OF_SERVICE),
    6: ("server device busy", BAD_OUT_OF_SERVICE),
    8: ("memory parity error", BAD_DEVICE_FAILURE),
    10: ("gateway path unavailable", BAD_NO_COMMUNICATION),
    11: ("gateway target device failed to respond", BAD_NO_COMMUNICATION),
}
_REFUSED_RANGE: Final = (2, 3)
_READ: Final = {
    "holding": "read_holding_registers",
    "input": "read_input_registers",
    "coil": "read_coils",
    "discrete": "read_discrete_inputs",
}


class _Poller:
    """The points of one run, how they are read now, and the connection. `poll` reads everything once."""

    def __init__(self, request: SourceRequest, settings: ModbusSettings, sink: ReadingSink) -> None:
        self._settings = settings
        self._sink = sink
        self._signals: list[Signal] = []
        self._points: list[Point] = []
        self._wrong: list[Signal] = []
        complaint = "no signal names this source"
        for signal in request.signals:
            try:
                self._points.append(parse_address(signal.address, signal.id, settings.unit))
                self._signals.append(signal)
            except ConfigurationError as error:
                complaint = str(error)
                self._wrong.append(signal)
                sink.rejected(1, complaint)
        if not self._points:
            raise ConfigurationError(complaint)
        self._keys = np.array([signal.key for signal in self._signals], np.int32)
        self._told: set[int] = set()
        self._is_connected = False
        self._set_blocks(plan_blocks(self._points, settings.max_gap))
        self._client = self._new_client()

    def _set_blocks(self, blocks: Sequence[Block]) -> None:
        self._blocks = list(blocks)
        self._layout = Layout(self._points, blocks)

    def _new_client(self) -> AsyncModbusTcpClient:
        # No retries and no reconnecting in the library: a late answer must never meet the next question.
        settings = self._settings
        return AsyncModbusTcpClient(
            settings.host, port=settings.port, timeout=settings.timeout_s, retries=0, reconnect_delay=0
        )

    async def connect(self) -> None:
        if not await self._client.connect():
            raise SourceUnreachable(f"{self._settings.host}:{self._settings.port} does not answer")

    async def close(self) -> None:
        transport = self._client.ctx.transport
        self._client.close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    async def poll(self) -> None:
        """Read every block once and put all signals; refused blocks are split for the next poll."""
        memory = np.zeros(self._layout.size, np.uint16)
        quality = np.zeros(len(self._blocks), np.uint32)
        time = np.zeros(len(self._blocks), np.int64)
        blocks: list[Block] = []
        silent: set[int] = set()
        for i, block in enumerate(self._blocks):
            code = await self._read(block, memory[self._layout.spans[i]], silent)
            time[i] = now_us()
            quality[i] = _EXCEPTIONS.get(code, ("", BAD_DEVICE_FAILURE))[1] if code > 0 else -code
            blocks += self._refuse(block, code) if code in _REFUSED_RANGE else [block]
        if silent and silent == {block.unit for block in self._blocks}:
            raise SourceUnreachable(
                f"{self._settings.host}:{self._settings.port} accepts connections but answers nothing"
            )
        await self._put(memory, quality, time)
        if len(blocks) != len(self._blocks):
            self._set_blocks(blocks)

    async def _read(self, block: Block, into: "np.ndarray[tuple[int], np.dtype[np.uint16]]", silent: set[int]) -> int:
        """0 and `into` filled; else the exception's code, or minus a StatusCode when none came."""
        if block.unit in silent:
            return -BAD_TIMEOUT
        read: Callable[..., Awaitable[ModbusPDU]] = getattr(self._client, _READ[block.table])
        try:
            answer = await read(block.start, count=block.count, device_id=block.unit)
        except ConnectionException as error:
            raise SourceUnreachable(f"{self._settings.host}:{self._settings.port} is lost: {error}") from error
        except ModbusException as error:
            if not self._client.connected:
                raise SourceUnreachable(f"{self._settings.host}:{self._settings.port} is lost: {error}") from error
            silent.add(block.unit)
            await self._reopen()
            return -BAD_TIMEOUT
        _honour_cancellation()
        if answer.isError():
            return int(answer.exception_code)
        got = answer.bits if block.table in BIT_TABLES else answer.registers
        if len(got) < block.count:
            return -BAD_DEVICE_FAILURE
        into[:] = got[: block.count]
        return 0

    async def _reopen(self) -> None:
        """A unit behind a gateway is silent: its late answer must not be taken for another's."""
        await self.close()
        self._client = self._new_client()
        await self.connect()

    def _refuse(self, block: Block, code: int) -> list[Block]:
        """A refused range: find out which of its points is to blame, and name it once."""
        if len(block.points) == 1 and block.points[0] not in self._told:
            row = block.points[0]
            self._told.add(row)
            signal, name = self._signals[row], _EXCEPTIONS[code][0]
            self._sink.rejected(1, f"signal {signal.id!r}: unit {block.unit} refuses {signal.address!r}: {name}")
        return split_block(self._points, block)

    async def _put(
        self,
        memory: "np.ndarray[tuple[int], np.dtype[np.uint16]]",
        block_quality: "np.ndarray[tuple[int], np.dtype[np.uint32]]",
        block_time: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    ) -> None:
        if not self._is_connected and (block_quality != BAD_TIMEOUT).any():
            self._is_connected = True
            self._sink.connected()
            await self._tell_wrong()
        value = self._layout.decode(memory)
        quality = block_quality[self._layout.block]
        # IEEE 754's NaN is how a device says that it has nothing to say.
        quality = np.where((quality == 0) & np.isnan(value), np.uint32(BAD_NO_DATA), quality)
        value = np.where(quality == 0, value, np.nan)
        await self._sink.put(self._keys, block_time[self._layout.block], value, quality)

    async def _tell_wrong(self) -> None:
        n = len(self._wrong)
        keys = np.array([signal.key for signal in self._wrong], np.int32)
        quality = np.full(n, BAD_CONFIGURATION_ERROR, np.uint32)
        await self._sink.put(keys, np.full(n, now_us()), np.full(n, np.nan), quality)


def _honour_cancellation() -> None:
    """Python 3.11's asyncio.wait_for, which pymodbus waits with, swallows a cancellation that meets an answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class ModbusConnector:
    """See README.md."""

    name: ClassVar[str] = "modbus"
    settings: ClassVar[type[BaseModel]] = ModbusSettings

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, ModbusSettings)
        poller = _Poller(request, settings, sink)
        loop = asyncio.get_running_loop()
        try:
            await poller.connect()
            due = loop.time()
            while True:
                await poller.poll()
                # A poll that overran is not made up for: the device is slow enough already.
                due = max(due + settings.poll_interval_s, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            await poller.close()
