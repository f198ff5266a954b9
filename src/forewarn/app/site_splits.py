"""A machine that no one collects whole is judged by no model; that is an advisory on it until it is mended."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from forewarn.api.edge_findings import keep
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.findings import BY_EDGE, BY_MODEL, Finding
from forewarn.kit.clock import SECOND
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_source import ModelSource, Refusal
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.policies.split_models import SPLIT, split_finding, split_models

_EVERY_US: Final = 5 * SECOND
_LEAST_US: Final = 60 * SECOND  # a machine that moves from one gateway to another is split for a moment


class SiteSplits:
    """clock: microseconds UTC. For one thread at a time."""

    def __init__(
        self,
        anomalies: AnomalyStore,
        plant: PlantView,
        edge: EdgeDesk,
        judged: Callable[[], Mapping[str, Collection[str]]],
        clock: Callable[[], int],
    ) -> None:
        """judged: ids of the signals that the acting model judges, by asset id."""
        self._anomalies, self._plant, self._edge, self._judged, self._clock = anomalies, plant, edge, judged, clock
        self._looked = 0
        self._since: dict[str, int] = {}
        self._open: dict[str, Finding] | None = None  # by asset id
        self.split: frozenset[str] = frozenset()  # ids of machines, swapped as a whole
        self.revision = 0

    def look_around(self) -> None:
        """Call it about once a second. Raises StorageFailed."""
        now = self._clock()
        if 0 <= now - self._looked < _EVERY_US:
            return
        if self._open is None:
            self._open = self._told_before()
        table = self._plant.table
        split = split_models(self._judged(), table, self._edge.scored_by())
        if split.keys() != self.split:
            self.split = frozenset(split)
            self.revision += 1
        self._since = {asset_id: min(self._since.get(asset_id, now), now) for asset_id in split}
        lasting = {asset_id: parts for asset_id, parts in split.items() if now - self._since[asset_id] >= _LEAST_US}
        found = {asset_id: split_finding(asset_id, parts, table, now) for asset_id, parts in lasting.items()}
        self._tell(self._open, split, found, now)
        self._looked = now

    def _tell(
        self, before: Mapping[str, Finding], split: Collection[str], found: Mapping[str, Finding], now: int
    ) -> None:
        """Durable before it is remembered: what could not be kept is told again."""
        ended = [_end(finding, now) for asset_id, finding in before.items() if asset_id not in split]
        going = {asset_id: finding for asset_id, finding in before.items() if asset_id in split}
        for asset_id, finding in found.items():
            known = going.get(asset_id)
            if known is None:
                going[asset_id] = finding
            elif known.reason != finding.reason:  # other parts, or others who have them
                going[asset_id] = replace(known, reason=finding.reason, last_at=now, count=known.count + 1)
        self._keep([*ended, *(finding for asset_id, finding in going.items() if finding is not before.get(asset_id))])
        self._open = going

    def _told_before(self) -> dict[str, Finding]:
        """By the last process, and not ended."""
        standing = self._anomalies.open_episodes()
        mine = [f for f in standing if (f.detector, f.anomaly_type, f.detected_by) == (BY_MODEL, SPLIT, BY_EDGE)]
        return {finding.asset_id: finding for finding in mine}

    def _keep(self, findings: Sequence[Finding]) -> None:
        keep(self._anomalies, self._edge, findings)


class WholeMachines:
    """ModelSource for the site's own line, without the machines of which it has a part only: what is missing there has
    not failed, it is elsewhere."""

    def __init__(self, models: ModelSource, splits: SiteSplits) -> None:
        self._models, self.splits = models, splits

    @property
    def revision(self) -> int:
        """Neither of both ever goes back."""
        return self._models.revision + self.splits.revision

    def models(self) -> Sequence[MachineModel]:
        split = self.splits.split
        return [model for model in self._models.models() if model.asset_id not in split]

    def refused(self) -> Mapping[str, Refusal]:
        return self._models.refused()


def _end(finding: Finding, now: int) -> Finding:
    end = max(now, finding.last_at)
    return replace(finding, last_at=end, ended_at=end)
