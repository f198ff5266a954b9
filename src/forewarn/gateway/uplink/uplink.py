"""The lanes: what happens now goes first, what waited goes beside it, and neither holds up the other."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from forewarn.contracts.outbox import Outbox, Parcel
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, ForewarnError, StorageFailed
from forewarn.domain.gateways import GatewayStatus, SiteState, UplinkStatus
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.uplink.clock_offset import ClockOffset
from forewarn.gateway.uplink.link import (
    ParcelEarly,
    ParcelRefused,
    SiteAway,
    SiteBusy,
    SiteLink,
    SiteRefuses,
    TableUnknown,
)
from forewarn.gateway.uplink.raw_requests import RawRequest, requests_in
from forewarn.kit.clock import now_us
from forewarn.kit.retry import Backoff
from forewarn.policies.gateway_settings import UplinkSettings

_log = structlog.get_logger(__name__)
EVERYTHING: Final = 2**63 - 1
_LOOK_S: Final = 0.1
_BACKLOG_AT_ONCE: Final = 4
_BACKLOG_BYTES: Final = 4 << 20
_LIVE_BYTES: Final = 1 << 20
_REFUSED_AGAIN_S: Final = 3_600.0
# What a file beside ours may mend.
_BY_FILES: Final = (ConditionCode.CERTIFICATE_EXPIRED, ConditionCode.CERTIFICATE_UNTRUSTED)
_EARLY_AGAIN_S: Final = 10.0
_REOPEN_S: Final = 30.0
_ASKED_AGAIN_S: Final = 5.0
_CLOCK_WRONG_S: Final = 60.0
_TABLE_AGAIN_S: Final = 1.0


class Uplink:
    """Runs in one event loop. signals: every key ever given with its id, the same object until one is added. status:
    what a heartbeat tells.

    answer_request: puts what the raw ring holds into the outbox; called in a thread. send_up_to: number of the last
    parcel that may be sent now; less than EVERYTHING while a standby partner is the one that sends. judge_clock: told
    the site's clock less ours, microseconds; True when it set ours. told: given each status that the site has taken."""

    def __init__(
        self,
        settings: UplinkSettings,
        link: SiteLink,
        outbox: Outbox,
        signals: Callable[[], Mapping[int, str]],
        status: Callable[[], GatewayStatus],
        answer_request: Callable[[RawRequest], None],
        conditions: Conditions,
        *,
        send_up_to: Callable[[], int] = lambda: EVERYTHING,
        judge_clock: Callable[[int], bool] = lambda _offset_us: False,
        told: Callable[[GatewayStatus], None] = lambda _status: None,
        more: Callable[[], Mapping[str, object]] = dict,
        heard: Callable[[Mapping[str, Any]], None] = lambda _answer: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._settings = settings
        self._link = link
        self._outbox = outbox
        self._signals = signals
        self._status = status
        self._answer_request = answer_request
        self._conditions = conditions
        self._send_up_to = send_up_to
        self._judge_clock = judge_clock
        self._told, self._more, self._heard = told, more, heard
        self._backoff = backoff or Backoff(first_s=0.25, cap_s=15.0)
        self._clock = ClockOffset()
        self._state, self._since = SiteState.CONNECTING, now_us()
        self._error = ""
        self._acknowledged_at: int | None = None
        self._newest = 0
        self._unknown = ""
        self._named: Mapping[int, str] | None = None
        self._live_from = outbox.last_number
        self._waiting_since: tuple[int, float] | None = None
        self._set_aside: dict[int, float] = {}
        self._early = (EVERYTHING, 0.0)  # what is as new as this comes too early for the site, until then
        self._asked: dict[str, RawRequest] = {}
        self._passed: dict[str, tuple[int, float]] = {}  # lane -> all up to this number are set aside until then
        self._done: list[str] = []
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. A wrong key or certificate is told and tried again: it may be mended meanwhile."""
        try:
            while True:
                try:
                    await self._link.open()
                    break
                except ConfigurationError as error:
                    self._refused(str(error), error.condition)
                    await asyncio.sleep(_REOPEN_S)
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._for_ever(self._live), name="uplink live")
                lanes.create_task(self._for_ever(self._backlog), name="uplink backlog")
                lanes.create_task(self._beat(), name="uplink heartbeat")
                lanes.create_task(self._answer(), name="uplink requests")
        finally:
            await self._link.close()

    def status(self) -> UplinkStatus:
        """Thread-safe; no I/O."""
        state = self._state
        old = min(self._live_from, self._send_up_to())
        backlog = self._outbox.waiting(old if state is SiteState.CONNECTED else None)
        if state is SiteState.CONNECTED and backlog.parcels:
            state = SiteState.CATCHING_UP
        return UplinkStatus(
            state=state,
            state_since=self._since,
            url=self._settings.url,
            last_acknowledged_at=self._acknowledged_at,
            last_error=self._error,
            clock_offset_s=self._clock.offset_s,
            round_trip_s=self._clock.round_trip_s,
            live_lag_s=self._live_lag_s(),
            backlog_parcels=backlog.parcels,
            backlog_readings=backlog.readings,
            backlog_bytes=backlog.bytes,
            oldest_backlog_at=backlog.oldest_time,
            sent_bytes=self._link.sent_bytes,
        )

    def covered_until(self) -> int:
        """Source time up to which the site has everything of ours, microseconds UTC; 0 if nothing was sent yet."""
        oldest = self._outbox.waiting().oldest_time
        return self._newest if oldest is None else min(self._newest, oldest - 1)

    def clock_was_set(self) -> None:
        self._clock.forget()

    def _live_lag_s(self) -> float:
        waiting = self._waiting_since
        return 0.0 if waiting is None else time.monotonic() - waiting[1]

    async def _for_ever(self, lane: Callable[[], Awaitable[bool]]) -> None:
        """A lane says whether it found something to send; failures in a row wait longer and longer."""
        failures = 0
        while True:
            try:
                found = await lane()
            except SiteBusy as error:
                self._error = str(error)
                await asyncio.sleep(error.retry_after_s)
            except (SiteAway, SiteRefuses, TableUnknown, StorageFailed) as error:
                self._failed(error)
                await asyncio.sleep(self._backoff.delay_s(failures, random.random()))  # noqa: S311
                failures += 1
            else:
                failures = 0
                if not found:
                    await asyncio.sleep(_LOOK_S)

    async def _live(self) -> bool:
        """In order, one at a time: the site judges them as they come."""
        last = self._outbox.last_number
        if self._state is not SiteState.CONNECTED or self._send_up_to() != EVERYTHING:
            # What waited meanwhile is backlog; the heartbeat says when the site is back.
            self._live_from = last
            self._waiting_since = None
            return False
        parcels = await self._next("live", self._live_from, last, _LIVE_BYTES)
        if not parcels:
            self._waiting_since = None
            return False
        if self._waiting_since is None or self._waiting_since[0] < parcels[0].number:
            self._waiting_since = (parcels[0].number, time.monotonic())
        for parcel in parcels:
            await self._deliver(parcel)
        return True

    async def _backlog(self) -> bool:
        if self._state is not SiteState.CONNECTED:
            return False
        parcels = await self._next("backlog", 0, min(self._live_from, self._send_up_to()), _BACKLOG_BYTES)
        if not parcels:
            return False
        turn = asyncio.Semaphore(_BACKLOG_AT_ONCE)

        async def deliver(parcel: Parcel) -> None:
            async with turn:
                await self._deliver(parcel)

        results = await asyncio.gather(*(deliver(parcel) for parcel in parcels), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return True

    async def _next(self, lane: str, after: int, up_to: int, most_bytes: int) -> Sequence[Parcel]:
        """The first that are not set aside: however many are, they stand in nobody's way. The disk is asked only where
        something waits, and not by the event loop."""
        if after >= up_to or not self._outbox.waiting(up_to).parcels:
            return ()
        now = time.monotonic()
        passed, until = self._passed.get(lane, (0, 0.0))
        if until <= now:
            passed, until = 0, now + _REFUSED_AGAIN_S
        at = max(after, passed)
        while parcels := await asyncio.to_thread(self._outbox.pending, at, up_to, most_bytes):
            if free := [p for p in parcels if self._set_aside.get(p.number, 0.0) <= now]:
                return free
            at, until = parcels[-1].number, min(until, *(self._set_aside[p.number] for p in parcels))
            self._passed[lane] = at, until
        return ()

    async def _deliver(self, parcel: Parcel) -> None:
        if parcel.number > self._send_up_to():
            return  # it may no longer
        sent_at = now_us()
        from_, until = self._early
        if parcel.packed.last_time >= from_ and until > time.monotonic():
            self._set_aside[parcel.number] = until
            return
        try:
            delivery = await self._with_table(parcel)
        except ParcelRefused as error:
            self._set_aside[parcel.number] = time.monotonic() + _REFUSED_AGAIN_S
            self._conditions.enter(ConditionCode.SITE_REFUSES, f"parcel {parcel.number}: {error}")
            _log.error("parcel_refused", number=parcel.number, error=str(error))
            return
        except ParcelEarly as error:
            self._early = parcel.packed.last_time, time.monotonic() + _EARLY_AGAIN_S
            self._set_aside[parcel.number] = self._early[1]
            text = f"readings wait until the site's clock has come to their time: {error}. Set its clock or ours (NTP)"
            self._conditions.enter(ConditionCode.CLOCK_WRONG, text)
            return
        await asyncio.to_thread(self._outbox.acknowledge, parcel.number, delivery)
        self._set_aside.pop(parcel.number, None)
        if not self._set_aside:
            self._conditions.end(ConditionCode.SITE_REFUSES)
        self._acknowledged_at = now_us()
        # A device's clock may be ahead: what others told since is not delivered with it.
        self._newest = max(self._newest, min(parcel.packed.last_time, sent_at))
        if delivery.rejected:
            reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(delivery.reasons.items()))
            remedy = self._unknown or "Is its plant the same (forewarn apply)?"
            text = f"the site rejected readings: {reasons}. {remedy}"
            self._conditions.enter(ConditionCode.READINGS_REJECTED, text, count=delivery.rejected)

    async def _with_table(self, parcel: Parcel) -> Any:
        if self._signals() is not self._named:
            # Signals were added while we run: the table that the site has does not name them.
            await self._send_table()
        try:
            return await self._link.send_parcel(parcel)
        except TableUnknown:
            await self._send_table()
        try:
            return await self._link.send_parcel(parcel)
        except TableUnknown as error:
            text = f"the site does not keep this gateway's signal table: {error}. Are several sites behind one address?"
            self._conditions.enter(ConditionCode.SITE_REFUSES, text)
            raise SiteBusy(text, _TABLE_AGAIN_S) from error

    async def _send_table(self) -> None:
        signals, self._unknown = self._signals(), ""
        unknown = await self._link.send_table(signals)
        self._named = signals
        if unknown:
            named = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            self._unknown = f"The site's plant has no {named}: apply this gateway's file there (forewarn apply)"
            self._conditions.enter(ConditionCode.READINGS_REJECTED, self._unknown)
            _log.warning("signals_unknown_at_site", count=len(unknown), first=unknown[:5])

    async def _beat(self) -> None:
        failures = 0
        while True:
            wait_s = self._settings.heartbeat_s
            try:
                await self._tell()
                failures = 0
            except (SiteAway, SiteRefuses, ParcelRefused, TableUnknown) as error:
                self._failed(error)
                wait_s = self._backoff.delay_s(failures, random.random())  # noqa: S311
                failures += 1
                if failures % 8 == 0 or getattr(error, "condition", None) in _BY_FILES:
                    await self._open_again()
            except (StorageFailed, OSError) as error:  # our own status: the lanes go on
                self._conditions.enter(getattr(error, "condition", ConditionCode.FAILED), f"no heartbeat: {error}")
            self._lost.clear()
            try:
                # A lane that loses the site wakes us: only the heartbeat finds out when it is back.
                async with asyncio.timeout(wait_s):
                    await self._lost.wait()
            except TimeoutError:
                continue

    async def _open_again(self) -> None:
        """Key and certificates may have been renewed on disk."""
        try:
            await self._link.open()
        except ConfigurationError as error:
            self._refused(str(error), error.condition)

    async def _tell(self) -> None:
        done = list(self._done)
        status = self._status()
        body = msgspec.json.encode({"status": status, "done": done, **self._more()})
        sent_at = now_us()
        try:
            answer = await self._link.heartbeat(body)
            self._told(status)
        except ParcelRefused as error:
            # The site is there and knows us; what it cannot read of our state must not hold up the readings.
            self._conditions.enter(ConditionCode.SITE_REFUSES, f"heartbeat: {error}")
            answer, done = {}, []
        self._heard(answer)
        site_at = answer.get("time")
        if isinstance(site_at, int):
            heard_at = now_us()
            self._clock.add(sent_at, site_at, heard_at)
            if self._judge_clock(site_at - (sent_at + heard_at) // 2):
                self._clock.forget()
        self._done = [each for each in self._done if each not in done]
        if self._state is not SiteState.CONNECTED:
            await self._send_table()
            self._connected()
        self._mind_clock()
        for request in requests_in(answer):
            if request.id not in self._done:
                self._asked.setdefault(request.id, request)

    async def _answer(self) -> None:
        """Beside the heartbeats, which a long answer would hold up. What cannot be read or kept now is tried again."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for request in tuple(self._asked.values()):
                try:
                    await asyncio.to_thread(self._answer_request, request)
                except Exception as error:
                    if not isinstance(error, ForewarnError):
                        _log.exception("request_failed", request=request.id)
                    code = getattr(error, "condition", ConditionCode.FAILED)
                    text = f"raw readings that the site asks for: {error or type(error).__name__}"
                    self._conditions.enter(code, text)
                    await asyncio.sleep(_ASKED_AGAIN_S)
                else:
                    self._done.append(request.id)
                    del self._asked[request.id]

    def _mind_clock(self) -> None:
        offset_s = self._clock.offset_s
        if offset_s is not None and abs(offset_s) > _CLOCK_WRONG_S:
            way = "behind" if offset_s > 0 else "ahead of"
            text = f"this gateway's clock is {abs(offset_s):,.0f} s {way} the site's: set it (NTP)"
            self._conditions.enter(ConditionCode.CLOCK_WRONG, text)

    def _connected(self) -> None:
        _log.info("site_connected", url=self._settings.url, backlog=self._outbox.waiting().parcels)
        self._live_from = self._outbox.last_number
        self._enter(SiteState.CONNECTED)
        self._error = ""
        self._conditions.end_lasting()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, SiteRefuses):
            self._refused(str(error), ConditionCode.SITE_REFUSES)
            return
        condition = getattr(error, "condition", ConditionCode.SITE_UNREACHABLE)
        if isinstance(error, StorageFailed):
            self._conditions.enter(condition, str(error))
            return
        if self._state is not SiteState.AWAY:
            _log.warning("site_away", error=str(error))
            if self._state is SiteState.CONNECTED:
                self._lost.set()
        self._error = str(error)
        self._conditions.enter(condition, str(error), lasting=True)
        self._enter(SiteState.AWAY)

    def _refused(self, why: str, condition: ConditionCode) -> None:
        if self._state is not SiteState.REFUSED:
            _log.error("site_refuses", error=why)
        self._error = why
        self._conditions.enter(condition, why, lasting=True)
        self._enter(SiteState.REFUSED)

    def _enter(self, state: SiteState) -> None:
        if state is not self._state:
            self._state, self._since = state, now_us()
