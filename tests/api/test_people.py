"""Accounts over a real server: who may make and change them, and what the audit log knows of it."""

from collections.abc import Iterator

import httpx
import pytest

from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction
from tests.api.access_site import ADMIN, PASSWORD, AccessSite, serving_access, signed_in


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    with serving_access(tmp_path_factory.mktemp("people")) as running:
        running.person("admin", ADMIN)
        running.person("auditor", Grant(Role.AUDITOR))
        running.person("technician", Grant(Role.TECHNICIAN))
        running.person("part", Grant(Role.ADMIN, "acme/pune"))
        yield running


@pytest.fixture
def admin(site: AccessSite) -> Iterator[httpx.Client]:
    with site.browser() as client:
        signed_in(client, "admin")
        yield client


def test_a_new_person_gets_a_password_once_and_must_change_it(site: AccessSite, admin: httpx.Client) -> None:
    grants = [{"role": "technician", "path": "acme/pune/hall"}, {"role": "technician", "path": "acme/pune/hall"}]
    answer = admin.post("/api/v1/people", json={"name": " Šárka ", "full_name": "Šárka N.", "grants": grants})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made["person"]["name"] == "Šárka"
    assert made["person"]["grants"] == grants[:1]
    assert made["person"]["must_change"]
    with site.browser() as client:
        assert signed_in(client, "šárka", made["one_time_password"])["person"] == made["person"]
    deed = site.stores.deeds(AuditAction.PERSON_CHANGED)[0]
    assert (deed.actor, deed.target, deed.address) == ("admin", "person Šárka", "127.0.0.1")
    assert made["one_time_password"] not in str(site.stores.deeds())
    again = admin.post("/api/v1/people", json={"name": "ŠÁRKA", "grants": []})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x"}, 422),
        ({"name": "", "grants": []}, 422),
        ({"name": "  ", "grants": []}, 422),
        ({"name": "a\nb", "grants": []}, 422),
        ({"name": "a\u0000b", "grants": []}, 422),
        ({"name": "a\u202eb", "grants": []}, 422),
        ({"name": "x" * 65, "grants": []}, 422),
        ({"name": 7, "grants": []}, 422),
        ({"name": "x", "grants": {}}, 422),
        ({"name": "x", "grants": [{"role": "root", "path": ""}]}, 422),
        ({"name": "x", "grants": [{"role": "admin", "path": None}]}, 422),
        ({"name": "x", "grants": [], "password_hash": "y"}, 422),
        ({"name": "x", "grants": [{"role": "admin", "path": ""}] * 101}, 422),
        ({"name": "x", "grants": [{"role": "gateway", "path": ""}]}, 400),
        ({"name": "x", "grants": [{"role": "admin", "path": "acme/pun"}]}, 400),
        ({"name": "x", "grants": [{"role": "admin", "path": "acme/"}]}, 400),
        ({"name": "x", "grants": [{"role": "admin", "path": "/acme"}]}, 400),
        ({"name": "x", "grants": [{"role": "admin", "path": "acme/../acme"}]}, 400),
        ({"name": "x", "grants": [{"role": "admin", "path": "ACME"}]}, 400),
        ({"name": "x", "grants": [{"role": "admin", "path": "acme/pune/hall/line1/p1"}]}, 400),
    ],
)
def test_what_is_no_person(site: AccessSite, admin: httpx.Client, body: dict[str, object], status: int) -> None:
    answer = admin.post("/api/v1/people", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["field"]
    assert all(person.name != "x" for person in site.stores.people.people())


def test_changes_are_recorded_as_what_changed(site: AccessSite, admin: httpx.Client) -> None:
    site.person("worker", Grant(Role.TECHNICIAN))
    with site.browser() as worker:
        signed_in(worker, "worker")
        url = "/api/v1/people/id-worker"
        changed = admin.patch(url, json={"grants": [{"role": "auditor", "path": ""}]}).json()
        assert "audit.read" in changed["actions"]
        assert worker.get("/api/v1/people").status_code == 200
        deed = site.stores.deeds(AuditAction.PERSON_CHANGED)[0]
        assert deed.before == {"grants": [{"role": "technician", "path": ""}]}
        assert deed.after == {"grants": [{"role": "auditor", "path": ""}]}
        assert admin.patch(url, json={"full_name": "W."}).json()["full_name"] == "W."
        assert admin.patch(url, json={"disabled": True}).json()["disabled"]
        assert worker.get("/api/v1/session").status_code == 401
        assert worker.post("/api/v1/session/refresh").status_code == 401
        assert admin.patch(url, json={"disabled": False}).status_code == 200
        assert worker.get("/api/v1/session").status_code == 401
        signed_in(worker, "worker")
    assert admin.patch(url, json={}).status_code == 400
    assert admin.patch(url, json={"name": "other"}).status_code == 422
    assert admin.patch(url, json={"disabled": "yes"}).status_code == 422
    assert admin.patch("/api/v1/people/nobody", json={"disabled": True}).status_code == 404


def test_the_last_admin_stays(site: AccessSite, admin: httpx.Client) -> None:
    assert admin.patch("/api/v1/people/id-admin", json={"disabled": True}).status_code == 409
    assert admin.patch("/api/v1/people/id-admin", json={"grants": []}).status_code == 409
    assert admin.get("/api/v1/session").status_code == 200


def test_a_reset_ends_everything_and_is_shown_once(site: AccessSite, admin: httpx.Client) -> None:
    site.person("forgot", Grant(Role.TECHNICIAN))
    with site.browser() as person:
        signed_in(person, "forgot")
        password = admin.post("/api/v1/people/id-forgot/password").json()["one_time_password"]
        assert person.get("/api/v1/session").status_code == 401
        assert person.post("/api/v1/session", json={"name": "forgot", "password": PASSWORD}).status_code == 401
        assert signed_in(person, "forgot", password)["person"]["must_change"]
    assert password not in str(site.stores.deeds())
    assert admin.post("/api/v1/people/nobody/password").status_code == 404


@pytest.mark.parametrize(
    ("name", "reads"), [("admin", True), ("auditor", True), ("technician", False), ("part", False)]
)
def test_who_reads_and_who_changes(site: AccessSite, name: str, reads: bool) -> None:
    with site.browser() as client:
        signed_in(client, name)
        for url in ("/api/v1/people", "/api/v1/roles", "/api/v1/machines"):
            assert client.get(url).status_code == (200 if reads else 403)
        # Everybody may list sessions; whose they are is the difference.
        listed = client.get("/api/v1/sessions").json()["sessions"]
        assert reads or {s["person_name"] for s in listed} == {name}
        if name != "admin":
            body = {"name": "y", "grants": [{"role": "admin", "path": ""}]}
            assert client.post("/api/v1/people", json=body).status_code == 403
            assert client.patch(f"/api/v1/people/id-{name}", json=body).status_code == 403
            assert client.post("/api/v1/people/id-admin/password").status_code == 403
            assert client.post("/api/v1/machines", json=body).status_code == 403


def test_no_hash_leaves(admin: httpx.Client) -> None:
    text = admin.get("/api/v1/people").text
    assert "argon2" not in text
    assert "hash" not in text


def test_roles_and_places(admin: httpx.Client) -> None:
    answer = admin.get("/api/v1/roles").json()
    assert answer["paths"] == ["", "acme", "acme/pune", "acme/pune/hall", "acme/pune/hall/line1"]
    assert "access.manage" in answer["site_wide_actions"]
    roles = {role["role"]: role for role in answer["roles"]}
    assert set(roles) == {role.value for role in Role}
    assert not roles["technician"]["site_wide"]
    assert sorted(roles["gateway"]["actions"]) == ["readings.write", "session.own"]
