"""Whose models a gateway believes."""

from collections.abc import Collection, Sequence
from typing import Final

import structlog

from forewarn.gateway.local.database import Memory

_log = structlog.get_logger(__name__)
_NOTE: Final = "model_keys"
_MOST: Final = 16


class TrustedKeys:
    """Those that the gateway's file names. Where it names none: those that the site told first, over a connection that
    nobody else could have answered; kept in gateway.db, and not changed by what the site says later."""

    def __init__(self, memory: Memory, named: Sequence[str], private: bool) -> None:
        """private: the connection to the site is TLS, or does not leave this machine."""
        self._memory, self._named, self._private = memory, frozenset(named), private
        self._pinned: frozenset[str] | None = None

    def known(self) -> frozenset[str]:
        """Raises StorageFailed."""
        if self._named:
            return self._named
        if self._pinned is None:
            with self._memory.read() as connection:
                row = connection.execute("SELECT text FROM note WHERE name = ?", (_NOTE,)).fetchone()
            self._pinned = frozenset(key for key in (row[0].split() if row else ()) if is_key(key))
        return self._pinned

    def learn(self, told: Collection[str]) -> None:
        """What the site says of its keys. Raises StorageFailed."""
        keys = sorted(filter(is_key, told))[:_MOST]
        if self._named or not self._private or not keys or self.known():
            return
        with self._memory.write() as connection:
            connection.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (_NOTE, " ".join(keys)))
        self._pinned = frozenset(keys)
        _log.info("model_keys_pinned", keys=keys)


def is_key(text: str) -> bool:
    """64 hexadecimal digits."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
