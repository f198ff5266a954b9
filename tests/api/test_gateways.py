"""Gateways as people see them: state, conditions and their journal, raw readings on demand."""

import secrets
from collections.abc import Iterator

import pytest

from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.gateways import BufferStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.kit.clock import SECOND, now_us
from forewarn.pipeline.edge_intake import EdgeDesk
from tests.api.gateways import Gateway, parcel
from tests.api.site import Site, serving


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    made = Gateway(site, f"gw {secrets.token_hex(4)}")
    made.put_signals()
    yield made
    made.client.close()


def shown(site: Site, gateway: Gateway) -> dict[str, object]:
    answer = site.client.get(gateway.base)
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


def listed(site: Site, gateway: Gateway) -> dict[str, object]:
    return next(g for g in site.client.get("/api/v1/gateways").json()["gateways"] if g["name"] == gateway.name)


def test_before_its_first_heartbeat_a_gateway_waits(site: Site, gateway: Gateway) -> None:
    told = shown(site, gateway)
    assert (told["state"], told["role"], told["last_seen"], told["uplink"]) == ("waiting", None, None, None)
    assert told["signals"] == 3


def test_one_that_waits_for_its_disk_is_not_called_connected(site: Site, gateway: Gateway) -> None:
    began, now = now_us() - 90 * SECOND, now_us()
    full = GatewayCondition(ConditionCode.DISK_FULL, "", began, now, "no room")
    gateway.beat(started_at=began, conditions=(full,), silent=("a.x", "a.y"), waits_for_disk=True)
    told = shown(site, gateway)
    assert (told["state"], told["state_since"]) == ("waiting_for_disk", told["started_at"])
    assert listed(site, gateway)["state"] == "waiting_for_disk"
    assert [c["code"] for c in told["conditions_now"]] == ["disk_full"]  # type: ignore[attr-defined]
    assert (told["uplink"], told["ledger"], told["buffer"], told["live_lag_s"]) == (None, None, None, None)


def test_one_that_nobody_knows_is_not_found(site: Site) -> None:
    assert site.client.get("/api/v1/gateways/none").status_code == 404
    assert site.client.get("/api/v1/gateways/none/requests").json() == {"requests": []}


def test_what_a_heartbeat_says_is_shown(site: Site, gateway: Gateway) -> None:
    now = now_us()
    source = SourceStatus("line-1", "opcua", SourceState.CONNECTED, now - SECOND, now, 900, 3, 1, "", delay_s=0.25)
    gateway.beat(
        sources=(source,),
        uplink=UplinkStatus(
            SiteState.CATCHING_UP,
            now - 5,
            clock_offset_s=-0.02,
            round_trip_s=0.01,
            backlog_parcels=2,
            backlog_readings=5_000,
            backlog_bytes=40_000,
            oldest_backlog_at=now - 60 * SECOND,
        ),
        buffer=BufferStatus(1_000, 400, 100, 5_000, now - 3_600 * SECOND, 7_200.0),
        ledger=LedgerSums(read=10, kept=4, thinned=6, acknowledged=3, pending=1),
        silent=("p1.speed",),
        alarms=2,
    )
    told = shown(site, gateway)
    assert (told["state"], told["role"], told["silent_signals"], told["alarms"]) == (
        "catching_up",
        "alone",
        ["p1.speed"],
        2,
    )
    assert told["connectors"][0] | {"last_reading_at": 0, "state_since": 0} == {
        "name": "line-1",
        "connector": "opcua",
        "state": "connected",
        "state_since": 0,
        "last_reading_at": 0,
        "readings": 900,
        "rate": None,
        "rejected": 3,
        "reconnects": 1,
        "last_error": "",
        "delay_s": 0.25,
    }
    assert (told["uplink"]["clock_offset_s"], told["uplink"]["backlog_readings"]) == (-0.02, 5_000)
    assert (told["buffer"]["full_in_s"], told["buffer"]["raw_bytes"]) == (7_200.0, 400)
    assert told["ledger"]["adds_up"] is True
    brief = listed(site, gateway)
    assert {name: told[name] for name in brief} | {"seconds_since_last": brief["seconds_since_last"]} == brief
    gateway.beat(ledger=LedgerSums(read=10, kept=4, thinned=5, acknowledged=4))
    assert shown(site, gateway)["ledger"]["adds_up"] is False


def test_the_pace_of_catching_up_and_of_sources_comes_from_heartbeats(site: Site, gateway: Gateway) -> None:
    now, state = now_us(), SiteState.CATCHING_UP
    for readings, backlog in ((100, 9_000), (200, 6_000)):
        source = SourceStatus("line-1", "opcua", SourceState.CONNECTED, now, now, readings)
        gateway.beat(sources=(source,), uplink=UplinkStatus(state, now, backlog_parcels=3, backlog_readings=backlog))
    told = shown(site, gateway)
    assert told["uplink"]["catch_up_s"] > 0
    # 100 readings came while 3,000 of the backlog went.
    assert told["connectors"][0]["rate"] * told["uplink"]["catch_up_s"] == pytest.approx(200.0)


def condition(code: ConditionCode, since: int, subject: str = "line-1", count: int = 1) -> GatewayCondition:
    return GatewayCondition(code, subject, since, since + count, "what was seen; what to do", count)


def test_conditions_hold_until_they_are_no_longer_named(site: Site, gateway: Gateway) -> None:
    now = now_us()
    refused = condition(ConditionCode.CREDENTIALS_REFUSED, now)
    full = condition(ConditionCode.DISK_FULL, now + 1, "")
    gateway.beat(conditions=(refused, full))
    gateway.beat(conditions=(condition(ConditionCode.CREDENTIALS_REFUSED, now, count=9),))
    told = shown(site, gateway)
    assert [(c["code"], c["count"]) for c in told["conditions_now"]] == [("credentials_refused", 9)]
    assert [c["code"] for c in told["journal"]] == ["disk_full"]
    gateway.beat()
    ended = shown(site, gateway)
    assert ended["conditions_now"] == []
    assert [(c["code"], c["count"], c["ended_at"] is None) for c in ended["journal"]] == [
        ("disk_full", 1, False),
        ("credentials_refused", 9, False),
    ]


def test_a_gateway_that_is_not_heard_for_half_a_minute_is_away_since_then(site: Site, gateway: Gateway) -> None:
    gateway.beat()
    seen = now_us()
    ahead = 0
    later = site.opened.but(clock=lambda: now_us() + ahead)
    with serving(later) as clocked:
        assert shown(clocked, gateway)["state"] == "connected"
        ahead = 31 * SECOND
        told = shown(clocked, gateway)
        assert (told["state"], told["state_since"]) == ("away", told["last_seen"])
        assert [c["code"] for c in told["conditions_now"]] == ["unreachable"]
        assert listed(clocked, gateway)["conditions"] == 1
    site.parts.gateways.note_away(seen + SECOND)
    site.parts.gateways.note_away(seen + SECOND)
    gateway.beat()
    assert [c["code"] for c in shown(site, gateway)["journal"]] == ["unreachable"]


def test_a_site_that_was_down_itself_calls_nobody_away_at_once(site: Site, gateway: Gateway) -> None:
    gateway.beat()
    with serving(site.opened.but(clock=lambda: now_us() + 600 * SECOND)) as fresh:
        assert shown(fresh, gateway)["state"] == "connected"


def test_raw_readings_are_asked_for_and_told_until_they_are_done(site: Site, gateway: Gateway) -> None:
    gateway.beat()
    span = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}
    asked = site.client.post(f"{gateway.base}/requests", json={"signals": ["p1.vibration"], **span})
    assert (asked.status_code, asked.json()["state"]) == (201, "waiting")
    number = asked.json()["id"]
    wanted = {"id": number, "signals": ["p1.vibration"], "start": 1767225600_000000, "end": 1767229200_000000}
    assert gateway.beat().json()["requests"] == [wanted]
    assert gateway.beat().json()["requests"] == [wanted]  # until it says so
    assert site.client.get(f"{gateway.base}/requests").json()["requests"][0]["state"] == "told"
    assert gateway.beat(number, "none of ours").json()["requests"] == []
    done = site.client.get(f"{gateway.base}/requests").json()["requests"][0]
    assert (done["state"], done["asked_by"]) == ("done", "anna")
    deed = site.parts.audit.find(AuditQuery(actions=(AuditAction.COMMAND_GIVEN,)))[0].deed
    assert (deed.target, deed.after["signals"]) == (f"gateway {gateway.name}", ["p1.vibration"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"signals": ["p2.s1"]}, 400),
        ({"signals": []}, 422),
        ({"start": "2026-01-02T00:00:00Z"}, 400),
        ({"end": "2027-01-02T00:00:00Z"}, 400),
        ({"start": "yesterday"}, 400),
        ({"more": 1}, 422),
    ],
)
def test_what_cannot_be_asked_for(site: Site, gateway: Gateway, change: dict[str, object], status: int) -> None:
    body = {"signals": ["p1.vibration"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}
    assert site.client.post(f"{gateway.base}/requests", json=body | change).status_code == status


def test_too_much_at_once_is_refused(site: Site, gateway: Gateway) -> None:
    body = {"signals": ["p1.vibration"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}
    answers = [site.client.post(f"{gateway.base}/requests", json=body).status_code for _ in range(21)]
    assert answers == [201] * 20 + [409]


SPAN = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}


def asked(site: Site, gateway: Gateway) -> str:
    body = {"signals": ["p1.vibration"], **SPAN}
    number: str = site.client.post(f"{gateway.base}/requests", json=body).json()["id"]
    return number


def test_what_waits_is_called_off_and_what_is_done_is_not(site: Site, gateway: Gateway) -> None:
    waits, told, done = (asked(site, gateway) for _ in range(3))
    assert site.client.delete(f"{gateway.base}/requests/{waits}").status_code == 204
    assert [r["id"] for r in gateway.beat().json()["requests"]] == [told, done]
    assert site.client.delete(f"{gateway.base}/requests/{told}").status_code == 204
    assert gateway.beat(done).json()["requests"] == []
    assert site.client.delete(f"{gateway.base}/requests/{done}").status_code == 409
    for number in (waits, told, "none"):
        assert site.client.delete(f"{gateway.base}/requests/{number}").status_code == 404
    assert [r["id"] for r in site.client.get(f"{gateway.base}/requests").json()["requests"]] == [done]
    deeds = [e.deed for e in site.parts.audit.find(AuditQuery(actions=(AuditAction.COMMAND_GIVEN,)))[:2]]
    assert [(d.target, d.after) for d in deeds] == [
        (f"gateway {gateway.name}", {"cancelled": told}),
        (f"gateway {gateway.name}", {"cancelled": waits}),
    ]


def test_a_request_of_another_gateway_is_not_called_off_here(site: Site, gateway: Gateway) -> None:
    other = Gateway(site, f"gw {secrets.token_hex(4)}")
    other.put_signals()
    number = asked(site, other)
    assert site.client.delete(f"{gateway.base}/requests/{number}").status_code == 404
    assert [r["id"] for r in other.beat().json()["requests"]] == [number]
    other.client.close()


def test_one_that_is_retired_is_gone_and_comes_back_when_it_speaks(site: Site, gateway: Gateway) -> None:
    gateway.beat(conditions=(condition(ConditionCode.DISK_FULL, now_us()),))
    number = asked(site, gateway)
    assert site.client.delete(gateway.base).status_code == 204
    assert gateway.name not in [g["name"] for g in site.client.get("/api/v1/gateways").json()["gateways"]]
    assert site.client.get(gateway.base).status_code == 404
    assert site.client.get(f"{gateway.base}/requests").json() == {"requests": []}
    assert site.client.delete(gateway.base).status_code == 404
    deed = site.parts.audit.find(AuditQuery(actions=(AuditAction.COMMAND_GIVEN,)))[0].deed
    assert (deed.target, deed.before["signals"], deed.after) == (f"gateway {gateway.name}", 3, {"retired": True})
    # It still speaks: as a new one, which is asked for its table, and of which nothing is asked.
    assert gateway.beat(number).json()["requests"] == []
    assert shown(site, gateway)["journal"] == []
    refused = gateway.send(parcel((1, now_us(), 1.0)))
    assert (refused.status_code, refused.json()["code"]) == (409, "signal_table_unknown")
    gateway.put_signals()
    assert gateway.send(parcel((1, now_us(), 1.0))).status_code == 200
    assert (shown(site, gateway)["state"], shown(site, gateway)["signals"]) == ("connected", 3)


def test_what_a_retired_gateway_scored_the_site_scores_again(site: Site, gateway: Gateway) -> None:
    edge = site.parts.edge
    assert isinstance(edge, EdgeDesk)
    apart = Gateway(site, f"gw {secrets.token_hex(4)}", ("p2.s150",))
    apart.put_signals()
    key = site.parts.plant.table.key_of["p2.s150"]
    assert edge.scored(key + 1)[key]
    site.client.delete(apart.base)
    assert not edge.scored(key + 1)[key]
    apart.client.close()


def test_who_may_look_and_who_may_ask(site: Site, gateway: Gateway) -> None:
    body = {"signals": ["p1.vibration"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}
    for role, looks, asks in (
        (Role.PLANT_ENGINEER, 200, 201),
        (Role.PLANT_HEAD, 200, 403),
        (Role.AUDITOR, 200, 403),
        (Role.TECHNICIAN, 403, 403),
    ):
        with site.as_person(f"{role.value} {gateway.name}", Grant(role)) as client:
            assert client.get("/api/v1/gateways").status_code == looks
            assert client.post(f"{gateway.base}/requests", json=body).status_code == asks
            number = asked(site, gateway)
            called_off = client.delete(f"{gateway.base}/requests/{number}").status_code
            assert called_off == (204 if asks == 201 else 403)
            assert client.delete(f"/api/v1/gateways/none of {role}").status_code == (404 if asks == 201 else 403)


def test_a_thinned_signal_is_marked_as_such(site: Site, gateway: Gateway) -> None:
    gateway.beat(silent=("p1.speed",))
    signals = {s["id"]: s["thinned"] for s in site.client.get("/api/v1/assets/p1").json()["signals"]}
    assert signals["p1.vibration"] is True
    others = site.client.get("/api/v1/assets/q1").json()["signals"]
    assert [s["thinned"] for s in others] == [False]
