"""Where alarm rules, their standing and their journal are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from forewarn.domain.access import Scope
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Priority
from forewarn.domain.audit import Deed

AlarmKey = tuple[str, str]  # (asset_id, rule_id)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule with its standing; `id` is `<asset_id>/<rule_id>`."""

    id: str
    rule: AlarmRule
    status: AlarmStatus


Transition = Callable[[AlarmRule, AlarmStatus], tuple[AlarmStatus, Sequence[AlarmEvent]]]


class AlarmStore(Protocol):
    def within(self, scope: Scope) -> "AlarmStore":
        """The same store, in which what lies outside `scope` does not exist: neither found nor changed."""
        ...

    """(asset_id, rule_id) is unique in the database: an alarm stands once, however often it is raised."""

    def rules(self) -> Sequence[Alarm]:
        """Every rule with its standing (NORMAL when never raised)."""
        ...

    def get(self, key: AlarmKey) -> Alarm:
        """Raises NotFound."""
        ...

    def change_all(
        self, changes: Sequence[tuple[AlarmKey, Transition]], stage: str, offset: int
    ) -> Sequence[tuple[Alarm, Sequence[AlarmEvent]]]:
        """Apply each transition to the standing as it is in the database now, write standings and journal,
        and set `stage`'s offset, all in one transaction: replaying the road changes nothing twice.
        Keys without a rule are passed over. Called by the judge stage only."""
        ...

    def change(
        self, key: AlarmKey, transition: Transition, deed: Callable[[Alarm, Alarm], Deed] | None = None
    ) -> tuple[Alarm, Sequence[AlarmEvent]]:
        """Read, apply the pure `transition`, write, in one transaction; what a person's action goes through. `deed` is
        told what was and what is, and goes into the audit log in the same transaction.
        Raises NotFound; what `transition` raises (Conflict) rolls back and passes on."""
        ...

    def find(
        self, states: Sequence[AlarmState] | None, asset_id: str | None, priorities: Sequence[Priority] | None
    ) -> Sequence[Alarm]:
        """Alarms in any of `states` (None = all but NORMAL), most urgent first, newest first within."""
        ...

    def journal(self, key: AlarmKey, limit: int = 200) -> Sequence[AlarmEvent]:
        """Newest first. Raises NotFound."""
        ...
