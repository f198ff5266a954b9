"""Sign-ins under way: sealed, short, once; and only our own paths to come back to."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.api.sign_on_attempt import LIFE_US, Attempts, own_path
from forewarn.api.sign_on_problems import SignOnRefused
from tests.api.access_site import SetClock

URI = "https://site.example/callback"


def test_what_was_begun_is_taken_once() -> None:
    attempts = Attempts(b"k" * 32, SetClock())
    attempt, cookie = attempts.begin(URI, "/alarms")
    for secret in (attempt.state, attempt.nonce, attempt.verifier):
        assert secret not in cookie
        assert len(secret) >= 43
    with pytest.raises(SignOnRefused, match="state"):
        attempts.take(cookie, attempt.state[:-1])
    assert attempts.take(cookie, attempt.state) == attempt
    with pytest.raises(SignOnRefused, match="came before"):
        attempts.take(cookie, attempt.state)


def test_processes_of_one_site_know_each_others() -> None:
    clock = SetClock()
    attempt, cookie = Attempts(b"k" * 32, clock).begin(URI, "/")
    assert Attempts(b"k" * 32, clock).take(cookie, attempt.state) == attempt
    with pytest.raises(SignOnRefused, match="not made by this site"):
        Attempts(b"l" * 32, clock).take(cookie, attempt.state)


def test_it_ends_after_ten_minutes() -> None:
    clock = SetClock()
    attempts = Attempts(b"k" * 32, clock)
    attempt, cookie = attempts.begin(URI, "/")
    clock.now += LIFE_US
    with pytest.raises(SignOnRefused, match="ten minutes"):
        attempts.take(cookie, attempt.state)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_cookie_that_was_changed_is_none(place: int, change: int) -> None:
    attempts = Attempts(b"k" * 32, SetClock())
    attempt, cookie = attempts.begin(URI, "/")
    at = place % len(cookie)
    changed = cookie[:at] + chr(ord(cookie[at]) ^ change) + cookie[at + 1 :]
    with pytest.raises(SignOnRefused):
        attempts.take(changed, attempt.state)


@given(st.text(st.sampled_from("/\\.:@?#%ev il\t\n\r\x00é\u2028ht ps"), max_size=12) | st.text())
def test_nowhere_else(text: str) -> None:
    path = own_path(text)
    assert urlsplit(urljoin("https://site.example/api/x", path)).netloc == "site.example"
    assert path[0] == "/"
    assert path[1:2] not in ("/", "\\")
    assert path.isprintable()
    assert path in (text, "/")


@pytest.mark.parametrize("path", ["/", "/alarms?state=active&x=%2F%2Fevil#top", "/assets/p1", "/@me", "/a:b"])
def test_our_own_pages_stay(path: str) -> None:
    assert own_path(path) == path
