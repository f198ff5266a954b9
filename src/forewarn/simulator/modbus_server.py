"""The plant's Modbus TCP server: unit 1, holding registers, big-endian float32 (ABCD)."""

from collections.abc import Mapping, Sequence

import numpy as np
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from forewarn.domain.errors import ConfigurationError
from forewarn.simulator.quantities import Array

_UNIT = 1


class PlantModbusServer:
    """signals: ids in the order of the values given to `publish`; registers: first register of each id.

    A sensor with bad quality reads as NaN, as most transmitters do; Modbus has no status."""

    def __init__(self, host: str, port: int, signals: Sequence[str], registers: Mapping[str, int]) -> None:
        self._address = (host, port)
        self._at = np.array([registers[s] for s in signals], np.intp)
        self._image = np.zeros(int(self._at.max(initial=0)) + 100, np.uint16)
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigurationError when the port is taken."""
        image = SimData(0, count=len(self._image), values=0, datatype=DataType.REGISTERS)
        self._server = ModbusTcpServer(SimDevice(_UNIT, [image], action=self._read), address=self._address)
        try:
            await self._server.serve_forever(background=True)
        except (OSError, RuntimeError) as error:
            where = f"{self._address[0]}:{self._address[1]}"
            raise ConfigurationError(f"Modbus server cannot listen on {where}: {error}; choose another port") from error

    async def _read(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Called by pymodbus before it answers; the plant's registers are read-only."""
        if written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        first = address - start_address
        registers[first : first + count] = self._image[address : address + count].tolist()
        return None

    def publish(self, value: Array) -> None:
        """Replace all registers between two requests, so that both halves of a float are of one instant."""
        words = value.astype(">f4").view(">u2").reshape(-1, 2)
        image = self._image.copy()
        image[self._at], image[self._at + 1] = words[:, 0], words[:, 1]
        self._image = image

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
