"""A standby pair's lease as a retained MQTT message, on `forewarn/standby/<group>`."""

import asyncio
import contextlib
import random
from typing import Final

import structlog

from forewarn.domain.errors import ForewarnError, SourceUnreachable
from forewarn.kit.retry import Backoff
from forewarn.plugins.mqtt_link.link import Link, Subscription
from forewarn.plugins.mqtt_link.settings import BrokerSettings

_log = structlog.get_logger(__name__)
_MOST: Final = 64


class MqttLeases:
    """LeaseBroker. The lease counts as known only after the broker has answered the subscription: a retained message
    comes with that answer."""

    settings = BrokerSettings

    def __init__(self, settings: BrokerSettings, group: str, gateway: str) -> None:
        self._settings = settings
        self._topic = f"forewarn/standby/{group}"
        self._client_id = settings.client_id or f"forewarn-standby-{group}-{gateway}"
        self._backoff = Backoff(first_s=0.2, cap_s=5.0)
        self._link: Link | None = None
        self._current: bytes | None = None

    async def run(self) -> None:
        failures = 0
        while True:
            link = Link(self._settings, self._client_id, subscriptions=[Subscription(self._topic)])
            try:
                await link.open()
                _log.info("lease_broker_connected", topic=self._topic)
                self._link, failures = link, 0
                await self._listen(link)
            except ForewarnError as error:
                if self._link is not None or not failures:
                    _log.warning("lease_broker_away", error=str(error))
            finally:
                self._link = None
                await link.close()
            await asyncio.sleep(self._backoff.delay_s(failures, random.random()))  # noqa: S311 - jitter, not a secret
            failures += 1

    @property
    def connected(self) -> bool:
        return self._link is not None and not self._link.lost

    def current(self) -> bytes | None:
        return self._current

    async def leave(self, text: bytes) -> None:
        if self._link is None:
            raise SourceUnreachable(f"the broker of {self._topic} is away")
        await self._link.publish(self._topic, text, retain=True)
        self._current = text

    async def _listen(self, link: Link) -> None:
        while True:
            await link.arrived.wait()
            for message in link.take(_MOST):
                self._current = bytes(message.payload)
                with contextlib.suppress(ForewarnError):
                    link.acknowledge(message)
            if link.lost:
                raise link.lost


LEASES = MqttLeases
