"""Publishes what happens, and the gateway's state with a last will."""

import asyncio
from contextlib import suppress
from typing import ClassVar
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.errors import SourceUnreachable
from forewarn.kit.clock import now_us, to_rfc3339
from forewarn.plugins.mqtt_link.link import Link, Will
from forewarn.plugins.outputs.mqtt_events.cursor import Cursor
from forewarn.plugins.outputs.mqtt_events.settings import MqttEventsSettings
from forewarn.plugins.outputs.mqtt_events.texts import event_text, offline_text, standing, state_text, topic_of


class MqttEvents:
    """See README.md."""

    name: ClassVar[str] = "mqtt_events"
    settings: ClassVar[type[BaseModel]] = MqttEventsSettings

    def __init__(self) -> None:
        self._cursors: WeakKeyDictionary[StatusBoard, dict[str, Cursor]] = WeakKeyDictionary()

    async def run(self, request: OutputRequest, board: StatusBoard) -> None:
        settings = request.settings
        assert isinstance(settings, MqttEventsSettings)
        cursor = self._cursors.setdefault(board, {}).setdefault(request.name, Cursor(settings.when == "always"))
        telling = _Telling(request, settings, board, cursor)
        try:
            await telling.open()
            await telling.work()
        finally:
            await telling.close()


class _Telling:
    """From one connection to its end."""

    def __init__(
        self, request: OutputRequest, settings: MqttEventsSettings, board: StatusBoard, cursor: Cursor
    ) -> None:
        self._gateway, self._settings, self._board, self._cursor = request.gateway, settings, board, cursor
        self._state_topic = topic_of(settings.state_topic, request.gateway)
        self._told_state = b""
        self._link = Link(
            settings,
            settings.client_id or f"forewarn-{request.gateway}-{request.name}",
            will=Will(self._state_topic, offline_text(request.gateway)),
        )
        self._opened = False

    async def open(self) -> None:
        await self._link.open()
        self._opened = True

    async def work(self) -> None:
        seen = 0
        while True:
            if self._link.lost:
                raise self._link.lost
            await self._tell_events()  # first: somebody may have to run
            await self._tell_state()
            seen = await self._changed(seen)

    async def close(self) -> None:
        if self._opened and not self._link.lost:
            with suppress(Exception):
                async with asyncio.timeout(1.0):
                    await self._link.publish(self._state_topic, offline_text(self._gateway), retain=True)
        await self._link.close()

    async def _changed(self, seen: int) -> int:
        """The newest number, when there is news or it is time to look at the state, or the link is lost."""
        waiting = asyncio.create_task(self._board.changed(seen, self._settings.update_s))
        lost = asyncio.create_task(self._link.arrived.wait())  # nothing is subscribed: set when the link is lost
        try:
            await asyncio.wait((waiting, lost), return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else seen
        finally:
            waiting.cancel()
            lost.cancel()
            await asyncio.gather(waiting, lost, return_exceptions=True)

    async def _tell_state(self) -> None:
        text = state_text(self._board.status(), standing(self._board.alarms()), self._cursor.missed)
        if text != self._told_state:
            await self._publish(self._state_topic, text, retain=True)
            self._told_state = text

    async def _tell_events(self) -> None:
        due = self._cursor.due(self._board, now_us())
        if not due:
            return
        run = to_rfc3339(self._board.status().started_at)
        alarms = {(alarm.rule.asset_id, alarm.rule.rule_id): alarm for alarm in self._board.alarms()}
        for happening in due:
            asset = happening.event or happening.finding
            if asset is not None and (happening.event is not None or self._settings.findings):
                topic = topic_of(self._settings.events_topic, self._gateway, asset.asset_id)
                await self._publish(topic, event_text(happening, self._gateway, run, alarms))
            self._cursor.told(happening.number)

    async def _publish(self, topic: str, text: bytes, *, retain: bool = False) -> None:
        """Returns when the broker has it."""
        try:
            async with asyncio.timeout(3 * self._settings.keepalive_s):
                await self._link.publish(topic, text, retain=retain)
        except TimeoutError as error:
            raise SourceUnreachable(f"{self._settings.host} does not acknowledge what we publish") from error
