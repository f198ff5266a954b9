"""Requests of other sites' pages, and names that are none of ours."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forewarn.api.front_door import FrontDoor
from forewarn.api.origin import OriginCheck, host_name, is_loopback_name
from forewarn.app.connection import ConnectionLimits
from tests.api.site import Site
from tests.app.bounded_site import BoundedSite, bounded_site

ACTION = {"ids": ["p1/vib-high"], "action": "comment", "comment": "from elsewhere"}


def act(site: Site, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.client.post("/api/v1/alarms/actions", json=ACTION, headers=named).status_code


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "http://localhost.evil.example"),
        *("file://", "", "chrome-extension://abc", "http://127.0.0.1@evil.example"),
    ],
)
def test_a_change_from_another_site_s_page_is_refused_with_a_good_token(site: Site, origin: str) -> None:
    assert act(site, Origin=origin) == 403


@pytest.mark.parametrize("where", ["cross-site", "same-site", "CROSS-SITE", ""])
def test_and_so_is_one_that_the_browser_says_so_of(site: Site, where: str) -> None:
    assert act(site, Sec_Fetch_Site=where) == 403
    assert act(site, Sec_Fetch_Site=where, Origin=site.url) == 403


def test_our_page_and_what_is_no_browser_may(site: Site) -> None:
    assert act(site) == 200
    assert act(site, Origin=site.url) == 200
    assert act(site, Origin=site.url.upper().replace("HTTP", "http"), Sec_Fetch_Site="same-origin") == 200
    # A proxy that ends TLS.
    assert act(site, Origin=site.url.replace("http:", "https:")) == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_whatever_changes_something(site: Site, method: str) -> None:
    answer = site.client.request(method, "/api/v1/people", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:forewarn:problem:not-allowed")
    assert answer.headers["x-trace-id"] == answer.json()["trace_id"]


def test_reading_is_open_to_links(site: Site) -> None:
    """What another site's page gets it cannot see; a link from a mail must open."""
    assert site.client.get("/api/v1/assets", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_an_http_page_is_none_of_an_https_site() -> None:
    check = OriginCheck()
    scope: dict[str, Any] = {"method": "POST", "scheme": "https", "http_version": "1.1"}
    scope["headers"] = [(b"host", b"plant.example"), (b"origin", b"http://plant.example")]
    with pytest.raises(Exception, match="another site's page"):
        check.refuse(scope)
    scope["headers"][1] = (b"origin", b"https://plant.example")
    check.refuse(scope)


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoundedSite]:
    door = FrontDoor(OriginCheck(["plant.example", "*.lan"], loopback=True))
    with bounded_site(tmp_path_factory.mktemp("loopback"), ConnectionLimits(), door) as running:
        yield running


def asked_as(site: BoundedSite, host: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{site.port}/healthz", headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "127.8.8.8", "localhost."),
        *("plant.example", "plant.example:443", "PLANT.example", "forewarn.lan", "a.b.lan", "app.localhost"),
    ],
)
def test_names_that_are_served(loopback: BoundedSite, host: str) -> None:
    assert asked_as(loopback, host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "lan", "10.0.0.5"),
        *("[::2]", "plant.example.evil.example", "xplant.example", "a@127.0.0.1@evil.example", "0.0.0.0", "[", ""),
    ],
)
def test_names_that_are_not(loopback: BoundedSite, host: str) -> None:
    """DNS rebinding: a page of evil.example whose name begins to resolve to 127.0.0.1."""
    answer = asked_as(loopback, host)
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
    assert "FOREWARN_ALLOWED_HOSTS" in answer.json()["detail"]


def test_strangers_names_are_not_kept(loopback: BoundedSite) -> None:
    check = OriginCheck(["*.lan"])
    for number in range(1_000):
        scope = {"method": "GET", "http_version": "1.1", "headers": [(b"host", b"h%d.lan" % number)]}
        check.refuse(scope)
    assert len(check._known) <= 64


def test_one_host_header_and_no_more(loopback: BoundedSite) -> None:
    for count, status in ((0, 400), (1, 200), (2, 400)):
        connection = http.client.HTTPConnection("127.0.0.1", loopback.port, timeout=20)
        connection.putrequest("GET", "/healthz", skip_host=True)
        for _ in range(count):
            connection.putheader("Host", "localhost")
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_without_names_any_is_served(site: Site) -> None:
    assert httpx.get(f"{site.url}/healthz", headers={"Host": "plant.example"}).status_code == 200


def test_names_alone_shut_out_loopback_too(tmp_path: Path) -> None:
    with bounded_site(tmp_path, ConnectionLimits(), FrontDoor(OriginCheck(["plant.example"]))) as running:
        assert asked_as(running, "127.0.0.1").status_code == 421
        assert asked_as(running, "plant.example").status_code == 200


@pytest.mark.parametrize(("host", "name"), [(b"[::1]:8", "::1"), (b"\xff", ""), (b"a:b:c", "a"), (b"A.b.", "a.b")])
def test_host_names(host: bytes, name: str) -> None:
    assert host_name(host) == name


def test_loopback_names() -> None:
    assert is_loopback_name("::ffff:127.0.0.1")
    assert not is_loopback_name("127.1.evil")
