"""The file beside the database that remembers the audit log's end, so that a cut end is seen."""

import fcntl
import hmac
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from forewarn.catalog.audit_chain import START, ChainEnd, seal

_KIND: Final = "forewarn audit anchor 1"
_log = structlog.get_logger("forewarn.audit")


class AnchorDamaged(Exception):
    """The file is missing, unreadable, or not sealed under the key; the text says which."""


class Anchor:
    """Number, digest and a seal. It is moved after a commit: it may lag behind the chain, it never leads.

    Several processes may move it. Once it names an entry that the chain does not have, it stays as it is: evidence."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key

    def begin(self) -> None:
        """Make it for a chain without entries. Raises OSError."""
        with self._locked():
            if not self.path.exists():
                self._write(START)

    def read(self) -> ChainEnd:
        """Raises AnchorDamaged."""
        try:
            content = json.loads(self.path.read_bytes())
            end = ChainEnd(int(content["number"]), str(content["digest"]))
            sealed = str(content["seal"]).encode()
        except FileNotFoundError:
            raise AnchorDamaged(f"the anchor {self.path} is missing, so a cut end would not be seen") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise AnchorDamaged(f"the anchor {self.path} cannot be read: {error}") from None
        if not hmac.compare_digest(sealed, self._seal(end).encode()):
            raise AnchorDamaged(f"the anchor {self.path} (entry {end.number}) was changed, or the key is another one")
        return end

    def move(self, end: ChainEnd, digest_at: Callable[[int], str | None]) -> None:
        """To `end`, which is committed, unless it is there or further. digest_at: of an entry in the database.

        Never raises: the entry stands whatever disk or database refuse now, and the next one moves the anchor."""
        try:
            with self._locked():
                now = self.read()
                if now.number >= end.number:
                    return
                if now != START and digest_at(now.number) != now.digest:
                    raise AnchorDamaged(f"entry {now.number} in the database is not the one that {self.path} names")
                self._write(end)
        except Exception as error:  # whoever is told that it failed would do again what is done
            _log.error("audit_anchor_stays", entry=end.number, error=str(error), remedy="run `forewarn audit verify`")

    def _write(self, end: ChainEnd) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        content = {"number": end.number, "digest": end.digest, "seal": self._seal(end)}
        with fresh.open("w", encoding="ascii") as file:
            file.write(json.dumps(content) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _seal(self, end: ChainEnd) -> str:
        return seal(self._key, _KIND, end.number, end.digest)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
