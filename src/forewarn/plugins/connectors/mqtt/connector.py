"""MQTT: readings by topic, acknowledged to the broker only when they are durable here."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from pydantic import BaseModel

from forewarn.contracts.browser import FoundPoint
from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.sources import SourceTimes
from forewarn.kit.clock import SECOND, now_us
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.look import look_around
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.reader import Reader, subscriptions
from forewarn.plugins.connectors.mqtt.settings import MqttSettings
from forewarn.plugins.mqtt_link.link import Link, Will, one_off

_MOST_MESSAGES: Final = 1_000
_SAY_AGAIN_S: Final = 20.0


class MqttConnector:
    """See README.md."""

    name: ClassVar[str] = "mqtt"
    settings: ClassVar[type[BaseModel]] = MqttSettings
    times: ClassVar[SourceTimes] = SourceTimes.DEVICE

    def browse(self, settings: BaseModel, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
        """As Browser.browse: what is published within some seconds, as no broker has a list."""
        assert isinstance(settings, MqttSettings)
        return look_around(settings, match, most)

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, MqttSettings)
        reader, will = Reader(settings, Names(request.signals)), None if request.look_only else settings.will
        client_id = settings.client_id or f"forewarn-{request.name}"
        link = Link(
            settings,
            one_off(client_id) if request.look_only else client_id,
            subscriptions=subscriptions(settings),
            keep_session_s=None if request.look_only else settings.session_expiry_s,
            will=Will(will.topic, will.offline.encode(), 1, will.retain) if will else None,
            gather=settings.gather_messages,
        )
        telling: asyncio.Task[None] | None = None
        try:
            await link.open()
            sink.connected()
            telling = asyncio.create_task(_tell_refused(link, settings, sink))
            if will:
                await link.publish(will.topic, will.online.encode(), retain=will.retain)
            while True:
                await _gather(link, settings, sink)
                await _store(link, reader, sink)
        finally:
            if telling is not None:
                telling.cancel()
            if will and not link.lost and telling is not None:
                with suppress(Exception):
                    async with asyncio.timeout(1.0):
                        await link.publish(will.topic, will.offline.encode(), retain=will.retain)
            await link.close()


async def _tell_refused(link: Link, settings: MqttSettings, sink: ReadingSink) -> None:
    """A topic that the broker keeps from us is told for as long as it is so; the others go on."""
    while link.refused:
        topics = ", ".join(f"{topic} ({reason})" for topic, reason in link.refused.items())
        text = f"{settings.host}:{settings.port} does not let us have {topics}: allow it there, or remove it here"
        sink.note(ConditionCode.CREDENTIALS_REFUSED, text)
        await asyncio.sleep(_SAY_AGAIN_S)


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
        raise link.lost
    with suppress(TimeoutError):
        async with asyncio.timeout(settings.gather_ms / 1000):
            await link.full.wait()


async def _store(link: Link, reader: Reader, sink: ReadingSink) -> None:
    messages = link.take(_MOST_MESSAGES)
    gathered, offset_us = Gathered(), now_us() - int(time.monotonic() * SECOND)
    for message in messages:
        reader.add(message, offset_us, gathered)
    for condition, count in gathered.rejections.items():
        sink.rejected(count, gathered.examples[condition], condition)
    if len(gathered):
        columns = gathered.columns()
        if gathered.missing:
            text = f"{gathered.missing} readings are null or NaN: they are kept, as bad (BadNoData)"
            sink.note(ConditionCode.NOT_A_NUMBER, text)
        await sink.put(*columns)
    else:
        sink.alive()
    # Also the malformed ones: kept, they would come back for ever.
    for message in messages:
        link.acknowledge(message)
