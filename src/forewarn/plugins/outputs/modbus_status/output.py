"""Keeps the served map like the board."""

import asyncio
from typing import ClassVar, Final

from pydantic import BaseModel

from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.plugins.outputs.modbus_status.settings import ModbusStatusSettings
from forewarn.plugins.outputs.modbus_status.status_map import csv_text, image_of, map_rows

# At most a tenth of the time is spent on making images, and no more than fifty a second.
_QUICKEST_S: Final = 0.02
_REST: Final = 9


class ModbusStatus:
    """See README.md."""

    name: ClassVar[str] = "modbus_status"
    settings: ClassVar[type[BaseModel]] = ModbusStatusSettings

    def map_text(self, board: StatusBoard) -> str:
        """As Mapped.map_text."""
        return csv_text(map_rows(board))

    async def run(self, request: OutputRequest, board: StatusBoard) -> None:
        settings = request.settings
        assert isinstance(settings, ModbusStatusSettings)
        # Late: it imports pymodbus' server, which brings a web server along.
        from forewarn.plugins.outputs.modbus_status.server import StatusServer

        loop = asyncio.get_running_loop()
        began = loop.time()
        server = StatusServer(settings, image_of(board, 0))
        try:
            await server.start()
            seen = 0
            while True:
                at = loop.time()
                server.image = image_of(board, int(at - began))
                await asyncio.sleep(max(_QUICKEST_S, _REST * (loop.time() - at)))
                seen = await board.changed(seen, settings.update_s)
        finally:
            await server.stop()
