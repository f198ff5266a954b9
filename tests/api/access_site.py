"""The routes of access behind the real guard, a real server and a real catalog; the clock is ours."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from forewarn.api import machines, people, problems, session, single_sign_on
from forewarn.api.access_book import AccessBook
from forewarn.api.access_parts import AccessParts
from forewarn.api.access_tokens import TokenSigner
from forewarn.api.guard import GuardedRoute
from forewarn.api.sign_on_parts import SingleSignOn
from forewarn.catalog.catalog import Seal, open_catalog
from forewarn.contracts.audit_log import AuditLog, AuditQuery
from forewarn.contracts.machine_store import MachineStore
from forewarn.contracts.people_store import PeopleStore
from forewarn.domain.access import Action, Grant, Principal, Role
from forewarn.domain.assets import Asset
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotAllowed
from forewarn.domain.people import Person
from forewarn.kit.clock import DAY
from forewarn.kit.passwords import PasswordHashing
from forewarn.policies import access as policy

PASSWORD = "gravel under the old turbine"
_START = 1_800_000_000_000_000


class SetClock:
    """Microseconds UTC, moved by hand."""

    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> int:
        return self.now


class CountedHashing(PasswordHashing):
    """Weak parameters, as there are many tests; counts the calls that cost."""

    def __init__(self) -> None:
        super().__init__(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        self.verified = 0
        self.at_once = 0
        self.most_at_once = 0

    def verify(self, hashed: str | None, password: str) -> bool:
        # Anything else is refused without the work, and so tells by its time.
        assert hashed is None or hashed.startswith("$argon2id$")
        self.verified += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return super().verify(hashed, password)
        finally:
            self.at_once -= 1


@dataclass(frozen=True)
class Stores:
    people: PeopleStore
    machines: MachineStore
    audit: AuditLog

    def deeds(self, *actions: AuditAction) -> list[Deed]:
        return [entry.deed for entry in self.audit.find(AuditQuery(actions=actions, limit=1_000))]


@dataclass(frozen=True)
class AccessSite:
    url: str
    stores: Stores
    access: AccessParts
    clock: SetClock
    hashing: CountedHashing

    def browser(self) -> httpx.Client:
        """A client with cookies of its own; close it."""
        return httpx.Client(base_url=self.url, timeout=30, headers={"Origin": self.url})

    def person(self, name: str, *grants: Grant, password: str | None = PASSWORD, must_change: bool = False) -> Person:
        hashed = None if password is None else self.hashing.hash(password)
        made = Person(f"id-{name}", name, "", grants, hashed, must_change, False, self.clock())
        self.stores.people.add(made, Deed(AuditAction.PERSON_CHANGED, "test", name))
        self.access.book.changed()
        return made


def signed_in(client: httpx.Client, name: str, password: str = PASSWORD) -> dict[str, Any]:
    """Signs in and has the client send the token from here on."""
    answer = client.post("/api/v1/session", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    client.headers["Authorization"] = f"Bearer {body['access_token']}"
    return body


@contextlib.contextmanager
def open_stores(directory: Path, clock: SetClock) -> Iterator[Stores]:
    with open_catalog(f"sqlite:///{directory / 'catalog.db'}", clock, Seal(b"k" * 32)) as catalog:
        yield Stores(catalog.people, catalog.machines, catalog.audit)


class _OneGuard:
    """What the guard does for these routes, which narrow nothing."""

    def __init__(self, book: AccessBook) -> None:
        self._book = book

    def open(self, scope: dict[str, Any], path: str) -> None:
        """Nothing is counted here."""

    def admit(self, scope: dict[str, Any], action: Action) -> None:
        headers = dict(scope["headers"])
        token = headers.get(b"authorization", b"").decode("latin-1")
        principal: Principal = self._book.principal(token)
        scope["forewarn.principal"] = principal
        if principal.must_change and action is not Action.OWN_SESSION:
            raise NotAllowed("choose a password first")
        decision = policy.decide(principal.grants, action)
        if not decision.allowed:
            raise NotAllowed(decision.why)


def _app(access: AccessParts) -> FastAPI:
    app = FastAPI(telemetry={"tracing": False})
    for noun in (session, single_sign_on, people, machines):
        assert noun.router.route_class is GuardedRoute
        app.include_router(noun.router)
    problems.install(app)
    pump = Asset("p1", "Pump", ("acme", "pune", "hall", "line1"))
    app.state.parts = SimpleNamespace(plant=SimpleNamespace(assets={"p1": pump}))
    app.state.access = access
    app.state.guard = _OneGuard(access.book)
    return app


@contextlib.contextmanager
def serving_access(
    directory: Path, *, demo: bool = False, sign_on: Callable[[SetClock], SingleSignOn | None] = lambda _: None
) -> Iterator[AccessSite]:
    clock, hashing = SetClock(), CountedHashing()
    with open_stores(directory, clock) as stores:
        signer = TokenSigner(b"\x01" * 32, clock)
        book = AccessBook(stores.people, stores.machines, signer, clock)
        access = AccessParts(
            stores.people,
            stores.machines,
            book,
            signer,
            hashing,
            clock,
            demo,
            secure_cookies=False,
            session_us=7 * DAY,
            single_sign_on=sign_on(clock),
        )
        bound = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(_app(access), log_config=None, access_log=False, proxy_headers=False))
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        try:
            yield AccessSite(f"http://127.0.0.1:{bound.getsockname()[1]}", stores, access, clock, hashing)
        finally:
            server.should_exit = True
            thread.join(60)
            bound.close()


ADMIN = Grant(Role.ADMIN)
