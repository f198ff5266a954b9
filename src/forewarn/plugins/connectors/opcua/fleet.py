"""Many sessions with one server, each with its share of the nodes, each kept going by itself."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from forewarn.contracts.connector import ReadingSink
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua.facts import Limits
from forewarn.plugins.connectors.opcua.feed import Feed
from forewarn.plugins.connectors.opcua.missed import Missed
from forewarn.plugins.connectors.opcua.publish import Parts
from forewarn.plugins.connectors.opcua.sampling import Item
from forewarn.plugins.connectors.opcua.session import Entrance, close_session
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings
from forewarn.plugins.connectors.opcua.subscription import RefusedItem, Subscription

_log = logging.getLogger(__name__)
_CANCEL_AGAIN_S: Final = 1.0
_LOOK_S: Final = 1.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What all the shares of a run have in common."""

    entrance: Entrance
    settings: OpcUaSettings
    limits: Limits
    feed: Feed
    sink: ReadingSink
    missed: Missed


class Share:
    """A session, a subscription, and the items in it. parts: as in Subscription.create."""

    def __init__(self, scene: Scene, items: list[Item], parts: Parts) -> None:
        self._entrance, self._settings, self._limits = scene.entrance, scene.settings, scene.limits
        self._feed, self._sink, self._missed = scene.feed, scene.sink, scene.missed
        self.items, self.parts = items, parts
        self.up = asyncio.Event()
        self._subscription: Subscription | None = None

    @property
    def rows(self) -> list[int]:
        return [row for item in self.items for row in self._feed.rows_of(item, self.parts)]

    @property
    def is_behind(self) -> bool:
        return self._subscription is not None and self._subscription.is_behind

    async def run(self, client: Client | None = None) -> None:
        """Until it is lost: raises SourceUnreachable. client: a session that stands already; it is closed here."""
        polite = False
        try:
            client = client or await self._entrance.open()
            await self._subscribe(client)
        except asyncio.CancelledError:
            polite = True
            raise
        except (OSError, TimeoutError, UaError) as error:
            raise SourceUnreachable(f"{self._entrance.url} is lost: {str(error) or type(error).__name__}") from error
        finally:
            self.up.clear()
            self._subscription = None
            if client is not None:
                await close_session(client, polite=polite)

    async def _subscribe(self, client: Client) -> None:
        if any(self._feed.addresses[row].needs_types for row in self.rows) and self.parts:
            await client.load_data_type_definitions()
        subscription = await Subscription.create(client, self._entrance.url, self._settings, self.parts)
        refused = await subscription.monitor(self.items, self._limits.items)
        self._subscription = subscription
        self.up.set()
        await self._feed.connected()
        await self._tell_refused(refused)
        not_there = {row for each in refused for row in self._feed.rows_of(each.item, self.parts)}
        self._missed.due([row for row in self.rows if row not in not_there])
        await first_failure(
            subscription.watch(),
            self._drain(subscription),
            self._ask_again(subscription, refused),
            *(subscription.publish() for _ in range(self._settings.publish_requests)),
        )

    async def _tell_refused(self, refused: Sequence[RefusedItem]) -> None:
        told = [(row, each.status) for each in refused for row in self._feed.rows_of(each.item, self.parts)]
        if told:
            await self._feed.refused([row for row, _ in told], [status for _, status in told])

    async def _drain(self, subscription: Subscription) -> None:
        received = subscription.received
        while True:
            published = [await received.get()]
            while not received.empty():
                published.append(received.get_nowait())
            await self._feed.take(published)
            for answer in published:
                subscription.durable(answer)

    async def _ask_again(self, subscription: Subscription, refused: Sequence[RefusedItem]) -> None:
        """A restarting server opens its port before all its nodes exist."""
        waiting = [each.item for each in refused]
        while waiting:
            await asyncio.sleep(self._settings.retry_refused_s)
            still = [each.item for each in await subscription.monitor(waiting, self._limits.items)]
            came = set(waiting) - set(still)
            rows = [row for item in came for row in self._feed.rows_of(item, self.parts)]
            self._feed.accepted(rows)
            self._missed.due(rows)
            waiting = still
        await asyncio.Event().wait()

    def halve(self) -> list[Item]:
        """The half of its items that another session is to take; they stay here until `give_away`."""
        return self.items[len(self.items) // 2 :]

    async def give_away(self, items: Sequence[Item]) -> None:
        gone = set(items)
        self.items = [item for item in self.items if item not in gone]
        if self._subscription is not None:
            self._subscription.complete()
            await self._subscription.release(items, self._limits.items)


class Fleet:
    """The shares of one run against one server."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._settings, self._limits = scene.settings, scene.limits
        self._feed, self._sink = scene.feed, scene.sink
        self._shares = [Share(scene, items, {}) for items in self._spread()]
        part_items, parts = scene.feed.part_items()
        if part_items:
            self._shares.append(Share(scene, part_items, parts))
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failure.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._tasks: set[asyncio.Task[None]] = set()

    def _spread(self) -> list[list[Item]]:
        """The plain items, in as many lists as there are to be sessions."""
        items = self._feed.plain_items(server_deadband=self._settings.server_deadband)
        asked = self._settings.sessions
        wanted = 1 if asked == "auto" else asked
        if asked == "auto":
            wanted = min(-(-len(items) // self._settings.items_per_session), self._settings.most_sessions)
        if (most := self._limits.items_per_subscription) > 0:
            wanted = max(wanted, -(-len(items) // most))
        wanted = max(1, min(wanted, len(items)))
        shares = [items[i::wanted] for i in range(wanted)]
        return [share for share in shares if share]

    async def run(self, client: Client) -> None:
        """Until no session is left: raises SourceUnreachable. client: a session that stands, for the first share."""
        self._start(self._shares[0], client)
        for share in self._shares[1:]:
            self._start(share, None)
        try:
            await first_failure(self._fail(), self._rebalance())
        finally:
            await end_all(self._tasks)

    def _start(self, share: Share, client: Client | None) -> None:
        task = asyncio.create_task(self._keep(share, client))
        self._tasks.add(task)

    async def _fail(self) -> None:
        await self._failure

    async def _keep(self, share: Share, client: Client | None) -> None:
        """One session, opened again while another one stands: when none does, the server itself is lost."""
        loop, wait_s = asyncio.get_running_loop(), 0.0
        while True:
            began = loop.time()
            try:
                await share.run(client)
            except SourceUnreachable as error:
                if not any(other.up.is_set() for other in self._shares if other is not share):
                    self._end(error)
                    return
                text = f"one of {len(self._shares)} sessions, with {len(share.rows)} signals, is lost: {error}"
                self._sink.note(error.condition, text)
            except Exception as error:
                self._end(error)
                return
            client = None
            wait_s = 0.0 if loop.time() - began > _LONGEST_WAIT_S else wait_s
            await self._lost(share, tell=wait_s > 0)
            await asyncio.sleep(wait_s)
            wait_s = min(max(2 * wait_s, _FIRST_WAIT_S), _LONGEST_WAIT_S)

    async def _lost(self, share: Share, *, tell: bool) -> None:
        """tell: it was tried again at once, in vain."""
        rows = share.rows
        self._scene.missed.note(rows)
        self._feed.live_from[rows] = np.iinfo(np.int64).max
        if tell:
            await self._feed.lost(rows)

    def _end(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _rebalance(self) -> None:
        """A session that falls behind gives half of its nodes to a new one."""
        while True:
            await asyncio.sleep(_LOOK_S)
            slow = next((share for share in self._shares if share.is_behind and len(share.items) > 1), None)
            room = self._settings.sessions == "auto" and len(self._shares) < self._settings.most_sessions
            if slow is not None and room:
                await self._split(slow)

    async def _split(self, slow: Share) -> None:
        half = slow.halve()
        parts = {item.handle: slow.parts[item.handle] for item in half} if slow.parts else {}
        fresh = Share(self._scene, half, parts)
        self._shares.append(fresh)
        self._start(fresh, None)
        await fresh.up.wait()
        # Both had them for a moment: the same readings twice are one reading, none is a hole.
        await slow.give_away(half)
        _log.info("%s: a session was behind; there are %d now", self._scene.entrance.url, len(self._shares))
        self._sink.note(
            ConditionCode.OVERRUN, f"a session was behind; its nodes are spread over {len(self._shares)} sessions now"
        )


async def first_failure(*work: Coroutine[Any, Any, None]) -> None:
    """Run all side by side; the first to fail ends the others, and its error is raised."""
    tasks = {asyncio.create_task(each) for each in work}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await end_all(tasks)


async def end_all(tasks: set[asyncio.Task[None]]) -> None:
    left = {task for task in tasks if not task.done()}
    while left:
        # Again and again: a cancellation that meets an answer may be swallowed in the library.
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
