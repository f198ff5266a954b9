"""Sparkplug B: a host application that collects what edge nodes tell of our signals."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import ClassVar, Final

import numpy as np
from pydantic import BaseModel

from forewarn.contracts.browser import FoundPoint
from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.sources import SourceTimes
from forewarn.kit.clock import SECOND, now_us
from forewarn.plugins.connectors.sparkplug.address import command_topic, filter_of, state_topic
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.settings import SparkplugSettings
from forewarn.plugins.mqtt_link.link import Link, Subscription, Will, one_off

_MOST_MESSAGES: Final = 1_000
_TICK_S: Final = 0.25
_SAY_AGAIN_S: Final = 20.0
_PATIENCE_S: Final = 3.0
_BAD_CONFIGURATION: Final = 0x8089_0000
_GATHER: Final = 50
_MOST_NAMED: Final = 50


class SparkplugConnector:
    """See README.md."""

    name: ClassVar[str] = "sparkplug"
    settings: ClassVar[type[BaseModel]] = SparkplugSettings
    times: ClassVar[SourceTimes] = SourceTimes.DEVICE

    def browse(self, settings: BaseModel, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
        """As Browser.browse: the metrics of every edge node that is heard of within some seconds."""
        assert isinstance(settings, SparkplugSettings)
        from forewarn.plugins.connectors.sparkplug.look import look_around  # late, as protobuf

        return look_around(settings, match, most)

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, SparkplugSettings)
        session = _Session(request, settings, sink)
        try:
            await session.open()
            await session.work()
        finally:
            await session.close()


class _Session:
    """From one connection to its end."""

    def __init__(self, request: SourceRequest, settings: SparkplugSettings, sink: ReadingSink) -> None:
        # late: protobuf is loaded where there is a Sparkplug source only
        from forewarn.plugins.connectors.sparkplug import host

        self._host_module = host
        self._settings, self._sink = settings, sink
        self._host = host.Host(request.signals, settings)
        self._strange = self._host.wanted.strange
        if self._strange and not self._host.wanted.of:
            raise ConfigurationError(self._say_strange(), condition=ConditionCode.UNKNOWN_ADDRESS)
        self._state_topic = state_topic(settings.host_id)
        # The will and the birth of a session bear the same time, so that edge nodes can match them.
        self._began_ms = now_us() // 1_000
        # Edge nodes would take a look for their primary host, and its end for the host's.
        self._is_host = not request.look_only
        client_id = settings.client_id or f"forewarn-{request.name}"
        self._link = Link(
            settings,
            client_id if self._is_host else one_off(client_id),
            subscriptions=[Subscription(topic) for topic in (*filter_of(settings.groups), self._state_topic)],
            will=Will(self._state_topic, host.state(online=False, at_ms=self._began_ms)) if self._is_host else None,
            gather=_GATHER,
        )
        self._opened = False
        self._away: list[str] = []
        self._tell_away_s = 0.0

    def _say_strange(self) -> str:
        named = ", ".join(f"{signal.id!r} (address {signal.address!r})" for signal in self._strange[:_MOST_NAMED])
        return f"{named}: not of the form <group>/<edge node>/<device or ->/<metric>"

    async def open(self) -> None:
        await self._link.open()
        self._opened = True
        if self._link.refused:
            topics = ", ".join(f"{topic} ({why})" for topic, why in self._link.refused.items())
            raise SourceUnreachable(f"the broker refuses {topics}", condition=ConditionCode.CREDENTIALS_REFUSED)
        if self._is_host:
            await self._tell_online()
        self._sink.connected()
        await self._tell_strange()
        batch = Batch()
        self._host.start(time.monotonic(), batch)
        await self._hand_over(batch)

    async def work(self) -> None:
        while True:
            await self._wait()
            if self._link.lost and not self._link.waiting:
                raise self._link.lost
            await self._take()
            self._tell_away()

    async def close(self) -> None:
        if self._is_host and self._opened and not self._link.lost:
            with suppress(Exception):
                async with asyncio.timeout(1.0):
                    gone = self._host_module.state(online=False, at_ms=now_us() // 1_000)
                    await self._link.publish(self._state_topic, gone, retain=True)
        await self._link.close()

    async def _wait(self) -> None:
        """Until messages are there and have gathered others, or it is time to look at what waits."""
        link = self._link
        with suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await link.arrived.wait()
        if link.arrived.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.gather_ms / 1000):
                    await link.full.wait()
        elif link.heard:
            link.heard = False
            self._sink.alive()

    async def _take(self) -> None:
        messages = self._link.take(_MOST_MESSAGES)
        batch, now_s, clock_us = Batch(), time.monotonic(), now_us()
        for message in messages:
            with suppress(UnicodeDecodeError):
                topic, raw = message.topic, bytes(message.payload)
                if topic == self._state_topic:
                    if self._is_host and not message.retain:  # what the broker held is from before we were there
                        await self._answer_state(raw)
                else:
                    received_us = clock_us - int((now_s - message.timestamp) * SECOND)
                    self._host.take(topic, raw, received_us, now_s, batch)
        self._host.settle(batch)
        self._host.tick(now_s, clock_us, batch)
        self._host.settle(batch)
        await self._hand_over(batch)
        if messages and not len(batch):
            self._sink.alive()
        for message in messages:
            self._link.acknowledge(message)

    async def _hand_over(self, batch: Batch) -> None:
        for condition, count in batch.rejections.items():
            self._sink.rejected(count, batch.examples[condition], condition)
        for condition, text in batch.notes.items():
            self._sink.note(condition, text)
        for group, node in batch.rebirths:
            command = self._host_module.rebirth_command(now_us() // 1_000)
            await self._link.publish(command_topic(group, node), command, qos=0)
        if len(batch):
            await self._sink.put(*batch.columns())

    async def _tell_online(self) -> None:
        await self._link.publish(
            self._state_topic, self._host_module.state(online=True, at_ms=self._began_ms), retain=True
        )

    async def _answer_state(self, raw: bytes) -> None:
        """Who says that we are offline is told otherwise, unless it bears our name: then ours must be a newer session,
        for an edge node takes no STATE that is older than one it has seen."""
        at_ms = self._host_module.denied(raw)
        if at_ms is None:
            return
        if at_ms > self._began_ms:
            raise SourceUnreachable(
                f"another host application uses the id {self._settings.host_id!r} or said our farewell: set host_id"
            )
        await self._tell_online()

    async def _tell_strange(self) -> None:
        """Signals whose address is none are shown as bad."""
        if not self._strange:
            return
        self._sink.rejected(len(self._strange), self._say_strange(), ConditionCode.UNKNOWN_ADDRESS)
        n = len(self._strange)
        keys = np.array([signal.key for signal in self._strange], np.int32)
        bad = np.full(n, _BAD_CONFIGURATION, np.uint32)
        await self._sink.put(keys, np.full(n, now_us(), np.int64), np.full(n, np.nan), bad)

    def _tell_away(self) -> None:
        """Edge nodes that are not there are told for as long as it is so."""
        now_s, away = time.monotonic(), self._host.away()
        if away != self._away:
            self._away, self._tell_away_s = away, now_s + _PATIENCE_S
        if not away or now_s < self._tell_away_s:
            return
        self._tell_away_s = now_s + _SAY_AGAIN_S
        more = f" and {len(away) - 3} more" if len(away) > 3 else ""
        text = f"no birth of edge node {', '.join(away[:3])}{more}: is it there, and does it use these ids?"
        self._sink.note(ConditionCode.SILENT, text)
