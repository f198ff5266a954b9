"""One subscription: several publish requests in flight, acknowledged only when what they brought is durable."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua.publish import Parts, Published, decode_publish
from forewarn.plugins.connectors.opcua.sampling import Item
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

_LIFETIME_S: Final = 60.0
# With the flag "there is more" up for this many publishing intervals in a row, the server cannot tell all in time.
_BEHIND_INTERVALS: Final = 20
_NO_DEADBAND: Final = (
    StatusCodes.BadMonitoredItemFilterUnsupported,
    StatusCodes.BadMonitoredItemFilterInvalid,
    StatusCodes.BadFilterNotAllowed,
    StatusCodes.BadDeadbandFilterInvalid,
)


@dataclass(frozen=True, slots=True)
class RefusedItem:
    item: Item
    status: ua.StatusCode


class Subscription:
    """`publish` is run by several tasks at once, `received` is drained by one."""

    def __init__(
        self, client: Client, url: str, settings: OpcUaSettings, created: ua.CreateSubscriptionResult, parts: Parts
    ) -> None:
        self._client = client
        self._url = url
        self._settings = settings
        self._parts = parts
        self._id = created.SubscriptionId
        self._interval_s = created.RevisedPublishingInterval / 1000
        self._keepalive_s = self._interval_s * max(created.RevisedMaxKeepAliveCount, 1)
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._in_flight = 0
        self._heard_at = self._complete_at = asyncio.get_running_loop().time()
        self._ids: dict[int, int] = {}
        # Bounded: with the disk full we stop asking, and the server keeps what it can.
        self.received: asyncio.Queue[Published] = asyncio.Queue(maxsize=2 * settings.publish_requests)

    @classmethod
    async def create(cls, client: Client, url: str, settings: OpcUaSettings, parts: Parts) -> "Subscription":
        """parts: what is asked for of nodes whose values are arrays or structures, by handle; then it is for these
        alone, for they are decoded one by one."""
        interval = settings.publishing_interval_ms
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = interval
        parameters.RequestedMaxKeepAliveCount = max(1, round(settings.keepalive_s * 1000 / interval))
        parameters.RequestedLifetimeCount = max(
            3 * parameters.RequestedMaxKeepAliveCount, math.ceil(_LIFETIME_S * 1000 / interval)
        )
        parameters.MaxNotificationsPerPublish = 0
        parameters.PublishingEnabled = True
        request = ua.CreateSubscriptionRequest()
        request.Parameters = parameters
        # Not session.create_subscription: that would start the library's own publish loop beside ours.
        response = struct_from_binary(ua.CreateSubscriptionResponse, await send(client, request, settings.timeout_s))
        response.ResponseHeader.ServiceResult.check()
        return cls(client, url, settings, response.Parameters, parts)

    async def monitor(self, items: Sequence[Item], per_call: int) -> list[RefusedItem]:
        """Ask for the items' values; answers those the server refused."""
        refused: list[RefusedItem] = []
        for start in range(0, len(items), per_call):
            refused += await self._monitor(items[start : start + per_call])
        return refused

    async def _monitor(self, items: Sequence[Item]) -> list[RefusedItem]:
        results = await self._create(items, with_band=True)
        plain = [
            item
            for item, result in zip(items, results, strict=True)
            if item.band and result.StatusCode.value in _NO_DEADBAND
        ]
        refused = self._note(items, results, set(plain))
        if plain:  # the server cannot: we still can
            refused += self._note(plain, await self._create(plain, with_band=False), set())
        return refused

    def _note(
        self, items: Sequence[Item], results: Sequence[ua.MonitoredItemCreateResult], again: set[Item]
    ) -> list[RefusedItem]:
        refused = []
        for item, result in zip(items, results, strict=True):
            if result.StatusCode.is_good():
                self._ids[item.handle] = result.MonitoredItemId
            elif item not in again:
                refused.append(RefusedItem(item, result.StatusCode))
        return refused

    async def _create(self, items: Sequence[Item], *, with_band: bool) -> list[ua.MonitoredItemCreateResult]:
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = self._id
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        parameters.ItemsToCreate = [_create_request(item, with_band) for item in items]
        results: list[ua.MonitoredItemCreateResult] = await self._client.uaclient.create_monitored_items(parameters)
        return results

    async def release(self, items: Sequence[Item], per_call: int) -> None:
        """Another subscription has them now."""
        ids = [self._ids.pop(item.handle) for item in items if item.handle in self._ids]
        for start in range(0, len(ids), per_call):
            parameters = ua.DeleteMonitoredItemsParameters()
            parameters.SubscriptionId = self._id
            parameters.MonitoredItemIds = ids[start : start + per_call]
            await self._client.uaclient.delete_monitored_items(parameters)

    async def publish(self) -> None:
        """Keep one publish request at the server, for ever. Ends only when the server wants fewer of them."""
        while True:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements, self._acknowledge = self._acknowledge, []
            try:
                data = await self._exchange(request)
            except UaStatusCodeError as error:
                if error.code == StatusCodes.BadTooManyPublishRequests and self._in_flight:
                    self._acknowledge += request.Parameters.SubscriptionAcknowledgements
                    return
                raise
            published = decode_publish(data, self._parts)
            if published.closed:
                raise SourceUnreachable(f"the server ended the subscription: {published.closed}")
            if not published.more:
                self._complete_at = asyncio.get_running_loop().time()
            await self.received.put(published)

    async def _exchange(self, request: ua.PublishRequest) -> bytes:
        loop = asyncio.get_running_loop()
        if not self._in_flight:
            self._heard_at = loop.time()  # we were silent ourselves: the server's silence starts now
        self._in_flight += 1
        try:
            return bytes(await send(self._client, request, 0))
        finally:
            self._in_flight -= 1
            self._heard_at = loop.time()

    def durable(self, published: Published) -> None:
        """What it brought is stored: the server may forget it."""
        if published.notifications:
            acknowledgement = ua.SubscriptionAcknowledgement()
            acknowledgement.SubscriptionId = published.subscription
            acknowledgement.SequenceNumber = published.sequence
            self._acknowledge.append(acknowledgement)

    @property
    def is_behind(self) -> bool:
        """For long the server has had more to tell than it got rid of."""
        late_s = asyncio.get_running_loop().time() - self._complete_at
        return late_s > _BEHIND_INTERVALS * self._interval_s and self._heard_at > self._complete_at

    def complete(self) -> None:
        """Its load was lightened: it is not behind until it is seen to be again."""
        self._complete_at = asyncio.get_running_loop().time()

    async def watch(self) -> None:
        """Raises SourceUnreachable after `silent_keepalives` keepalive periods without any answer."""
        loop = asyncio.get_running_loop()
        allowed_s = self._settings.silent_keepalives * self._keepalive_s
        while True:
            silent_s = loop.time() - self._heard_at if self._in_flight else 0.0
            if silent_s >= allowed_s:
                missed = self._settings.silent_keepalives
                raise SourceUnreachable(f"{self._url} is silent for {silent_s:.1f} s, {missed} keepalives")
            await asyncio.sleep(min(allowed_s - silent_s, allowed_s / 4) + 0.01)


def _create_request(item: Item, with_band: bool) -> ua.MonitoredItemCreateRequest:
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = item.node
    request.ItemToMonitor.AttributeId = AttributeIds.Value
    request.MonitoringMode = ua.MonitoringMode.Reporting
    request.RequestedParameters.ClientHandle = item.handle
    request.RequestedParameters.SamplingInterval = item.plan.sampling_interval_ms
    request.RequestedParameters.QueueSize = item.plan.queue_size
    request.RequestedParameters.DiscardOldest = item.plan.discard_oldest
    if with_band and item.band:
        band = ua.DataChangeFilter()
        band.Trigger = ua.DataChangeTrigger.StatusValue
        band.DeadbandType = ua.DeadbandType.Absolute
        band.DeadbandValue = item.band
        request.RequestedParameters.Filter = band
    return request


async def send(client: Client, request: object, timeout_s: float) -> Buffer:
    """timeout_s 0: wait for ever."""
    protocol = client.uaclient.protocol
    if protocol is None:
        raise SourceUnreachable("the connection was closed")
    return await protocol.send_request(request, timeout=timeout_s)
