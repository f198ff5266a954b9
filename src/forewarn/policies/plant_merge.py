"""Several files, one plant: a site's own and those of its gateways."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from forewarn.domain.assets import Plant
from forewarn.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PlantPart:
    """What one file describes. gateway: whose file it is, '' for the site's."""

    file: str
    plant: Plant
    gateway: str = ""


def merged(parts: Sequence[PlantPart]) -> Plant:
    """One plant of all. What a gateway collects, the site does not: its sources are left out, and its signals name
    theirs as `<gateway>/<source>`.

    Raises ConfigurationError naming every id that two files give, with both files."""
    faults = [
        *_given_twice("asset", ((p.file, a.id) for p in parts for a in p.plant.assets)),
        *_given_twice("signal id", ((p.file, s.id) for p in parts for s in p.plant.signals)),
        *_given_twice("source", ((p.file, s.name) for p in parts if not p.gateway for s in p.plant.sources)),
        *_given_twice("gateway", ((p.file, p.gateway) for p in parts if p.gateway)),
        *_named_differently(parts),
    ]
    if faults:
        raise ConfigurationError("\n".join(faults), where=parts[-1].file)
    plants = [_of_the_site(part) for part in parts]
    return Plant(
        assets=tuple(asset for plant in plants for asset in plant.assets),
        signals=tuple(signal for plant in plants for signal in plant.signals),
        sources=tuple(source for plant in plants for source in plant.sources),
        place_names={path: name for plant in plants for path, name in plant.place_names.items()},
        alarm_overrides=tuple(override for plant in plants for override in plant.alarm_overrides),
    )


def _of_the_site(part: PlantPart) -> Plant:
    if not part.gateway:
        return part.plant
    signals = (replace(s, source=f"{part.gateway}/{s.source}") if s.source else s for s in part.plant.signals)
    return replace(part.plant, signals=tuple(signals), sources=())


def _given_twice(what: str, given: Iterable[tuple[str, str]]) -> Iterable[str]:
    first: dict[str, str] = {}
    for file, name in given:
        if (other := first.setdefault(name, file)) != file:
            yield f'{file}: {what} "{name}" is also in {other}: ids are unique in the plant, over all files'


def _named_differently(parts: Sequence[PlantPart]) -> Iterable[str]:
    first: dict[str, tuple[str, str]] = {}
    for part in parts:
        names: Mapping[str, str] = part.plant.place_names
        for path, name in names.items():
            file, other = first.setdefault(path, (part.file, name))
            if name != other:
                yield f'{part.file}: place "{path}" is called "{name}", but "{other}" in {file}: give it one name'
