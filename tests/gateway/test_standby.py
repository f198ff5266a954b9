"""One of a pair, with a site and a broker that a test plays."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forewarn.contracts.outbox import Packed, ParcelKind, Tally, Urgency
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.gateways import GatewayRole
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.standby import Standby
from forewarn.gateway.uplink.link import SiteAway
from forewarn.gateway.wire import Wire, decode_readings
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.gateway_settings import StandbySettings

POLLED = np.array([False, True])


class PlayedSite:
    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None

    async def lease(self, body: object) -> dict[str, Any]:
        if self.answer is None:
            raise SiteAway("away")
        return self.answer


class PlayedBroker:
    def __init__(self) -> None:
        self.connected = True
        self.text: bytes | None = None

    async def run(self) -> None:
        await asyncio.Event().wait()

    def current(self) -> bytes | None:
        return self.text

    async def leave(self, text: bytes) -> None:
        self.text = text


class Partner:
    def __init__(self, directory: Path) -> None:
        self.outbox = SqliteOutbox(directory)
        self.site, self.broker = PlayedSite(), PlayedBroker()
        self.conditions = Conditions("", now_us)
        settings = StandbySettings(group="line-1", seconds=0.6)
        self.standby = Standby(settings, "b", self.outbox, self.site, self.broker, POLLED, self.conditions)
        self._offset = 0

    def pack(self, *packed: Packed) -> None:
        rows = sum(p.rows for p in packed if p.kind is ParcelKind.READINGS)
        self._offset += 1
        self.outbox.pack(packed, Tally(rows, rows, 0, 0), b"", self._offset)

    def readings(self, *times: int) -> Packed:
        n = len(times)
        rows = Series(np.ones(n, np.int32), np.array(times), np.arange(n) * 1.0, np.zeros(n, np.uint32))
        return Wire().readings(rows, Urgency.NORMAL)

    def times(self) -> list[int]:
        parcels = self.outbox.pending(0, self.outbox.last_number, 1 << 20)
        return [
            int(t) for p in parcels if p.packed.kind is ParcelKind.READINGS for t in decode_readings(p.packed.body).time
        ]

    async def ask(self) -> None:
        await self.standby._ask()


@pytest.fixture
def partner(tmp_path: Path):
    it = Partner(tmp_path)
    yield it
    it.outbox.close()


def held_by(name: str, cover_from: int, *others: tuple[int, int]) -> dict[str, Any]:
    """As the site answers: `cover_from` is where the holder took over, `others` what partners of ours told."""
    return {"holder": name, "until": 0, "epoch": 1, "cover_from": cover_from, "covered_by_others": [*others]}


async def test_findings_that_the_partner_told_are_dropped_like_readings(partner: Partner) -> None:
    at = 100 * SECOND
    findings = Packed(ParcelKind.FINDINGS, Urgency.FINDING, 3, at, at, b"{}")
    minutes = Packed(ParcelKind.MINUTES, Urgency.NORMAL, 7, at, at, b"{}")
    partner.pack(findings, partner.readings(at, at + 1), minutes, partner.readings(at + 60 * SECOND))
    partner.site.answer = held_by("a", at - SECOND, (at - SECOND, at + 30 * SECOND))
    await partner.ask()
    assert partner.times() == [at + 60 * SECOND]
    assert partner.outbox.waiting().parcels == 1
    assert partner.outbox.sums().left_to_partner == 2
    assert ConditionCode.STANDBY_ALONE not in {c.code for c in partner.conditions.now()}


async def test_who_took_over_by_the_broker_leaves_out_what_the_site_has_before_it_sends(partner: Partner) -> None:
    at = 100 * SECOND
    partner.pack(partner.readings(at, at + 10 * SECOND, at + 20 * SECOND))
    await partner.ask()  # the site is away, nobody holds the broker's lease
    assert partner.standby.role[0] is GatewayRole.ACTIVE
    assert not partner.standby.may_send
    partner.site.answer = held_by("b", at + 10 * SECOND, (at, at + 10 * SECOND))
    await partner.ask()
    assert partner.standby.may_send
    assert partner.times() == [at + 20 * SECOND]


async def test_who_was_frozen_past_its_lease_sends_nothing_before_it_asked(partner: Partner) -> None:
    partner.site.answer = held_by("b", 0)
    await partner.ask()
    assert partner.standby.may_send
    await asyncio.sleep(0.7)
    assert not partner.standby.may_send
    partner.pack(partner.readings(5, 15, 25))
    partner.site.answer = held_by("b", 20, (10, 20))
    await partner.ask()
    assert partner.standby.may_send
    assert partner.times() == [5, 25]


async def test_what_was_collected_before_there_was_any_lease_is_sent(partner: Partner) -> None:
    partner.pack(partner.readings(SECOND, 2 * SECOND))
    partner.site.answer = held_by("b", now_us())  # the first of all: nobody has told anything
    await partner.ask()
    assert partner.times() == [SECOND, 2 * SECOND]
    assert partner.outbox.sums().left_to_partner == 0


async def test_what_the_partner_goes_on_to_tell_is_dropped_day_by_day(partner: Partner) -> None:
    """It took over once; what it tells since then is in the span that grows."""
    began = 1_000 * SECOND
    partner.pack(partner.readings(began - 20 * SECOND))
    for hour in range(1, 4):
        at = began + hour * 3_600 * SECOND
        partner.pack(partner.readings(at - SECOND, at), partner.readings(at + 1))
        partner.site.answer = held_by("a", began, (began, at + 8 * SECOND))
        await partner.ask()
        assert partner.times() == [began - 20 * SECOND]  # nobody but us has that one
    late = partner.readings(began + SECOND)
    partner.pack(late, partner.readings(at + 9 * SECOND))
    await partner.ask()
    assert partner.times() == [began - 20 * SECOND, at + 9 * SECOND]
