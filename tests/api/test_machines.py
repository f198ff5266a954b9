"""Gateways' keys over a real server: enrolled, rotated, revoked."""

from collections.abc import Iterator

import httpx
import pytest

from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction
from forewarn.kit.clock import DAY, SECOND
from tests.api.access_site import ADMIN, AccessSite, serving_access, signed_in

GATEWAY = [{"role": "gateway", "path": "acme/pune"}]


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    with serving_access(tmp_path_factory.mktemp("machines")) as running:
        running.person("admin", ADMIN)
        running.person("engineer", Grant(Role.PLANT_ENGINEER))
        yield running


@pytest.fixture
def admin(site: AccessSite) -> Iterator[httpx.Client]:
    with site.browser() as client:
        signed_in(client, "admin")
        yield client


def _add(admin: httpx.Client, name: str = "gw1") -> tuple[str, str]:
    """(machine id, enrolment token)"""
    answer = admin.post("/api/v1/machines", json={"name": name, "grants": GATEWAY})
    assert answer.status_code == 201, answer.text
    return answer.json()["machine"]["id"], answer.json()["enrolment_token"]


def _enrol(site: AccessSite, token: str) -> httpx.Response:
    return httpx.post(f"{site.url}/api/v1/machines/enrol", json={"token": token})


def _rotate(site: AccessSite, key: str) -> httpx.Response:
    return httpx.post(f"{site.url}/api/v1/machines/key", headers={"Authorization": f"Bearer {key}"})


def _state(admin: httpx.Client, machine_id: str) -> dict[str, object]:
    found: dict[str, object] = next(
        m for m in admin.get("/api/v1/machines").json()["machines"] if m["id"] == machine_id
    )
    return found


def test_from_waiting_to_revoked(site: AccessSite, admin: httpx.Client) -> None:
    machine_id, token = _add(admin)
    assert _state(admin, machine_id)["state"] == "waiting"
    enrolled = _enrol(site, token)
    assert enrolled.status_code == 200
    assert enrolled.headers["cache-control"] == "no-store"
    key = enrolled.json()["key"]
    assert enrolled.json() == {"machine_id": machine_id, "gateway_id": "gw1", "key": key}
    state = _state(admin, machine_id)
    assert (state["state"], state["enrol_until"], state["rotating"]) == ("enrolled", None, False)
    assert _rotate(site, key).status_code == 200
    assert _state(admin, machine_id)["last_seen_at"] is not None
    assert admin.delete(f"/api/v1/machines/{machine_id}").status_code == 204
    assert _rotate(site, key).status_code == 401
    assert _state(admin, machine_id)["state"] == "revoked"
    assert admin.delete(f"/api/v1/machines/{machine_id}").status_code == 404
    assert admin.post(f"/api/v1/machines/{machine_id}/enrolment").status_code == 409
    told = str(site.stores.deeds())
    assert token.rpartition("_")[2] not in told
    assert key.rpartition("_")[2] not in told
    assert site.stores.deeds(AuditAction.MACHINE_ENROLLED)[0].actor == "gateway gw1"


def test_a_token_works_once_and_for_a_day(site: AccessSite, admin: httpx.Client) -> None:
    _, token = _add(admin)
    assert _enrol(site, token).status_code == 200
    again = _enrol(site, token)
    assert again.status_code == 401
    _, late = _add(admin, "gw2")
    site.clock.now += DAY
    refused = _enrol(site, late)
    assert (refused.status_code, refused.json()["detail"]) == (401, again.json()["detail"])


@pytest.mark.parametrize("token", ["", "_", "fwe_", "fwe_x_y", "fwe__", "é_é", "x" * 300])
def test_wrong_tokens(site: AccessSite, token: str) -> None:
    assert _enrol(site, token).status_code == 401


def test_bodies_that_are_no_token(site: AccessSite) -> None:
    for body in ({}, {"token": 1}, {"token": "x" * 301}, {"token": "x", "name": "y"}):
        assert httpx.post(f"{site.url}/api/v1/machines/enrol", json=body).status_code == 422
    big = {"token": "x" * 20_000}
    assert httpx.post(f"{site.url}/api/v1/machines/enrol", json=big).status_code == 413


def test_the_old_key_ends_with_the_first_use_of_the_new(site: AccessSite, admin: httpx.Client) -> None:
    machine_id, token = _add(admin)
    first = _enrol(site, token).json()["key"]
    second = _rotate(site, first).json()["key"]
    assert _state(admin, machine_id)["rotating"]
    # It lost the answer and asks again: what it was never told of is void.
    third = _rotate(site, first).json()["key"]
    assert _rotate(site, second).status_code == 401
    # The first use, and another rotation with it: the third is the one that stays beside the fourth.
    fourth = _rotate(site, third).json()["key"]
    assert _rotate(site, first).status_code == 401
    assert _rotate(site, third).status_code == 200
    assert _rotate(site, fourth).status_code == 401
    site.clock.now += 60 * SECOND
    site.access.book.refresh()
    assert _rotate(site, third).status_code == 200


def test_who_lost_its_key_enrols_again_and_the_old_key_ends_then(site: AccessSite, admin: httpx.Client) -> None:
    machine_id, token = _add(admin)
    old = _enrol(site, token).json()["key"]
    fresh = admin.post(f"/api/v1/machines/{machine_id}/enrolment").json()["enrolment_token"]
    assert _rotate(site, old).status_code == 200
    new = _enrol(site, fresh).json()["key"]
    assert _rotate(site, old).status_code == 401
    assert _rotate(site, new).status_code == 200


def test_a_machine_is_no_person_and_a_person_no_machine(site: AccessSite, admin: httpx.Client) -> None:
    answer = admin.post("/api/v1/machines", json={"name": "prom", "grants": [{"role": "auditor", "path": ""}]})
    key = _enrol(site, answer.json()["enrolment_token"]).json()["key"]
    with httpx.Client(base_url=site.url, headers={"Authorization": f"Bearer {key}"}) as prometheus:
        assert prometheus.get("/api/v1/session").status_code == 403
        assert prometheus.delete("/api/v1/session").status_code == 403
        assert prometheus.delete("/api/v1/session/others").status_code == 403
        body = {"old": "x", "new": "y"}
        assert prometheus.post("/api/v1/session/password", json=body).status_code == 403
        assert prometheus.delete("/api/v1/sessions/x").status_code == 403
        assert prometheus.get("/api/v1/people").status_code == 200
    assert admin.post("/api/v1/machines/key").status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "gw", "grants": [{"role": "admin", "path": ""}]}, 400),
        ({"name": "gw", "grants": [{"role": "gateway", "path": "other"}]}, 400),
        ({"name": "gw", "grants": [], "key_hash": "x"}, 422),
        ({"name": "", "grants": []}, 422),
        ({"name": "g\u0000w", "grants": []}, 422),
        ({"name": "x" * 129, "grants": []}, 422),
    ],
)
def test_what_is_no_machine(admin: httpx.Client, body: dict[str, object], status: int) -> None:
    assert admin.post("/api/v1/machines", json=body).status_code == status


def test_a_name_stands_once(admin: httpx.Client) -> None:
    machine_id, _ = _add(admin)
    assert admin.post("/api/v1/machines", json={"name": "gw1", "grants": GATEWAY}).status_code == 409
    admin.delete(f"/api/v1/machines/{machine_id}")
    assert admin.post("/api/v1/machines", json={"name": "gw1", "grants": GATEWAY}).status_code == 201


def test_an_engineer_makes_no_machine(site: AccessSite, admin: httpx.Client) -> None:
    machine_id, _ = _add(admin)
    with site.browser() as engineer:
        signed_in(engineer, "engineer")
        assert engineer.post("/api/v1/machines", json={"name": "mine", "grants": GATEWAY}).status_code == 403
        assert engineer.delete(f"/api/v1/machines/{machine_id}").status_code == 403
        assert engineer.post(f"/api/v1/machines/{machine_id}/enrolment").status_code == 403
        assert engineer.post("/api/v1/machines/key").status_code == 403
