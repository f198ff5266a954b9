"""Nobody comes past the door: every route has a rule, every role has its part, every part its border."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute

from forewarn.api.application import create_app
from forewarn.api.guard import GuardedRoute
from forewarn.api.rules import OPEN, RULES
from forewarn.domain.access import Action, Grant, Role
from forewarn.policies.access import ALLOWED, SITE_WIDE
from tests.api.event_stream import EventStream
from tests.api.site import PATH, SECOND_PATH, Site
from tests.api.test_telemetry import fresh_ms

PEOPLE = [role for role in Role if role is not Role.GATEWAY]
HERE = "/".join(PATH)
ELSEWHERE = "/".join(SECOND_PATH)
# Not APIRoutes of ours: what the API is, and the page.
KNOWN_OTHERS = {"/openapi.json", ""}


def routes_of(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from routes_of(inner.routes)


def test_every_route_is_guarded_and_has_a_rule(site: Site) -> None:
    app = create_app(site.opened.parts, site.opened.access)
    found = set()
    for route in routes_of(list(app.routes)):
        if not isinstance(route, GuardedRoute):
            assert getattr(route, "path", None) in KNOWN_OTHERS, route
            continue
        found |= {(method, route.path) for method in route.methods}
    assert found == set(RULES)


# What a gateway says of itself: nobody else may, whatever their role.
SPOKEN = ("/signals", "/parcels/{number}", "/heartbeat", "/lease", "/models", "/models/{model_id}")
GATEWAY_NAME = "somebody's gateway"


def filled(path: str) -> str:
    names = ("session", "person", "machine", "asset", "sensor", "anomaly", "request", "model", "job", "rollout")
    given = dict.fromkeys([f"{name}_id" for name in names], "x")
    return path.format(**given, number="x", version="x", gateway=GATEWAY_NAME)


def knock(client: httpx.Client, method: str, path: str, **more: Any) -> int:
    """The status; of an endless stream as well."""
    with client.stream(method, filled(path), **more) as answer:
        return answer.status_code


@pytest.mark.parametrize(("method", "path"), [key for key, rule in RULES.items() if rule is not OPEN])
def test_nobody_unknown_gets_in(site: Site, method: str, path: str) -> None:
    with httpx.Client(base_url=site.url) as stranger:
        assert knock(stranger, method, path) == 401
        assert knock(stranger, method, path, headers={"Authorization": "Bearer nonsense"}) == 401
        assert knock(stranger, method, path, headers={"Authorization": "Basic YWRtaW46YWRtaW4="}) == 401
        if method == "GET":
            assert knock(stranger, "HEAD", path) in (401, 405)


@pytest.fixture(scope="module")
def everybody(site: Site) -> Iterator[dict[Role, httpx.Client]]:
    clients = {role: site.as_person(f"the {role.value}", Grant(role)) for role in PEOPLE}
    key = site.opened.credentials.machine(GATEWAY_NAME)
    clients[Role.GATEWAY] = httpx.Client(base_url=site.url, auth=key)
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_table_says(site: Site, everybody: dict[Role, httpx.Client], role: Role) -> None:
    """Empty bodies: who is let in is told what is missing, and nothing happens."""
    for (method, path), rule in RULES.items():
        if rule is OPEN or rule is Action.OWN_SESSION or path.endswith(("/start", "/stop", "-simulation")):
            continue
        status = knock(everybody[role], method, path, **({} if method in ("GET", "DELETE") else {"json": {}}))
        spoken = path.startswith("/api/v1/gateways/") and path.endswith(SPOKEN)
        if rule in ALLOWED[role] and (role is Role.GATEWAY or not spoken):
            assert status not in (401, 403), (method, path, status)
        else:
            assert status == 403, (method, path, status)


@pytest.mark.parametrize("role", PEOPLE)
def test_a_role_on_a_part_gives_nothing_of_the_site(site: Site, role: Role) -> None:
    with site.as_person(f"partly {role.value}", Grant(role, HERE)) as client:
        for (method, path), rule in RULES.items():
            if rule in SITE_WIDE:
                assert knock(client, method, path, **({} if method in ("GET", "DELETE") else {"json": {}})) == 403


def test_a_part_of_the_plant_is_all_there_is(site: Site) -> None:
    site.post([{"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 1.0}])
    site.post([{"sensor_id": "q1.vibration", "timestamp": fresh_ms(), "value": 2.0}])
    site.settle()
    with site.as_person("goa", Grant(Role.PLANT_ENGINEER, ELSEWHERE)) as client:
        assert [a["id"] for a in client.get("/api/v1/assets").json()["assets"]] == ["q1"]
        assert client.get("/api/v1/assets/q1").status_code == 200
        hidden, absent = client.get("/api/v1/assets/p1"), client.get("/api/v1/assets/none")
        assert (hidden.status_code, hidden.json()["detail"].replace("p1", "none")) == (404, absent.json()["detail"])
        for path, query in (
            ("/api/v1/series", {"signals": "p1.vibration"}),
            ("/api/v1/sensors/p1.vibration/timeseries", {}),
            ("/api/v1/live", {"asset_id": "p1"}),
            ("/api/v1/live", {"signals": "p1.vibration"}),
            ("/api/v1/export", {"signals": "p1.vibration", "start": "1", "end": "2"}),
            ("/api/v1/alarms/journal", {"id": "p1/vib-high"}),
            ("/api/live-data", {"asset_id": "p9"}),
        ):
            assert client.get(path, params=query).status_code == 404, path
        assert client.get("/api/v1/alarms", params={"asset_id": "p1"}).json()["alarms"] == []
        acted = client.post(
            "/api/v1/alarms/actions", json={"ids": ["p1/vib-high"], "action": "comment", "comment": "x"}
        )
        assert acted.json()["results"][0]["ok"] is False
        refused = client.post(
            "/api/v1/telemetry/batch",
            json={"gateway_id": "me", "readings": [{"sensor_id": "p1.vibration", "timestamp": 1, "value": 0}]},
        )
        assert refused.json()["verdicts"][0]["reason"] == "unknown_signal"


def test_the_live_feed_of_a_part(site: Site) -> None:
    token = site.opened.credentials.person("goa listener", Grant(Role.TECHNICIAN, ELSEWHERE)).token
    stream = EventStream(site.url, token)
    stream.until("hello")
    site.post([{"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 1.0}])
    site.post([], anomalies=[{"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 9, "anomaly_score": 0.9}])
    site.post([], anomalies=[{"sensor_id": "q1.vibration", "timestamp": fresh_ms(), "value": 8, "anomaly_score": 0.9}])
    site.post([{"sensor_id": "q1.vibration", "timestamp": fresh_ms(), "value": 3.5}])
    heard = []
    while not {"readings", "anomaly"} <= {event.name for event in heard}:
        event = stream.next()
        assert event is not None
        heard.append(event)
    stream.close()
    for event in heard:
        if event.name == "readings":
            assert set(event.data["signal"]) == {"q1.vibration"}
        else:
            assert event.data["asset_id"] == "q1"


def test_a_key_speaks_for_its_gateway_alone(site: Site) -> None:
    key = site.opened.credentials.machine("edge-7", HERE)
    reading = {"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 1.0}

    def push(gateway: str) -> httpx.Response:
        body = {"gateway_id": gateway, "readings": [reading]}
        return httpx.post(f"{site.url}/api/v1/telemetry/batch", json=body, headers=key.header)

    assert push("edge-7").status_code == push("edge-7/line-2").status_code == 202
    for other in ("edge-70", "edge-8", "edge", "Edge-7"):
        assert push(other).status_code == 403
    reading["sensor_id"] = "q1.vibration"
    assert push("edge-7").json()["verdicts"][0]["reason"] == "unknown_signal"
    flat = httpx.post(f"{site.url}/api/ingest", json={"Motor_RPM": 1480}, headers=key.header)
    assert flat.status_code == 202


def test_a_person_s_numbers_never_meet_a_gateway_s(site: Site) -> None:
    readings = [{"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 1.0}]
    assert site.post(readings, gateway="edge-9", sequence=5).json()["batch_repeated"] is False
    body = {"gateway_id": "edge-9", "readings": readings, "sequence": 5}
    mine = site.client.post("/api/v1/telemetry/batch", json=body).json()
    assert (mine["batch_repeated"], mine["sequence_reused"], mine["duplicate"]) == (False, False, 1)


def test_before_the_first_password_is_changed_nothing_works(site: Site) -> None:
    auth = site.opened.credentials.person("newcomer", must_change=True)
    with httpx.Client(base_url=site.url, auth=auth) as client:
        assert client.get("/api/v1/session").status_code == 200
        refused = client.get("/api/v1/assets")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:forewarn:problem:not-allowed")


def test_what_is_revoked_is_refused_at_once(site: Site) -> None:
    with site.as_person("leaver") as client:
        assert client.get("/api/v1/assets").status_code == 200
        person = next(p for p in site.client.get("/api/v1/people").json()["people"] if p["name"] == "leaver")
        assert site.client.patch(f"/api/v1/people/{person['id']}", json={"disabled": True}).status_code == 200
        assert client.get("/api/v1/assets").status_code == 401


def test_a_stream_ends_with_its_session(site: Site) -> None:
    auth = site.opened.credentials.person("stays too long", Grant(Role.TECHNICIAN))
    stream = EventStream(site.url, auth.token)
    stream.until("hello")
    person = next(p for p in site.client.get("/api/v1/people").json()["people"] if p["name"] == "stays too long")
    site.client.patch(f"/api/v1/people/{person['id']}", json={"disabled": True})
    site.post([{"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 1.0}])
    assert stream.next() is None
    stream.close()


def test_deeds_are_recorded(site: Site) -> None:
    site.client.post("/api/v1/alarms/actions", json={"ids": ["p1/vib-high"], "action": "comment", "comment": "seen it"})
    span = {"signals": "p1.vibration", "start": "1700000000000", "end": "1700000001000"}
    assert site.client.get("/api/v1/export", params=span).status_code == 200
    site.client.post("/api/v1/simulation/stop")
    entries = site.client.get("/api/v1/audit").json()["entries"][:3]
    assert [(e["action"], e["actor"], e["target"]) for e in entries] == [
        ("command_given", "anna", "simulation"),
        ("readings_exported", "anna", "1 signals"),
        ("alarm_acted", "anna", "p1/vib-high"),
    ]
    assert entries[2]["why"] == "seen it"
    assert site.parts.audit.verify().faults == ()
