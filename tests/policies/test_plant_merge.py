"""Several files make one plant, or say which two disagree."""

import pytest

from forewarn.domain.assets import Plant
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.plant_file import parse_plant
from forewarn.policies.plant_merge import PlantPart, merged


def file(asset: str, source: str = "line-1", place: str = "Pune works", address: str = "ns=2;s=x") -> Plant:
    return parse_plant(
        f'''
[[site]]
id = "pune"
name = "{place}"

[[source]]
name = "{source}"
connector = "opcua"
settings = {{}}

[[asset]]
id = "{asset}"
name = "Asset {asset}"
path = "acme/pune/hall/one"

[asset.signals.pressure]
kind = "pressure"
unit = "bar"
source = "{source}"
address = "{address}"
''',
        f"{asset}.toml",
    )


def test_a_gateways_sources_are_its_own_and_its_signals_say_where_they_come_from() -> None:
    plant = merged([PlantPart("site.toml", file("p1")), PlantPart("a.toml", file("p2"), "gw-a")])
    assert [a.id for a in plant.assets] == ["p1", "p2"]
    assert [s.name for s in plant.sources] == ["line-1"]
    assert [(s.id, s.source, s.address) for s in plant.signals] == [
        ("p1.pressure", "line-1", "ns=2;s=x"),
        ("p2.pressure", "gw-a/line-1", "ns=2;s=x"),
    ]
    assert plant.place_names == {"acme/pune": "Pune works"}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            [PlantPart("a.toml", file("p1"), "gw-a"), PlantPart("b.toml", file("p1"), "gw-b")],
            ['b.toml: asset "p1" is also in a.toml', 'b.toml: signal id "p1.pressure" is also in a.toml'],
        ),
        (
            [PlantPart("a.toml", file("p1")), PlantPart("b.toml", file("p2"))],
            ['b.toml: source "line-1" is also in a.toml'],
        ),
        (
            [PlantPart("a.toml", file("p1"), "gw"), PlantPart("b.toml", file("p2"), "gw")],
            ['b.toml: gateway "gw" is also in a.toml'],
        ),
        (
            [PlantPart("a.toml", file("p1")), PlantPart("b.toml", file("p2", place="Poona"), "gw")],
            ['b.toml: place "acme/pune" is called "Poona", but "Pune works" in a.toml'],
        ),
    ],
)
def test_what_two_files_give_is_told_with_both(parts: list[PlantPart], told: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        merged(parts)
    for line in told:
        assert line in str(refused.value)


def test_one_file_alone_is_what_it_was() -> None:
    assert merged([PlantPart("p1.toml", file("p1"))]) == file("p1")
