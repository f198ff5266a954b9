"""One of a pair: sends while it holds the lease; while its partner does, it keeps up and tells what that one misses."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import structlog

from forewarn.contracts.lease_broker import LeaseBroker
from forewarn.contracts.outbox import Outbox, Parcel
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ForewarnError, InvalidInput, SourceUnreachable, StorageFailed
from forewarn.domain.gateways import GatewayRole
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.gaps import Gap, Gaps
from forewarn.gateway.partner import MARGIN_US, Origins, Share, Told
from forewarn.gateway.uplink.link import ParcelRefused
from forewarn.gateway.uplink.uplink import EVERYTHING
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.gateway_settings import StandbySettings
from forewarn.policies.lease import Lease, claim

_log = structlog.get_logger(__name__)
_CHUNK_BYTES: Final = 8 << 20
_WAKING_S: Final = 1.0
# So long it takes a connector to find out that its device is away.
_FOUND_OUT_S: Final = 10.0
_lease: Final = msgspec.json.Decoder(Lease)


class SiteLease(Protocol):
    """Asks the site for the lease (docs/formats/uplink.md); raises what the link raises."""

    async def lease(self, body: Mapping[str, object]) -> dict[str, Any]: ...


class Standby:
    """`run` in the event loop; `role` and `send_up_to` from any thread."""

    def __init__(
        self,
        settings: StandbySettings,
        name: str,
        outbox: Outbox,
        site: SiteLease | None,
        broker: LeaseBroker | None,
        origins: Origins,
        conditions: Conditions,
        covered_until: Callable[[], int] = lambda: 0,
        gaps: Gaps | None = None,
        found_out_s: float = _FOUND_OUT_S,
    ) -> None:
        """covered_until: source time up to which the site has everything of ours, microseconds UTC. gaps: what we have
        not read. found_out_s: the partner knows by then that it has lost a source."""
        self._settings = settings
        self._name = name
        self._outbox = outbox
        self._site = site
        self._broker = broker
        self.origins = origins  # whoever reads the plant again puts new ones here
        self._conditions = conditions
        self.covered_until = covered_until
        self._gaps = gaps or Gaps()
        self._known: tuple[int, frozenset[Gap]] = (0, frozenset())  # gaps that the site has with the lease of an epoch
        self._found_out_s = found_out_s
        self._lying: tuple[bytes | None, float] | None = None
        self._word: tuple[tuple[int, int], float] = ((0, 0), 0.0)  # the partner's newest: which, and not before when
        self._asked_at = 0.0
        self._role = GatewayRole.STANDBY
        self._partner = ""
        self._held_until = self._heard_until = 0.0
        self._begin: int | None = None
        self._stays = 0  # parcels up to this number are ours alone: the partner told nothing of what is in them
        self._grown: deque[tuple[float, int]] = deque()  # how far the outbox had come when
        self.changed = asyncio.Event()

    @property
    def role(self) -> tuple[GatewayRole, str]:
        """And the partner's name, '' where it is not known."""
        return self._role, self._partner

    @property
    def may_send(self) -> bool:
        """The site said so, and not too long ago: a partner that was frozen may have been replaced meanwhile."""
        return self._role is GatewayRole.ACTIVE and time.monotonic() < self._held_until

    def send_up_to(self) -> int:
        """Number of the last parcel that may be sent now: while we wait, of those that are ours alone."""
        if self._role is GatewayRole.ACTIVE:
            return EVERYTHING if self.may_send else 0
        return self._stays if time.monotonic() < self._heard_until else 0

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
            # First how far we came, then what is missing of it: a loss in between is told, not passed over.
            covered = self.covered_until()
            missing = self._gaps.spans()
            body = {
                "group": self._settings.group,
                "covered_until": covered,
                "seconds": self._settings.seconds,
                "missing": [gap for gap in missing if gap not in self._known[1]],
                "missing_until": self._gaps.until(),
            }
            try:
                async with asyncio.timeout(self._settings.seconds / 3):
                    answer = await self._site.lease(body)
                await self._by_site(answer, asked_at + self._settings.seconds, missing)
                return
            except (ForewarnError, TimeoutError, KeyError, TypeError, ValueError) as error:
                if isinstance(error, StorageFailed):
                    raise
                if isinstance(error, ParcelRefused):  # it is there: we may be the one whose words it does not take
                    self._conditions.enter(ConditionCode.SITE_REFUSES, f"the lease: {error}")
                _log.debug("lease_not_from_site", error=str(error))
        await self._by_broker()

    async def _by_site(self, answer: Mapping[str, Any], until: float, missing: Sequence[Gap]) -> None:
        """until: by the monotonic clock, when a lease that this answer grants is over. missing: what we said."""
        holder, epoch = str(answer["holder"]), int(answer.get("epoch") or 1)
        told = self._told(answer)
        if holder == self._name:
            if not self.may_send:  # also where a broker had made us the active one
                await asyncio.to_thread(self._leave_out, told)
            self._enter(GatewayRole.ACTIVE, holder)
            self._held_until = until
            self._keep_known(epoch, missing)
            if self._broker is not None and self._broker.connected:
                await self._tell_broker(epoch)
        else:
            self._known = (0, frozenset())
            self._enter(GatewayRole.STANDBY, holder)
            self._heard((epoch, int(answer["until"])), until - self._settings.seconds)
            await asyncio.to_thread(self._drop_covered, told)
            self._heard_until = until

    def _heard(self, word: tuple[int, int], asked_at: float) -> None:
        """A lease that is renewed bears a word that came since we asked last; nobody holds one that is over."""
        if word != self._word[0]:
            self._word = (word, max(self._asked_at, asked_at - self._settings.seconds))
        self._asked_at = asked_at

    def _keep_known(self, epoch: int, missing: Sequence[Gap]) -> None:
        """What is over was told once and for all, while the lease is the same; with another all is told again."""
        if self._known[0] == epoch or not self._known[1]:
            self._known = (epoch, frozenset(gap for gap in missing if gap[2] is not None))
        else:
            self._known = (epoch, frozenset())

    def _told(self, answer: Mapping[str, Any]) -> Told:
        # Not all before cover_from: what was collected before there were partners nobody else has told.
        covered = tuple((int(start), int(end)) for start, end in answer.get("covered_by_others") or ())
        missed = tuple((str(s), int(start), int(end)) for s, start, end in answer.get("missing_by_others") or ())
        came = max([int(answer.get("cover_from") or 0), *(end for _, end in covered)])
        return Told(covered, missed, came - MARGIN_US, self.origins)

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

    def _drop_covered(self, told: Told) -> None:
        """What the partner told of, and we kept for its sake, may go. What it has missed is ours to tell."""
        if told.begin != self._begin:
            self._begin, self._stays = told.begin, 0
        settled, stays, in_line = self._settled(), self._stays, True
        after, last = stays, self._outbox.last_number
        while parcels := self._outbox.pending(after, last, _CHUNK_BYTES):
            for parcel in parcels:
                share = _share(told, parcel, settled)
                if share.undecided:
                    in_line = False
                    if parcel.number > settled or parcel.packed.first_time > told.horizon:
                        self._stays = stays
                        return
                    continue
                self._leave(parcel, share)
                if in_line:
                    stays = parcel.number  # it need not be read again and again
            after = parcels[-1].number
        self._stays = stays

    def _settled(self) -> int:
        """Number of the last parcel that was there when the partner's newest word came long enough after whatever it
        could have missed of it. Who has died says nothing more; what it had not found out it may say once back."""
        self._grown.append((time.monotonic(), self._outbox.last_number))
        before = self._word[1] - self._found_out_s
        while len(self._grown) > 1 and self._grown[1][0] <= before:
            self._grown.popleft()
        at, number = self._grown[0]
        return number if at <= before else 0

    def _leave_out(self, told: Told) -> None:
        """Of polled signals, what lies in a time that the partner told of."""
        after, last = 0, self._outbox.last_number
        while parcels := self._outbox.pending(after, last, _CHUNK_BYTES):
            for parcel in parcels:
                self._leave(parcel, told.taken_over(parcel.packed))
            after = parcels[-1].number

    def _leave(self, parcel: Parcel, share: Share) -> None:
        if share.rest is not parcel.packed:
            self._outbox.leave_to_partner(parcel.number, share.readings, share.rest)


def _share(told: Told, parcel: Parcel, settled: int) -> Share:
    try:
        return told.share(parcel.packed, settled=parcel.number <= settled)
    except (InvalidInput, KeyError) as error:
        _log.error("parcel_not_read", number=parcel.number, error=str(error))
        return Share(0, parcel.packed, undecided=True)
