"""Signing in and out over a real server, as its users and its attackers do it."""

import concurrent.futures
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction
from forewarn.kit.clock import DAY, MINUTE, SECOND
from tests.api.access_site import ADMIN, PASSWORD, AccessSite, serving_access, signed_in

NEW = "seven slow herons over Pune"


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    with serving_access(tmp_path_factory.mktemp("access")) as running:
        running.person("anna", ADMIN)
        running.person("ben", Grant(Role.TECHNICIAN))
        yield running


@pytest.fixture
def browser(site: AccessSite) -> Iterator[httpx.Client]:
    with site.browser() as client:
        yield client


def _attempt(client: httpx.Client, name: object, password: object = "wrong") -> httpx.Response:
    return client.post("/api/v1/session", json={"name": name, "password": password})


def test_in_and_out(site: AccessSite, browser: httpx.Client) -> None:
    answer = _attempt(browser, "ANNA", PASSWORD)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    for part in ("forewarn_refresh=", "HttpOnly", "SameSite=strict", "Path=/api/v1/session", "Max-Age=604800"):
        assert part in cookie
    assert "Secure" not in cookie
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["person"]["name"] == "anna"
    assert "access.manage" in body["person"]["actions"]
    assert "hash" not in answer.text
    browser.headers["Authorization"] = f"Bearer {body['access_token']}"
    assert browser.get("/api/v1/session").json()["person"]["id"] == "id-anna"
    out = browser.delete("/api/v1/session")
    assert out.status_code == 204
    assert 'forewarn_refresh=""' in out.headers["set-cookie"]
    assert browser.get("/api/v1/session").status_code == 401
    assert [d.action for d in site.stores.deeds()][:2] == [AuditAction.SIGNED_OUT, AuditAction.SIGNED_IN]
    assert site.stores.deeds(AuditAction.SIGNED_IN)[0].address == "127.0.0.1"


def test_nobody_learns_which_names_there_are(site: AccessSite, browser: httpx.Client) -> None:
    site.person("gone", ADMIN)
    site.person("elsewhere", ADMIN, password=None)
    deed = site.stores.deeds()[0]
    site.access.people.change("id-gone", lambda person: replace(person, disabled=True), lambda a, b: deed)
    answers, costs = set(), set()
    for name in ("anna", "nobody", "gone", "elsewhere", "áñ\u0000na", "", "ud", "冷却"):
        before = site.hashing.verified
        answer = _attempt(browser, name, PASSWORD + "x")
        body = answer.json()
        answers.add((answer.status_code, body["type"], body["detail"], "set-cookie" in answer.headers))
        costs.add(site.hashing.verified - before)
    assert answers == {(401, "urn:forewarn:problem:not-signed-in", "name or password is wrong", False)}
    assert costs == {1}
    assert _attempt(browser, "gone", PASSWORD).json()["detail"] == "name or password is wrong"
    assert all(PASSWORD not in str(deed) for deed in site.stores.deeds())


@pytest.mark.parametrize("attempts", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_storm_of_wrong_passwords_costs_few_hashes(site: AccessSite, browser: httpx.Client, attempts: int) -> None:
    first = [_attempt(browser, "anna").status_code for _ in range(5)]
    assert first == [401] * 5
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [site.browser() for _ in range(4)]

        def storm(client: httpx.Client) -> set[int]:
            return {_attempt(client, "anna", PASSWORD).status_code for _ in range(attempts // 4)}

        seen: set[int] = set().union(*pool.map(storm, clients))
        for client in clients:
            client.close()
    assert seen == {429}
    assert site.hashing.verified == 5
    assert len(site.stores.deeds(AuditAction.SIGN_IN_REFUSED)) == 5


def test_many_at_once_are_no_way_around_the_lock_out(site: AccessSite) -> None:
    def one(_: int) -> int:
        with site.browser() as client:
            return _attempt(client, "anna").status_code

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(one, range(48)))
    assert set(statuses) <= {401, 429, 503}
    # The two who have the turn at once may both have asked before either failed.
    assert 5 <= site.hashing.verified <= 6
    assert site.hashing.most_at_once <= 2


def test_the_wait_doubles_and_ends(site: AccessSite, browser: httpx.Client) -> None:
    for _ in range(5):
        _attempt(browser, "anna")
    refused = _attempt(browser, "anna", PASSWORD)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["type"] == "urn:forewarn:problem:delayed"
    site.clock.now += SECOND
    assert _attempt(browser, "anna").status_code == 401
    assert _attempt(browser, "anna").headers["retry-after"] == "2"
    site.clock.now += 2 * SECOND
    assert _attempt(browser, "anna", PASSWORD).status_code == 200
    assert [_attempt(browser, "anna").status_code for _ in range(5)] == [401] * 5


def test_an_account_of_ones_own_buys_no_more_guesses_at_others(site: AccessSite, browser: httpx.Client) -> None:
    for victim in range(20):
        assert _attempt(browser, f"victim{victim}").status_code == 401
        if victim % 4 == 0:
            assert _attempt(browser, "ben", PASSWORD).status_code == 200
    assert _attempt(browser, "victim99").status_code == 429


def test_guesses_from_afar_do_not_keep_out_who_is_signed_in_here(site: AccessSite, browser: httpx.Client) -> None:
    deed = site.stores.deeds()[0]
    for _ in range(60):
        site.stores.people.record_failure(["name anna"], site.clock(), deed)
    assert _attempt(browser, "anna", PASSWORD).headers["retry-after"] == "30"
    site.clock.now += 30 * SECOND
    signed_in(browser, "anna")
    site.stores.people.record_failure(["name anna"], site.clock(), deed)
    assert _attempt(browser, "anna", PASSWORD).status_code == 200


def test_refresh_changes_the_cookie(site: AccessSite, browser: httpx.Client) -> None:
    signed_in(browser, "anna")
    old = browser.cookies["forewarn_refresh"]
    site.clock.now += 11 * MINUTE
    assert browser.get("/api/v1/session").status_code == 401
    answer = browser.post("/api/v1/session/refresh")
    assert answer.status_code == 200
    assert browser.cookies["forewarn_refresh"] != old
    browser.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    assert browser.get("/api/v1/session").status_code == 200
    site.clock.now += 7 * DAY
    gone = browser.post("/api/v1/session/refresh")
    assert gone.status_code == 401
    assert "forewarn_refresh" not in browser.cookies


def test_a_secret_that_comes_twice_ends_the_session(site: AccessSite, browser: httpx.Client) -> None:
    signed_in(browser, "anna")
    stolen = browser.cookies["forewarn_refresh"]
    browser.headers["Authorization"] = f"Bearer {browser.post('/api/v1/session/refresh').json()['access_token']}"
    assert browser.get("/api/v1/session").status_code == 200
    site.clock.now += 11 * SECOND
    with site.browser() as thief:
        thief.cookies.set("forewarn_refresh", stolen)
        answer = thief.post("/api/v1/session/refresh")
    assert answer.status_code == 401
    assert 'forewarn_refresh=""' in answer.headers["set-cookie"]
    assert browser.get("/api/v1/session").status_code == 401
    assert browser.post("/api/v1/session/refresh").status_code == 401
    replays = site.stores.deeds(AuditAction.REFRESH_REPLAYED)
    assert [deed.actor for deed in replays] == ["anna"]
    assert stolen.partition(".")[2] not in str(replays)


def test_who_reads_lists_and_log_cannot_end_sessions(site: AccessSite, browser: httpx.Client) -> None:
    """A known id with any secret looks like a replay: what auditors read must not be half of the cookie."""
    site.person("auditor", Grant(Role.AUDITOR))
    signed_in(browser, "anna")
    session_id = browser.cookies["forewarn_refresh"].partition(".")[0]
    with site.browser() as auditor:
        signed_in(auditor, "auditor")
        listed = auditor.get("/api/v1/sessions").json()["sessions"]
    assert session_id not in str(listed)
    assert session_id not in str(site.stores.deeds())
    for session in listed:
        headers = {"Cookie": f"forewarn_refresh={session['id']}.guess"}
        assert httpx.post(f"{site.url}/api/v1/session/refresh", headers=headers).status_code == 401
    assert browser.get("/api/v1/session").status_code == 200
    assert browser.post("/api/v1/session/refresh").status_code == 200


def test_two_tabs_that_refresh_at_once(site: AccessSite, browser: httpx.Client) -> None:
    signed_in(browser, "anna")
    cookie = browser.cookies["forewarn_refresh"]

    def tab(_: int) -> httpx.Response:
        headers = {"Origin": site.url, "Cookie": f"forewarn_refresh={cookie}"}
        return httpx.post(f"{site.url}/api/v1/session/refresh", headers=headers)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(tab, range(4)))
    assert [a.status_code for a in answers] == [200] * 4
    fresh = [a.headers["set-cookie"] for a in answers if "set-cookie" in a.headers]
    assert len({cookie.partition(";")[0] for cookie in fresh}) == 1
    assert len(fresh) == 4
    assert not site.stores.deeds(AuditAction.REFRESH_REPLAYED)


def test_a_page_left_before_it_heard_of_the_new_cookie_stays_signed_in(site: AccessSite, browser: httpx.Client) -> None:
    signed_in(browser, "anna")
    before = browser.cookies["forewarn_refresh"]
    heard = browser.post("/api/v1/session/refresh").headers["set-cookie"]
    with site.browser() as after:
        after.cookies.set("forewarn_refresh", before)
        site.clock.now += 5 * SECOND
        assert after.post("/api/v1/session/refresh").headers["set-cookie"].partition(";")[0] == heard.partition(";")[0]
        fresh = heard.partition(";")[0].partition("=")[2]
    with site.browser() as later:
        later.cookies.set("forewarn_refresh", fresh)
        site.clock.now += MINUTE
        assert later.post("/api/v1/session/refresh").status_code == 200
    assert not site.stores.deeds(AuditAction.REFRESH_REPLAYED)


@pytest.mark.parametrize(
    "cookie", ["", ".", "x", "a.b", "a.b.c", "é" * 40, "a" * 3_000 + ".x", '"', "id-anna.", "s\u00001.x"]
)
def test_refresh_with_garbage(site: AccessSite, cookie: str) -> None:
    headers = {b"Cookie": b"forewarn_refresh=" + cookie.replace("\u0000", "").encode("latin-1")}
    assert httpx.post(f"{site.url}/api/v1/session/refresh", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[::1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_another_sites_page_gets_nowhere(site: AccessSite, browser: httpx.Client, headers: dict[str, str]) -> None:
    signed_in(browser, "anna")
    cookie = browser.cookies["forewarn_refresh"]
    with httpx.Client(base_url=site.url, headers=headers) as other:
        other.cookies.set("forewarn_refresh", cookie)
        assert other.post("/api/v1/session/refresh").status_code == 403
        assert _attempt(other, "anna", PASSWORD).status_code == 403
    assert browser.post("/api/v1/session/refresh").status_code == 200


def test_a_form_of_another_site_is_no_json(site: AccessSite) -> None:
    body = b'{"name": "anna", "password": "gravel under the old turbine"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = httpx.post(f"{site.url}/api/v1/session", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 8_000,
        b'{"name": "anna"}',
        b'{"name": 1, "password": "x"}',
        b'{"name": "anna", "password": null}',
        b'{"name": ["anna"], "password": "x"}',
        b'{"name": "anna", "password": "x", "admin": true}',
        b'{"name": "anna", "password": "' + b"x" * 1_025 + b'"}',
        b'{"name": "' + b"a" * 201 + b'", "password": "x"}',
        b"\xff\xfe{",
    ],
)
def test_wrong_bodies(site: AccessSite, body: bytes) -> None:
    answer = httpx.post(f"{site.url}/api/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert site.hashing.verified == 0


def test_a_lone_surrogate_is_refused_and_not_an_error(site: AccessSite) -> None:
    for body in (b'{"name": "\\ud800", "password": "x"}', b'{"name": "anna", "password": "\\ud800"}'):
        answer = httpx.post(f"{site.url}/api/v1/session", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (401, 422)


def test_oversized_bodies_are_refused_unread(site: AccessSite) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 1_024

    for content in (b" " * 16_385, endless()):
        headers = {"Content-Type": "application/json"}
        assert httpx.post(f"{site.url}/api/v1/session", content=content, headers=headers).status_code == 413


def test_a_password_of_ones_own(site: AccessSite, browser: httpx.Client) -> None:
    site.person("new", ADMIN, must_change=True)
    with site.browser() as elsewhere:
        signed_in(elsewhere, "new")
        assert signed_in(browser, "new")["person"]["must_change"]
        assert browser.get("/api/v1/people").status_code == 403
        for old, new, field in (
            ("wrong", NEW, "old"),
            (PASSWORD, "short", "new"),
            (PASSWORD, "passwordpassword", "new"),
            (PASSWORD, PASSWORD, "new"),
        ):
            answer = browser.post("/api/v1/session/password", json={"old": old, "new": new})
            assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
        cookie = browser.cookies["forewarn_refresh"]
        answer = browser.post("/api/v1/session/password", json={"old": PASSWORD, "new": NEW})
        assert answer.status_code == 200, answer.text
        assert not answer.json()["person"]["must_change"]
        assert browser.cookies["forewarn_refresh"] != cookie
        assert browser.get("/api/v1/people").status_code == 401
        browser.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        assert browser.get("/api/v1/people").status_code == 200
        assert elsewhere.get("/api/v1/session").status_code == 401
        assert elsewhere.post("/api/v1/session/refresh").status_code == 401
    assert _attempt(browser, "new", PASSWORD).status_code == 401
    assert _attempt(browser, "new", NEW).status_code == 200
    for deed in site.stores.deeds():
        assert PASSWORD not in str(deed)
        assert NEW not in str(deed)
        assert "argon2" not in str(deed)


def test_a_name_is_no_password(site: AccessSite, browser: httpx.Client) -> None:
    site.person("long.name.of.somebody", ADMIN)
    signed_in(browser, "long.name.of.somebody")
    answer = browser.post("/api/v1/session/password", json={"old": PASSWORD, "new": "Long.Name.Of.Somebody"})
    assert answer.json()["field"] == "new"


def test_a_stolen_token_is_no_way_to_guess_the_password(site: AccessSite, browser: httpx.Client) -> None:
    signed_in(browser, "anna")
    statuses = [
        browser.post("/api/v1/session/password", json={"old": f"guess {n}", "new": NEW}).status_code for n in range(8)
    ]
    assert statuses == [400] * 5 + [429] * 3


def test_unicode_is_the_same_however_it_is_typed(site: AccessSite, browser: httpx.Client) -> None:
    site.person("Zoë", ADMIN, must_change=True)
    signed_in(browser, "zoe\u0308")
    composed, decomposed = "Kühlwasserpumpe rumpelt öfter", "Ku\u0308hlwasserpumpe rumpelt o\u0308fter"
    answer = browser.post("/api/v1/session/password", json={"old": PASSWORD, "new": composed})
    assert answer.status_code == 200, answer.text
    assert _attempt(browser, "ZOË", decomposed).status_code == 200


def test_sessions_mine_and_others(site: AccessSite, browser: httpx.Client) -> None:
    with site.browser() as second, site.browser() as ben:
        signed_in(browser, "anna")
        signed_in(second, "anna")
        signed_in(ben, "ben")
        listed = browser.get("/api/v1/sessions").json()["sessions"]
        assert sorted((s["person_name"], s["mine"]) for s in listed) == [("anna", True), ("anna", True), ("ben", False)]
        of_ben = next(s["id"] for s in listed if s["person_name"] == "ben")
        of_anna = next(s["id"] for s in listed if s["person_name"] == "anna")
        assert [s["person_name"] for s in ben.get("/api/v1/sessions").json()["sessions"]] == ["ben"]
        assert ben.delete(f"/api/v1/sessions/{of_anna}").status_code == 403
        assert ben.delete("/api/v1/sessions/unknown").status_code == 403
        assert browser.delete("/api/v1/session/others").json() == {"ended": 1}
        assert second.get("/api/v1/session").status_code == 401
        assert browser.get("/api/v1/session").status_code == 200
        assert ben.delete(f"/api/v1/sessions/{of_ben}").status_code == 204
        assert ben.get("/api/v1/session").status_code == 401
        signed_in(ben, "ben")
        of_ben = next(s["id"] for s in browser.get("/api/v1/sessions").json()["sessions"] if not s["mine"])
        assert browser.delete(f"/api/v1/sessions/{of_ben}").status_code == 204
        assert browser.delete(f"/api/v1/sessions/{of_ben}").status_code == 404
        assert ben.get("/api/v1/session").status_code == 401


def test_a_script_does_not_fill_the_memory_with_sessions(site: AccessSite, browser: httpx.Client) -> None:
    for _ in range(55):
        site.clock.now += 1
        assert _attempt(browser, "ben", PASSWORD).status_code == 200
    assert len(site.stores.people.sessions()) == 50


def test_the_demo_is_not_there(site: AccessSite, browser: httpx.Client) -> None:
    assert browser.post("/api/v1/session/demo").status_code == 404
    assert all(person.name != "demo" for person in site.stores.people.people())


def test_the_demo_signs_in_on_this_machine_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving_access(tmp_path_factory.mktemp("demo"), demo=True) as site, site.browser() as browser:
        port = site.url.rpartition(":")[2]
        for headers, status in (
            ({"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}, 404),
            ({"Host": f"127.0.0.1.evil.example:{port}", "Origin": f"http://127.0.0.1.evil.example:{port}"}, 404),
            ({"X-Forwarded-For": "203.0.113.9"}, 404),
            ({"Origin": "https://evil.example"}, 403),
        ):
            assert browser.post("/api/v1/session/demo", headers=headers).status_code == status, headers
        assert not site.stores.people.people()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: browser.post("/api/v1/session/demo"), range(3)))
        assert [a.status_code for a in answers] == [200] * 3
        assert [p.name for p in site.stores.people.people()] == ["demo"]
        local = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
        assert browser.post("/api/v1/session/demo", headers=local).status_code == 200
        assert _attempt(browser, "demo", "").status_code == 401


def test_an_account_that_is_called_demo_is_not_the_demos(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving_access(tmp_path_factory.mktemp("demo"), demo=True) as site, site.browser() as browser:
        site.person("Demo", ADMIN)
        assert browser.post("/api/v1/session/demo").status_code == 403
