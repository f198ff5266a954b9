"""The plant store: plan, apply, keys that stay."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forewarn.catalog import Catalog, open_catalog
from forewarn.domain.alarms import AlarmRule, AlarmState, AlarmStatus
from forewarn.domain.assets import AssetStatus, Change, Limits, Plant
from forewarn.domain.errors import InvalidInput, NotFound
from tests.catalog.plants import PATH, asset, plant, rule, rules, signal


def test_what_was_applied_comes_back(catalog: Catalog) -> None:
    wanted = plant("p2", "p1")
    changes = catalog.plant.apply(wanted, rules("p2", "p1"))
    assert {(c.action, c.what) for c in changes} == {
        ("added", what) for what in ("asset", "signal", "source", "rule", "place")
    }
    assert catalog.plant.assets() == list(wanted.assets)
    assert catalog.plant.asset("p1") == asset("p1")
    assert catalog.plant.sources() == list(wanted.sources)
    assert catalog.plant.place_names() == wanted.place_names
    assert [s.key for s in catalog.plant.signals()] == [1, 2, 3, 4]
    assert [replace(s, key=0) for s in catalog.plant.signals()] == list(wanted.signals)
    assert [s.id for s in catalog.plant.signals("p1")] == ["p1.vibration", "p1.speed"]
    assert [(a.id, a.rule.signal_key) for a in catalog.alarms.rules()] == [
        ("p2/vibration-high", 1),
        ("p1/vibration-high", 3),
    ]


def test_a_plan_names_the_fields(catalog: Catalog) -> None:
    catalog.plant.apply(plant("p1"), rules("p1"))
    wanted = replace(
        plant("p1"),
        assets=(asset("p1", name="Feed pump", specifications={"rated_power_kw": 16.0, "maker": "Kirloskar"}),),
        signals=(signal("p1", limits=Limits(high=4.5, high_critical=6.6), source=None, address=None),),
    )
    plan = catalog.plant.plan(wanted, [rule(threshold=4.5)])
    assert plan == [
        Change(
            "changed",
            "asset",
            "p1",
            "name: Pump p1 -> Feed pump; specifications.rated_power_kw: 15.5 -> 16;"
            " specifications.poles: 4 -> none; specifications.spare: True -> none",
        ),
        Change(
            "changed",
            "signal",
            "p1.vibration",
            "limits.high: 4 -> 4.5; source: plc-1 -> none; address: ns=2;s=p1.vibration -> none",
        ),
        Change("removed", "signal", "p1.speed"),
        Change("changed", "rule", "p1/vibration-high", "threshold: 4 -> 4.5"),
    ]
    assert catalog.plant.apply(wanted, [rule(threshold=4.5)]) == plan
    assert catalog.plant.plan(wanted, [rule(threshold=4.5)]) == []


def test_a_plan_changes_nothing(catalog: Catalog) -> None:
    catalog.plant.plan(plant("p1"), rules("p1"))
    assert (catalog.plant.revision(), catalog.plant.assets()) == (0, [])


def test_revision_grows_with_changes_only(catalog: Catalog) -> None:
    catalog.plant.apply(plant("p1", "p2"), rules("p1"))
    catalog.plant.apply(plant("p1", "p2"), rules("p1"))
    assert catalog.plant.revision() == 1
    assert catalog.plant.apply(plant("p2", "p1"), rules("p1")) == []
    assert catalog.plant.revision() == 2
    assert [a.id for a in catalog.plant.assets()] == ["p2", "p1"]


def test_removed_things_stay_readable_and_come_back_with_their_key(catalog: Catalog) -> None:
    catalog.plant.apply(plant("p1", "p2"), rules("p1", "p2"))
    key = catalog.plant.signals("p1")[0].key
    assert Change("removed", "asset", "p1") in catalog.plant.apply(plant("p2"), rules("p2"))
    assert [a.id for a in catalog.plant.assets()] == ["p2"]
    assert catalog.plant.asset("p1").status is AssetStatus.RETIRED
    assert catalog.plant.signals("p1")[0].key == key
    assert {s.asset_id for s in catalog.plant.signals()} == {"p2"}
    catalog.plant.apply(plant("p3", "p2", "p1"), rules("p1", "p2"))
    assert catalog.plant.signals("p1")[0].key == key
    assert catalog.plant.asset("p1").status is AssetStatus.ACTIVE
    assert [s.key for s in catalog.plant.signals("p3")] == [5, 6]


def test_a_raised_alarm_of_a_removed_rule_stands_down(catalog: Catalog) -> None:
    catalog.plant.apply(plant("p1"), rules("p1"))
    raised = AlarmStatus(state=AlarmState.UNACKNOWLEDGED, active=True, occurrences=3)
    catalog.alarms.change(("p1", "vibration-high"), lambda r, s: (raised, []))
    catalog.plant.apply(plant("p1"), [])
    assert catalog.alarms.find(None, None, None) == []
    assert catalog.alarms.get(("p1", "vibration-high")).status == AlarmStatus(occurrences=3)
    (event,) = catalog.alarms.journal(("p1", "vibration-high"))
    assert (event.kind, event.state, event.comment) == ("reset", AlarmState.NORMAL, "rule left the plant file")


@pytest.mark.parametrize(
    ("bad", "bad_rules"),
    [
        (replace(plant("p1"), assets=(asset(), asset())), []),
        (replace(plant("p1"), signals=(signal(), signal())), []),
        (replace(plant("p1"), assets=()), []),
        (plant("p1"), [rule(), rule()]),
        (plant("p1"), [rule(asset_id="p9")]),
        (plant("p1"), [rule(signal_id="p1.nothing")]),
        (replace(plant("p1"), assets=(asset(specifications={"a": float("nan")}),)), []),
        (replace(plant("p1"), assets=(asset(name="\ud800"),)), []),
    ],
)
def test_a_broken_plant_changes_nothing(catalog: Catalog, bad: Plant, bad_rules: list[AlarmRule]) -> None:
    with pytest.raises(InvalidInput):
        catalog.plant.apply(bad, bad_rules)
    assert (catalog.plant.revision(), catalog.plant.assets()) == (0, [])


def test_unknown_asset(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="p9"):
        catalog.plant.asset("p9")
    assert catalog.plant.signals("p9") == []


_numbers = st.none() | st.floats(-1e9, 1e9)
_names = st.sampled_from(["vibration", "speed", "flow", "température"])


@st.composite
def _plants(draw: st.DrawFn) -> tuple[Plant, list[AlarmRule]]:
    ids = draw(st.lists(st.sampled_from(["p1", "p2", "p3", "p4"]), unique=True))
    assets = [
        asset(
            i,
            name=draw(st.text("aé水'\"; %", max_size=5)),
            path=(*PATH[:3], draw(st.sampled_from(["line-1", "line-2"]))),
            status=draw(st.sampled_from([AssetStatus.ACTIVE, AssetStatus.MAINTENANCE])),
            specifications=draw(st.dictionaries(_names, st.floats(-1e9, 1e9) | st.booleans())),
        )
        for i in ids
    ]
    signals = [
        signal(i, n, limits=Limits(high=draw(_numbers)), flatline_s=draw(_numbers))
        for i in ids
        for n in draw(st.lists(_names, unique=True))
    ]
    alarm_rules = [rule(s.asset_id, s.name, signal_id=s.id, threshold=draw(st.floats(0, 9))) for s in signals]
    return Plant(tuple(assets), tuple(signals)), draw(st.permutations(alarm_rules))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_plants(), min_size=1, max_size=4))
def test_after_apply_there_is_nothing_left_to_do(
    new_url: Callable[[], str], edits: list[tuple[Plant, list[AlarmRule]]]
) -> None:
    keys: dict[str, int] = {}
    with open_catalog(new_url()) as catalog:
        for wanted, wanted_rules in edits:
            plan = catalog.plant.plan(wanted, wanted_rules)
            assert catalog.plant.apply(wanted, wanted_rules) == plan
            assert catalog.plant.plan(wanted, wanted_rules) == []
            assert catalog.plant.assets() == list(wanted.assets)
            signals = catalog.plant.signals()
            assert [replace(s, key=0) for s in signals] == list(wanted.signals)
            assert all(keys.setdefault(s.id, s.key) == s.key for s in signals)
            assert [replace(a.rule, signal_key=0) for a in catalog.alarms.rules()] == wanted_rules
            by_id = {s.id: s.key for s in signals}
            assert all(a.rule.signal_key == by_id[a.rule.signal_id] for a in catalog.alarms.rules())
    assert sorted(keys.values()) == list(range(1, len(keys) + 1))
