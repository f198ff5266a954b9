"""One subscription: several publish requests in flight, acknowledged only when what they brought is durable."""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua.publish import Published, decode_publish
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

_ITEMS_PER_CALL: Final = 500
_LIFETIME_S: Final = 60.0


class Subscription:
    """`publish` is run by several tasks at once, `received` is drained by one. `handle` = row in `nodes`."""

    def __init__(self, client: Client, settings: OpcUaSettings, created: ua.CreateSubscriptionResult) -> None:
        self._client = client
        self._settings = settings
        self._id = created.SubscriptionId
        self._keepalive_s = created.RevisedPublishingInterval * max(created.RevisedMaxKeepAliveCount, 1) / 1000
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._in_flight = 0
        self._heard_at = asyncio.get_running_loop().time()
        # Bounded: with the disk full we stop asking, and the server keeps what it can.
        self.received: asyncio.Queue[Published] = asyncio.Queue(maxsize=2 * settings.publish_requests)

    @classmethod
    async def create(cls, client: Client, settings: OpcUaSettings) -> "Subscription":
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
        response = struct_from_binary(ua.CreateSubscriptionResponse, await _send(client, request, settings.timeout_s))
        response.ResponseHeader.ServiceResult.check()
        return cls(client, settings, response.Parameters)

    async def monitor(self, nodes: Sequence[tuple[int, ua.NodeId]]) -> list[tuple[int, ua.StatusCode]]:
        """Ask for the nodes' values under the given handles; answers those the server refused."""
        refused = []
        for start in range(0, len(nodes), _ITEMS_PER_CALL):
            chunk = nodes[start : start + _ITEMS_PER_CALL]
            parameters = ua.CreateMonitoredItemsParameters()
            parameters.SubscriptionId = self._id
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            parameters.ItemsToCreate = [self._item(handle, node) for handle, node in chunk]
            results = await self._client.uaclient.create_monitored_items(parameters)
            for (handle, _), result in zip(chunk, results, strict=True):
                if not result.StatusCode.is_good():
                    refused.append((handle, result.StatusCode))
        return refused

    def _item(self, handle: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = node
        item.ItemToMonitor.AttributeId = AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = handle
        item.RequestedParameters.SamplingInterval = self._settings.sampling_interval_ms
        item.RequestedParameters.QueueSize = self._settings.queue_size
        item.RequestedParameters.DiscardOldest = True
        return item

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
            published = decode_publish(data)
            if published.closed:
                raise SourceUnreachable(f"the server ended the subscription: {published.closed}")
            await self.received.put(published)

    async def _exchange(self, request: ua.PublishRequest) -> bytes:
        loop = asyncio.get_running_loop()
        if not self._in_flight:
            self._heard_at = loop.time()  # we were silent ourselves: the server's silence starts now
        self._in_flight += 1
        try:
            return bytes(await _send(self._client, request, 0))
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

    async def watch(self) -> None:
        """Raises SourceUnreachable after `silent_keepalives` keepalive periods without any answer."""
        loop = asyncio.get_running_loop()
        allowed_s = self._settings.silent_keepalives * self._keepalive_s
        while True:
            silent_s = loop.time() - self._heard_at if self._in_flight else 0.0
            if silent_s >= allowed_s:
                missed = self._settings.silent_keepalives
                raise SourceUnreachable(f"{self._settings.url} is silent for {silent_s:.1f} s, {missed} keepalives")
            await asyncio.sleep(min(allowed_s - silent_s, allowed_s / 4) + 0.01)


async def _send(client: Client, request: object, timeout_s: float) -> Buffer:
    """timeout_s 0: wait for ever."""
    protocol = client.uaclient.protocol
    if protocol is None:
        raise SourceUnreachable("the connection was closed")
    return await protocol.send_request(request, timeout=timeout_s)
