"""Passwords as Argon2id hashes."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError


class PasswordHashing:
    """RFC 9106's second recommended set of parameters (64 MiB, 3 passes, 4 lanes) unless told otherwise.

    Threads may share it. One hash or verification takes tens of milliseconds of CPU outside the interpreter's lock:
    never on an event loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._of_nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        return self._hasher.hash(_octets(password))

    def verify(self, hashed: str | None, password: str) -> bool:
        """False for None too, after the same work: how long it takes does not tell whether somebody has the name."""
        try:
            matches = self._hasher.verify(hashed or self._of_nobody, _octets(password))
        except (Argon2Error, InvalidHashError):
            return False
        return matches and hashed is not None

    def needs_rehash(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(hashed)


def _octets(password: str) -> bytes:
    # A lone surrogate is no valid text but a valid JSON string: it must be a wrong password, not an error.
    return password.encode("utf-8", "surrogatepass")
