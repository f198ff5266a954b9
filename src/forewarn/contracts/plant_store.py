"""Where the plant's description is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.assets import Asset, Plant, Signal, SourceConfig


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan. `action`: added, changed, removed; `what`: asset, signal, source, rule;
    `detail`: for a change, `field: old -> new` joined by '; '."""

    action: str
    what: str
    id: str
    detail: str = ""


class PlantStore(Protocol):
    """Signal keys are given on first sight, dense from 1, and stay with the id even if removed and re-added."""

    def plan(self, plant: Plant, rules: Sequence[AlarmRule]) -> Sequence[Change]:
        """What `apply` would do. Rules name signals by id; their signal_key is filled in by apply."""
        ...

    def apply(self, plant: Plant, rules: Sequence[AlarmRule]) -> Sequence[Change]:
        """Make the catalog equal to `plant`, in one transaction. Removed things are marked retired, not
        deleted: their history and journal stay readable."""
        ...

    def revision(self) -> int:
        """Grows with every apply that changed something; cheap to poll."""
        ...

    def assets(self) -> Sequence[Asset]: ...

    def asset(self, asset_id: str) -> Asset:
        """Raises NotFound."""
        ...

    def signals(self, asset_id: str | None = None) -> Sequence[Signal]: ...

    def sources(self) -> Sequence[SourceConfig]: ...
