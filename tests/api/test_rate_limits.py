"""Whoever asks too often is told when to come again, and is in nobody else's way."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.api.front_door import FrontDoor
from forewarn.api.origin import OriginCheck
from forewarn.api.problems import RateLimited
from forewarn.api.rate_limits import Rate, RateLimits, Rates, address_key
from forewarn.app.connection import ConnectionLimits
from forewarn.domain.access import Grant, Role
from tests.app.bounded_site import BoundedSite, bounded_site


class Stopped:
    """A clock that is set by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Stopped:
    return Stopped()


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, clock: Stopped) -> Iterator[BoundedSite]:
    door = FrontDoor(OriginCheck(), RateLimits(Rates(requests=20, sign_ins=5, ingest=10), clock))
    with bounded_site(tmp_path_factory.mktemp("site"), ConnectionLimits(), door) as running:
        yield running


def statuses(client: httpx.Client, method: str, path: str, times: int, **more: Any) -> list[int]:
    return [client.request(method, path, **more).status_code for _ in range(times)]


def test_a_session_may_ask_so_often_and_another_is_not_in_its_way(site: BoundedSite, clock: Stopped) -> None:
    url = f"http://127.0.0.1:{site.port}"
    one = site.opened.credentials.person("one", Grant(Role.TECHNICIAN))
    other = site.opened.credentials.person("other", Grant(Role.TECHNICIAN))
    with httpx.Client(base_url=url, auth=one) as client, httpx.Client(base_url=url, auth=other) as neighbour:
        assert statuses(client, "GET", "/api/v1/assets", 22) == [200] * 20 + [429] * 2
        refused = client.get("/api/v1/alarms")
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:forewarn:problem:rate-limited")
        assert refused.headers["retry-after"] == "3"
        assert neighbour.get("/api/v1/assets").status_code == 200
        clock.now += 3.0
        assert statuses(client, "GET", "/api/v1/assets", 2) == [200, 429]
        clock.now += 60.0
        assert statuses(client, "GET", "/api/v1/assets", 21) == [200] * 20 + [429]


def test_guessing_is_slow(site: BoundedSite, clock: Stopped) -> None:
    url = f"http://127.0.0.1:{site.port}"
    with httpx.Client(base_url=url) as client:
        guesses = [
            client.post("/api/v1/session", json={"name": f"nobody {n}", "password": "guess"}).status_code
            for n in range(4)
        ]
        guesses += statuses(client, "POST", "/api/v1/machines/enrol", 3, json={"token": "fwe_guess"})
        assert guesses == [401] * 5 + [429] * 2
        # What cannot be guessed is not in its way, and the other way round.
        assert client.post("/api/v1/session/refresh").status_code == 401
        assert statuses(client, "GET", "/healthz", 30) == [200] * 30
        clock.now += 12.0
        assert client.post("/api/v1/session", json={"name": "nobody", "password": "guess"}).status_code == 401


def test_a_key_has_its_own_rate_of_ingest(site: BoundedSite, clock: Stopped) -> None:
    url = f"http://127.0.0.1:{site.port}"
    body = {"gateway_id": "edge", "readings": []}
    with httpx.Client(base_url=url, auth=site.opened.gateway("edge")) as client:
        assert statuses(client, "POST", "/api/v1/telemetry/batch", 12, json=body) == [202] * 10 + [429] * 2
        clock.now += 1.0
        assert statuses(client, "POST", "/api/v1/telemetry/batch", 2, json=body) == [202] * 2
        assert client.get("/api/v1/machines/self").status_code == 200


def test_tokens_that_nobody_gave_are_counted_by_address(site: BoundedSite) -> None:
    url = f"http://127.0.0.1:{site.port}"
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer fwk_a_b"}) as client:
        assert statuses(client, "GET", "/api/v1/assets", 21) == [401] * 20 + [429]
        # A gateway that was revoked and knocks on does not shut out the people of its address.
        assert httpx.get(f"{url}/api/v1/assets", headers=site.opened.admin.header).status_code == 200
        assert client.post("/api/v1/session/refresh").status_code == 401


def refused_for(rate: Rate, now: float) -> float:
    """Seconds; 0 when it was let in."""
    try:
        rate.count("a", now)
    except RateLimited as refused:
        return refused.retry_after_s
    return 0.0


@given(st.integers(1, 1_000), st.floats(0.5, 120), st.lists(st.floats(0, 30), max_size=200))
def test_never_more_than_twice_the_amount_in_a_window(amount: int, seconds: float, pauses: list[float]) -> None:
    """All at once, and meanwhile as many as come back: the most that a window can hold."""
    rate, now, let_in = Rate(amount, seconds, "requests"), 0.0, list[float]()
    for pause in pauses:
        now += pause
        wait = refused_for(rate, now)
        if wait:
            # Whoever comes when told is let in.
            assert wait <= seconds + 1e-9  # differences of floats are rounded
            now += wait + 1e-5
            rate.count("a", now)
        let_in.append(now)
    for start in let_in:
        assert sum(start <= at < start + seconds - 1e-4 for at in let_in) <= 2 * amount


def test_strangers_cannot_fill_the_memory() -> None:
    rate = Rate(1, 60, "requests", most=1_000)
    for number in range(10_000):
        rate.count(f"2001:db8:{number:x}::/64", number / 1e6)
    assert len(rate._until) <= 1_000


def test_addresses() -> None:
    assert address_key("10.1.2.3") == "10.1.2.3"
    assert address_key("2001:db8:1:2:3::4") == address_key("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert address_key("fe80::1%eth0") == "fe80::/64"
    assert address_key("a:strange:one") == "a:strange:one"
