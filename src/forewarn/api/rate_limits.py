"""How often one session, key or address may ask."""

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from forewarn.api.problems import RateLimited
from forewarn.domain.access import Action, Principal

# Whoever may guess here guesses passwords and tokens.
_GUESSED: Final = frozenset(("/api/v1/session", "/api/v1/session/single-sign-on/callback", "/api/v1/machines/enrol"))
_PROBES: Final = frozenset(("/healthz", "/readyz"))
_NETWORK: Final = 64
_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Rates:
    """None: no limit. requests: a minute of a session or key, of what is not ingest, and of an address that nobody
    signed in from. sign_ins: attempts a minute of an address. ingest: requests a second of a key."""

    requests: int | None = None
    sign_ins: int | None = None
    ingest: int | None = None


class Rate:
    """`amount` in `seconds`, all at once or evenly: the generic cell rate algorithm (ITU-T I.371), a number a key.

    For one thread. A library would do (limits 5.8), if its memory did not start a thread every 10 ms that walks all
    keys: strangers choose how many there are."""

    def __init__(self, amount: int, seconds: float, what: str, most: int = _MOST) -> None:
        """what: for the refusal. most: keys kept; the oldest are forgotten."""
        self._amount, self._what, self._most = amount, what, most
        self._each = seconds / amount
        self._ahead = seconds - self._each
        # Until when the key's requests so far would last at an even pace.
        self._until: dict[str, float] = {}

    def count(self, key: str, now: float) -> None:
        """now: seconds of a steady clock. Raises RateLimited."""
        until = self._until.get(key)
        if until is None:
            self._make_room(now)
        if until is None or until < now:
            until = now
        # A refused request costs nothing; the margin is for sums of floats that are exact on paper.
        if until - now > self._ahead + 1e-6:
            wait = until - now - self._ahead
            told = f"more than {self._amount:,} {self._what}; try again in {math.ceil(wait)} s"
            raise RateLimited(told, retry_after_s=wait)
        self._until[key] = until + self._each

    def _make_room(self, now: float) -> None:
        if len(self._until) < self._most:
            return
        running = [(key, until) for key, until in self._until.items() if until > now]
        self._until = dict(running[-self._most // 2 :])


class RateLimits:
    """For the event loop's thread: counts in this process's memory. clock: steady, seconds."""

    def __init__(self, rates: Rates = Rates(), clock: Callable[[], float] = time.monotonic) -> None:
        def a_minute(amount: int | None, what: str) -> Rate | None:
            return None if amount is None else Rate(amount, 60, what)

        self._clock = clock
        self._session = a_minute(rates.requests, "requests a minute of one session or key")
        self._open = a_minute(rates.requests, "requests a minute from one address")
        self._unknown = a_minute(rates.requests, "refused requests a minute from one address")
        self._sign_ins = a_minute(rates.sign_ins, "attempts a minute from one address")
        self._ingest = None if rates.ingest is None else Rate(rates.ingest, 1, "ingest requests a second of one key")

    def known(self, principal: Principal, action: Action) -> None:
        """Somebody who is let in asks. Raises RateLimited."""
        if action is Action.INGEST:
            if self._ingest is not None:
                self._ingest.count(principal.id, self._clock())
        elif self._session is not None:
            self._session.count(principal.session_id, self._clock())

    def stranger(self, scope: Scope, path: str) -> None:
        """An open route is asked. Raises RateLimited."""
        rate = self._sign_ins if path in _GUESSED else self._open
        if rate is not None and path not in _PROBES:
            rate.count(_address(scope), self._clock())

    def unknown(self, scope: Scope) -> None:
        """A token, a key or nothing came, and nobody is known behind it. Raises RateLimited."""
        if self._unknown is not None:
            self._unknown.count(_address(scope), self._clock())


def _address(scope: Scope) -> str:
    return address_key(scope["client"][0]) if scope["client"] else ""


def address_key(address: str) -> str:
    """What counts as one: an IPv4 address, or the /64 that a single IPv6 host has to itself."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{_NETWORK}", strict=False))
    except ValueError:
        return address
