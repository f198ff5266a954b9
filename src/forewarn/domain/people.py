"""Accounts of people, keys of machines, and their sessions. Times are microseconds UTC."""

from dataclasses import dataclass

from forewarn.domain.access import Grant


@dataclass(frozen=True, slots=True)
class Person:
    """password_hash: argon2id, None for those who sign in elsewhere. subject: `issuer|sub` of single sign-on.
    must_change: the password was given by somebody else."""

    id: str
    name: str
    full_name: str
    grants: tuple[Grant, ...]
    password_hash: str | None
    must_change: bool
    disabled: bool
    created_at: int
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. secret_hash, previous_hash: SHA-256 of the refresh secret and of the one before it, which counts
    until rotated_at + a few seconds (two tabs ask at once). expires_at moves with every refresh."""

    id: str
    person_id: str
    secret_hash: bytes
    previous_hash: bytes | None
    created_at: int
    rotated_at: int
    expires_at: int
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A gateway or device with a key of its own. name: the gateway_id it may speak for, and all below `name/`.

    enrol_hash, enrol_until: the one-time token, while it is not used. key_hash: SHA-256 of the key's secret;
    next_key_hash: a rotated key that was not used yet (its first use ends the old one)."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    enrol_hash: bytes | None
    enrol_until: int | None
    key_hash: bytes | None
    next_key_hash: bytes | None
    certificate: str | None
    revoked: bool
    created_at: int
    last_seen_at: int | None
