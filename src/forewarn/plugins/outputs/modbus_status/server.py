"""A read-only Modbus TCP server over one image."""

import asyncio
import logging
from typing import Final

import numpy as np
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.outputs.modbus_status.settings import ModbusStatusSettings
from forewarn.plugins.outputs.modbus_status.status_map import Image

# A master that asks for what is not there is told so by the protocol.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

_ALL: Final = 65_536
_BITS: Final = 16
_DISCRETE, _INPUT = 2, 4


class StatusServer:
    """Serves `image`; it may be replaced at any time, and a request sees one image whole."""

    def __init__(self, settings: ModbusStatusSettings, image: Image) -> None:
        self.image = image
        self._settings = settings
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Raises SourceUnreachable when it cannot listen."""
        # The whole range, one memory for both tables: `_read` fills in what is asked for, and says how much there is.
        words = [SimData(0, count=_ALL, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(self._settings.unit, words, use_bit_addressing=True, action=self._read)
        where = self._settings.host, self._settings.port
        self._server = ModbusTcpServer(device, address=where)
        try:
            await self._server.serve_forever(background=True)
        except (OSError, RuntimeError) as error:
            raise SourceUnreachable(
                f"cannot listen on {where[0]}:{where[1]}: is the port taken, or the address not this machine's?"
            ) from error

    async def _read(
        self,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """pymodbus asks before it answers; count is in registers, 16 discrete inputs to each."""
        if written is not None or function not in (_DISCRETE, _INPUT):
            return ExcCodes.ILLEGAL_FUNCTION
        if function == _INPUT:
            if address + count > len(self.image.registers):
                return ExcCodes.ILLEGAL_ADDRESS
            registers[address : address + count] = self.image.registers[address : address + count].tolist()
            return None
        if address >= len(self.image.inputs):
            return ExcCodes.ILLEGAL_ADDRESS
        start = address // _BITS
        bits = np.zeros(count * _BITS, np.bool_)
        held = self.image.inputs[start * _BITS : (start + count) * _BITS]
        bits[: len(held)] = held
        packed = np.packbits(bits, bitorder="little").view("<u2")
        registers[start : start + count] = packed.tolist()
        return None

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for connection in list(server.active_connections.values()):
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()  # a master that does not read would hold the socket
        await server.shutdown()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)
