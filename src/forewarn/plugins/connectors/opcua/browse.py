"""A walk through a server's address space, for whoever looks for what there is to collect."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds

from forewarn.contracts.browser import FoundPoint
from forewarn.plugins.connectors.opcua.facts import Limits, property_of, read_attribute

# A server may have millions of nodes; whoever wants what lies behind these gives narrower patterns a shorter way.
_MOST_NODES: Final = 200_000
_PER_ANSWER: Final = 1_000
_HAS_PROPERTY: Final = ua.NodeId(ua.Int32(ObjectIds.HasProperty))
_SERVER: Final = ua.NodeId(ua.Int32(ObjectIds.Server))


@dataclass(frozen=True, slots=True)
class _Place:
    node: ua.NodeId
    path: str


async def walk(client: Client, limits: Limits, match: Sequence[str], most: int) -> AsyncIterator[FoundPoint]:
    """Breadth first from Objects, the server's own diagnostics left out."""
    seen = {_SERVER}
    level = [_Place(ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder)), "")]
    told = 0
    while level and len(seen) < _MOST_NODES:
        below: list[_Place] = []
        for start in range(0, len(level), limits.browses):
            variables: list[_Place] = []
            for place, found in await _children(client, level[start : start + limits.browses]):
                node = ua.NodeId(found.NodeId.Identifier, found.NodeId.NamespaceIndex)
                if node in seen:
                    continue
                seen.add(node)
                name = found.BrowseName.Name or node.to_string()
                here = _Place(node, f"{place.path}/{name}" if place.path else name)
                below.append(here)
                if found.NodeClass == ua.NodeClass.Variable and _fits(here, match):
                    variables.append(here)
            for point in await _points(client, limits, variables[: most - told]):
                told += 1
                yield point
            if told >= most:
                return
        level = below


def _fits(place: _Place, match: Sequence[str]) -> bool:
    texts = (place.path, place.node.to_string())
    return not match or any(fnmatchcase(text, pattern) for pattern in match for text in texts)


async def _children(client: Client, places: Sequence[_Place]) -> list[tuple[_Place, ua.ReferenceDescription]]:
    """Objects and variables right below; properties are no points of their own."""
    parameters = ua.BrowseParameters()
    parameters.RequestedMaxReferencesPerNode = _PER_ANSWER
    parameters.NodesToBrowse = [_description(place.node) for place in places]
    results = await client.uaclient.browse(parameters)
    found: list[tuple[_Place, ua.ReferenceDescription]] = []
    rest = list(zip(places, results, strict=True))
    while rest:
        for place, result in rest:
            found += [(place, each) for each in _useful(result.References or ())]
        rest = [(place, result) for place, result in rest if result.ContinuationPoint]
        if rest:
            following = ua.BrowseNextParameters()
            following.ReleaseContinuationPoints = False
            following.ContinuationPoints = [result.ContinuationPoint for _, result in rest]
            answers = await client.uaclient.browse_next(following)
            rest = [(place, answer) for (place, _), answer in zip(rest, answers, strict=True)]
    return found


def _description(node: ua.NodeId) -> ua.BrowseDescription:
    asked = ua.BrowseDescription()
    asked.NodeId = node
    asked.BrowseDirection = ua.BrowseDirection.Forward
    asked.ReferenceTypeId = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))
    asked.IncludeSubtypes = True
    asked.NodeClassMask = ua.NodeClass.Object | ua.NodeClass.Variable
    asked.ResultMask = ua.BrowseResultMask.All
    return asked


def _useful(references: Iterable[ua.ReferenceDescription]) -> list[ua.ReferenceDescription]:
    """Of this server, and no properties."""
    return [
        each
        for each in references
        if each.ReferenceTypeId != _HAS_PROPERTY and not getattr(each.NodeId, "ServerIndex", 0)
    ]


async def _points(client: Client, limits: Limits, places: Sequence[_Place]) -> list[FoundPoint]:
    nodes = [place.node for place in places]
    if not nodes:
        return []
    values = await read_attribute(client, nodes, AttributeIds.Value, limits.reads)
    kinds = await read_attribute(client, nodes, AttributeIds.DataType, limits.reads)
    about = await read_attribute(client, nodes, AttributeIds.Description, limits.reads)
    units = await _units(client, limits, nodes)
    return [
        FoundPoint(place.node.to_string(), place.path, _kind(kind, value), _text(value), unit, _description_of(text))
        for place, value, kind, text, unit in zip(places, values, kinds, about, units, strict=True)
    ]


async def _units(client: Client, limits: Limits, nodes: Sequence[ua.NodeId]) -> list[str]:
    places = await property_of(client, nodes, "EngineeringUnits", limits)
    told = iter(
        await read_attribute(client, [place for place in places if place is not None], AttributeIds.Value, limits.reads)
    )
    units = []
    for place in places:
        value = next(told).Value if place is not None else None
        unit = value.Value if value is not None else None
        units.append((unit.DisplayName.Text or "") if isinstance(unit, ua.EUInformation) else "")
    return units


def _kind(told: ua.DataValue, value: ua.DataValue) -> str:
    node = told.Value.Value if told.Value is not None else None
    if not isinstance(node, ua.NodeId):
        return ""
    name = ObjectIdNames.get(int(str(node.Identifier)), "") if node.NamespaceIndex == 0 else ""
    array = value.Value is not None and isinstance(value.Value.Value, list)
    return (name or node.to_string()) + (" array" if array else "")


def _text(told: ua.DataValue) -> str:
    """The value for people; the status's name where it is bad."""
    if told.StatusCode is not None and told.StatusCode.is_bad():
        return str(told.StatusCode.name)
    value = told.Value.Value if told.Value is not None else None
    return "" if value is None else str(value)[:200]


def _description_of(told: ua.DataValue) -> str:
    text = told.Value.Value if told.Value is not None else None
    return (text.Text or "") if isinstance(text, ua.LocalizedText) else ""
