"""Accounts of people, with their grants."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from forewarn.catalog.access_changes import grants_of, in_order, read_revision, write_grants
from forewarn.catalog.failures import CatalogFailures
from forewarn.catalog.sessions import CatalogSessions
from forewarn.catalog.tables import grants, people, sessions
from forewarn.domain.access import EVERYWHERE, Grant, Role
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, InvalidInput, NotFound
from forewarn.domain.people import Person
from forewarn.policies.person_names import folded, taken_by_others

_ADMIN: Final = Grant(Role.ADMIN, EVERYWHERE)
_HELD: Final = select(people, grants.c.role, grants.c.path).outerjoin(grants, grants.c.holder_id == people.c.person_id)


class CatalogPeople(CatalogSessions, CatalogFailures):
    """PeopleStore in the catalog."""

    def revision(self) -> int:
        with self._database.read() as connection:
            return read_revision(connection)

    def people(self) -> Sequence[Person]:
        with self._database.read() as connection:
            return _read(connection)

    def add(self, person: Person, deed: Deed) -> None:
        with self._changing() as connection:
            _refuse_taken(connection, person)
            connection.execute(insert(people).values(person_id=person.id, created_at=person.created_at, **_row(person)))
            write_grants(connection, person.id, person.grants)
            self._record(connection, deed)

    def change(
        self,
        person_id: str,
        change: Callable[[Person], Person],
        deed: Callable[[Person, Person], Deed],
        *,
        keep_sessions: bool = False,
    ) -> Person:
        with self._changing() as connection:
            found = _read(connection, people.c.person_id == person_id)
            if not found:
                raise NotFound(f"there is no person {person_id!r}")
            before = found[0]
            given = change(before)
            after = replace(given, id=before.id, created_at=before.created_at, grants=in_order(given.grants))
            _refuse_taken(connection, after)
            if _rules_all(before) and not _rules_all(after):
                _refuse_last_admin(connection, before)
            connection.execute(update(people).where(people.c.person_id == person_id).values(**_row(after)))
            write_grants(connection, person_id, after.grants)
            if after.disabled or (not keep_sessions and _opened_by(before) != _opened_by(after)):
                connection.execute(delete(sessions).where(sessions.c.person_id == person_id))
            self._record(connection, deed(before, after))
            return after


def _read(connection: Connection, where: ColumnElement[bool] | None = None) -> list[Person]:
    """By name. One query: between two, PostgreSQL would let a change in."""
    query = _HELD if where is None else _HELD.where(where)
    rows = sorted(connection.execute(query), key=lambda row: (row.folded_name, row.person_id))
    return [_person(list(of_one)) for _, of_one in groupby(rows, key=lambda row: row.person_id)]


def _opened_by(person: Person) -> tuple[object, ...]:
    """What a sign-in was checked against: sessions do not outlive it."""
    return person.password_hash, person.must_change, person.subject


def _refuse_taken(connection: Connection, person: Person) -> None:
    if taken_by_others(person.name):
        raise InvalidInput(f"name: {person.name!r} is kept for the program, or shows no letter or digit", field="name")
    others = select(people.c.name, people.c.folded_name).where(people.c.person_id != person.id)
    taken = people.c.folded_name == folded(person.name)
    if person.subject is not None:  # "== None" would find everybody who has none
        taken = or_(taken, people.c.subject == person.subject)
    found = connection.execute(others.where(taken)).first()
    if found is None:
        return
    if found.folded_name == folded(person.name):
        raise Conflict(f"the name {found.name!r} is taken: choose one that differs in more than case")
    raise Conflict(f"this identity of single sign-on belongs to {found.name!r} already")


def _rules_all(person: Person) -> bool:
    return not person.disabled and _ADMIN in person.grants


def _refuse_last_admin(connection: Connection, person: Person) -> None:
    if not any(_rules_all(other) for other in _read(connection, people.c.person_id != person.id)):
        raise Conflict(
            f"{person.name} is the last admin of everything: make somebody else admin everywhere first, "
            "or nobody could let people in again"
        )


def _row(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "folded_name": folded(person.name),
        "full_name": person.full_name,
        "password_hash": person.password_hash,
        "must_change": person.must_change,
        "disabled": person.disabled,
        "subject": person.subject,
    }


def _person(rows: Sequence[Row[Any]]) -> Person:
    row = rows[0]
    return Person(
        id=row.person_id,
        name=row.name,
        full_name=row.full_name,
        grants=grants_of(rows),
        password_hash=row.password_hash,
        must_change=row.must_change,
        disabled=row.disabled,
        created_at=row.created_at,
        subject=row.subject,
    )
