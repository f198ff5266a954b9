"""Alarm rules, their standing and their journal."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, Select, case, insert, select, text, tuple_

from forewarn.catalog.engine import Database, finite, upsert
from forewarn.catalog.narrowing import sees_asset
from forewarn.catalog.offsets import read_offset, write_offset
from forewarn.catalog.recording import Recorder, record
from forewarn.catalog.tables import alarm_events, alarm_rules, alarms
from forewarn.contracts.alarm_store import Alarm, AlarmKey, Transition
from forewarn.domain.access import Scope
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Condition, Priority
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, NotFound

Changed = tuple[Alarm, Sequence[AlarmEvent]]
_CHUNK: Final = 500
_BOTH: Final = (alarm_rules, alarms)  # a row that was waited for is read anew only in the tables that are locked
_URGENCY: Final = case({p.value: rank for rank, p in enumerate(Priority)}, value=alarm_rules.c.priority)
_RULE_COLUMNS: Final = {"signal_key": "sensor_key", "signal_id": "sensor_id"}


class CatalogAlarms:
    """AlarmStore in the catalog."""

    def __init__(self, database: Database, audit: Recorder | None = None) -> None:
        self._database, self._audit = database, audit

    def within(self, scope: Scope) -> "CatalogAlarms":
        return CatalogAlarms(self._database.within(scope), self._audit)

    def _seen(self) -> Select[Any]:
        """Rules with their standing, of the part of the plant that may be seen."""
        return _joined().where(sees_asset(self._database.scope, alarm_rules.c.asset_id))

    def rules(self) -> Sequence[Alarm]:
        query = self._seen().where(~alarm_rules.c.retired).order_by(alarm_rules.c.position)
        with self._database.read() as connection:
            return [_alarm(row) for row in connection.execute(query).mappings()]

    def get(self, key: AlarmKey) -> Alarm:
        """Also one whose rule the plant no longer has."""
        with self._database.read() as connection:
            return _alarm(_one(connection, self._seen(), key))

    def change_all(self, changes: Sequence[tuple[AlarmKey, Transition]], stage: str, offset: int) -> Sequence[Changed]:
        """Handled offsets below the stage's are passed over and answer nothing; the same offset again is a tick."""
        with self._database.write() as connection:
            if offset < read_offset(connection, stage):
                return []
            standing = _locked(connection, {key for key, _ in changes})
            answers = list(_apply(changes, standing))
            _write(connection, answers)
            write_offset(connection, stage, offset)
        return answers

    def change(
        self, key: AlarmKey, transition: Transition, deed: Callable[[Alarm, Alarm], Deed] | None = None
    ) -> Changed:
        with self._database.write() as connection:
            row = _one(connection, self._seen().with_for_update(of=_BOTH), key)
            if row["retired"]:
                raise Conflict(f"alarm {key[0]}/{key[1]} has left the plant; its journal can still be read")
            before = _alarm(row)
            answer = _changed(before, transition)
            _write(connection, [answer])
            if deed is not None:
                record(self._audit, connection, deed(before, answer[0]))
        return answer

    def find(
        self, states: Sequence[AlarmState] | None, asset_id: str | None, priorities: Sequence[Priority] | None
    ) -> Sequence[Alarm]:
        query = self._seen().where(~alarm_rules.c.retired)
        if states is None:
            query = query.where(alarms.c.state != AlarmState.NORMAL.value)
        else:
            query = query.where(alarms.c.state.in_([s.value for s in states]))
        if asset_id is not None:
            query = query.where(alarms.c.asset_id == asset_id)
        if priorities is not None:
            query = query.where(alarm_rules.c.priority.in_([p.value for p in priorities]))
        newest = alarms.c.raised_at.desc().nulls_last()
        query = query.order_by(_URGENCY.desc(), newest, alarms.c.asset_id, alarms.c.rule_id)
        with self._database.read() as connection:
            return [_alarm(row) for row in connection.execute(query).mappings()]

    def journal(self, key: AlarmKey, limit: int = 200) -> Sequence[AlarmEvent]:
        c = alarm_events.c
        query = select(alarm_events).where(c.asset_id == key[0], c.rule_id == key[1])
        with self._database.read() as connection:
            _one(connection, self._seen(), key)
            return [_event(row) for row in connection.execute(query.order_by(c.event_id.desc()).limit(limit))]

    def events(self, start: int, end: int, limit: int = 1000) -> Sequence[AlarmEvent]:
        """The whole plant's journal in [start, end), newest first."""
        c = alarm_events.c
        query = select(alarm_events).where(c.at >= start, c.at < end, sees_asset(self._database.scope, c.asset_id))
        query = query.order_by(c.at.desc(), c.event_id.desc())
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query.limit(limit))]


def hold_rules(connection: Connection) -> None:
    """Wait for changes in flight and keep new ones waiting, so that the rules can change in any order."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE alarm_rules IN EXCLUSIVE MODE"))


def write_rules(connection: Connection, rules: Sequence[AlarmRule]) -> None:
    """Make these the rules that stand, NORMAL where they are new; others retire. `signal_key` is filled in."""
    before = {(row.asset_id, row.rule_id) for row in connection.execute(_live_keys())}
    upsert(connection, alarm_rules, [_rule_row(rule, position) for position, rule in enumerate(rules)])
    known = {(row.asset_id, row.rule_id) for row in connection.execute(select(alarms.c.asset_id, alarms.c.rule_id))}
    now_there = [(rule.asset_id, rule.rule_id) for rule in rules]
    upsert(connection, alarms, [_status_row(key, AlarmStatus()) for key in now_there if key not in known])
    for asset_id, rule_id in before.difference(now_there):
        row = alarm_rules.c
        gone = alarm_rules.update().where(row.asset_id == asset_id, row.rule_id == rule_id)
        connection.execute(gone.values(retired=True))


def retire_standing(connection: Connection, keys: Iterable[AlarmKey], at: int) -> None:
    """Alarms of removed rules stand NORMAL; the journal says why."""
    for alarm in _locked(connection, set(keys)).values():
        if alarm.status.state is not AlarmState.NORMAL:
            rule = alarm.rule
            event = AlarmEvent(
                rule.asset_id, rule.rule_id, at, "reset", AlarmState.NORMAL, comment="rule left the plant file"
            )
            _write(connection, [(Alarm(alarm.id, rule, AlarmStatus(occurrences=alarm.status.occurrences)), [event])])


def read_rules(connection: Connection) -> list[AlarmRule]:
    query = _joined().where(~alarm_rules.c.retired).order_by(alarm_rules.c.position)
    return [_alarm(row).rule for row in connection.execute(query).mappings()]


def _live_keys() -> Select[Any]:
    return select(alarm_rules.c.asset_id, alarm_rules.c.rule_id).where(~alarm_rules.c.retired)


def _joined() -> Select[Any]:
    standing = [c for c in alarms.c if c.name not in ("asset_id", "rule_id")]
    return select(alarm_rules, *standing).join_from(alarm_rules, alarms)


def _one(connection: Connection, query: Select[Any], key: AlarmKey) -> Any:
    row = connection.execute(query.where(alarm_rules.c.asset_id == key[0], alarm_rules.c.rule_id == key[1])).first()
    if row is None:
        raise NotFound(f"there is no alarm {key[0]}/{key[1]}")
    return row._mapping


def _locked(connection: Connection, keys: set[AlarmKey]) -> dict[AlarmKey, Alarm]:
    """Standing of the keys that have a rule, locked in the order of the keys so that no two callers cross."""
    ordered = sorted(keys)
    found: dict[AlarmKey, Alarm] = {}
    for start in range(0, len(ordered), _CHUNK):
        pair = tuple_(alarm_rules.c.asset_id, alarm_rules.c.rule_id)
        query = _joined().where(pair.in_(ordered[start : start + _CHUNK]), ~alarm_rules.c.retired)
        query = query.order_by(alarm_rules.c.asset_id, alarm_rules.c.rule_id).with_for_update(of=_BOTH)
        for row in connection.execute(query).mappings():
            found[row["asset_id"], row["rule_id"]] = _alarm(row)
    return found


def _apply(changes: Sequence[tuple[AlarmKey, Transition]], standing: dict[AlarmKey, Alarm]) -> Iterator[Changed]:
    for key, transition in changes:
        if key in standing:
            answer = _changed(standing[key], transition)
            standing[key] = answer[0]
            yield answer


def _changed(alarm: Alarm, transition: Transition) -> Changed:
    status, events = transition(alarm.rule, alarm.status)
    return Alarm(alarm.id, alarm.rule, status), events


def _write(connection: Connection, answers: Sequence[Changed]) -> None:
    last = {(alarm.rule.asset_id, alarm.rule.rule_id): alarm.status for alarm, _ in answers}
    upsert(connection, alarms, [_status_row(key, last[key]) for key in sorted(last)])
    rows = [_event_row(event) for _, events in answers for event in events]
    if rows:
        connection.execute(insert(alarm_events), rows)


def _alarm(columns: Any) -> Alarm:
    taken = {f.name: columns[_RULE_COLUMNS.get(f.name, f.name)] for f in fields(AlarmRule)}
    taken |= {"condition": Condition(taken["condition"]), "priority": Priority(taken["priority"])}
    standing = {f.name: columns[f.name] for f in fields(AlarmStatus)}
    standing["state"] = AlarmState(standing["state"])
    rule = AlarmRule(**taken)
    return Alarm(f"{rule.asset_id}/{rule.rule_id}", rule, AlarmStatus(**standing))


def _rule_row(rule: AlarmRule, position: int) -> dict[str, Any]:
    row = {_RULE_COLUMNS.get(f.name, f.name): getattr(rule, f.name) for f in fields(AlarmRule)}
    row |= {"condition": rule.condition.value, "priority": rule.priority.value}
    return row | {"position": position, "retired": False}


def _status_row(key: AlarmKey, status: AlarmStatus) -> dict[str, Any]:
    row = {f.name: getattr(status, f.name) for f in fields(AlarmStatus)}
    row |= {"state": status.state.value, "value": finite(status.value)}
    return {"asset_id": key[0], "rule_id": key[1], **row}


def _event_row(event: AlarmEvent) -> dict[str, Any]:
    row = {f.name: getattr(event, f.name) for f in fields(AlarmEvent)}
    return row | {"state": event.state.value, "value": finite(event.value)}


def _event(row: Any) -> AlarmEvent:
    taken = {f.name: row._mapping[f.name] for f in fields(AlarmEvent)}
    return AlarmEvent(**{**taken, "state": AlarmState(taken["state"])})
