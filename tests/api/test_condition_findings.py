"""What is wrong with a gateway or a device of it is a finding on the machines behind it, over a real server."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery, AnomalyStore
from forewarn.domain.conditions import ConditionCode, EndedCondition, GatewayCondition
from forewarn.domain.findings import BY_CONDITION, BY_EDGE, AnomalyStatus, Severity
from forewarn.domain.gateways import GatewayRole
from forewarn.kit.clock import MINUTE, SECOND, now_us
from tests.api.event_stream import EventStream
from tests.api.gateways import Gateway
from tests.api.site import Site, open_parts, serving


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    """Of two machines."""
    made = Gateway(site, f"gw {secrets.token_hex(4)}", ("p1.vibration", "p1.temperature", "p2.s7", "p2.s9"))
    made.put_signals()
    yield made
    made.client.close()


def kept(site: Site, gateway: Gateway) -> list[Anomaly]:
    """Of this gateway, the oldest first."""
    found = site.parts.anomalies.find(AnomalyQuery(limit=10_000))[0]
    mine = [a for a in found if a.finding.reason.startswith(f"gateway {gateway.name}")]
    return sorted(mine, key=lambda a: (a.finding.started_at, a.finding.asset_id))


def told(site: Site, gateway: Gateway) -> list[tuple[str, str, bool]]:
    return [(a.finding.anomaly_type, a.finding.signal_id, a.finding.ended_at is None) for a in kept(site, gateway)]


def condition(
    code: ConditionCode, ago_s: float, subject: str = "", text: str = "seen", **more: int
) -> GatewayCondition:
    now = now_us()
    return GatewayCondition(code, subject, now - int(ago_s * SECOND), now, text, **more)


def test_a_condition_that_lasts_is_a_finding_on_each_machine_until_it_is_over(site: Site, gateway: Gateway) -> None:
    full = condition(ConditionCode.DISK_FULL, 12, count=4)
    for _ in range(3):
        assert gateway.beat(conditions=(full,)).status_code == 200
    assert told(site, gateway) == [("disk_full", "p1.vibration", True), ("disk_full", "p2.s7", True)]
    first = kept(site, gateway)[0].finding
    assert (first.detector, first.detected_by, first.severity) == (BY_CONDITION, BY_EDGE, Severity.HIGH)
    assert (first.started_at, first.count) == (full.since, 4)
    assert first.reason.startswith(f"gateway {gateway.name}: seen (concerns 4 signals of 2 machines).")
    before = now_us()
    gateway.beat()
    assert told(site, gateway) == [("disk_full", "p1.vibration", False), ("disk_full", "p2.s7", False)]
    assert before <= (kept(site, gateway)[0].finding.ended_at or 0) <= now_us()
    view = site.client.get("/api/v1/anomalies", params={"signal_id": "p2.s7", "limit": 1}).json()["anomalies"][0]
    assert (view["detector"], view["anomaly_type"], view["value"]) == ("gateway", "disk_full", None)


def test_a_flap_and_what_keeps_readings_waiting_are_none(site: Site, gateway: Gateway) -> None:
    now = now_us()
    flap = EndedCondition(condition(ConditionCode.UNREACHABLE, 60, "plc"), now - 51 * SECOND)
    held = (
        condition(ConditionCode.UNREACHABLE, 5, "plc"),
        condition(ConditionCode.SITE_UNREACHABLE, 60),
        condition(ConditionCode.UNREACHABLE, 60),  # only the site can say that
    )
    gateway.beat(conditions=held, ended=(flap,))
    assert kept(site, gateway) == []


def test_what_came_and_went_while_the_site_was_away_is_told_once(site: Site, gateway: Gateway) -> None:
    now = now_us()
    gone = replace(condition(ConditionCode.CERTIFICATE_EXPIRED, 90, "plc"), last_at=now - 70 * SECOND)
    for _ in range(2):  # the answer may be lost
        gateway.beat(ended=(EndedCondition(gone, now - 60 * SECOND),))
    assert told(site, gateway) == [
        ("certificate_expired", "p1.vibration", False),
        ("certificate_expired", "p2.s7", False),
    ]
    first = kept(site, gateway)[0].finding
    assert (first.started_at, first.last_at, first.ended_at) == (gone.since, gone.last_at, now - 60 * SECOND)


def test_what_comes_and_goes_is_told_three_times_an_hour_unless_it_stays(site: Site, gateway: Gateway) -> None:
    now = now_us()
    for flap in range(6):
        since = now - (10 - flap) * MINUTE
        held = GatewayCondition(ConditionCode.UNREACHABLE, "plc", since, now, "connection refused")
        gateway.beat(at=since + 20 * SECOND, conditions=(held,))
        gateway.beat(at=since + 30 * SECOND)
    assert told(site, gateway) == 3 * [("unreachable", "p1.vibration", False), ("unreachable", "p2.s7", False)]
    stays = GatewayCondition(ConditionCode.UNREACHABLE, "plc", now, now, "connection refused")
    gateway.beat(at=now + 9 * MINUTE, conditions=(stays,))
    assert len(kept(site, gateway)) == 6
    gateway.beat(at=now + 10 * MINUTE, conditions=(stays,))
    assert [is_open for *_, is_open in told(site, gateway)].count(True) == 2


def test_many_that_came_and_went_while_the_site_was_away_are_told_three_times(site: Site, gateway: Gateway) -> None:
    now = now_us()
    gone = [
        EndedCondition(replace(condition(ConditionCode.UNREACHABLE, 60 * n, "plc"), last_at=now), now - 60 * n * SECOND)
        for n in range(20, 0, -1)
    ]
    gone = [replace(e, ended_at=e.condition.since + 30 * SECOND) for e in gone]
    gateway.beat(ended=tuple(gone))
    assert len(kept(site, gateway)) == 6


def test_only_the_signal_that_the_text_names(site: Site, gateway: Gateway) -> None:
    wrong = condition(ConditionCode.WRONG_TYPE, 20, "plc", "signal 'p2.s9': 'x' is a text")
    gateway.beat(conditions=(wrong,))
    assert told(site, gateway) == [("wrong_type", "p2.s9", True)]
    gateway.beat(conditions=(replace(wrong, text="signal 'p1.temperature': 'y' is a text", count=2),))
    assert told(site, gateway) == [("wrong_type", "p1.temperature", True), ("wrong_type", "p2.s9", True)]
    gateway.beat()
    assert [is_open for *_, is_open in told(site, gateway)] == [False, False]


class Counting:
    """AnomalyStore that counts what is asked of it."""

    def __init__(self, store: AnomalyStore) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.asked.append(name)
        return getattr(self._store, name)


def test_a_heartbeat_that_says_nothing_new_asks_nothing_of_the_catalog(site: Site, gateway: Gateway) -> None:
    store = Counting(site.parts.anomalies)
    with serving(site.opened.but(anomalies=store)) as counted:
        mine = Gateway(counted, gateway.name)
        held = condition(ConditionCode.OVERRUN, 30, "plc", "read in 1.2 s")
        mine.beat(conditions=(held,))
        store.asked.clear()
        for n in range(5):
            mine.beat(conditions=(replace(held, last_at=held.last_at + n * SECOND, count=n, text=f"read in {n} s"),))
        assert store.asked == []
        mine.beat(conditions=(replace(held, last_at=held.last_at + MINUTE, count=99),))
        assert "merge" in store.asked
        assert [a.finding.count for a in kept(site, gateway)] == [99, 99]
        mine.client.close()


def test_a_site_that_was_down_doubles_nothing_and_ends_what_ended_meanwhile(site: Site, gateway: Gateway) -> None:
    stays, goes = condition(ConditionCode.DISK_FULL, 60), condition(ConditionCode.UNREACHABLE, 40, "plc", "no answer")
    gateway.beat(conditions=(stays, goes))
    before = [a.id for a in kept(site, gateway)]
    at = now_us() - SECOND
    with serving(site.opened) as again:
        mine = Gateway(again, gateway.name)
        mine.beat(conditions=(stays,), ended=(EndedCondition(goes, at),))
        mine.client.close()
    after = kept(site, gateway)
    assert [a.id for a in after] == before
    ends = {a.finding.anomaly_type: a.finding.ended_at for a in after}
    assert ends == {"disk_full": None, "unreachable": max(at, goes.last_at)}


def test_what_a_person_said_of_it_stays(site: Site, gateway: Gateway) -> None:
    held = condition(ConditionCode.NONSENSE, 30, "plc")
    gateway.beat(conditions=(held,))
    number = kept(site, gateway)[0].id
    site.client.patch(f"/api/v1/anomalies/{number}", json={"status": "false_positive"})
    gateway.beat(conditions=(replace(held, last_at=held.last_at + MINUTE),))
    gateway.beat()
    (first, _) = kept(site, gateway)
    assert (first.id, first.status, first.finding.ended_at is None) == (number, AnomalyStatus.FALSE_POSITIVE, False)


def test_a_standby_tells_of_nothing_and_one_that_takes_over_begins_anew(site: Site, gateway: Gateway) -> None:
    held = condition(ConditionCode.UNREACHABLE, 60, "plc")
    gateway.beat(conditions=(held,), role=GatewayRole.STANDBY)
    assert kept(site, gateway) == []
    gateway.beat(conditions=(held,), role=GatewayRole.ACTIVE)
    gateway.beat(conditions=(held,), role=GatewayRole.STANDBY)
    assert [is_open for *_, is_open in told(site, gateway)] == [False, False]
    gateway.beat(conditions=(held,), role=GatewayRole.ACTIVE)
    with serving(site.opened) as again:  # and a restart takes these for what they are
        mine = Gateway(again, gateway.name)
        mine.beat(conditions=(held,), role=GatewayRole.ACTIVE)
        mine.client.close()
    assert [is_open for *_, is_open in told(site, gateway)] == [False, False, True, True]


def test_two_that_began_in_the_same_moment_are_two(site: Site, gateway: Gateway) -> None:
    one, other = condition(ConditionCode.DISK_FULL, 20), condition(ConditionCode.CLOCK_WRONG, 20, count=9)
    other = replace(other, since=one.since)
    gateway.beat(conditions=(one, other))
    gateway.beat(conditions=(one,))
    assert sorted(told(site, gateway)) == [
        ("clock_wrong", "p1.vibration", False),
        ("clock_wrong", "p2.s7", False),
        ("disk_full", "p1.vibration", True),
        ("disk_full", "p2.s7", True),
    ]


def test_a_clock_far_ahead_does_not_reach_into_the_future(site: Site, gateway: Gateway) -> None:
    ahead = now_us() + 3_600 * SECOND
    wrong = GatewayCondition(ConditionCode.CLOCK_WRONG, "", ahead, ahead + 20 * SECOND, "3,600 s ahead of the site's")
    gateway.beat(at=ahead + 20 * SECOND, conditions=(wrong,))
    with serving(site.opened) as again:
        mine = Gateway(again, gateway.name)
        mine.beat(at=ahead + 25 * SECOND, conditions=(wrong,))
        mine.beat(at=ahead + 30 * SECOND)
        mine.client.close()
    assert told(site, gateway) == [("clock_wrong", "p1.vibration", False), ("clock_wrong", "p2.s7", False)]
    assert all(a.finding.started_at <= now_us() for a in kept(site, gateway))


def test_one_whose_table_comes_later_is_told_of_then(site: Site) -> None:
    gateway = Gateway(site, f"gw {secrets.token_hex(4)}")
    held = condition(ConditionCode.DISK_FULL, 30)
    gateway.beat(conditions=(held,))
    assert kept(site, gateway) == []
    gateway.put_signals()
    for _ in range(2):
        gateway.beat(conditions=(held,))
    assert told(site, gateway) == [("disk_full", "p1.vibration", True)]
    gateway.client.close()


def test_a_retired_gateways_findings_are_over(site: Site, gateway: Gateway) -> None:
    gateway.beat(conditions=(condition(ConditionCode.DISK_FULL, 30),))
    assert site.client.delete(gateway.base).status_code == 204
    assert [is_open for *_, is_open in told(site, gateway)] == [False, False]


def test_listeners_hear_of_it_and_the_machine_says_why(tmp_path: Path) -> None:
    with open_parts(tmp_path) as opened, serving(opened) as site:
        gateway = Gateway(site, "gw")
        gateway.put_signals()
        stream = EventStream(site.url, opened.admin.token, "?asset_id=p1")
        stream.until("hello")
        gateway.beat(conditions=(condition(ConditionCode.UNREACHABLE, 30, "plc", "no answer"),))
        event = stream.until("anomaly")
        stream.close()
        assert (event.data["detector"], event.data["anomaly_type"], event.data["value"]) == (
            "gateway",
            "unreachable",
            None,
        )
        # Nothing was ever read: that stays what is said first.
        (p1,) = [a for a in site.client.get("/api/v1/assets").json()["assets"] if a["id"] == "p1"]
        assert p1["condition"] == "no_data"
        assert p1["reason"].startswith("no reading has arrived yet: gateway gw, output plc: no answer")
        assert site.client.get("/api/v1/alarms").json()["alarms"] == []
        gateway.client.close()
