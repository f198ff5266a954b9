"""`forewarn machines`: keys of gateways and devices from the command line of the site's machine."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Final

from rich.console import Console

from forewarn.app.access_words import (
    LONGEST_MACHINE,
    checked_name,
    existing_catalog,
    recorded,
    said,
    unknown_places,
)
from forewarn.app.role_words import checked_path, machine_role
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import local_deed, open_site_catalog
from forewarn.app.terminal import say
from forewarn.domain.access import EVERYWHERE, Grant
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.domain.people import Machine
from forewarn.kit.clock import now_us, to_rfc3339
from forewarn.policies.certificates import fingerprint_of

ENROL_US: Final = 24 * 3_600_000_000


def list_machines(settings: Settings, console: Console) -> None:
    """A line each: name, state, when it was last heard of, roles."""
    with existing_catalog(settings) as catalog:
        machines = catalog.machines.machines()
    widest = max((len(machine.name) for machine in machines), default=0)
    for machine in machines:
        heard = "never heard of" if machine.last_seen_at is None else f"heard of {to_rfc3339(machine.last_seen_at)}"
        say(f"{machine.name:<{widest}}  {_state(machine):<8}  {heard}  {said(machine.grants)}", to=console)
    if not machines:
        say("No machine yet: `forewarn machines add NAME`.", to=console)


def add_machine(
    settings: Settings,
    name: str,
    role: str,
    paths: Sequence[str],
    with_key: bool,
    console: Console,
    certificate: Path | None = None,
) -> None:
    """Prints its enrolment token or its key; with a certificate (PEM) it needs neither. Raises InvalidInput, and
    Conflict when the name or the certificate is another's."""
    places = dict.fromkeys(checked_path(path) for path in paths) or (EVERYWHERE,)
    now, machine_id, secret = now_us(), token_hex(8), token_urlsafe(32)
    hashed = hashlib.sha256(secret.encode()).digest()
    with_token = not with_key and certificate is None
    machine = Machine(
        id=machine_id,
        name=checked_name(name, LONGEST_MACHINE),
        grants=tuple(Grant(machine_role(role), path) for path in places),
        enrol_hash=hashed if with_token else None,
        enrol_until=now + ENROL_US if with_token else None,
        key_hash=hashed if with_key else None,
        next_key_hash=None,
        certificate=None if certificate is None else _fingerprint(certificate, now),
        revoked=False,
        created_at=now,
        last_seen_at=None,
    )
    after = {"name": machine.name, "grants": recorded(machine.grants), "state": _state(machine)}
    if machine.certificate is not None:
        after["certificate"] = machine.certificate
    with open_site_catalog(settings) as catalog:
        catalog.machines.add(machine, _deed(machine, after=after))
        if with_token:
            say(
                f"Enrolment token of {machine.name}, for one use within 24 hours: fwe_{machine_id}_{secret}", to=console
            )
        if with_key:
            say(f"Key of {machine.name}, shown this once: fwk_{machine_id}_{secret}", to=console)
        if machine.certificate is not None:
            say(f"{machine.name} acts by its certificate, SHA-256 {machine.certificate}", to=console)
        for path in unknown_places(machine.grants, catalog.plant):
            say(f"The plant has no place {path!r} yet; the role counts once it has.", to=console)


def revoke_machine(settings: Settings, name: str, console: Console) -> None:
    """Its key is refused from now on. Raises NotFound."""
    with existing_catalog(settings) as catalog:
        standing = [machine for machine in catalog.machines.machines() if machine.name == name and not machine.revoked]
        if not standing:
            raise NotFound(f"no machine {name!r} stands: `forewarn machines list` tells which there are")
        catalog.machines.change(
            standing[0].id,
            _revoked,
            lambda before, after: _deed(before, {"state": _state(before)}, {"state": _state(after)}),
        )
    say(f"{name} is revoked: a running site refuses its key within a second.", to=console)


def _fingerprint(certificate: Path, now: int) -> str:
    try:
        return fingerprint_of(certificate.read_text("ascii", "replace"), now)
    except OSError as error:
        raise InvalidInput(f"{certificate}: {error.strerror}", field="certificate") from None


def _revoked(machine: Machine) -> Machine:
    return replace(
        machine, revoked=True, enrol_hash=None, enrol_until=None, key_hash=None, next_key_hash=None, certificate=None
    )


def _state(machine: Machine) -> str:
    if machine.revoked:
        return "revoked"
    return "waiting" if machine.key_hash is None and machine.certificate is None else "enrolled"


def _deed(
    machine: Machine, before: Mapping[str, object] | None = None, after: Mapping[str, object] | None = None
) -> Deed:
    return local_deed(AuditAction.MACHINE_CHANGED, f"machine {machine.name}", before=before, after=after)
