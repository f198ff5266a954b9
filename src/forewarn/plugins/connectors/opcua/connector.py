"""OPC UA: the signals' nodes, subscribed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from pydantic import BaseModel

from forewarn.contracts.browser import FoundPoint
from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.sources import SourceTimes
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

if TYPE_CHECKING:
    from forewarn.plugins.connectors.opcua.redundancy import Memory


class OpcUaConnector:
    """See README.md. The library is imported at the first use: half a second and 30 MB for who needs it."""

    name: ClassVar[str] = "opcua"
    settings: ClassVar[type[BaseModel]] = OpcUaSettings
    times: ClassVar[SourceTimes] = SourceTimes.DEVICE

    def __init__(self) -> None:
        self._memories: dict[tuple[str, tuple[str, ...]], Memory] = {}

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        from forewarn.plugins.connectors.opcua.collection import collect
        from forewarn.plugins.connectors.opcua.missed import Owed
        from forewarn.plugins.connectors.opcua.redundancy import Memory

        settings = request.settings
        assert isinstance(settings, OpcUaSettings)
        folder = settings.history.folder
        file = folder / f"{quote(request.name, safe=' ')}.owed.json" if folder is not None else None
        known = self._memories.get((request.name, settings.urls))
        memory = self._memories[request.name, settings.urls] = known or Memory(owed=Owed(file))
        await collect(request, settings, memory, sink)

    async def browse(self, settings: BaseModel, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
        """As Browser.browse."""
        from forewarn.plugins.connectors.opcua.collection import look_around

        assert isinstance(settings, OpcUaSettings)
        async with aclosing(look_around(settings, match, most)) as points:
            async for point in points:
                yield point
