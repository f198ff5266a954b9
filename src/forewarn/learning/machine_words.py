"""What a machine's model says, in sentences for people."""

from typing import Final

from forewarn.domain.evidence import Contribution, Evidence
from forewarn.domain.quantity import shown
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_model import MachineModel

_TOLD: Final = 3  # signals named in a sentence
_LEAST_SHARE: Final = 0.1


def reason_of(evidence: Evidence, table: SignalTable) -> str:
    """One sentence an engineer would act on.

    >>> flow = Contribution("p.flow", 0.8, 41.0, 48.5, "m3/h")
    >>> reason_of(Evidence(2.0, 1.2, 0, 1, 0, 1, (), (flow,)), SignalTable.of(()))
    'flow is 41 m3/h where 48.5 m3/h goes with the rest: 2 times its own limit'
    """
    named = [c for c in evidence.contributions[:_TOLD] if c.share >= _LEAST_SHARE] or evidence.contributions[:1]
    words = [_words(c, table) for c in named]
    return f"{', '.join(words)}: {shown(round(evidence.ratio, 1))} times its own limit"


def _words(part: Contribution, table: SignalTable) -> str:
    key = table.key_of.get(part.signal_id)
    signal = table.signals[key] if key is not None else None
    name = signal.name if signal is not None else part.signal_id.rsplit(".", 1)[-1]
    if part.measured is None:
        return f"{name} has no value"
    if part.expected is None:
        return f"{name} moves as it never did ({shown(part.measured, part.unit)})"
    near = shown(part.expected, part.unit, apart_from=part.measured)
    return f"{name} is {shown(part.measured, part.unit, apart_from=part.expected)} where {near} goes with the rest"


def of_other_unit(model: MachineModel, table: SignalTable) -> list[tuple[str, str]]:
    """Signals whose unit is not the one that was learned, and that one."""
    now = [table.signals[table.key_of[s]] for s in model.signals]
    pairs = zip(model.signals, model.units, now, strict=True)
    return [(s, unit) for s, unit, signal in pairs if signal is not None and signal.unit != unit]


def changed_words(why: str) -> str:
    return f"the machine's model does not fit the plant any more ({why}): train it again"


def failed_words(why: str) -> str:
    return f"the machine's model failed and is not asked any more: {why[:300]}. Train it again, or report the detector"
