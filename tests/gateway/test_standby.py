"""One of a pair, with a site and a broker that a test plays."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forewarn.contracts.outbox import Packed, ParcelKind, Tally, Urgency
from forewarn.domain.alarms import AlarmEvent, AlarmState
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.gateways import GatewayRole
from forewarn.domain.series import Aggregates, Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.gaps import Gaps
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.partner import Origins
from forewarn.gateway.standby import Standby
from forewarn.gateway.uplink.link import ParcelRefused, SiteAway
from forewarn.gateway.uplink.uplink import EVERYTHING
from forewarn.gateway.wire import Wire, decode_findings, decode_minutes, decode_readings
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.gateway_settings import StandbySettings
from tests.gateway.scripted import signal

# Of the first source the readings bear the time of our own poll, of the other the device's.
SIGNALS = [signal(1, "plc"), signal(2, "server")]
ORIGINS = Origins.of(SIGNALS, ["plc"])
LEASE_S = 0.6


class PlayedSite:
    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.is_renewed = True  # the holder's lease, since we asked last
        self.until = 0
        self.told: list[dict[str, Any]] = []

    async def lease(self, body: Mapping[str, object]) -> dict[str, Any]:
        self.told.append(dict(body))
        if self.answer is None:
            raise SiteAway("away")
        self.until += self.is_renewed
        return {"until": self.until} | self.answer


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
        settings = StandbySettings(group="line-1", seconds=LEASE_S)
        self.now = 0
        self.gaps = Gaps(lambda: self.now)
        self.standby = Standby(
            settings,
            "b",
            self.outbox,
            self.site,
            self.broker,
            ORIGINS,
            self.conditions,
            gaps=self.gaps,
            found_out_s=0.0,
        )
        self._offset = 0

    def pack(self, *packed: Packed) -> None:
        rows = sum(p.rows for p in packed if p.kind is ParcelKind.READINGS)
        self._offset += 1
        self.outbox.pack(packed, Tally(rows, rows, 0, 0), b"", self._offset)

    def readings(self, *times: int, key: int = 1) -> Packed:
        return mixed([(key, at) for at in times])

    def times(self, key: int = 1, up_to: int | None = None) -> list[int]:
        """Of what waits (and may be sent)."""
        found = []
        for parcel in self.outbox.pending(0, self.outbox.last_number if up_to is None else up_to, 1 << 20):
            if parcel.packed.kind is ParcelKind.READINGS:
                rows = decode_readings(parcel.packed.body)
                found += rows.time[rows.signal == key].tolist()
        return found

    def sendable(self, key: int = 1) -> list[int]:
        return self.times(key, self.standby.send_up_to())

    async def ask(self) -> None:
        await self.standby._ask()

    async def settle(self) -> None:
        """Ask, until a word of the partner is newer than our first question, and it had the time to find out."""
        for _ in range(3):
            await self.ask()


def mixed(rows: Sequence[tuple[int, int]]) -> Packed:
    """Readings by (key, time)."""
    key, at = np.array(sorted(rows), np.int64).T
    n = len(rows)
    return Wire().readings(Series(key.astype(np.int32), at, np.arange(n) * 1.0, np.zeros(n, np.uint32)), Urgency.NORMAL)


@pytest.fixture
def partner(tmp_path: Path):
    it = Partner(tmp_path)
    yield it
    it.outbox.close()


def held_by(
    name: str, cover_from: int, *others: tuple[int, int], missing: Sequence[tuple[str, int, int]] = (), epoch: int = 1
) -> dict[str, Any]:
    """As the site answers: `cover_from` is where the holder took over, `others` what partners of ours told."""
    covered = {"cover_from": cover_from, "covered_by_others": [*others], "missing_by_others": [*missing]}
    return {"holder": name, "epoch": epoch} | covered


async def test_findings_that_the_partner_told_are_dropped_like_readings(partner: Partner) -> None:
    at = 100 * SECOND
    findings = Packed(ParcelKind.FINDINGS, Urgency.FINDING, 3, at, at, b"{}")
    minutes = Packed(ParcelKind.MINUTES, Urgency.NORMAL, 7, at, at, b"{}")
    partner.pack(findings, partner.readings(at, at + 1), minutes, partner.readings(at + 80 * SECOND))
    partner.site.answer = held_by("a", at - SECOND, (at - SECOND, at + 70 * SECOND))
    await partner.ask()
    assert partner.outbox.waiting().parcels == 4  # the partner may not know yet that it has lost a source
    await partner.settle()
    assert partner.times() == [at + 80 * SECOND]
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
        await partner.settle()
        assert partner.times() == [began - 20 * SECOND]  # nobody but us has that one
    late = partner.readings(began + SECOND)
    partner.pack(late, partner.readings(at + 9 * SECOND))
    await partner.settle()
    assert partner.times() == [began - 20 * SECOND, at + 9 * SECOND]


T = 1_000 * SECOND


async def test_what_the_partner_has_missed_stays_and_is_sent_while_we_wait(partner: Partner) -> None:
    """Both sources in each parcel; the partner lost the one for four seconds."""
    for second in range(20):
        at = T + second * SECOND
        partner.pack(mixed([(1, at), (1, at + SECOND // 2), (2, at)]))
    partner.site.answer = held_by("a", T, (T, T + 15 * SECOND), missing=[("plc", T + 4 * SECOND, T + 8 * SECOND)])
    await partner.settle()
    theirs_ends = T + 10 * SECOND  # what lies later may still be on its way
    ours = [T + 4 * SECOND + n * SECOND // 2 for n in range(1, 8)]  # at both edges the partner's own
    assert [at for at in partner.times() if at < theirs_ends] == ours
    assert partner.sendable() == ours
    assert partner.sendable(2) == []
    assert [at for at in partner.times(2) if at < theirs_ends] == []
    assert partner.outbox.sums().adds_up


async def test_of_the_device_s_time_what_the_partner_has_missed_stays_too(partner: Partner) -> None:
    partner.pack(mixed([(1, T + 2), (2, T + 2), (2, T + 3)]))
    partner.site.answer = held_by("a", T, (T, T + 15 * SECOND), missing=[("server", T + 1, T + 3)])
    await partner.settle()
    assert (partner.sendable(), partner.sendable(2)) == ([], [T + 2])


async def test_a_partner_that_lost_all_sources_covers_nothing_more_and_we_tell_it(partner: Partner) -> None:
    """Where it had come stands still; how far it has missed all else does not."""
    partner.pack(mixed([(1, T - 8 * SECOND), (2, T - 8 * SECOND)]))
    partner.pack(*(mixed([(1, T + n * SECOND), (2, T + n * SECOND)]) for n in range(1, 10)))
    missing = [("plc", T, T + 6 * SECOND), ("server", T - 5 * SECOND, T + 6 * SECOND)]
    partner.site.answer = held_by("a", T - 60 * SECOND, (T - 60 * SECOND, T), missing=missing)
    await partner.settle()
    assert partner.sendable() == partner.sendable(2) == [T + n * SECOND for n in range(1, 6)]
    assert partner.times() == [T + n * SECOND for n in range(1, 10)]


async def test_what_the_partner_may_yet_tell_is_neither_dropped_nor_sent(partner: Partner) -> None:
    partner.pack(mixed([(1, T + 1), (2, T + 1)]), mixed([(1, T + 12 * SECOND), (2, T + 12 * SECOND)]))
    partner.site.answer = held_by("a", T, (T, T + 15 * SECOND), missing=[("plc", T, T + 15 * SECOND)])
    await partner.settle()
    assert (partner.times(), partner.times(2)) == ([T + 1, T + 12 * SECOND], [T + 12 * SECOND])
    assert (partner.sendable(), partner.sendable(2)) == ([T + 1], [])
    # Hours later the partner says no more of the second source than that it has read it.
    partner.site.answer = held_by("a", T, (T, T + 90 * SECOND), missing=[("plc", T, T + 15 * SECOND)])
    await partner.ask()
    assert (partner.sendable(), partner.sendable(2)) == ([T + 1, T + 12 * SECOND], [])


async def test_what_came_late_waits_until_the_partner_knows_what_it_has_lost(partner: Partner) -> None:
    """A device's clock is behind: by its times the partner has long told what it has just lost."""
    partner.site.answer = held_by("a", T, (T, T + 90 * SECOND))
    await partner.settle()
    partner.pack(partner.readings(T + SECOND, key=2))
    await partner.ask()
    assert partner.times(2) == [T + SECOND]
    partner.site.answer = held_by("a", T, (T, T + 95 * SECOND), missing=[("server", T, T + 95 * SECOND)])
    await partner.settle()
    assert partner.sendable(2) == [T + SECOND]


async def test_what_a_partner_that_died_may_not_have_found_out_is_not_dropped(partner: Partner) -> None:
    """Its device froze, and it was killed before it knew: it says so when it is back, within its lease."""
    partner.site.answer = held_by("a", T, (T, T + 90 * SECOND))
    await partner.settle()
    partner.pack(partner.readings(T + SECOND))
    partner.site.is_renewed = False
    await partner.settle()
    await partner.settle()
    assert partner.times() == [T + SECOND]
    partner.site.is_renewed = True
    partner.site.answer = held_by("a", T, (T, T + 90 * SECOND), missing=[("plc", T, T + 9 * SECOND)])
    await partner.settle()
    assert partner.sendable() == [T + SECOND]


async def test_what_the_site_asked_of_us_is_sent_whatever_the_partner_told(partner: Partner) -> None:
    asked = replace(partner.readings(T + SECOND), urgency=Urgency.REQUESTED)
    partner.pack(partner.readings(T + SECOND), partner.readings(T + 2 * SECOND))
    partner.outbox.add([asked])
    partner.site.answer = held_by("a", T, (T, T + 90 * SECOND))
    await partner.settle()
    assert partner.sendable() == [T + SECOND]
    partner.site.answer = held_by("b", T + 90 * SECOND, (T, T + 90 * SECOND))
    await partner.ask()
    assert partner.sendable() == [T + SECOND]


async def test_minutes_and_findings_of_what_the_partner_has_missed_stay(partner: Partner) -> None:
    one, both = np.zeros(2), np.ones(2, np.int64)
    minutes = Aggregates(np.array([1, 2], np.int32), np.full(2, T), one, one, one, one, both, both)
    found = [finding("plc", 1), finding("server", 2)]
    event = AlarmEvent("p1", "high", T + SECOND, "raised", AlarmState.UNACKNOWLEDGED)
    partner.pack(Wire().findings(found, [event]), Wire().minutes(minutes))
    partner.site.answer = held_by("a", T, (T, T + 90 * SECOND), missing=[("plc", T, T + 4 * SECOND)])
    await partner.settle()
    findings, minutes_left = partner.outbox.pending(0, partner.standby.send_up_to(), 1 << 20)
    told, events = decode_findings(findings.packed.body)
    assert [each["signal_id"] for each in told] == [SIGNALS[0].id]
    assert (events, findings.packed.rows) == ([], 1)
    assert decode_minutes(minutes_left.packed.body).signal.tolist() == [1]
    assert partner.outbox.sums().left_to_partner == 0  # the ledger counts readings


def finding(source: str, key: int) -> Finding:
    name = next(s.id for s in SIGNALS if s.source == source)
    times = {"started_at": T + SECOND, "last_at": T + 2 * SECOND}
    return Finding(key, name, "p1", "limits", "limit", Severity.LOW, 0.9, 1.0, None, "too high", **times)


async def test_taking_over_leaves_out_what_was_told_but_not_what_was_missed(partner: Partner) -> None:
    partner.pack(partner.readings(*(T + n * SECOND for n in range(10))))
    partner.site.answer = held_by(
        "b", T + 7 * SECOND, (T, T + 7 * SECOND), missing=[("plc", T + 2 * SECOND, T + 5 * SECOND)]
    )
    await partner.ask()
    assert partner.standby.send_up_to() == EVERYTHING
    assert partner.times() == [T + n * SECOND for n in (3, 4, 8, 9)]


async def test_nothing_is_sent_by_who_waits_once_the_site_is_silent(partner: Partner) -> None:
    partner.pack(partner.readings(T))
    partner.site.answer = held_by("a", T + 60 * SECOND)
    await partner.ask()
    assert partner.sendable() == [T]
    await asyncio.sleep(LEASE_S + 0.1)
    assert partner.sendable() == []


async def test_a_site_that_does_not_take_our_words_is_named(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(body: Mapping[str, object]) -> dict[str, Any]:
        raise ParcelRefused("400 invalid_input: missing[0]")

    monkeypatch.setattr(partner.site, "lease", refuses)
    await partner.ask()
    (condition,) = [c for c in partner.conditions.now() if c.code is ConditionCode.SITE_REFUSES]
    assert "missing[0]" in condition.text


async def test_a_site_or_a_partner_of_before_says_nothing_of_what_it_misses(partner: Partner) -> None:
    partner.pack(partner.readings(T + SECOND))
    partner.site.answer = {k: v for k, v in held_by("a", T, (T, T + 60 * SECOND)).items() if k != "missing_by_others"}
    await partner.settle()
    assert partner.times() == []


async def test_the_site_is_told_what_we_miss_and_what_is_over_once(partner: Partner) -> None:
    partner.now = T
    plc = partner.gaps.of("plc", exact=True, newest=lambda: T - 9 * SECOND)
    partner.site.answer = held_by("b", T)
    await partner.ask()
    assert partner.site.told[-1]["missing"] == [("plc", T - 9 * SECOND, None)]
    assert partner.site.told[-1]["missing_until"] == T - 5 * SECOND
    plc.took(T + 1, T + 1)
    over = ("plc", T - 9 * SECOND, T + 1)
    partner.site.answer = None
    await partner.ask()
    partner.site.answer = held_by("b", T)
    await partner.ask()
    await partner.ask()
    assert [told["missing"] for told in partner.site.told[-3:]] == [[over], [over], []]
    partner.site.answer = held_by("b", T, epoch=3)  # another lease: the site knows nothing of it any more
    await partner.ask()
    await partner.ask()
    await partner.ask()
    assert [told["missing"] for told in partner.site.told[-3:]] == [[], [over], []]
