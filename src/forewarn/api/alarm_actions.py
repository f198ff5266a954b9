"""What people do to alarms: each action a pure step of the alarm machine, applied in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from forewarn.api.parts import ApiParts
from forewarn.contracts.alarm_store import Alarm, AlarmKey
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmStatus
from forewarn.domain.audit import Deed
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import MINUTE
from forewarn.policies import alarm_lifecycle as machine

Action = Literal[
    "acknowledge", "shelve", "unshelve", "reset", "suppress", "unsuppress", "out_of_service", "in_service", "comment"
]
Step = Callable[[AlarmRule, AlarmStatus, int, str, str], tuple[AlarmStatus, Sequence[AlarmEvent]]]
_STEPS: Final[dict[str, Step]] = {
    "acknowledge": machine.acknowledge,
    "unshelve": machine.unshelve,
    "reset": machine.reset,
    "suppress": machine.suppress,
    "unsuppress": machine.unsuppress,
    "out_of_service": machine.out_of_service,
    "in_service": machine.in_service,
    "comment": machine.comment,
}


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """minutes: for shelve; at: microseconds UTC."""

    action: Action
    by: str
    comment: str
    minutes: int
    at: int

    def step(self, rule: AlarmRule, status: AlarmStatus) -> tuple[AlarmStatus, Sequence[AlarmEvent]]:
        """Raises Conflict, InvalidInput."""
        if self.action == "shelve":
            until = self.at + self.minutes * MINUTE
            return machine.shelve(rule, status, self.at, self.by, until, self.comment)
        return _STEPS[self.action](rule, status, self.at, self.by, self.comment)


def take(key: AlarmKey, request: ActionRequest, parts: ApiParts, deed: Callable[[Alarm, Alarm], Deed]) -> Alarm:
    """Apply, record, and tell the listeners. Raises NotFound, Conflict, InvalidInput."""
    alarm, events = parts.alarms.change(key, request.step, deed)
    parts.feed.publish(parts.feed.offset, no_readings(), (), events)
    return alarm


def no_readings() -> ReadingBatch:
    """A batch of nothing, for events that come without readings."""
    return ReadingBatch(
        np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint32), "", 0
    )
