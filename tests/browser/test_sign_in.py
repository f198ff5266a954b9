"""People sign in, see what is theirs, and are signed out; machines get a key; the log says who did it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.browser.test_access import RUN_AXE, SIZES

PASSWORD = "gravel moon ladder teapot"
ADMIN_PAGES = ["/admin/people", "/admin/machines", "/admin/roles", "/admin/sessions", "/admin/audit"]


def open_admin(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_text("Demo: signed in by itself, on this machine only.")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("menuitem", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")


def add_person(page: Page, name: str, role: str) -> str:
    """Adds them with this role everywhere; the one-time password that the page shows."""
    open_admin(page, "/admin/people")
    page.get_by_role("button", name="Add person").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name to sign in with").fill(name)
    dialog.get_by_role("button", name="Add a role").click()
    dialog.get_by_label("Role 1").click()
    page.get_by_role("option", name=role).click()
    dialog.get_by_role("button", name="Add person").click()
    secret = page.get_by_label("One-time password", exact=True).inner_text()
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_role("row", name=re.compile(name))).to_contain_text("has a one-time password")
    return secret


def choose_password(page: Page, one_time: str) -> None:
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    page.get_by_label("One-time password", exact=True).fill(one_time)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set new password").click()


@pytest.fixture
def second(browser: Browser, base_url: str) -> Iterator[Page]:
    """A page of another browser, signed out, with /alarms?state=shelved asked for."""
    context = browser.new_context(base_url=base_url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/alarms?state=shelved")
    sign_out(page)
    yield page
    context.close()


def test_the_demo_signs_in_by_itself_and_no_script_can_read_its_secret(page: Page, context: BrowserContext) -> None:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    page.goto("/")
    expect(page.get_by_text("Demo: signed in by itself, on this machine only.")).to_be_visible()
    expect(page.get_by_test_id("data-age")).to_contain_text("live")
    calls = [r for r in asked if "/api/v1/" in r.url and "/api/v1/session" not in r.url]
    assert len(calls) > 2
    assert {r.headers.get("authorization", "").split(".")[0][:7] for r in calls} == {"Bearer "}
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    token = calls[0].headers["authorization"].removeprefix("Bearer ")
    assert token not in kept
    assert "forewarn_refresh" not in kept
    cookies = context.cookies(page.url + "api/v1/session")
    assert [c.get("httpOnly") for c in cookies if c.get("name") == "forewarn_refresh"] == [True]
    page.reload()
    expect(page.get_by_text("Demo: signed in by itself, on this machine only.")).to_be_visible()


def test_who_is_signed_out_fetches_nothing_and_comes_back_to_the_page_asked_for(page: Page, second: Page) -> None:
    one_time = add_person(page, "ravi", "Technician")
    asked: list[str] = []
    second.on("request", lambda request: asked.append(request.url))
    second.wait_for_timeout(5_000)
    assert asked == []
    sign_in(second, "ravi", "not it at all")
    expect(second.get_by_role("alert")).to_contain_text("Name or password is wrong")
    sign_in(second, "ravi", one_time)
    choose_password(second, "not this one")
    expect(second.get_by_role("alert")).to_contain_text("The password in use is wrong")
    choose_password(second, one_time)
    expect(second.get_by_role("button", name="Your account: ravi")).to_be_visible()
    assert second.url.endswith("/alarms?state=shelved")
    expect(second.get_by_role("toolbar", name="Alarm actions")).to_be_visible()
    expect(second.get_by_role("link", name="Admin")).to_have_count(0)
    expect(second.get_by_text("Demo:")).to_have_count(0)
    second.goto("/admin/people")
    expect(second.get_by_text("This page is not open to you")).to_be_visible()


def test_a_session_ended_elsewhere_is_over_at_once(page: Page, second: Page) -> None:
    one_time = add_person(page, "mina", "Auditor")
    sign_in(second, "mina", one_time)
    choose_password(second, one_time)
    expect(second.get_by_role("button", name="Your account: mina")).to_be_visible()
    expect(second.get_by_role("toolbar", name="Alarm actions")).to_have_count(0)
    open_admin(page, "/admin/sessions")
    page.get_by_role("button", name=re.compile("End the session of mina")).click()
    expect(page.get_by_role("button", name=re.compile("End the session of mina"))).to_have_count(0)
    expect(second.get_by_text("You were signed out")).to_be_visible()
    sign_in(second, "mina", PASSWORD)
    expect(second.get_by_role("button", name="Your account: mina")).to_be_visible()
    page.goto("/admin/people")
    page.get_by_role("button", name="Disable mina").click()
    expect(second.get_by_text("You were signed out")).to_be_visible()
    sign_in(second, "mina", PASSWORD)
    expect(second.get_by_role("alert")).to_contain_text("Name or password is wrong")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Disable mina")).to_be_visible()


def test_a_machine_enrols_with_what_the_page_shows_and_is_revoked(page: Page, base_url: str) -> None:
    open_admin(page, "/admin/machines")
    page.get_by_role("button", name="Add machine").click()
    page.get_by_role("dialog").get_by_label("Name").fill("gw-browser")
    page.get_by_role("dialog").get_by_role("button", name="Add machine").click()
    command = page.get_by_label("Command to run on the machine").inner_text()
    page.get_by_role("button", name="I have it").click()
    token = json.loads(command.split("-d ")[1].strip("'"))
    assert f"{base_url}/api/v1/machines/enrol" in command
    answer = httpx.post(f"{base_url}/api/v1/machines/enrol", json=token)
    assert answer.status_code == 200, answer.text
    batch = {"gateway_id": "gw-browser", "timestamp": 1, "readings": []}
    key = {"Authorization": f"Bearer {answer.json()['key']}"}
    assert httpx.post(f"{base_url}/api/v1/telemetry/batch", json=batch, headers=key).status_code == 202
    row = page.get_by_role("row", name=re.compile("gw-browser"))
    expect(row).to_contain_text("Enrolled", timeout=20_000)
    row.get_by_role("button", name="Revoke gw-browser").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    assert httpx.post(f"{base_url}/api/v1/telemetry/batch", json=batch, headers=key).status_code == 401


def test_the_audit_log_is_searched_and_exported(page: Page) -> None:
    add_person(page, "lena", "Management")
    open_admin(page, "/admin/audit")
    page.get_by_label("Text").fill("lena")
    expect(page).to_have_url(re.compile("text=lena"))
    entry = page.get_by_role("list", name="Deeds").get_by_role("listitem").first
    expect(entry).to_contain_text("Changed a person")
    expect(entry).to_contain_text("Management, everywhere")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    lines = downloading.value.path().read_text().splitlines()
    assert lines
    assert all("lena" in line or "audit_exported" in line for line in lines)
    page.get_by_label("Text").fill("nobody ever did this")
    expect(page.get_by_text("No such deed is recorded")).to_be_visible()


def test_a_delayed_sign_in_counts_down_and_a_silent_server_is_named(second: Page) -> None:
    def delayed(route: Route) -> None:
        route.fulfill(
            status=429, headers={"Retry-After": "2"}, json={"title": "Delayed", "detail": "wait", "status": 429}
        )

    second.route("**/api/v1/session", delayed)
    sign_in(second, "ravi", "wrong")
    expect(second.get_by_role("alert")).to_contain_text("Too many failed attempts")
    expect(second.get_by_role("button", name=re.compile("Wait"))).to_be_disabled()
    expect(second.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
    second.unroute("**/api/v1/session")
    second.route("**/api/v1/session", lambda route: route.abort())
    second.get_by_role("button", name="Sign in", exact=True).click()
    expect(second.get_by_role("alert")).to_contain_text("Forewarn does not answer")
    expect(second.get_by_label("Name")).to_have_value("ravi")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_and_width(browser: Browser, base_url: str, axe_source: str, size: str, scheme: Any) -> None:
    context = browser.new_context(base_url=base_url, viewport=SIZES[size], color_scheme=scheme)
    page = context.new_page()
    found: dict[str, object] = {}

    def judge(name: str) -> None:
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        page.wait_for_timeout(300)
        page.evaluate(axe_source)
        if violations := page.evaluate(RUN_AXE):
            found[name] = violations
        if (width := page.evaluate("document.documentElement.scrollWidth")) > SIZES[size]["width"]:
            found[f"{name} width"] = width

    for address in ADMIN_PAGES:
        open_admin(page, address)
        judge(address)
    sign_out(page)
    judge("sign-in")
    context.close()
    assert found == {}
