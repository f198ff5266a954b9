"""A signal that speaks in another unit than its machine's model knows: a finding until it is back. Its values are kept
from the model meanwhile; the other signals go on."""

from collections.abc import Collection, Sequence
from typing import Final

from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.domain.quantity import shown
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import Fleet
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.standing_findings import Standing
from forewarn.policies.severity import severity_of
from forewarn.policies.unit_change import UnitEvent
from forewarn.policies.unit_conversions import Conversion, conversions

UNIT_CHANGED: Final = "model_unit_changed"
_SCORE: Final = 0.65

Key = tuple[str, str]  # machine, signal


class UnitWatch:
    """For one thread."""

    def __init__(self) -> None:
        self._open = Standing[Key](lambda finding: (finding.asset_id, finding.signal_id))

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    def stands(self, asset_id: str) -> bool:
        return any(asset == asset_id for asset, _ in self._open)

    def resume(self, findings: Sequence[Finding], fleet: Fleet) -> None:
        """Take up what was open when the last process ended; of two of one signal the newer."""
        mine = [f for f in findings if f.detector == BY_MODEL and f.anomaly_type == UNIT_CHANGED]
        self._open.resume(mine)
        self.follow(fleet)

    def follow(self, fleet: Fleet) -> None:
        """Models have changed. What stands of signals that nobody judges any more ends."""
        for key, finding in list(self._open.items()):
            values = finding.value, float("nan") if finding.expected is None else finding.expected
            if not fleet.resume_unit(finding.asset_id, finding.signal_id, values, finding.started_at):
                self._open.end([key])

    def let_go(self, assets: Collection[str]) -> list[Finding]:
        """Somebody else watches these machines. What stood of them."""
        return self._open.let_go(assets)

    def over(self) -> list[Finding]:
        """What ended meanwhile, once."""
        return self._open.over()

    def take(self, fleet: Fleet, table: SignalTable) -> list[Finding]:
        """Advisories that began or ended."""
        told = []
        for model, event in fleet.unit_events():
            key = model.asset_id, model.signals[event.column]
            if event.over:
                if key in self._open:
                    self._open.end([key], event.at)
            elif key not in self._open and key[1] in table.key_of:
                self._open[key] = _finding(model, event, table)
                told.append(self._open[key])
        return [*told, *self.over()]


def _finding(model: MachineModel, event: UnitEvent, table: SignalTable) -> Finding:
    signal_id, unit = model.signals[event.column], model.units[event.column]
    key = table.key_of[signal_id]
    signal = table.signals[key]
    found = conversions(unit, signal.kind if signal is not None else "")[event.conversion]
    healthy = (event.value - found.offset) / found.factor
    return Finding(
        signal_key=key,
        signal_id=signal_id,
        asset_id=model.asset_id,
        detector=BY_MODEL,
        anomaly_type=UNIT_CHANGED,
        severity=severity_of(_SCORE),
        score=_SCORE,
        value=event.value,
        expected=healthy,
        reason=unit_words(signal.name if signal is not None else signal_id, unit, found, (event.value, healthy)),
        started_at=event.since,
        last_at=event.at,
    )


def unit_words(name: str, unit: str, found: Conversion, values: tuple[float, float]) -> str:
    """values: as said, and as it would be in `unit`."""
    was, now = unit or "no unit", f", this looks like {found.unit}" if found.unit else ""
    return (
        f"{name} seems to have changed its unit: it says {shown(values[0])} where {shown(values[1], unit)} would go "
        f"with its past, {found.words} ({was} was learned{now}). Its values are kept from the model until they are "
        "back. Mend the unit at the device; if it is to stay so, mend it in the plant file, or mark this wrong and "
        "train the model again"
    )
