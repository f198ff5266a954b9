"""What edge nodes have: told by their births, for which each that is heard of is asked."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, Final

import paho.mqtt.client as paho
from google.protobuf.message import DecodeError

from forewarn.contracts.browser import FoundPoint
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.sparkplug.address import Origin, command_topic, filter_of, topic_of
from forewarn.plugins.connectors.sparkplug.host import rebirth_command
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.plugins.connectors.sparkplug.metrics import MetricTable
from forewarn.plugins.connectors.sparkplug.settings import SparkplugSettings
from forewarn.plugins.connectors.sparkplug.values import TYPE_NAMES
from forewarn.plugins.mqtt_link.link import Link, Subscription, one_off

_LISTEN_S: Final = 8.0
_MOST_MESSAGES: Final = 1_000


async def look_around(settings: SparkplugSettings, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
    """As Browser.browse, in a session of its own that tells no STATE."""
    subscriptions = [Subscription(topic) for topic in filter_of(settings.groups)]
    link = Link(settings, one_off(settings.client_id or "forewarn-look"), subscriptions=subscriptions)
    asked: set[tuple[str, str]] = set()
    told: set[str] = set()
    try:
        await link.open()
        until = time.monotonic() + _LISTEN_S
        while (left := until - time.monotonic()) > 0 and len(told) < most:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await link.arrived.wait()
            if link.lost:
                raise link.lost
            for message in link.take(_MOST_MESSAGES):
                link.acknowledge(message)
                heard = _heard(message)
                if heard is None:
                    continue
                kind, origin, payload = heard
                node = origin.group, origin.node
                if kind != "NDEATH" and node not in asked:
                    asked.add(node)
                    await link.publish(command_topic(*node), rebirth_command(now_us() // 1_000), qos=0)
                for point in _points(origin, payload) if kind in ("NBIRTH", "DBIRTH") else ():
                    fits = not match or any(fnmatchcase(point.address, pattern) for pattern in match)
                    if fits and point.address not in told and len(told) < most:
                        told.add(point.address)
                        yield point
    finally:
        await link.close()


def _heard(message: paho.MQTTMessage) -> tuple[str, Origin, Any] | None:
    with suppress(DecodeError, UnicodeDecodeError):
        found = topic_of(message.topic)
        if found is not None:
            return *found, Payload.FromString(bytes(message.payload))
    return None


def _points(origin: Origin, payload: Any) -> Iterator[FoundPoint]:
    metrics = list(payload.metrics)
    names = MetricTable(metrics, {}).names
    table = MetricTable(metrics, {name: key for key, name in enumerate(names, start=1)})
    key, _, value, _ = table.read(payload, now_us()).columns
    number = dict(zip(key.tolist(), value.tolist(), strict=True))
    for row, name in enumerate(names):
        code = int(table.type[row])
        kind = TYPE_NAMES[code] if 0 <= code < len(TYPE_NAMES) else f"type {code}"
        address = f"{origin}/{name}"
        yield FoundPoint(address, address, kind, f"{number[row + 1]:g}" if row + 1 in number else "")
