"""One of a pair: collects and sends while it holds the lease, keeps up silently while its partner does."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from forewarn.contracts.lease_broker import LeaseBroker
from forewarn.contracts.outbox import Outbox, Packed, Parcel, ParcelKind
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ForewarnError, SourceUnreachable, StorageFailed
from forewarn.domain.gateways import GatewayRole
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.outbox_index import readings_in
from forewarn.gateway.wire import decode_readings, encode_readings
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.gateway_settings import StandbySettings
from forewarn.policies.lease import Lease, claim

_log = structlog.get_logger(__name__)
_MARGIN_US: Final = 5 * SECOND
_CHUNK_BYTES: Final = 8 << 20
_WAKING_S: Final = 1.0
_NEVER: Final = 2**62
_lease: Final = msgspec.json.Decoder(Lease)


class SiteLease(Protocol):
    """Asks the site for the lease (docs/formats/uplink.md); raises what the link raises."""

    async def lease(self, body: Mapping[str, object]) -> dict[str, Any]: ...


class Standby:
    """`run` in the event loop; `role` and `may_send` from any thread.

    polled: by signal key, whether its readings bear the time of our own poll: of these, partners have different
    readings for the same moment, so that what the partner told is left out. All others bear the device's time, and
    the site drops what comes twice."""

    def __init__(
        self,
        settings: StandbySettings,
        name: str,
        outbox: Outbox,
        site: SiteLease | None,
        broker: LeaseBroker | None,
        polled: NDArray[np.bool_],
        conditions: Conditions,
        covered_until: Callable[[], int] = lambda: 0,
    ) -> None:
        """covered_until: source time up to which the site has everything of ours, microseconds UTC."""
        self._settings = settings
        self._name = name
        self._outbox = outbox
        self._site = site
        self._broker = broker
        self.polled = polled  # whoever reads the plant again puts new ones here
        self._conditions = conditions
        self.covered_until = covered_until
        self._lying: tuple[bytes | None, float] | None = None
        self._role = GatewayRole.STANDBY
        self._partner = ""
        self._held_until = 0.0
        self._covered_from = _NEVER
        self._stays = 0  # parcels up to this number lie before anything that the partner told
        self.changed = asyncio.Event()

    @property
    def role(self) -> tuple[GatewayRole, str]:
        """And the partner's name, '' where it is not known."""
        return self._role, self._partner

    @property
    def may_send(self) -> bool:
        """The site said so, and not too long ago: a partner that was frozen may have been replaced meanwhile."""
        return self._role is GatewayRole.ACTIVE and time.monotonic() < self._held_until

    async def run(self) -> None:
        """Until cancelled: ask for the lease three times while it lasts."""
        async with asyncio.TaskGroup() as tasks:
            if self._broker is not None:
                tasks.create_task(self._broker.run(), name="standby broker")
            tasks.create_task(self._keep_asking(), name="standby lease")

    async def _keep_asking(self) -> None:
        while True:
            try:
                await self._ask()
            except StorageFailed as error:
                self._conditions.enter(error.condition, str(error))
            wait_s = self._settings.seconds / 3
            await asyncio.sleep(
                min(wait_s, _WAKING_S) if self._role is GatewayRole.ACTIVE and not self.may_send else wait_s
            )

    async def _ask(self) -> None:
        if self._site is not None:
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(self._settings.seconds / 3):
                    answer = await self._site.lease(
                        {
                            "group": self._settings.group,
                            "covered_until": self.covered_until(),
                            "seconds": self._settings.seconds,
                        }
                    )
                await self._by_site(answer, asked_at + self._settings.seconds)
                return
            except (ForewarnError, TimeoutError, KeyError, TypeError, ValueError) as error:
                if isinstance(error, StorageFailed):
                    raise
                _log.debug("lease_not_from_site", error=str(error))
        await self._by_broker()

    async def _by_site(self, answer: Mapping[str, Any], until: float) -> None:
        """until: by the monotonic clock, when a lease that this answer grants is over."""
        holder = str(answer["holder"])
        # Not all before cover_from: what was collected before there were partners nobody else has told.
        others = [(int(start), int(end)) for start, end in answer.get("covered_by_others") or ()]
        if holder == self._name:
            if not self.may_send:  # also where a broker had made us the active one
                await asyncio.to_thread(self._leave_out, others)
            self._enter(GatewayRole.ACTIVE, holder)
            self._held_until = until
            if self._broker is not None and self._broker.connected:
                await self._tell_broker(int(answer.get("epoch") or 1))
        else:
            self._enter(GatewayRole.STANDBY, holder)
            await asyncio.to_thread(self._drop_covered, others)

    async def _tell_broker(self, epoch: int) -> None:
        """So that the partner knows who holds it when the site goes away."""
        assert self._broker is not None
        lease = Lease(self._name, now_us() + int(self._settings.seconds * SECOND), epoch)
        try:
            await self._broker.leave(msgspec.json.encode(lease))
        except SourceUnreachable as error:
            _log.debug("lease_not_left", error=str(error))

    async def _by_broker(self) -> None:
        if self._broker is None or not self._broker.connected:
            if self._role is GatewayRole.STANDBY:
                text = "neither the site nor a broker says whether the partner lives: it goes on, this one waits"
                self._conditions.enter(ConditionCode.STANDBY_ALONE, text)
            return
        mine = claim(self._left(), self._name, now_us(), self._settings.seconds, self._unchanged_s())
        if mine is None:
            left = self._left()
            self._enter(GatewayRole.STANDBY, left.holder if left else "")
            return
        try:
            await self._broker.leave(msgspec.json.encode(mine))
        except SourceUnreachable:
            return
        if self._role is not GatewayRole.ACTIVE:
            await asyncio.sleep(self._settings.seconds / 6)  # a claim of the partner may cross ours
            left = self._left()
            if left is not None and left.holder != self._name and left.before(mine):
                return
        self._enter(GatewayRole.ACTIVE, self._name)

    def _unchanged_s(self) -> float:
        """Since when the same text lies at the broker, as far as we have seen."""
        text = self._broker.current() if self._broker is not None else None
        if self._lying is None or self._lying[0] != text:
            self._lying = (text, time.monotonic())
        return time.monotonic() - self._lying[1]

    def _left(self) -> Lease | None:
        text = self._broker.current() if self._broker is not None else None
        try:
            return None if not text else _lease.decode(text)
        except msgspec.MsgspecError:
            return None

    def _enter(self, role: GatewayRole, holder: str) -> None:
        if holder != self._name:
            self._partner = holder
        if role is not self._role:
            _log.warning("role_changed", role=role.value, holder=holder)
            self._role = role
            self.changed.set()

    def _drop_covered(self, covered: Sequence[tuple[int, int]]) -> None:
        """The partner told the site of these times: what we kept of them for its sake may go."""
        first = min((start for start, _ in covered), default=_NEVER)
        end = max((end for _, end in covered), default=0) - _MARGIN_US
        if first != self._covered_from:
            self._covered_from, self._stays = first, 0
        after, last, all_stay = self._stays, self._outbox.last_number, True
        while parcels := self._outbox.pending(after, last, _CHUNK_BYTES):
            for parcel in parcels:
                whole = parcel.packed
                if whole.first_time > end:
                    return
                if any(start <= whole.first_time and whole.last_time <= e - _MARGIN_US for start, e in covered):
                    self._outbox.leave_to_partner(parcel.number, readings_in(whole.kind, whole.rows), None)
                    continue
                all_stay &= whole.last_time < first
                if all_stay:
                    self._stays = parcel.number  # ours alone; it need not be read again and again
            after = parcels[-1].number

    def _leave_out(self, covered: Sequence[tuple[int, int]]) -> None:
        """Of polled signals, what lies in a time that the partner told of; microseconds UTC, end inclusive."""
        after, last = 0, self._outbox.last_number
        while parcels := self._outbox.pending(after, last, _CHUNK_BYTES):
            for parcel in parcels:
                if parcel.packed.kind is ParcelKind.READINGS:
                    self._leave_rows(parcel, covered)
            after = parcels[-1].number

    def _leave_rows(self, parcel: Parcel, covered: Sequence[tuple[int, int]]) -> None:
        readings = decode_readings(parcel.packed.body)
        theirs = np.zeros(len(readings), np.bool_)
        for start, end in covered:
            theirs |= (readings.time >= start) & (readings.time <= end)
        polled = self.polled
        known = readings.signal < len(polled)
        theirs &= known & polled[np.where(known, readings.signal, 0)]
        if not theirs.any():
            return
        rest = _rows(readings, ~theirs)
        packed = None if not len(rest) else _packed(parcel.packed, rest)
        self._outbox.leave_to_partner(parcel.number, int(theirs.sum()), packed)


def _rows(series: Series, mask: NDArray[np.bool_]) -> Series:
    return Series(series.signal[mask], series.time[mask], series.value[mask], series.quality[mask])


def _packed(before: Packed, rest: Series) -> Packed:
    body = encode_readings(rest)
    return Packed(before.kind, before.urgency, len(rest), int(rest.time.min()), int(rest.time.max()), body)
