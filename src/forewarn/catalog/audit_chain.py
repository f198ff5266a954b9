"""The audit log's chain: what each digest covers, and a walk that finds where it was broken."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

COLUMNS: Final = ("number", "at", "action", "actor", "target", "before", "after", "address", "why", "trace_id")
BEGINNING: Final = ""  # the digest before entry 1
_MOST_FAULTS: Final = 1_000


def digest_of(key: bytes, values: Sequence[object], previous: str) -> str:
    """HMAC-SHA256 over the entry's COLUMNS and the digest of the entry before, hex."""
    return seal(key, "forewarn audit entry 1", *values, previous)


def seal(key: bytes, kind: str, *values: object) -> str:
    """HMAC-SHA256 over a JSON list: texts are quoted and escaped, so no two lists have the same bytes."""
    text = json.dumps([kind, *values], ensure_ascii=True, separators=(",", ":"), default=repr)
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """An entry's number and digest; of an empty chain 0 and ''."""

    number: int
    digest: str


START: Final = ChainEnd(0, BEGINNING)


class ChainWalk:
    """Is given the rows (COLUMNS and digest) in the order of their numbers, and the ends that others remember."""

    def __init__(self, key: bytes, remembered: ChainEnd | None) -> None:
        self._key = key
        self._remembered = remembered
        self._found = BEGINNING if remembered == START else None  # the digest at the remembered number
        self._faults: list[str] = []
        self._unsaid = 0
        self.last = START
        self.entries = 0

    def step(self, row: Sequence[Any]) -> None:
        *values, digest = row
        number, expected = values[0], self.last.number + 1
        self.entries += 1
        if not isinstance(number, int) or number < expected:
            self.fault(f"entry {number!r} does not belong here: it comes after entry {self.last.number}")
            return
        if number > expected:
            gap = f"entry {expected} is" if number == expected + 1 else f"entries {expected} to {number - 1} are"
            self.fault(f"{gap} missing; entry {number} cannot be checked for want of the digest before it")
        elif not _same(digest, digest_of(self._key, values, self.last.digest)):
            self.fault(f"entry {number} was changed or put there, or the entry before it was")
        self.last = ChainEnd(number, digest)
        if self._remembered is not None and number == self._remembered.number:
            self._found = digest

    def fault(self, text: str) -> None:
        if len(self._faults) < _MOST_FAULTS:
            self._faults.append(text)
        else:
            self._unsaid += 1

    def end(self, head: ChainEnd | None) -> tuple[str, ...]:
        """Every fault. head: what the table audit_head says, None when it says nothing."""
        if head is None:
            self.fault(f"audit_head has no row; the last entry is {self.last.number}")
        elif head != self.last:
            self.fault(_parted(f"audit_head names entry {head.number}", head, self.last))
        remembered = self._remembered
        if remembered is not None and not _same(self._found, remembered.digest):
            if remembered.number > self.last.number:
                lost = f"entries {self.last.number + 1} to {remembered.number} were cut off"
                self.fault(f"{lost}: the anchor names entry {remembered.number}")
            else:
                self.fault(f"entry {remembered.number} is not the one that the anchor names: the end was written anew")
        more = (f"and {self._unsaid} more faults",) if self._unsaid else ()
        return (*self._faults, *more)


def _parted(said: str, head: ChainEnd, last: ChainEnd) -> str:
    if head.number == last.number:
        return f"{said} with another digest than that entry has"
    return f"{said}, but the last entry is {last.number}"


def _same(one: object, other: str) -> bool:
    return isinstance(one, str) and hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
