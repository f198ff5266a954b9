"""A real site and its gateways over a restart: what they score stays theirs, unless their machine is revoked."""

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from forewarn.api.condition_findings import ConditionFindings, behind
from forewarn.api.edge_findings import findings_of, keep_found
from forewarn.app.settings import Settings
from forewarn.app.site_gateways import SiteGateways
from forewarn.app.wiring import Site, open_site
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.domain.access import Grant, Role
from forewarn.domain.alarms import AlarmOverride, Condition
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.conditions import ConditionCode, EndedCondition, GatewayCondition
from forewarn.domain.findings import BY_CONDITION
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.domain.people import Machine
from forewarn.kit.clock import SECOND, now_us
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.policies.rules import default_rules
from tests.app.test_baselining import PLANT, send, settings, told

DEED = Deed(AuditAction.MACHINE_CHANGED, "tests", "a machine for a test")


def machine(site: Site, name: str) -> Machine:
    made = Machine(name, name, (Grant(Role.GATEWAY, ""),), None, None, b"0" * 32, None, None, False, now_us(), None)
    site.catalog.machines.add(made, DEED)
    return made


def scored(site: Site) -> list[int]:
    edge = site.app.state.parts.edge
    assert isinstance(edge, EdgeDesk)
    return np.flatnonzero(edge.scored(site.plant.table.size)).tolist()


def test_what_a_gateway_scores_outlives_a_restart_but_not_its_machine(tmp_path: Path) -> None:
    made: Settings = settings(tmp_path / "site")
    with open_site(made) as site:
        owner = machine(site, "gw")
        site.catalog.gateways.keep_signals("gw", "t", ["p1.a", "p1.b", "p1.gone"], ["p1.a", "p1.b", "p1.gone"])
        assert scored(site) == []
    with open_site(made) as site:
        mine = [site.plant.table.key_of["p1.a"], site.plant.table.key_of["p1.b"]]
        assert scored(site) == mine
        send(site, "a", 20, 1)
        assert told(site)[2] == [False, False, False]  # nothing of it is learnt here
        site.catalog.machines.change(owner.id, lambda m: replace(m, revoked=True), lambda _, __: DEED)
        later = SiteGateways(site.catalog, site.plant, site.app.state.parts.edge, now_us)
        later.look_around()
        assert scored(site) == mine  # it has looked a moment ago
    with open_site(made) as site:
        assert scored(site) == []


def alarms(site: Site, wanted: int) -> list[str]:
    """What the journal of p1 says of unusual readings, once there are so many lines."""
    until = time.monotonic() + 60
    while True:
        lines = [e.kind for e in reversed(site.catalog.alarms.journal(("p1", "a.unusual")))]
        if len(lines) >= wanted:
            return lines
        assert time.monotonic() < until, lines
        time.sleep(0.05)


def test_what_a_gateway_finds_raises_the_alarm_of_the_site_and_its_end_ends_it(tmp_path: Path) -> None:
    """Both dialects, though no reading comes with it; the line may be asleep."""
    with open_site(settings(tmp_path / "site")) as site:
        parts, at = site.app.state.parts, now_us()
        told_as_json = {"sensor_id": "p1.a", "timestamp": at // 1000, "value": 7.0, "anomaly_score": 0.9}
        (by_json,), refused = findings_of([told_as_json], parts.plant.table, at)
        assert refused == 0
        asyncio.run(keep_found(parts, [by_json]))
        assert alarms(site, 2) == ["raised", "returned"]
        lasting = replace(by_json, detector="robust_z", started_at=at + SECOND, last_at=at + 9 * SECOND, ended_at=None)
        asyncio.run(keep_found(parts, [lasting]))
        assert alarms(site, 3)[-1] == "raised"
    with open_site(settings(tmp_path / "site")) as site:
        parts = site.app.state.parts
        ended = replace(lasting, last_at=at + 20 * SECOND, ended_at=at + 20 * SECOND)
        asyncio.run(keep_found(parts, [ended]))
        assert alarms(site, 4) == ["raised", "returned", "raised", "returned"]


def alone(name: str) -> GatewayStatus:
    now = now_us()
    uplink, buffer = UplinkStatus(SiteState.CONNECTED, now), BufferStatus(1, 0, 0, 1)
    return GatewayStatus(name, "1", now, now, GatewayRole.ALONE, uplink, buffer, LedgerSums())


class Clock:
    def __init__(self) -> None:
        self.now = now_us()

    def __call__(self) -> int:
        return self.now


def test_who_is_away_is_written_down_once_and_no_sooner_than_we_could_have_heard(tmp_path: Path) -> None:
    with open_site(settings(tmp_path / "site")) as site:
        owner, store = machine(site, "gw"), site.catalog.gateways
        clock, edge = Clock(), EdgeDesk()
        told_edge: EdgeIntake = edge
        care = SiteGateways(site.catalog, site.plant, told_edge, clock)
        now = now_us()
        status = GatewayStatus(
            "gw",
            "1",
            now,
            now,
            GatewayRole.ALONE,
            UplinkStatus(SiteState.CONNECTED, now),
            BufferStatus(1, 0, 0, 1),
            LedgerSums(),
        )
        store.beat(status, ())
        clock.now += 20 * SECOND
        care.look_around()
        assert store.conditions("gw", 10) == []
        for _ in range(3):
            clock.now += 20 * SECOND
            care.look_around()
        away = store.conditions("gw", 10)
        assert [(c.condition.code, c.condition.since, c.ended_at) for c in away] == [
            (ConditionCode.UNREACHABLE, store.gateway("gw").last_seen, None)
        ]
        store.beat(status, ())
        assert store.conditions("gw", 10)[0].ended_at is not None
        edge.scores("gw", np.array([1], np.int32))
        site.catalog.machines.change(owner.id, lambda m: replace(m, revoked=True), lambda _, __: DEED)
        clock.now += 20 * SECOND
        care.look_around()
        assert not edge.scored(5).any()


def test_what_came_and_went_while_the_site_was_away_is_in_the_journal(tmp_path: Path) -> None:
    with open_site(settings(tmp_path / "site")) as site:
        store, now = site.catalog.gateways, now_us()
        unseen = GatewayCondition(ConditionCode.UNREACHABLE, "plc", now - 90 * SECOND, now - 80 * SECOND, "cable", 3)
        known = GatewayCondition(ConditionCode.DISK_FULL, "", now - 70 * SECOND, now, "make room")
        status = GatewayStatus(
            "gw",
            "1",
            now,
            now,
            GatewayRole.ALONE,
            UplinkStatus(SiteState.CONNECTED, now),
            BufferStatus(1, 0, 0, 1),
            LedgerSums(),
        )
        store.beat(replace(status, conditions=(known,)), ())
        ended = (EndedCondition(unseen, now - 75 * SECOND), EndedCondition(known, now - 5 * SECOND))
        for _ in range(2):  # the answer may be lost: it is told again
            store.beat(replace(status, ended=ended), ())
        found = {past.condition.code: past for past in store.conditions("gw", 10)}
        assert found[ConditionCode.UNREACHABLE].condition == unseen
        assert found[ConditionCode.UNREACHABLE].ended_at == now - 75 * SECOND
        assert (found[ConditionCode.DISK_FULL].ended_at or 0) >= now  # by the site's clock


def away_findings(site: Site) -> list[tuple[str, bool]]:
    found = site.catalog.anomalies.find(AnomalyQuery())[0]
    mine = sorted((f.started_at, f.signal_id, f.ended_at is None) for f in (a.finding for a in found))
    return [(signal, is_open) for _, signal, is_open in mine]


def test_who_is_away_is_a_finding_until_it_is_heard_again_also_over_a_restart(tmp_path: Path) -> None:
    with open_site(settings(tmp_path / "site")) as site:
        machine(site, "gw")
        store, clock, edge = site.catalog.gateways, Clock(), EdgeDesk()
        care = SiteGateways(site.catalog, site.plant, edge, clock)
        store.keep_signals("gw", "t", ["p1.gone", "p1.b", "p1.c"], [])
        store.beat(alone("gw"), ())
        seen = store.gateway("gw").last_seen
        clock.now += 20 * SECOND
        care.look_around()
        assert away_findings(site) == []
        for _ in range(3):
            clock.now += 20 * SECOND
            care.look_around()
        assert away_findings(site) == [("p1.b", True)]
        finding = site.catalog.anomalies.find(AnomalyQuery())[0][0].finding
        assert (finding.detector, finding.anomaly_type, finding.started_at) == (BY_CONDITION, "unreachable", seen)
        assert finding.reason.startswith("gateway gw: nothing was heard of this gateway")
        assert len(edge.take_findings()) == 1
        # The site is down for a while, and nothing is doubled when it comes back.
        care = SiteGateways(site.catalog, site.plant, edge, clock)
        clock.now += 6 * SECOND
        care.look_around()
        clock.now += 60 * SECOND
        care.look_around()
        assert away_findings(site) == [("p1.b", True)]
        store.beat(alone("gw"), ())
        clock.now = now_us()  # which is the catalog's
        care.look_around()
        assert away_findings(site) == [("p1.b", False)]
        clock.now += 300 * SECOND
        care.look_around()
        assert away_findings(site) == [("p1.b", False), ("p1.b", True)]
        store.retire("gw", DEED)
        clock.now += 6 * SECOND
        care.look_around()
        assert away_findings(site) == [("p1.b", False), ("p1.b", False)]


def test_a_rule_of_the_plant_may_watch_what_is_wrong_with_gateways(tmp_path: Path) -> None:
    """By default none does."""
    words = AlarmOverride(
        "p1", "gateway", signal_id="p1.a", condition=Condition.FINDING, threshold=0.5, detector=BY_CONDITION
    )
    made = settings(tmp_path / "site")
    with open_site(made) as site:
        machine(site, "gw")
        site.catalog.plant.apply(PLANT, default_rules(replace(PLANT, alarm_overrides=(words,))))
        site.plant.refresh()
        parts = site.app.state.parts
        told_of = ConditionFindings(parts.anomalies, parts.edge)
        held = GatewayCondition(ConditionCode.DISK_FULL, "", now_us() - 60 * SECOND, now_us(), "make room")
        there = partial(behind, site.plant, "gw", ["p1.a", "p1.b"], None)
        told_of.follow(replace(alone("gw"), conditions=(held,)), there, None, now_us())
        until = time.monotonic() + 20
        while not (raised := site.catalog.alarms.find(None, None, None)):
            assert time.monotonic() < until
            time.sleep(0.05)
        told_of.follow(alone("gw"), there, None, now_us())
        while len(lines := site.catalog.alarms.journal(("p1", "gateway"))) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert [(a.rule.rule_id, a.status.value) for a in raised] == [("gateway", None)]
        assert [e.kind for e in lines] == ["returned", "raised"]
