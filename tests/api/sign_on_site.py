"""A site with single sign-on, a browser that goes its ways, and providers: oidc-provider, and one that misbehaves."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from forewarn.api.sign_on_parts import SingleSignOn
from forewarn.app.settings import Settings
from forewarn.app.sign_on import single_sign_on
from forewarn.kit.clock import now_us
from tests.api.access_site import AccessSite, SetClock, serving_access
from tests.peers.processes import Peer, free_port, node_peer

SECRET = "a secret of the site, and/or + signs & more"
BEGIN = "/api/v1/session/single-sign-on"
CALLBACK = f"{BEGIN}/callback"
_MOST_STEPS = 20
# As a browser sends them when somebody follows a link or is sent on from another site's page.
_NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}


class Form(HTMLParser):
    """The first form of a page, and where its Cancel link leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.cancel = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action = given["action"] or ""
        elif tag == "input" and given.get("name"):
            self.fields[given["name"] or ""] = given.get("value") or ""
        elif tag == "a" and "abort" in (given.get("href") or ""):
            self.cancel = given["href"] or ""


class Browser:
    """Keeps cookies and goes where it is sent; what it came by is in `seen`."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.client = httpx.Client(timeout=30)
        self.seen: list[httpx.URL] = []

    def go(self, path: str) -> httpx.Response:
        """One step: the answer, whatever it is."""
        self.seen.append(httpx.URL(urljoin(self.site, path)))
        return self.client.get(urljoin(self.site, path), headers=_NAVIGATES)

    def away(self, return_to: str | None = None) -> httpx.URL:
        """Begins; where the site sends the browser."""
        answer = self.go(BEGIN + (f"?{httpx.QueryParams(return_to=return_to)}" if return_to is not None else ""))
        assert answer.status_code == 302, answer.text
        return httpx.URL(urljoin(self.site, answer.headers["location"]))

    def signs_in(self, login: str, *, cancel: bool = False, return_to: str | None = None) -> str:
        """The whole way. The path of our own page that it ends on."""
        return self.ends_on(self.comes_back(login, self.away(return_to), cancel=cancel))

    def comes_back(self, login: str, url: httpx.URL, *, cancel: bool = False) -> httpx.URL:
        """Through the provider's pages; the address that the provider sends the browser back to, not yet visited."""
        answer = self.client.get(url)
        for _ in range(_MOST_STEPS):
            if answer.is_redirect:
                url = httpx.URL(urljoin(str(answer.url), answer.headers["location"]))
                if str(url).startswith(self.site):
                    return url
                answer = self.client.get(url)
                continue
            assert answer.status_code == 200, answer.text
            form = Form(answer.text)
            if cancel:
                answer = self.client.get(urljoin(str(answer.url), form.cancel))
            else:
                filled = form.fields | ({"login": login, "password": "any"} if "login" in form.fields else {})
                answer = self.client.post(urljoin(str(answer.url), form.action), data=filled)
        raise AssertionError(f"the provider goes round in circles: {answer.url}")

    def ends_on(self, url: httpx.URL) -> str:
        """What the site makes of the answer at `url`."""
        answer = self.go(str(url))
        assert answer.status_code == 302, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.headers["location"])

    def session(self) -> dict[str, object] | None:
        """What the page gets for its cookie, if it has one."""
        answer = self.client.post(f"{self.site}/api/v1/session/refresh", headers={"Origin": self.site})
        return answer.json() if answer.status_code == 200 else None

    def person(self) -> Mapping[str, object]:
        session = self.session()
        assert session is not None
        person = session["person"]
        assert isinstance(person, dict)
        return person


@dataclass(frozen=True)
class SignOnSite:
    site: AccessSite
    issuer: str

    @contextlib.contextmanager
    def browser(self) -> Iterator[Browser]:
        browser = Browser(self.site.url)
        with browser.client:
            yield browser


@contextlib.contextmanager
def sign_on_site(directory: Path, issuer: str, **settings: Any) -> Iterator[SignOnSite]:
    """Its clock is the real one's, stopped: the provider's tokens count."""

    def parts(clock: SetClock) -> SingleSignOn | None:
        clock.now = now_us()
        set_up: dict[str, Any] = {
            "oidc_issuer": issuer,
            "oidc_client_id": "forewarn",
            "oidc_client_secret": SECRET,
        } | settings
        return single_sign_on(Settings(**set_up), b"k" * 32, clock)

    with serving_access(directory, sign_on=parts) as site:
        yield SignOnSite(site, issuer)


@dataclass
class RealProvider:
    """oidc-provider, and the accounts it knows."""

    peer: Peer
    accounts_file: Path

    def accounts(self, **claims: Mapping[str, object]) -> None:
        self.accounts_file.write_text(json.dumps(claims))


@contextlib.contextmanager
def with_real_provider(directory: Path, **settings: object) -> Iterator[tuple[SignOnSite, RealProvider]]:
    port = free_port()
    accounts = directory / "accounts.json"
    with sign_on_site(directory, f"http://127.0.0.1:{port}", **settings) as site:
        peer = node_peer("oidc_provider.mjs", f"{site.site.url}{CALLBACK}", str(accounts), port=port)
        provider = RealProvider(peer, accounts)
        provider.accounts(anna={"name": "Anna Nová", "preferred_username": "anna", "roles": ["maintenance"]})
        with peer:
            yield site, provider


def query_of(url: httpx.URL | str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(str(url)).query).items()}


def problem_of(location: str) -> str:
    assert location.startswith("/sign-in?"), location
    return query_of(location)["problem"]
