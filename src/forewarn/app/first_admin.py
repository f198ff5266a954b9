"""The first account of a site, with a password that is shown once."""

from collections.abc import Callable
from secrets import token_hex
from typing import Final

from forewarn.contracts.people_store import PeopleStore
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict
from forewarn.domain.people import Person
from forewarn.kit.passwords import PasswordHashing
from forewarn.policies.one_time import one_time_password

NAME: Final = "admin"


def ensure_first_admin(people: PeopleStore, hashing: PasswordHashing, now: Callable[[], int]) -> str | None:
    """Where there is nobody, add `admin`, admin of everything; its one-time password, to be printed and nowhere kept.

    None where there is somebody, also when another process was faster. Raises StorageFailed."""
    if people.people():
        return None
    password = one_time_password()
    admin = Person(
        id=token_hex(8),
        name=NAME,
        full_name="",
        grants=(Grant(Role.ADMIN),),
        password_hash=hashing.hash(password),
        must_change=True,
        disabled=False,
        created_at=now(),
    )
    after = {"name": NAME, "grants": [{"role": Role.ADMIN.value, "path": ""}]}
    deed = Deed(AuditAction.PERSON_CHANGED, "forewarn", f"person {NAME}", after=after, why="there was nobody")
    try:
        people.add(admin, deed)
    except Conflict:
        return None
    return password
