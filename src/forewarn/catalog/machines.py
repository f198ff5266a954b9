"""Machines that may send, with their keys' hashes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, or_, select, update

from forewarn.catalog.access_changes import RecordedStore, grants_of, in_order, write_grants
from forewarn.catalog.tables import grants, machines
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, InvalidInput, NotFound
from forewarn.domain.people import Machine

_HELD: Final = select(machines, grants.c.role, grants.c.path).outerjoin(
    grants, grants.c.holder_id == machines.c.machine_id
)
_SEEN: Final = (
    update(machines)
    .where(
        machines.c.machine_id == bindparam("id"),
        or_(machines.c.last_seen_at.is_(None), machines.c.last_seen_at < bindparam("at")),
    )
    .values(last_seen_at=bindparam("at"))
)


class CatalogMachines(RecordedStore):
    """MachineStore in the catalog."""

    def machines(self) -> Sequence[Machine]:
        with self._database.read() as connection:
            return _read(connection)

    def add(self, machine: Machine, deed: Deed) -> None:
        with self._changing() as connection:
            _refuse_taken(connection, machine)
            connection.execute(
                insert(machines).values(
                    machine_id=machine.id,
                    created_at=machine.created_at,
                    last_seen_at=machine.last_seen_at,
                    **_row(machine),
                )
            )
            write_grants(connection, machine.id, machine.grants)
            self._record(connection, deed)

    def change(
        self, machine_id: str, change: Callable[[Machine], Machine], deed: Callable[[Machine, Machine], Deed]
    ) -> Machine:
        with self._changing() as connection:
            found = _read(connection, machines.c.machine_id == machine_id)
            if not found:
                raise NotFound(f"there is no machine {machine_id!r}")
            before = found[0]
            given = change(before)
            after = replace(
                given,
                id=before.id,
                created_at=before.created_at,
                last_seen_at=before.last_seen_at,
                grants=in_order(given.grants),
            )
            _refuse_taken(connection, after)
            connection.execute(update(machines).where(machines.c.machine_id == machine_id).values(**_row(after)))
            write_grants(connection, machine_id, after.grants)
            self._record(connection, deed(before, after))
            return after

    def seen(self, at: dict[str, int]) -> None:
        # In order, so that two writers never wait for each other's rows crosswise.
        rows = [{"id": machine_id, "at": at[machine_id]} for machine_id in sorted(at)]
        if rows:
            with self._database.write() as connection:
                connection.execute(_SEEN, rows)


def _read(connection: Connection, where: ColumnElement[bool] | None = None) -> list[Machine]:
    """By name, then by age. One query: between two, PostgreSQL would let a change in."""
    query = _HELD if where is None else _HELD.where(where)
    rows = sorted(connection.execute(query), key=lambda row: (row.name, row.created_at, row.machine_id))
    return [_machine(list(of_one)) for _, of_one in groupby(rows, key=lambda row: row.machine_id)]


def _refuse_taken(connection: Connection, machine: Machine) -> None:
    if not machine.name:
        raise InvalidInput("name: a machine needs a name, the gateway_id it speaks for", field="name")
    standing = select(machines.c.machine_id).where(
        machines.c.name == machine.name, machines.c.machine_id != machine.id, machines.c.revoked.is_(False)
    )
    if not machine.revoked and connection.execute(standing).first() is not None:
        raise Conflict(f"a machine named {machine.name!r} stands already: revoke it first, or choose another name")
    shown = select(machines.c.name).where(
        machines.c.certificate == machine.certificate,
        machines.c.machine_id != machine.id,
        machines.c.revoked.is_(False),
    )
    if machine.certificate is not None and not machine.revoked and (other := connection.scalar(shown)) is not None:
        raise Conflict(f"this certificate is that of machine {other!r}: each needs its own")


def _row(machine: Machine) -> dict[str, Any]:
    return {
        "name": machine.name,
        "enrol_hash": machine.enrol_hash,
        "enrol_until": machine.enrol_until,
        "key_hash": machine.key_hash,
        "next_key_hash": machine.next_key_hash,
        "certificate": machine.certificate,
        "revoked": machine.revoked,
    }


def _machine(rows: Sequence[Row[Any]]) -> Machine:
    row = rows[0]
    return Machine(
        id=row.machine_id,
        name=row.name,
        grants=grants_of(rows),
        enrol_hash=row.enrol_hash,
        enrol_until=row.enrol_until,
        key_hash=row.key_hash,
        next_key_hash=row.next_key_hash,
        certificate=row.certificate,
        revoked=row.revoked,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
    )
