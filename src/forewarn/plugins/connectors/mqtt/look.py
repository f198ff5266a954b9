"""What is published at a broker: its topics are its only list."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Final

from forewarn.contracts.browser import FoundPoint
from forewarn.kit.clock import SECOND, now_us
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.names import FoundNames
from forewarn.plugins.connectors.mqtt.reader import Reader, subscriptions
from forewarn.plugins.connectors.mqtt.settings import MqttSettings
from forewarn.plugins.mqtt_link.link import Link, one_off

_LISTEN_S: Final = 5.0
_MOST_NAMES: Final = 100_000
_MOST_MESSAGES: Final = 1_000


async def look_around(settings: MqttSettings, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
    """As Browser.browse, of what `settings` listen to, in a session of its own."""
    names = FoundNames(_MOST_NAMES)
    reader = Reader(settings, names)
    link = Link(settings, one_off(settings.client_id or "forewarn-look"), subscriptions=subscriptions(settings))
    told: set[int] = set()
    found: set[str] = set()
    try:
        await link.open()
        until = time.monotonic() + _LISTEN_S
        while (left := until - time.monotonic()) > 0 and len(found) < most:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await link.arrived.wait()
            if link.lost:
                raise link.lost
            gathered, offset_us = Gathered(), now_us() - int(time.monotonic() * SECOND)
            messages = link.take(_MOST_MESSAGES)
            for message in messages:
                reader.add(message, offset_us, gathered)
                link.acknowledge(message)
            key, _, value, _ = gathered.columns()
            newest = dict(zip(key.tolist(), value.tolist(), strict=True))
            for number in sorted(newest.keys() - told):
                told.add(number)
                asset, name = names.found[number]
                address = f"{asset}:{name}" if asset and "/" not in name else name
                if len(found) < most and (not match or any(fnmatchcase(address, pattern) for pattern in match)):
                    found.add(address)
                    yield FoundPoint(address, address.replace(":", "/"), "number", f"{newest[number]:g}")
    finally:
        await link.close()
