"""Machines' keys: what is kept, refused and recorded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from forewarn.catalog.audit import CatalogAudit
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.machines import CatalogMachines
from forewarn.catalog.people import CatalogPeople
from forewarn.catalog.tables import audit_head
from forewarn.catalog.upgrade import upgrade
from forewarn.contracts.audit_log import AuditQuery
from forewarn.contracts.machine_store import MachineStore
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, InvalidInput, NotFound, StorageFailed
from forewarn.domain.people import Machine

GRANT = Grant(Role.GATEWAY, "acme/pune")
DEED = Deed(AuditAction.MACHINE_CHANGED, "local root", "gw1")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(create_catalog_engine(catalog_url(url)))
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def audit(database: Database) -> CatalogAudit:
    return CatalogAudit(database, lambda: 5, b"k" * 32, None)


@pytest.fixture
def store(database: Database, audit: CatalogAudit) -> MachineStore:
    return CatalogMachines(database, lambda: 5, audit)


def machine(name: str, **changes: Any) -> Machine:
    plain = Machine(f"id-{name}", name, (GRANT,), b"\x00token\xff", 900, None, None, None, False, 7, None)
    return replace(plain, **changes)


def enrolled(_: Machine, after: Machine) -> Deed:
    return Deed(AuditAction.MACHINE_ENROLLED, after.name, after.name)


def test_machines_are_read_as_they_were_added(store: MachineStore, audit: CatalogAudit) -> None:
    full = machine("gw2", key_hash=b"a" * 32, next_key_hash=b"b" * 32, certificate="ab:cd", last_seen_at=3, grants=())
    store.add(full, DEED)
    store.add(machine("gw1"), DEED)
    assert store.machines() == [machine("gw1"), full]
    assert [e.deed for e in audit.find(AuditQuery())] == [DEED, DEED]


def test_a_name_is_free_again_when_its_machine_is_revoked(store: MachineStore) -> None:
    store.add(machine("gw1"), DEED)
    with pytest.raises(Conflict, match="'gw1' stands already"):
        store.add(machine("gw1", id="second"), DEED)
    store.change("id-gw1", lambda m: replace(m, revoked=True, key_hash=None), enrolled)
    store.add(machine("gw1", id="second", created_at=8), DEED)
    assert [(m.id, m.revoked) for m in store.machines()] == [("id-gw1", True), ("second", False)]
    with pytest.raises(Conflict):
        store.change("id-gw1", lambda m: replace(m, revoked=False), enrolled)
    with pytest.raises(InvalidInput):
        store.add(machine(""), DEED)


def test_a_token_is_used_once_however_many_ask(store: MachineStore, audit: CatalogAudit) -> None:
    store.add(machine("gw1"), DEED)

    def enrol(number: int) -> bool:
        def take(found: Machine) -> Machine:
            if found.enrol_hash is None:
                raise Conflict("used")
            return replace(found, enrol_hash=None, enrol_until=None, key_hash=bytes([number]) * 32)

        try:
            store.change("id-gw1", take, enrolled)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(enrol, range(4)))
    assert sum(won) == 1
    assert store.machines()[0].key_hash == bytes([won.index(True)]) * 32
    assert len(audit.find(AuditQuery())) == 2


def test_what_a_machine_is_does_not_change(store: MachineStore) -> None:
    store.add(machine("gw1"), DEED)
    store.seen({"id-gw1": 50})
    after = store.change("id-gw1", lambda m: replace(m, id="x", created_at=0, last_seen_at=None), enrolled)
    assert [after] == store.machines() == [machine("gw1", last_seen_at=50)]
    with pytest.raises(NotFound):
        store.change("nobody", lambda m: m, enrolled)


def test_being_heard_of_is_no_change(store: MachineStore, audit: CatalogAudit, database: Database) -> None:
    for name in ("gw1", "gw2"):
        store.add(machine(name), DEED)
    people = CatalogPeople(database, lambda: 5, audit)
    revision = people.revision()
    store.seen({"id-gw2": 70, "id-gw1": 60, "gone": 1})
    store.seen({"id-gw1": 40})
    store.seen({})
    assert [m.last_seen_at for m in store.machines()] == [60, 70]
    assert (people.revision(), len(audit.find(AuditQuery()))) == (revision, 2) == (2, 2)


def test_what_cannot_be_recorded_is_not_done(store: MachineStore, database: Database) -> None:
    store.add(machine("gw1"), DEED)
    with database.write() as connection:
        connection.execute(update(audit_head).values(number=0))
    with pytest.raises(StorageFailed):
        store.add(machine("gw2"), DEED)
    with pytest.raises(StorageFailed):
        store.change("id-gw1", lambda m: replace(m, revoked=True, grants=()), enrolled)
    assert store.machines() == [machine("gw1")]
