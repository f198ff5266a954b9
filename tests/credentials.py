"""Accounts and keys for tests, made from a site's own files as its command line makes them."""

import hashlib
import secrets
import time
from collections.abc import Callable, Generator

import httpx

from forewarn.api.access_tokens import TokenSigner
from forewarn.catalog import Catalog
from forewarn.domain.access import EVERYWHERE, Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.people import Machine, Person, Session
from forewarn.kit.clock import DAY, now_us

DEED = Deed(AuditAction.PERSON_CHANGED, "tests", "an account for a test")
_FRESH_S = 300.0


class Bearer(httpx.Auth):
    """The token that `issue` gives, asked anew every five minutes."""

    def __init__(self, issue: Callable[[], str]) -> None:
        self._issue = issue
        self._token = ""
        self._until = 0.0

    @property
    def token(self) -> str:
        if time.monotonic() >= self._until:
            self._token, self._until = self._issue(), time.monotonic() + _FRESH_S
        return self._token

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.setdefault("Authorization", f"Bearer {self.token}")
        yield request


class Credentials:
    """changed: tells a running site of this process; another process's looks by itself within a second."""

    def __init__(self, catalog: Catalog, signer: TokenSigner, changed: Callable[[], object] = lambda: None) -> None:
        self._catalog, self._signer, self._changed = catalog, signer, changed

    def person(self, name: str, *grants: Grant, must_change: bool = False) -> Bearer:
        """Somebody who is signed in. Without grants an admin."""
        held = grants or (Grant(Role.ADMIN, EVERYWHERE),)
        person = Person(secrets.token_hex(8), name, name.title(), held, None, must_change, False, now_us())
        self._catalog.people.add(person, DEED)
        session = Session(
            secrets.token_hex(8), person.id, b"0" * 32, None, now_us(), now_us(), now_us() + DAY, "127.0.0.1", "tests"
        )
        self._catalog.people.open_session(session, DEED)
        self._changed()
        return Bearer(lambda: self._signer.issue(person.id, session.id)[0])

    def machine(self, name: str, path: str = EVERYWHERE, role: Role = Role.GATEWAY) -> Bearer:
        """A gateway with a key."""
        machine_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        key_hash = hashlib.sha256(secret.encode()).digest()
        grants = (Grant(role, path),)
        machine = Machine(machine_id, name, grants, None, None, key_hash, None, None, False, now_us(), None)
        self._catalog.machines.add(machine, DEED)
        self._changed()
        return Bearer(lambda: f"fwk_{machine_id}_{secret}")
