"""Single sign-on with oidc-provider: the whole way of a browser, and the ways that end on the sign-in page."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from forewarn.api import id_token, oidc_client
from forewarn.api.sign_on_problems import SignOnProblem
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.people import Person
from forewarn.kit.clock import MINUTE
from tests.api.access_site import ADMIN, serving_access, signed_in
from tests.api.sign_on_site import (
    BEGIN,
    CALLBACK,
    SECRET,
    RealProvider,
    SignOnSite,
    problem_of,
    query_of,
    sign_on_site,
    with_real_provider,
)
from tests.peers.processes import free_port

MAP = {"maintenance": "technician:acme/pune", "managers": ("management", "auditor"), "root": "admin"}
TECHNICIAN = Grant(Role.TECHNICIAN, "acme/pune")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SignOnSite, RealProvider]]:
    """Roles by claim; who is not known is made a person."""
    directory = tmp_path_factory.mktemp("mapped")
    with with_real_provider(directory, oidc_role_map=MAP, oidc_create_people=True) as (site, provider):
        site.site.person("boss", ADMIN)
        yield site, provider


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SignOnSite, RealProvider]]:
    """Nobody is made a person, roles are given here."""
    with with_real_provider(tmp_path_factory.mktemp("closed")) as (site, provider):
        site.site.person("boss", ADMIN)
        yield site, provider


def deeds(site: SignOnSite, *actions: AuditAction) -> list[Deed]:
    return site.site.stores.deeds(*actions)


def named(site: SignOnSite, name: str) -> Person:
    return next(person for person in site.site.stores.people.people() if person.name == name)


def refused(site: SignOnSite, problem: str, location: str) -> Deed:
    """The browser is on the sign-in page, and the newest refusal in the audit log says why."""
    assert problem_of(location) == problem
    return deeds(site, AuditAction.SIGN_IN_REFUSED)[0]


def test_the_whole_way(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = pair
    provider.accounts(anna={"name": "Anna Nová", "preferred_username": "anna", "roles": ["maintenance", "chess"]})
    with site.browser() as browser:
        away = query_of(browser.away("/alarms?state=active"))
        assert away["code_challenge_method"] == "S256"
        assert away["response_type"] == "code"
        assert {"state", "nonce", "code_challenge"} <= set(away)
        assert browser.signs_in("anna", return_to="/alarms?state=active") == "/alarms?state=active"
        person = browser.person()
        assert (person["name"], person["full_name"], person["single_sign_on"]) == ("anna", "Anna Nová", True)
        assert person["grants"] == [{"role": "technician", "path": "acme/pune"}]
        assert not any("sign_on" in cookie.name for cookie in browser.client.cookies.jar)
    made = deeds(site, AuditAction.PERSON_CHANGED)[0]
    assert made.after is not None
    assert made.after["subject"] == f"{site.issuer}|anna"
    opened = deeds(site, AuditAction.SIGNED_IN)[0]
    assert (opened.actor, opened.why, opened.address) == ("anna", "single sign-on", "127.0.0.1")
    kept = named(site, "anna")
    assert (kept.password_hash, kept.must_change, kept.grants) == (None, False, (TECHNICIAN,))


def test_cookies_are_kept_from_scripts_and_from_other_sites(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, _ = pair
    with site.browser() as browser:
        begun = browser.go(BEGIN).headers["set-cookie"].lower()
        assert begun.startswith("forewarn_sign_on=")
        assert {"httponly", "samesite=lax", f"path={BEGIN}", "max-age=600"} <= {p.strip() for p in begun.split(";")}
        answer = browser.go(str(browser.comes_back("anna", browser.away())))
        cookies = {cookie.split("=")[0]: cookie.lower() for cookie in answer.headers.get_list("set-cookie")}
        assert "httponly" in cookies["forewarn_refresh"]
        assert "samesite=strict" in cookies["forewarn_refresh"]
        assert "max-age=0" in cookies["forewarn_sign_on"]
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_roles_follow_the_claims_at_each_sign_in(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = pair
    provider.accounts(rolf={"preferred_username": "rolf", "roles": "maintenance"})
    with site.browser() as browser:
        assert browser.signs_in("rolf") == "/"
        changes = len(deeds(site, AuditAction.PERSON_CHANGED))
        assert browser.signs_in("rolf") == "/"
        assert len(deeds(site, AuditAction.PERSON_CHANGED)) == changes, "nothing changed, nothing is recorded"

        provider.accounts(rolf={"preferred_username": "rolf", "roles": ["managers"]})
        assert browser.signs_in("rolf") == "/"
        assert set(named(site, "rolf").grants) == {Grant(Role.MANAGEMENT), Grant(Role.AUDITOR)}
        change = deeds(site, AuditAction.PERSON_CHANGED)[0]
        assert (change.actor, change.why) == ("rolf", "as the single sign-on provider says")
        assert change.before == {"grants": [{"role": "technician", "path": "acme/pune"}]}
        again = len(deeds(site, AuditAction.PERSON_CHANGED))
        assert browser.signs_in("rolf") == "/"
        assert len(deeds(site, AuditAction.PERSON_CHANGED)) == again, "the same grants in another order"

        provider.accounts(rolf={"preferred_username": "rolf"})
        refusal = refused(site, "no_role", browser.signs_in("rolf"))
        assert (refusal.actor, refusal.target) == ("rolf", "person rolf")
        assert named(site, "rolf").grants == ()


def test_a_name_that_is_taken_is_somebody_else(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = pair
    provider.accounts(
        eve={"preferred_username": "BOSS", "roles": ["maintenance"]},
        gate={"preferred_username": "gateway hall1", "roles": ["maintenance"]},
    )
    with site.browser() as browser:
        assert browser.signs_in("eve") == "/"
        person = browser.person()
        assert person["name"] == "BOSS-2"
        assert "access.manage" not in str(person["actions"])
    assert named(site, "boss").subject is None
    with site.browser() as browser:
        assert browser.signs_in("gate") == "/"
        assert browser.person()["name"] == "gateway_hall1"


def test_the_last_admin_keeps_the_role_and_stays_outside(tmp_path: Path) -> None:
    with with_real_provider(tmp_path, oidc_role_map=MAP, oidc_create_people=True) as (site, provider):
        provider.accounts(root={"roles": ["root"]})
        with site.browser() as browser:
            assert browser.signs_in("root") == "/"
            provider.accounts(root={"roles": ["maintenance"]})
            assert "last admin" in refused(site, "last_admin", browser.signs_in("root")).why
        assert named(site, "root").grants == (ADMIN,)


def test_who_is_not_known_is_refused_until_an_admin_adds_them(closed: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = closed
    provider.accounts(zoe={"name": "Zoë", "preferred_username": "boss", "roles": ["admin"]})
    with site.browser() as browser, site.site.browser() as admin:
        refusal = refused(site, "unknown_person", browser.signs_in("zoe"))
        assert (refusal.actor, refusal.target) == ("unknown", f"subject {site.issuer}|zoe")
        assert browser.session() is None

        signed_in(admin, "boss")
        grants = [{"role": "auditor", "path": ""}]
        made = admin.post("/api/v1/people", json={"name": "zoe", "grants": grants, "subject": f"{site.issuer}|zoe"})
        assert made.status_code == 201, made.text
        assert made.json()["one_time_password"] == ""
        assert (made.json()["person"]["single_sign_on"], made.json()["person"]["must_change"]) == (True, False)
        assert browser.signs_in("zoe") == "/"
        assert browser.person()["grants"] == grants
        taken = admin.post("/api/v1/people", json={"name": "two", "grants": [], "subject": f"{site.issuer}|zoe"})
        assert taken.status_code == 409
        wrong = admin.post("/api/v1/people", json={"name": "three", "grants": [], "subject": "zoe"})
        assert wrong.status_code == 422


def test_an_account_is_tied_to_a_subject_and_untied(closed: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = closed
    provider.accounts(tina={"name": "Tina"})
    person = site.site.person("tina", TECHNICIAN, must_change=True)
    with site.browser() as browser, site.site.browser() as admin:
        signed_in(admin, "boss")
        path = f"/api/v1/people/{person.id}"
        assert admin.patch(path, json={"subject": f"{site.issuer}|tina"}).json()["single_sign_on"] is True
        assert browser.signs_in("tina") == "/"
        # Somebody else knows the one-time password.
        assert (named(site, "tina").password_hash, named(site, "tina").must_change) == (None, False)
        assert admin.patch(path, json={"subject": ""}).json()["single_sign_on"] is False
        assert problem_of(browser.signs_in("tina")) == "unknown_person"


def test_who_is_disabled_stays_outside(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = pair
    provider.accounts(dora={"roles": ["maintenance"]})
    with site.browser() as browser, site.site.browser() as admin:
        assert browser.signs_in("dora") == "/"
        signed_in(admin, "boss")
        admin.patch(f"/api/v1/people/{named(site, 'dora').id}", json={"disabled": True})
        refusal = refused(site, "disabled", browser.signs_in("dora"))
        assert (refusal.actor, refusal.why) == ("dora", "single sign-on: the account is disabled")
        assert browser.session() is None


def test_who_cancels_is_back_on_the_sign_in_page(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, _ = pair
    with site.browser() as browser:
        assert "access_denied" in refused(site, "cancelled", browser.signs_in("anna", cancel=True)).why
        assert browser.session() is None


def test_an_answer_counts_once(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, provider = pair
    provider.accounts(anna={"roles": ["maintenance"]})
    with site.browser() as browser:
        back = browser.comes_back("anna", browser.away())
        cookie = browser.client.cookies["forewarn_sign_on"]
        assert browser.ends_on(back) == "/"
        # Without a cookie nobody began: told, and neither counted nor recorded.
        before = len(deeds(site, AuditAction.SIGN_IN_REFUSED))
        assert problem_of(browser.ends_on(back)) == "expired"
        assert len(deeds(site, AuditAction.SIGN_IN_REFUSED)) == before
        # Copied with its cookie.
        browser.client.cookies.set("forewarn_sign_on", cookie, "127.0.0.1", BEGIN)
        assert "came before" in refused(site, "expired", browser.ends_on(back)).why


def test_a_code_counts_once_and_for_its_attempt(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, _ = pair
    with site.browser() as browser:
        back = browser.comes_back("anna", browser.away())
        assert browser.ends_on(back) == "/"
        code = query_of(back)["code"]
        other = query_of(browser.away())["state"]
        url = httpx.URL(site.site.url + CALLBACK, params={"code": code, "state": other, "iss": site.issuer})
        assert "did not take the code" in refused(site, "expired", browser.ends_on(url)).why
    with site.browser() as browser, site.browser() as thief:
        # A code that was caught on its way is no use in another browser: its verifier is another.
        code = query_of(browser.comes_back("anna", browser.away()))["code"]
        state = query_of(thief.away())["state"]
        url = httpx.URL(site.site.url + CALLBACK, params={"code": code, "state": state, "iss": site.issuer})
        assert problem_of(thief.ends_on(url)) == "expired"
        assert thief.session() is None


def test_an_answer_is_for_the_browser_that_left(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, _ = pair
    with site.browser() as mallory, site.browser() as victim:
        back = mallory.comes_back("anna", mallory.away())
        assert problem_of(victim.ends_on(back)) == "expired"
        victim.away()
        assert "state" in refused(site, "expired", victim.ends_on(back)).why
        assert victim.session() is None


def test_ten_minutes_and_no_more(tmp_path: Path) -> None:
    with with_real_provider(tmp_path, oidc_create_people=True) as (site, _), site.browser() as browser:
        back = browser.comes_back("anna", browser.away())
        site.site.clock.now += 10 * MINUTE
        assert "ten minutes" in refused(site, "expired", browser.ends_on(back)).why


def test_the_answer_names_the_provider(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, _ = pair
    with site.browser() as browser:
        for issuer in ("https://evil.example", ""):
            back = browser.comes_back("anna", browser.away()).copy_set_param("iss", issuer)
            assert "another issuer" in refused(site, "not_trusted", browser.ends_on(back)).why
        back = browser.comes_back("anna", browser.away()).copy_remove_param("iss")
        assert "another issuer" in refused(site, "not_trusted", browser.ends_on(back)).why


@pytest.mark.parametrize(
    "there",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "evil", "",
     "javascript:alert(1)", "/api/v1/session/single-sign-on", "/sign-in?problem=expired", " //evil.example", "/é",
     "/" + "a" * 2_000],
)  # fmt: skip
def test_one_comes_back_to_our_own_pages_alone(pair: tuple[SignOnSite, RealProvider], there: str) -> None:
    site, provider = pair
    provider.accounts(anna={"roles": ["maintenance"]})
    with site.browser() as browser:
        assert browser.signs_in("anna", return_to=there) == "/"


def test_the_provider_changes_its_keys(tmp_path: Path) -> None:
    with with_real_provider(tmp_path, oidc_create_people=True) as (site, provider), site.browser() as browser:
        assert browser.signs_in("anna") == "/"
        provider.peer.kill()
        provider.peer.start()
        assert browser.signs_in("anna") == "/"
        assert browser.person()["name"] == "anna"


def test_the_provider_dies_in_the_middle_and_comes_back(tmp_path: Path) -> None:
    with with_real_provider(tmp_path, oidc_create_people=True) as (site, provider), site.browser() as browser:
        back = browser.comes_back("anna", browser.away())
        provider.peer.kill()
        assert "does not answer" in refused(site, "provider_away", browser.ends_on(back)).why
        assert browser.session() is None
        provider.peer.start()
        assert browser.signs_in("anna") == "/"


def test_a_provider_that_answers_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_client, "_ANSWER_S", 0.3)
    with with_real_provider(tmp_path, oidc_create_people=True) as (site, provider), site.browser() as browser:
        back = browser.comes_back("anna", browser.away())
        provider.peer.freeze()
        try:
            assert "does not answer" in refused(site, "provider_away", browser.ends_on(back)).why
        finally:
            provider.peer.thaw()
        assert browser.signs_in("anna") == "/"


def test_a_provider_that_is_away_from_the_start(tmp_path: Path) -> None:
    with sign_on_site(tmp_path, f"http://127.0.0.1:{free_port()}") as site, site.browser() as browser:
        for _ in range(30):
            assert browser.away().raw_path == b"/sign-in?problem=provider_away"
        assert deeds(site, AuditAction.SIGN_IN_REFUSED) == []


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        ({"oidc_client_id": "public", "oidc_client_secret": None}, None),
        ({"oidc_client_id": "post", "oidc_client_secret": "posted"}, None),
        ({"oidc_client_secret": "wrong"}, "not_trusted"),
        ({"oidc_client_secret": None}, "not_trusted"),
    ],
)
def test_how_the_site_shows_itself(tmp_path: Path, client: dict[str, object], problem: str | None) -> None:
    """The provider says that it can do both Basic and post, and lets each client do one."""
    with with_real_provider(tmp_path, oidc_create_people=True, **client) as (site, _), site.browser() as browser:
        location = browser.signs_in("anna")
        if problem is None:
            assert location == "/"
        else:
            assert "client id and secret" in refused(site, problem, location).why


def test_no_secret_is_logged_kept_or_put_into_an_address(
    pair: tuple[SignOnSite, RealProvider],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, provider = pair
    provider.accounts(anna={"roles": ["maintenance"]})
    tokens: list[str] = []
    verified = id_token.verified

    def overheard(token: str, *given: Any, access_token: str, **more: Any) -> dict[str, object]:
        tokens.extend((token, access_token))
        return verified(token, *given, access_token=access_token, **more)

    monkeypatch.setattr(oidc_client, "verified", overheard)
    with caplog.at_level(logging.DEBUG), site.browser() as browser:
        back = browser.comes_back("anna", browser.away())
        cookie = browser.client.cookies["forewarn_sign_on"]
        assert browser.ends_on(back) == "/"
        session = browser.session()
    assert session is not None
    assert len(tokens) == 2
    # The browser of this test logs too, and the server's own log of requests is off in a site.
    others = ("httpx", "httpcore", "uvicorn.access")
    logged = "".join(record.getMessage() for record in caplog.records if record.name.split(".http11")[0] not in others)
    logged += "".join(capfd.readouterr())
    assert "/token" in logged
    kept = str(site.site.stores.deeds())
    code = query_of(back)["code"]
    for secret in [*tokens, cookie, code, SECRET, quote_plus(SECRET), str(session["access_token"])]:
        assert secret not in logged
        assert secret not in kept
        assert secret == code or not any(secret in str(url) for url in browser.seen)


def test_who_is_refused_often_waits_and_fills_no_log(tmp_path: Path) -> None:
    with with_real_provider(tmp_path, oidc_create_people=True) as (site, _), site.browser() as browser:
        forged = httpx.URL(f"{site.site.url}{CALLBACK}?state=x&code=y")

        def answer() -> str | None:
            browser.client.cookies.set("forewarn_sign_on", "forged", "127.0.0.1", BEGIN)
            return problem_of(browser.ends_on(forged))

        assert [answer() for _ in range(20)] == ["expired"] * 20
        assert [answer() for _ in range(5)] == ["delayed"] * 5
        assert len(deeds(site, AuditAction.SIGN_IN_REFUSED)) == 20
        site.site.clock.now += MINUTE
        assert browser.signs_in("anna") == "/"
        # A sign-in that went well makes up for those before.
        assert answer() == answer() == "expired"


def test_parts_of_other_sites_pages_are_refused(pair: tuple[SignOnSite, RealProvider]) -> None:
    site, _ = pair
    before = len(deeds(site, AuditAction.SIGN_IN_REFUSED))
    for headers in ({"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}):
        for path in (BEGIN, CALLBACK):
            assert httpx.get(site.site.url + path, headers=headers).status_code == 403
    assert len(deeds(site, AuditAction.SIGN_IN_REFUSED)) == before


def test_the_sign_in_page_is_told_what_there_is(pair: tuple[SignOnSite, RealProvider], tmp_path: Path) -> None:
    site, _ = pair
    options = httpx.get(f"{site.site.url}/api/v1/session/options").json()
    assert options == {"single_sign_on": {"button": "Single sign-on"}, "demo": False}
    with serving_access(tmp_path, demo=True) as plain:
        assert httpx.get(f"{plain.url}/api/v1/session/options").json() == {"single_sign_on": None, "demo": True}
        outside = httpx.get(f"{plain.url}/api/v1/session/options", headers={"X-Forwarded-For": "192.0.2.1"})
        assert outside.json()["demo"] is False
        for path in (BEGIN, CALLBACK):
            assert httpx.get(plain.url + path).status_code == 404


def test_each_problem_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert not [problem.value for problem in SignOnProblem if f"`{problem.value}`" not in text]
