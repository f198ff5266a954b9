"""`forewarn people`: accounts from the command line of the site's machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from secrets import token_hex

from rich.console import Console

from forewarn.app.access_words import (
    LONGEST_PERSON,
    checked_name,
    existing_catalog,
    recorded,
    said,
    unknown_places,
)
from forewarn.app.role_words import person_grant
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import local_deed, open_site_catalog
from forewarn.app.terminal import say
from forewarn.contracts.people_store import PeopleStore
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotFound
from forewarn.domain.people import Person
from forewarn.kit.clock import now_us
from forewarn.kit.passwords import PasswordHashing
from forewarn.policies.one_time import one_time_password
from forewarn.policies.person_names import folded


def list_people(settings: Settings, console: Console) -> None:
    """A line each: name, state, roles."""
    with existing_catalog(settings) as catalog:
        people = catalog.people.people()
    widest = max((len(person.name) for person in people), default=0)
    for person in people:
        say(f"{person.name:<{widest}}  {_state(person):<19}  {said(person.grants)}", to=console)
    if not people:
        say("Nobody yet: `forewarn people add NAME --role admin`.", to=console)


def add_person(settings: Settings, name: str, full_name: str, roles: Sequence[str], console: Console) -> None:
    """Prints the one-time password. Raises InvalidInput, and Conflict when the name is taken."""
    grants = tuple(dict.fromkeys(person_grant(text) for text in roles))
    password = one_time_password()
    person = Person(
        id=token_hex(8),
        name=checked_name(name, LONGEST_PERSON),
        full_name=full_name.strip(),
        grants=grants,
        password_hash=PasswordHashing().hash(password),
        must_change=True,
        disabled=False,
        created_at=now_us(),
    )
    with open_site_catalog(settings) as catalog:
        after = {"name": person.name, "full_name": person.full_name, "grants": recorded(grants)}
        catalog.people.add(person, _deed(AuditAction.PERSON_CHANGED, person, after=after))
        _tell(person, password, console)
        for path in unknown_places(grants, catalog.plant):
            say(f"The plant has no place {path!r} yet; the role counts once it has.", to=console)
    if not grants:
        say(f"{person.name} has no role and sees nothing: an admin gives one on the page.", to=console)


def reset_password(settings: Settings, name: str, console: Console) -> None:
    """Prints a new one-time password; all sessions of that person end. Raises NotFound."""
    password = one_time_password()
    hashed = PasswordHashing().hash(password)
    with existing_catalog(settings) as catalog:
        person = catalog.people.change(
            _found(catalog.people, name).id,
            lambda before: replace(before, password_hash=hashed, must_change=True),
            lambda before, _: _deed(AuditAction.PASSWORD_CHANGED, before, after={"one_time_password": True}),
        )
        open_ids = [session.id for session in catalog.people.sessions() if session.person_id == person.id]
        catalog.people.close_sessions(open_ids, _deed(AuditAction.SESSION_REVOKED, person, why="password was reset"))
    if person.disabled:
        say(f"{person.name} is disabled and cannot sign in: `forewarn people enable {person.name}`.", to=console)
    _tell(person, password, console)


def set_disabled(settings: Settings, name: str, disabled: bool, console: Console) -> None:
    """Sessions of who is disabled end at once. Raises NotFound, and Conflict for the last admin of everything."""
    with existing_catalog(settings) as catalog:
        person = catalog.people.change(
            _found(catalog.people, name).id,
            lambda before: replace(before, disabled=disabled),
            lambda before, after: _deed(
                AuditAction.PERSON_CHANGED, before, {"disabled": before.disabled}, {"disabled": after.disabled}
            ),
        )
    say(f"{person.name} is {'disabled, and signed out everywhere' if disabled else 'enabled'}.", to=console)


def _found(people: PeopleStore, name: str) -> Person:
    for person in people.people():
        if folded(person.name) == folded(name):
            return person
    raise NotFound(f"there is nobody named {name!r}: `forewarn people list` tells who there is")


def _state(person: Person) -> str:
    if person.disabled:
        return "disabled"
    return "one-time password" if person.must_change else "enabled"


def _tell(person: Person, password: str, console: Console) -> None:
    say(f"One-time password of {person.name}, shown this once: {password}", to=console)


def _deed(
    action: AuditAction,
    person: Person,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    why: str = "",
) -> Deed:
    return local_deed(action, f"person {person.name}", before=before, after=after, why=why)
