"""MQTT: JSON telemetry, acknowledged to the broker only when it is durable here."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Final

from pydantic import BaseModel

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.errors import SourceUnreachable
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.mqtt.link import Link
from forewarn.plugins.connectors.mqtt.payload import Gathered, Translator, asset_finder
from forewarn.plugins.connectors.mqtt.settings import MqttSettings

_MOST_MESSAGES: Final = 1_000


class MqttConnector:
    """See README.md."""

    name: ClassVar[str] = "mqtt"
    settings: ClassVar[type[BaseModel]] = MqttSettings

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, MqttSettings)
        translator, asset_of = Translator(request.signals), asset_finder(settings.topics)
        link = Link(settings, settings.client_id or f"forewarn-{request.name}")
        try:
            await link.open()
            sink.connected()
            while True:
                await _gather(link, settings, sink)
                await _store(link, translator, asset_of, sink)
        finally:
            await link.close()


async def _gather(link: Link, settings: MqttSettings, sink: ReadingSink) -> None:
    """Until there is something to store. A full broker window is not waited with: nothing more would come."""
    while not link.arrived.is_set():
        try:
            async with asyncio.timeout(settings.keepalive_s):
                await link.arrived.wait()
        except TimeoutError:
            if link.heard:
                link.heard = False
                sink.alive()
    if link.lost and not link.waiting:
        raise SourceUnreachable(link.lost)
    with suppress(TimeoutError):
        async with asyncio.timeout(settings.gather_ms / 1000):
            await link.full.wait()


async def _store(link: Link, translator: Translator, asset_of: Callable[[str], str | None], sink: ReadingSink) -> None:
    messages = link.take(_MOST_MESSAGES)
    gathered, received_us = Gathered(), now_us()
    for message in messages:
        asset = asset_of(message.topic)
        if asset is None:
            gathered.reject(1, f"topic {message.topic!r} is not among those asked for")
        else:
            translator.add(asset, bytes(message.payload), received_us, gathered)
    if gathered.rejected:
        sink.rejected(gathered.rejected, gathered.example)
    if gathered.key:
        await sink.put(*gathered.columns())
    else:
        sink.alive()
    # Also the malformed ones: kept, they would come back for ever.
    for message in messages:
        link.acknowledge(message)
