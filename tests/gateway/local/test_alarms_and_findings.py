"""A gateway's alarms and findings outlive it, and a damaged file does not stop it."""

import sqlite3
from dataclasses import replace
from functools import partial
from math import isnan, nan
from pathlib import Path

import pytest

from forewarn.domain.alarms import AlarmRule, AlarmState, Condition, Priority
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import NotFound, StorageFailed
from forewarn.domain.findings import BY_MODEL, Finding, Severity
from forewarn.gateway.local.alarms import LocalAlarms, LocalOffsets
from forewarn.gateway.local.database import FILE, Memory
from forewarn.gateway.local.findings import LocalFindings
from forewarn.policies import alarm_lifecycle as lifecycle

HIGH = AlarmRule("p1", "flow.high", 1, "p1.flow", Condition.ABOVE, 80.0, Priority.HIGH, "Flow is high")
LOW = replace(HIGH, rule_id="flow.low", condition=Condition.BELOW, priority=Priority.LOW)
KEY = ("p1", "flow.high")


def raised(at: int):
    return partial(lifecycle.raised, at=at, value=90.0)


def test_a_standing_and_its_journal_outlive_the_process(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    alarms = LocalAlarms(memory, [HIGH, LOW])
    alarms.change_all([(KEY, raised(5)), (KEY, partial(lifecycle.returned, at=7, value=70.0))], "judge", 3)
    assert LocalOffsets(memory).get("judge") == 3
    memory.close()

    again = LocalAlarms(Memory(tmp_path), [HIGH, LOW])
    assert again.get(KEY).status.state is AlarmState.RETURNED
    assert [event.kind for event in again.journal(KEY)] == ["returned", "raised"]
    assert [alarm.rule.rule_id for alarm in again.find(None, None, None)] == ["flow.high"]
    with pytest.raises(NotFound):
        again.get(("p1", "nothing"))


def test_what_was_handled_before_changes_nothing_and_unknown_rules_are_passed_over(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    alarms = LocalAlarms(memory, [HIGH])
    assert alarms.change_all([(KEY, raised(5)), (("p9", "x"), raised(5))], "judge", 9)
    assert alarms.change_all([(KEY, partial(lifecycle.returned, at=7, value=1.0))], "judge", 8) == []
    assert alarms.get(KEY).status.active


def test_a_transition_that_fails_changes_neither_disk_nor_memory(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    alarms = LocalAlarms(memory, [HIGH])

    def broken(*_: object):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        alarms.change_all([(KEY, raised(5)), (KEY, broken)], "judge", 4)
    assert not alarms.get(KEY).status.active
    assert LocalOffsets(memory).get("judge") == 0


def test_a_rule_that_left_the_file_is_forgotten(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    LocalAlarms(memory, [HIGH]).change_all([(KEY, raised(5))], "judge", 1)
    LocalAlarms(memory, [LOW])
    assert not LocalAlarms(memory, [HIGH]).get(KEY).status.active


def test_a_finding_without_a_value_is_taken_up_again_too(tmp_path: Path) -> None:
    told = Finding(1, "p1.flow", "p1", BY_MODEL, "model_input_drift", Severity.LOW, 0.5, nan, None, "old", 10, 20)
    LocalFindings(Memory(tmp_path)).upsert([told])
    (found,) = LocalFindings(Memory(tmp_path)).open_episodes()
    assert isnan(found.value)
    assert replace(found, value=0.0) == replace(told, value=0.0)


def test_open_findings_are_taken_up_again_and_ended_ones_are_not(tmp_path: Path) -> None:
    finding = Finding(1, "p1.flow", "p1", "limits", "limit", Severity.HIGH, 0.9, 90.0, None, "too high", 10, 20)
    findings = LocalFindings(Memory(tmp_path))
    findings.upsert([finding, replace(finding, started_at=50, last_at=60)])
    findings.upsert([replace(finding, ended_at=30)])
    again = LocalFindings(Memory(tmp_path))
    assert [f.started_at for f in again.open_episodes()] == [50]
    assert again.open_counts() == {"p1": 1}


def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    LocalAlarms(memory, [HIGH]).change_all([(KEY, raised(5))], "judge", 1)
    memory.close()
    (tmp_path / FILE).write_bytes(b"not a database at all" * 500)
    again = Memory(tmp_path)
    assert again.set_aside is not None
    assert again.set_aside.read_bytes().startswith(b"not a database")
    assert not LocalAlarms(again, [HIGH]).get(KEY).status.active


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match=FILE) as caught:
        Memory(tmp_path / "nowhere")
    assert caught.value.condition is ConditionCode.FAILED


def test_a_file_that_is_damaged_while_it_is_used_is_begun_anew(tmp_path: Path) -> None:
    told: list[ConditionCode] = []
    memory = Memory(tmp_path, lambda code, text: told.append(code))
    with memory.write() as connection:
        connection.execute("INSERT INTO note VALUES ('a', 'b')")
        connection.execute("PRAGMA cache_size = 1")
    memory.close()
    memory = Memory(tmp_path, lambda code, text: told.append(code))
    content = bytearray((tmp_path / "gateway.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "gateway.db").write_bytes(content)
    with sqlite3.connect(tmp_path / "gateway.db") as other:  # makes the first one read the disk again
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(StorageFailed), memory.write() as connection:
        connection.execute("INSERT INTO note VALUES ('c', 'd')")
    with memory.write() as connection:
        connection.execute("INSERT INTO note VALUES ('c', 'd')")
    assert told == [ConditionCode.BUFFER_DAMAGED]
    memory.close()
    with pytest.raises(StorageFailed), memory.write():
        pass
    assert len(list(tmp_path.glob("gateway.db.damaged-*"))) == 1
