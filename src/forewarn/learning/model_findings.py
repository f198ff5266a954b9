"""A model that cannot be used is a finding on its machine, until it can."""

from collections.abc import Collection, Mapping, Sequence

from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.drift_watch import DRIFTS
from forewarn.learning.model_source import Refusal
from forewarn.learning.regime_watch import READ_TOO_SELDOM, UNSEEN_REGIME
from forewarn.learning.standing_findings import Standing
from forewarn.learning.unit_watch import UNIT_CHANGED
from forewarn.policies.severity import severity_of

_SCORE = 0.65
_OTHERS = DRIFTS | {UNIT_CHANGED, UNSEEN_REGIME, READ_TOO_SELDOM}  # whose watches take up their own


class ModelFindings:
    """What stands, by machine and kind."""

    def __init__(self) -> None:
        self._open = Standing[str](lambda finding: finding.asset_id)

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    def resume(self, findings: Sequence[Finding]) -> list[Finding]:
        """Take up what was open when the last process ended. Of several of one machine the newest goes on; the others
        end, as nobody would end them later."""
        mine = [f for f in findings if f.detector == BY_MODEL and f.anomaly_type not in _OTHERS]
        self._open.resume(mine)
        return self._open.over()

    def let_go(self, assets: Collection[str]) -> list[Finding]:
        """Of machines that somebody else watches from here on."""
        return self._open.let_go(assets)

    def follow(self, refused: Mapping[str, Refusal], table: SignalTable, at: int) -> list[Finding]:
        """at: source time of now, microseconds. Findings that began or ended."""
        for asset_id, finding in list(self._open.items()):
            refusal = refused.get(asset_id)
            if refusal is None or _type(refusal) != finding.anomaly_type:
                self._open.end([asset_id], at)
        told = self._open.over()
        for asset_id, refusal in refused.items():
            if asset_id in self._open:
                continue
            found = _found(asset_id, refusal, table, at)
            if found is not None:
                self._open[asset_id] = found
                told.append(found)
        return told


def _type(refusal: Refusal) -> str:
    return f"model_{refusal.kind}"


def _found(asset_id: str, refusal: Refusal, table: SignalTable, at: int) -> Finding | None:
    """On the machine's first signal; None where the plant has none of it."""
    signal = next((s for s in table.signals if s is not None and s.asset_id == asset_id), None)
    if signal is None:
        return None
    return Finding(
        signal_key=signal.key,
        signal_id=signal.id,
        asset_id=asset_id,
        detector=BY_MODEL,
        anomaly_type=_type(refusal),
        severity=severity_of(_SCORE),
        score=_SCORE,
        value=float("nan"),
        expected=None,
        reason=refusal.text,
        started_at=at,
        last_at=at,
    )
