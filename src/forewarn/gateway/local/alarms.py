"""Alarm rules of the gateway file, their standing and a short journal."""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from forewarn.contracts.alarm_store import Alarm, AlarmKey, Transition
from forewarn.domain.access import Scope
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Priority
from forewarn.domain.audit import Deed
from forewarn.domain.errors import NotFound
from forewarn.gateway.local.database import Memory

_MOST_JOURNAL: Final = 20_000
_MOST_MISSED: Final = 1_000
_URGENCY: Final = {priority: rank for rank, priority in enumerate(Priority)}
_status: Final = msgspec.json.Decoder(AlarmStatus)
_event: Final = msgspec.json.Decoder(AlarmEvent)


class LocalAlarms:
    """AlarmStore of a gateway. A standing whose rule left the file is forgotten; one that came back begins NORMAL.

    `within` answers itself: a gateway has one user, who sees all; nobody's deeds are recorded here."""

    def __init__(self, memory: Memory, rules: Sequence[AlarmRule]) -> None:
        self._memory = memory
        self._alarms: dict[AlarmKey, Alarm] = {}
        self.take(rules)

    def take(self, rules: Sequence[AlarmRule]) -> None:
        """These are the rules from now on."""
        wanted = {(rule.asset_id, rule.rule_id): rule for rule in rules}
        with self._memory.write() as connection:
            stored = connection.execute("SELECT asset, rule, status FROM standing").fetchall()
            gone = [(asset, rule) for asset, rule, _ in stored if (asset, rule) not in wanted]
            connection.executemany("DELETE FROM standing WHERE asset = ? AND rule = ?", gone)
        known = {(asset, rule): _standing(text) for asset, rule, text in stored}
        # Made once: thousands of rules are asked for at every look at the board.
        self._alarms = {
            key: Alarm(f"{key[0]}/{key[1]}", rule, known.get(key, AlarmStatus())) for key, rule in wanted.items()
        }

    def within(self, scope: Scope) -> "LocalAlarms":
        return self

    def rules(self) -> Sequence[Alarm]:
        return list(self._alarms.values())

    def get(self, key: AlarmKey) -> Alarm:
        if key not in self._alarms:
            raise NotFound(f"there is no alarm {key[0]}/{key[1]}")
        return self._alarms[key]

    def change_all(
        self, changes: Sequence[tuple[AlarmKey, Transition]], stage: str, offset: int
    ) -> Sequence[tuple[Alarm, Sequence[AlarmEvent]]]:
        with self._memory.write() as connection:
            if offset < read_offset(connection, stage):
                return []
            answers = self._apply([change for change in changes if change[0] in self._alarms])
            self._write(connection, answers)
            write_offset(connection, stage, offset)
        self._keep(answers)
        return answers

    def change(
        self, key: AlarmKey, transition: Transition, deed: Callable[[Alarm, Alarm], Deed] | None = None
    ) -> tuple[Alarm, Sequence[AlarmEvent]]:
        self.get(key)
        with self._memory.write() as connection:
            answers = self._apply([(key, transition)])
            self._write(connection, answers)
        self._keep(answers)
        return answers[0]

    def find(
        self, states: Sequence[AlarmState] | None, asset_id: str | None, priorities: Sequence[Priority] | None
    ) -> Sequence[Alarm]:
        found = [
            alarm
            for alarm in self.rules()
            if (alarm.status.state is not AlarmState.NORMAL if states is None else alarm.status.state in states)
            and asset_id in (None, alarm.rule.asset_id)
            and (priorities is None or alarm.rule.priority in priorities)
        ]
        return sorted(found, key=lambda a: (-_URGENCY[a.rule.priority], -(a.status.raised_at or 0)))

    def journal(self, key: AlarmKey, limit: int = 200) -> Sequence[AlarmEvent]:
        self.get(key)
        query = "SELECT event FROM journal WHERE asset = ? AND rule = ? ORDER BY id DESC LIMIT ?"
        with self._memory.read() as connection:
            return _events(connection.execute(query, (*key, limit)).fetchall())

    def journal_since(self, at: int) -> Sequence[AlarmEvent]:
        """The newest events, from the instant `at` on (source time, microseconds UTC), oldest first."""
        query = "SELECT event FROM journal ORDER BY id DESC LIMIT ?"
        with self._memory.read() as connection:
            events = _events(connection.execute(query, (_MOST_MISSED,)).fetchall())
        return [event for event in reversed(events) if event.at >= at]

    def _apply(self, changes: Sequence[tuple[AlarmKey, Transition]]) -> list[tuple[Alarm, Sequence[AlarmEvent]]]:
        """Several changes of one alarm build on each other."""
        now: dict[AlarmKey, Alarm] = {}
        answers = []
        for key, transition in changes:
            before = now.get(key, self._alarms[key])
            status, events = transition(before.rule, before.status)
            now[key] = replace(before, status=status)
            answers.append((now[key], events))
        return answers

    def _keep(self, answers: Sequence[tuple[Alarm, Sequence[AlarmEvent]]]) -> None:
        for alarm, _ in answers:
            key = (alarm.rule.asset_id, alarm.rule.rule_id)
            if key in self._alarms:  # else the file was read again meanwhile
                self._alarms[key] = replace(self._alarms[key], status=alarm.status)

    @staticmethod
    def _write(connection: sqlite3.Connection, answers: Sequence[tuple[Alarm, Sequence[AlarmEvent]]]) -> None:
        for alarm, events in answers:
            key = (alarm.rule.asset_id, alarm.rule.rule_id)
            connection.execute("INSERT OR REPLACE INTO standing VALUES (?, ?, ?)", (*key, _text(alarm.status)))
            rows = [(*key, _text(event)) for event in events]
            connection.executemany("INSERT INTO journal (asset, rule, event) VALUES (?, ?, ?)", rows)
        connection.execute("DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?", (_MOST_JOURNAL,))


class LocalOffsets:
    """StageOffsets beside the alarms, so that what the judge writes carries its place."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, stage: str) -> int:
        with self._memory.read() as connection:
            return read_offset(connection, stage)

    def set(self, stage: str, offset: int) -> None:
        with self._memory.write() as connection:
            write_offset(connection, stage, offset)


def read_offset(connection: sqlite3.Connection, stage: str) -> int:
    row = connection.execute("SELECT offset FROM stage WHERE name = ?", (stage,)).fetchone()
    return 0 if row is None else int(row[0])


def write_offset(connection: sqlite3.Connection, stage: str, offset: int) -> None:
    connection.execute("INSERT OR REPLACE INTO stage VALUES (?, ?)", (stage, offset))


def _standing(text: str) -> AlarmStatus:
    """One that a bad disk made unreadable is judged anew."""
    try:
        return _status.decode(text)
    except (msgspec.DecodeError, TypeError):
        return AlarmStatus()


def _events(rows: Sequence[tuple[str]]) -> list[AlarmEvent]:
    """Those that can be read."""
    events = []
    for (text,) in rows:
        with contextlib.suppress(msgspec.DecodeError, TypeError):
            events.append(_event.decode(text))
    return events


def _text(thing: AlarmStatus | AlarmEvent) -> str:
    return msgspec.json.encode(thing).decode()
