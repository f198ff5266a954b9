"""Which of several servers with the same nodes is used, and when it is left for another one."""

import asyncio
import time
from dataclasses import dataclass, field

from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from forewarn.contracts.connector import ReadingSink
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua.facts import Wellness, wellness_of
from forewarn.plugins.connectors.opcua.missed import Owed
from forewarn.plugins.connectors.opcua.session import Entrance, close_session
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

_LOOK_ELSEWHERE_S = 10.0


@dataclass(slots=True)
class Refusal:
    """Credentials that a server refused. files: what they were, so that mended ones are tried at once."""

    why: str
    files: tuple[object, ...]
    at_s: float


@dataclass(slots=True, eq=False)
class Memory:
    """What the runs of a source know of earlier ones. present: which server is used, by its place in the list."""

    present: int = 0
    last: int | None = None
    why_left: str = ""
    owed: Owed = field(default_factory=Owed)
    refusals: dict[str, Refusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """least: the ServiceLevel below which it is left; lower than wished when no server was better."""

    place: int
    entrance: Entrance
    client: Client
    least: int


class Choice:
    """Among the settings' servers, beginning with the present one; it is kept for as long as it is well."""

    def __init__(self, settings: OpcUaSettings, memory: Memory) -> None:
        self._settings, self._memory = settings, memory
        self._several = len(settings.urls) > 1

    async def choose(self, sink: ReadingSink | None) -> Chosen:
        """The session it stands on is the caller's to close. Raises SourceUnreachable when no server can be used."""
        best: tuple[int, int] | None = None
        faults: list[SourceUnreachable] = []
        for place in self._order():
            try:
                chosen, level = await self._try(place, self._settings.least_service_level)
            except SourceUnreachable as error:
                faults.append(error)
                continue
            if chosen is not None:
                return self._took(chosen, sink)
            if best is None or level > best[0]:
                best = level, place
        if best is not None:
            chosen, _ = await self._try(best[1], best[0])
            if chosen is not None:
                return self._took(chosen, sink)
        raise _worst(faults)

    def _order(self) -> list[int]:
        n = len(self._settings.urls)
        return [(self._memory.present + i) % n for i in range(n)]

    async def _try(self, place: int, least: int) -> tuple[Chosen | None, int]:
        """None, and its level, when it stands below `least`."""
        entrance = Entrance(self._settings.urls[place], self._settings)
        self._spare_account(entrance)
        await entrance.check()
        try:
            client = await entrance.open()
        except SourceUnreachable as error:
            self._remember_refusal(entrance, error)
            raise
        self._memory.refusals.pop(entrance.url, None)
        try:
            level = await _level(client) if self._several else least
        except (OSError, TimeoutError, UaError) as error:
            await close_session(client, polite=False)
            raise SourceUnreachable(f"{entrance.url} is lost: {str(error) or type(error).__name__}") from error
        except BaseException:
            await close_session(client, polite=False)
            raise
        if level >= least:
            return Chosen(place, entrance, client, least), level
        await close_session(client, polite=True)
        return None, level

    def _spare_account(self, entrance: Entrance) -> None:
        """Raises what the server said to the same credentials a short while ago: it may count the attempts."""
        refusal = self._memory.refusals.get(entrance.url)
        if refusal is None or refusal.files != entrance.credentials():
            return
        if time.monotonic() - refusal.at_s < self._settings.retry_credentials_s:
            raise SourceUnreachable(refusal.why, condition=ConditionCode.CREDENTIALS_REFUSED)

    def _remember_refusal(self, entrance: Entrance, error: SourceUnreachable) -> None:
        if error.condition is ConditionCode.CREDENTIALS_REFUSED:
            self._memory.refusals[entrance.url] = Refusal(str(error), entrance.credentials(), time.monotonic())

    def _took(self, chosen: Chosen, sink: ReadingSink | None) -> Chosen:
        memory = self._memory
        before = 0 if memory.last is None else memory.last
        if sink is not None and chosen.place != before:
            why = f": {memory.why_left}" if memory.why_left else ""
            urls = self._settings.urls
            sink.note(ConditionCode.FAILED_OVER, f"{urls[chosen.place]} is used instead of {urls[before]}{why}")
        memory.present = memory.last = chosen.place
        return chosen

    def lost(self, why: str) -> None:
        """The present server is; the next run begins with the one behind it."""
        if self._several:
            self._memory.why_left = why
            self._memory.present = (self._memory.present + 1) % len(self._settings.urls)

    async def watch(self, chosen: Chosen) -> None:
        """Raises SourceUnreachable when it is not well any more, or another one is better than the makeshift."""
        if not self._several:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            await asyncio.sleep(min(self._settings.keepalive_s, 2.0))
            level = await self._ask(chosen)
            if level < chosen.least:
                raise SourceUnreachable(
                    f"{chosen.entrance.url} is not well: its ServiceLevel is {max(level, 0)}, {chosen.least} is wanted"
                    if level >= 0
                    else f"{chosen.entrance.url} is not well: its ServerState is not Running"
                )
            makeshift = chosen.least < self._settings.least_service_level and level < self._settings.least_service_level
            if makeshift and loop.time() - looked > _LOOK_ELSEWHERE_S:
                await self._look_elsewhere(chosen)
                looked = loop.time()

    async def _ask(self, chosen: Chosen) -> int:
        """Its level, over a session of its own if the one it was chosen with is gone: the others may stand."""
        try:
            return await _level(chosen.client)
        except (OSError, TimeoutError, UaError):
            client = await chosen.entrance.open()
        try:
            return await _level(client)
        finally:
            await close_session(client, polite=True)

    async def _look_elsewhere(self, chosen: Chosen) -> None:
        """Raises SourceUnreachable when another server has become well."""
        for place in range(len(self._settings.urls)):
            if place == chosen.place:
                continue
            try:
                other, _ = await self._try(place, self._settings.least_service_level)
            except SourceUnreachable:
                continue
            if other is not None:
                await close_session(other.client, polite=True)
                raise SourceUnreachable(f"{chosen.entrance.url} is poor, and {other.entrance.url} is well again")


async def _level(client: Client) -> int:
    """ServiceLevel; -1 when it is not running at all."""
    found: Wellness = await wellness_of(client)
    return found.level if found.running else -1


def _worst(faults: list[SourceUnreachable]) -> SourceUnreachable:
    """One error for all servers: the first that is more than silence names the condition."""
    if not faults:
        return SourceUnreachable("no server is well")
    named = next((f for f in faults if f.condition is not ConditionCode.UNREACHABLE), faults[0])
    text = "; ".join(str(fault) for fault in faults)
    return SourceUnreachable(text, condition=named.condition)
