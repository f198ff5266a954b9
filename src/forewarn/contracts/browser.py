"""Looking around in a device, to find out what there is to collect."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class FoundPoint:
    """address: as a signal's address in the plant file. path: where it lies, for people, `/` between. kind: the
    protocol's name of its type. value: as text; unit, description: '' where the device says none."""

    address: str
    path: str
    kind: str
    value: str = ""
    unit: str = ""
    description: str = ""


@runtime_checkable
class Browser(Protocol):
    """What a connector may be besides; `forewarn gateway browse` asks for it."""

    def browse(self, settings: BaseModel, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
        """Points whose path or address fits one of the patterns `match` (as in fnmatch; empty = all), at most `most`.

        Raises SourceUnreachable, ConfigurationError."""
        ...
