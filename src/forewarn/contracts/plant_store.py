"""Where the plant's description is kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.assets import Asset, Change, Plant, Signal, SourceConfig
from forewarn.domain.audit import Deed

__all__ = ["Change", "PlantStore"]


class PlantStore(Protocol):
    """Signal keys are given on first sight, dense from 1, and stay with the id even if removed and re-added."""

    def plan(self, plant: Plant, rules: Sequence[AlarmRule]) -> Sequence[Change]:
        """What `apply` would do. Rules name signals by id; their signal_key is filled in by apply."""
        ...

    def apply(
        self,
        plant: Plant,
        rules: Sequence[AlarmRule],
        deed: Callable[[Sequence[Change]], Deed] | None = None,
    ) -> Sequence[Change]:
        """Make the catalog equal to `plant`, in one transaction. Removed things are marked retired, not
        deleted: their history and journal stay readable. `deed` is told what changed, if anything did, and goes into
        the audit log in the same transaction."""
        ...

    def revision(self) -> int:
        """Grows with every apply that changed something; cheap to poll."""
        ...

    def assets(self) -> Sequence[Asset]:
        """In the plant file's order; without removed ones."""
        ...

    def asset(self, asset_id: str) -> Asset:
        """Removed ones too, with status RETIRED. Raises NotFound."""
        ...

    def signals(self, asset_id: str | None = None) -> Sequence[Signal]:
        """In the plant file's order, without removed ones; of a removed asset, what it had."""
        ...

    def place_names(self) -> Mapping[str, str]:
        """Path of a place (`acme/pune`) -> its name."""
        ...

    def sources(self) -> Sequence[SourceConfig]: ...
