"""Modbus TCP and RTU: polled in blocks over one connection, one request at a time."""

from typing import ClassVar

from pydantic import BaseModel

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.sources import SourceTimes
from forewarn.plugins.connectors.modbus.poller import Poller
from forewarn.plugins.connectors.modbus.settings import ModbusSettings


class ModbusConnector:
    """See README.md."""

    name: ClassVar[str] = "modbus"
    settings: ClassVar[type[BaseModel]] = ModbusSettings
    times: ClassVar[SourceTimes] = SourceTimes.RECEPTION

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, ModbusSettings)
        await Poller(request, settings, sink).run()
