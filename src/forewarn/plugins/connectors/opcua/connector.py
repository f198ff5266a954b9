"""OPC UA: the signals' nodes, subscribed."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError
from numpy.typing import NDArray
from pydantic import BaseModel

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.assets import Signal
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.opcua.columns import Items
from forewarn.plugins.connectors.opcua.publish import Published
from forewarn.plugins.connectors.opcua.session import close_session, open_session
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings
from forewarn.plugins.connectors.opcua.subscription import Subscription

_TICKS_TO_1970: Final = 116_444_736_000_000_000
_CANCEL_AGAIN_S: Final = 1.0
_BAD_NODE_ID_INVALID: Final = 0x8033_0000


def parse_node(signal: Signal) -> ua.NodeId:
    """The NodeId a signal's address names. Raises ConfigurationError."""
    try:
        return ua.NodeId.from_string(signal.address or "")
    except (UaError, ValueError):
        raise ConfigurationError(
            f"signal {signal.id!r}: address {signal.address!r} is no NodeId; write it like ns=2;s=pump-101.vibration"
        ) from None


def to_microseconds(source: NDArray[np.int64], server: NDArray[np.int64], received_us: int) -> NDArray[np.int64]:
    """Ticks of 100 ns since 1601 -> microseconds since 1970; the source's clock, else the server's, else ours."""
    ticks = np.where(source > 0, source, server)
    return np.where(ticks > 0, (ticks - _TICKS_TO_1970) // 10, received_us)


class _Feed:
    """The nodes of one run and what arrives for them."""

    def __init__(self, signals: Sequence[Signal], sink: ReadingSink) -> None:
        self._sink = sink
        self._signals: list[Signal] = []
        self._wrong: list[Signal] = []
        self.nodes: list[tuple[int, ua.NodeId]] = []
        complaint = "no signal names this source"
        for signal in signals:
            try:
                self.nodes.append((len(self._signals), parse_node(signal)))
                self._signals.append(signal)
            except ConfigurationError as error:
                complaint = str(error)
                self._wrong.append(signal)
                sink.rejected(1, complaint)
        if not self.nodes:
            raise ConfigurationError(complaint)
        self._keys = np.array([signal.key for signal in self._signals], np.int32)

    async def tell_wrong(self) -> None:
        """Signals without a usable address are shown as bad, not as nothing."""
        await self._put_bad(self._wrong, [_BAD_NODE_ID_INVALID] * len(self._wrong))

    async def refused(self, refused: Sequence[tuple[int, ua.StatusCode]]) -> None:
        """The server will not deliver these nodes, for the reason in the code."""
        for handle, status in refused:
            signal = self._signals[handle]
            self._sink.rejected(1, f"signal {signal.id!r}: the server refuses {signal.address!r}: {status.name}")
        await self._put_bad([self._signals[h] for h, _ in refused], [status.value for _, status in refused])

    async def _put_bad(self, signals: Sequence[Signal], quality: Sequence[int]) -> None:
        n = len(signals)
        keys = np.array([signal.key for signal in signals], np.int32)
        await self._sink.put(keys, np.full(n, now_us()), np.full(n, np.nan), np.array(quality, np.uint32))

    async def take(self, published: Sequence[Published]) -> None:
        """Durable when it returns."""
        for answer in published:
            for refusal in answer.refused:
                signal = self._signals[refusal.handle]
                self._sink.rejected(
                    1, f"signal {signal.id!r}: {signal.address!r} is a {refusal.value_type}, not a number"
                )
        parts = [part for answer in published for part in answer.items if len(part.handle)]
        if parts:
            await self._put(parts)
        else:
            self._sink.alive()

    async def _put(self, parts: Sequence[Items]) -> None:
        handle = np.concatenate([part.handle for part in parts])
        source = np.concatenate([part.source for part in parts])
        server = np.concatenate([part.server for part in parts])
        await self._sink.put(
            self._keys[handle],
            to_microseconds(source, server, now_us()),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.status for part in parts]),
        )


class OpcUaConnector:
    """See README.md."""

    name: ClassVar[str] = "opcua"
    settings: ClassVar[type[BaseModel]] = OpcUaSettings

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, OpcUaSettings)
        feed = _Feed(request.signals, sink)
        client = await open_session(settings)
        polite = False
        try:
            await self._subscribe(client, settings, feed, sink)
        except asyncio.CancelledError:
            polite = True
            raise
        except (OSError, TimeoutError, UaError) as error:
            raise SourceUnreachable(f"{settings.url} is lost: {error or type(error).__name__}") from error
        finally:
            await close_session(client, polite=polite)

    async def _subscribe(self, client: Client, settings: OpcUaSettings, feed: _Feed, sink: ReadingSink) -> None:
        subscription = await Subscription.create(client, settings)
        refused = await subscription.monitor(feed.nodes)
        sink.connected()
        await feed.tell_wrong()
        await feed.refused(refused)
        again = [node for node in feed.nodes if node[0] in {handle for handle, _ in refused}]
        await _first_failure(
            subscription.watch(),
            _drain(subscription, feed),
            _ask_again(subscription, again, settings.retry_refused_s),
            *(subscription.publish() for _ in range(settings.publish_requests)),
        )


async def _drain(subscription: Subscription, feed: _Feed) -> None:
    received = subscription.received
    while True:
        published = [await received.get()]
        while not received.empty():
            published.append(received.get_nowait())
        await feed.take(published)
        for answer in published:
            subscription.durable(answer)


async def _ask_again(subscription: Subscription, nodes: list[tuple[int, ua.NodeId]], every_s: float) -> None:
    """A restarting server opens its port before all its nodes exist."""
    while nodes:
        await asyncio.sleep(every_s)
        still = {handle for handle, _ in await subscription.monitor(nodes)}
        nodes = [node for node in nodes if node[0] in still]
    await asyncio.Event().wait()


async def _first_failure(*work: Coroutine[Any, Any, None]) -> None:
    """Run all side by side; the first to fail ends the others, and its error is raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        left = {task for task in tasks if not task.done()}
        while left:
            # Again and again: a cancellation that meets an answer may be swallowed in the library.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
