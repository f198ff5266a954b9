"""Differences between plants, as people read them."""

from dataclasses import replace

from forewarn.domain.alarms import AlarmRule, Condition, Priority
from forewarn.domain.assets import Asset, Change, Component, Limits, Plant, Signal, SourceConfig
from forewarn.policies.plant_plan import PlantImage, differences

ASSET = Asset("p1", "Pump", ("a", "b", "c", "d"), components=(Component("seal", ("ELP",)), Component("shaft")))
SIGNAL = Signal("p1.flow", "p1", "flow", "flow", "m3/h", key=7, limits=Limits(high=1.25))
SOURCE = SourceConfig("plc", "opcua", {"url": "a", "tags": [1, 2], "deep": {"x": 1}})
RULE = AlarmRule("p1", "flow.high", 7, "p1.flow", Condition.ABOVE, 1.25, Priority.LOW, "Flow high")
PLANT = Plant((ASSET,), (SIGNAL,), (SOURCE,), {"a": "Acme"})
IMAGE = PlantImage(PLANT, [RULE])


def changed(**parts: object) -> list[Change]:
    rules = parts.pop("rules", [RULE])
    return differences(IMAGE, PlantImage(replace(PLANT, **parts), rules))  # type: ignore[arg-type]


def test_the_same_is_no_difference() -> None:
    assert changed() == []
    assert changed(signals=(replace(SIGNAL, key=0),), rules=[replace(RULE, signal_key=0)]) == []


def test_json_s_lists_equal_tuples_and_whole_floats_equal_integers() -> None:
    settings = {"deep": {"x": 1.0}, "tags": (1, 2.0), "url": "a"}
    assert changed(sources=(replace(SOURCE, settings=settings),)) == []


def test_details_name_what_changed_from_what_to_what() -> None:
    assert changed(assets=(replace(ASSET, path=("a", "b", "c", "e")),))[0].detail == "path: a/b/c/d -> a/b/c/e"
    assert changed(signals=(replace(SIGNAL, limits=Limits(high=1.3, low=0.1)),))[0].detail == (
        "limits.low: none -> 0.1; limits.high: 1.25 -> 1.3"
    )
    assert changed(sources=(replace(SOURCE, settings={"url": "b", "tags": [1, 2]}),))[0].detail == (
        "settings.url: a -> b; settings.deep: {'x': 1} -> none"
    )
    assert changed(rules=[replace(RULE, priority=Priority.HIGH, latching=True)])[0].detail == (
        "priority: low -> high; latching: False -> True"
    )
    assert changed(place_names={"a": "Acme Chemicals"}) == [
        Change("changed", "place", "a", "name: Acme -> Acme Chemicals")
    ]


def test_components_are_compared_by_name() -> None:
    parts = (Component("seal", ("ELP", "INL")),)
    assert changed(assets=(replace(ASSET, components=parts),))[0].detail == (
        "components.seal: ['ELP'] -> ['ELP', 'INL']; components.shaft: [] -> none"
    )
    turned = tuple(reversed(ASSET.components))
    assert changed(assets=(replace(ASSET, components=turned),))[0].detail == "components: order"


def test_numbers_are_told_apart_to_the_last_digit() -> None:
    assert changed(rules=[replace(RULE, threshold=1.2500000000000002)])[0].detail == (
        "threshold: 1.25 -> 1.2500000000000002"
    )


def test_added_and_removed() -> None:
    other = replace(ASSET, id="p2")
    assert changed(assets=(other,)) == [Change("added", "asset", "p2"), Change("removed", "asset", "p1")]
    assert changed(rules=[]) == [Change("removed", "rule", "p1/flow.high")]
