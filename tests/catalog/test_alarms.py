"""The alarm store: one standing a rule, changed in one transaction with journal and offset."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from forewarn.catalog import Catalog, open_catalog
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.tables import alarms, anomalies
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Priority
from forewarn.domain.errors import Conflict, InvalidInput, NotFound
from tests.catalog.plants import plant, rule

KEY = ("p1", "vibration-high")


def raise_it(rule_: AlarmRule, status: AlarmStatus) -> tuple[AlarmStatus, Sequence[AlarmEvent]]:
    count = status.occurrences + 1
    after = replace(status, state=AlarmState.UNACKNOWLEDGED, active=True, raised_at=count, value=4.5, occurrences=count)
    return after, [AlarmEvent(rule_.asset_id, rule_.rule_id, count, "raised", after.state, value=4.5)]


def refuse(rule_: AlarmRule, status: AlarmStatus) -> tuple[AlarmStatus, Sequence[AlarmEvent]]:
    raise Conflict("not now")


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    rules = [rule("p1"), rule("p1", "vibration-critical", priority=Priority.CRITICAL), rule("p2")]
    catalog.plant.apply(plant("p1", "p2"), rules)
    return catalog


def test_rules_stand_normal_until_raised(filled: Catalog) -> None:
    assert [(a.id, a.status) for a in filled.alarms.rules()] == [
        ("p1/vibration-high", AlarmStatus()),
        ("p1/vibration-critical", AlarmStatus()),
        ("p2/vibration-high", AlarmStatus()),
    ]
    assert filled.alarms.find(None, None, None) == []


def test_a_change_writes_standing_and_journal(filled: Catalog) -> None:
    alarm, events = filled.alarms.change(KEY, raise_it)
    assert filled.alarms.get(KEY) == alarm
    filled.alarms.change(KEY, raise_it)
    assert [e.at for e in filled.alarms.journal(KEY)] == [2, 1]
    assert filled.alarms.journal(KEY, limit=1)[0] == replace(events[0], at=2)
    assert filled.alarms.find(None, None, None)[0].status.occurrences == 2


def test_a_refused_change_leaves_no_trace(filled: Catalog) -> None:
    with pytest.raises(Conflict):
        filled.alarms.change(KEY, refuse)
    with pytest.raises(Conflict):
        filled.alarms.change_all([(("p2", "vibration-high"), raise_it), (KEY, refuse)], "judge", 3)
    assert filled.alarms.find(None, None, None) == []
    assert (filled.alarms.journal(KEY), filled.offsets.get("judge")) == ([], 0)


def test_all_changes_come_with_the_offset(filled: Catalog) -> None:
    changes = [(KEY, raise_it), (("p9", "none"), raise_it), (("p2", "vibration-high"), raise_it), (KEY, raise_it)]
    answers = filled.alarms.change_all(changes, "judge", 17)
    assert [(a.id, a.status.occurrences, len(e)) for a, e in answers] == [
        ("p1/vibration-high", 1, 1),
        ("p2/vibration-high", 1, 1),
        ("p1/vibration-high", 2, 1),
    ]
    assert filled.alarms.get(KEY).status.occurrences == 2
    assert filled.offsets.get("judge") == 17


def test_what_was_handled_is_not_handled_again(filled: Catalog) -> None:
    filled.alarms.change_all([(KEY, raise_it)], "judge", 17)
    assert filled.alarms.change_all([(KEY, raise_it)], "judge", 16) == []
    assert (filled.alarms.get(KEY).status.occurrences, filled.offsets.get("judge")) == (1, 17)
    assert len(filled.alarms.change_all([(KEY, raise_it)], "judge", 17)) == 1, "a tick has no new offset"


def test_no_changes_still_move_the_offset(filled: Catalog) -> None:
    assert filled.alarms.change_all([], "judge", 4) == []
    assert filled.offsets.get("judge") == 4


def test_find_orders_by_urgency_then_age(filled: Catalog) -> None:
    for _ in range(2):
        filled.alarms.change(("p2", "vibration-high"), raise_it)
    filled.alarms.change(KEY, raise_it)
    filled.alarms.change(("p1", "vibration-critical"), raise_it)
    found = [a.id for a in filled.alarms.find(None, None, None)]
    assert found == ["p1/vibration-critical", "p2/vibration-high", "p1/vibration-high"]
    assert len(filled.alarms.find([AlarmState.UNACKNOWLEDGED], "p1", [Priority.MEDIUM])) == 1
    assert filled.alarms.find([AlarmState.NORMAL, AlarmState.SHELVED], None, None) == []
    assert filled.alarms.find([], None, None) == []


def test_a_changed_rule_keeps_its_standing(filled: Catalog) -> None:
    filled.alarms.change(KEY, raise_it)
    filled.plant.apply(plant("p1", "p2"), [rule("p1", threshold=5.0)])
    alarm = filled.alarms.get(KEY)
    assert (alarm.rule.threshold, alarm.status.occurrences) == (5.0, 1)


def test_a_removed_rule(filled: Catalog) -> None:
    filled.alarms.change(KEY, raise_it)
    filled.plant.apply(plant("p1", "p2"), [])
    assert filled.alarms.rules() == []
    assert filled.alarms.change_all([(KEY, raise_it)], "judge", 1) == []
    with pytest.raises(Conflict, match="left the plant"):
        filled.alarms.change(KEY, raise_it)
    assert [e.kind for e in filled.alarms.journal(KEY)] == ["reset", "raised"]


@pytest.mark.parametrize("key", [("p1", "none"), ("", ""), ("p1", "'; DROP TABLE alarms; --")])
def test_unknown_alarms(filled: Catalog, key: tuple[str, str]) -> None:
    for call in (filled.alarms.get, filled.alarms.journal, lambda k: filled.alarms.change(k, raise_it)):
        with pytest.raises(NotFound):
            call(key)


def test_text_no_database_takes(filled: Catalog) -> None:
    with pytest.raises(InvalidInput):
        filled.alarms.change(KEY, lambda r, s: (replace(s, acknowledged_by="\ud800"), []))
    assert filled.alarms.get(KEY).status == AlarmStatus()


def test_the_plant_s_journal(filled: Catalog) -> None:
    filled.alarms.change(KEY, raise_it)
    filled.alarms.change(("p2", "vibration-high"), raise_it)
    filled.alarms.change(KEY, raise_it)
    assert [(e.asset_id, e.at) for e in filled.alarms.events(1, 3)] == [("p1", 2), ("p2", 1), ("p1", 1)]
    assert [e.at for e in filled.alarms.events(2, 3)] == [2]


def test_judge_and_people_at_once_lose_no_change(filled: Catalog, url: str) -> None:
    def person(_: int) -> None:
        for _ in range(10):
            filled.alarms.change(KEY, raise_it)

    def judge(other: Catalog) -> None:
        for _ in range(10):
            other.alarms.change_all([(("p2", "vibration-high"), raise_it), (KEY, raise_it)], "judge", 0)

    def editor(other: Catalog) -> None:
        for threshold in range(10):
            low = rule("p1", threshold=threshold)
            other.plant.apply(plant("p1", "p2"), [rule("p2", threshold=threshold), low])

    with open_catalog(url) as other, ThreadPoolExecutor(4) as pool:
        work = [pool.submit(person, 1), pool.submit(person, 2), pool.submit(judge, other), pool.submit(editor, other)]
        for done in work:
            done.result()
    assert filled.alarms.get(KEY).status.occurrences == 30
    assert len(filled.alarms.journal(KEY)) == 30
    assert filled.alarms.get(KEY).rule.threshold == 9


def test_the_database_itself_holds_the_keys_unique(filled: Catalog, url: str) -> None:
    database = Database(create_catalog_engine(catalog_url(url)))
    standing = {"asset_id": "p1", "rule_id": "vibration-high", "state": "normal", "active": False}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(alarms).values(**standing, latched=False, occurrences=0))
    row = {
        c.name: 1 if c.name in ("sensor_key", "detected_at", "last_at") else "x" for c in anomalies.c if not c.nullable
    }
    row |= {"anomaly_score": 0.5, "count": 1, "created_at": 1}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(anomalies), [{**row, "anomaly_id": "a"}, {**row, "anomaly_id": "b"}])
    database.close()
