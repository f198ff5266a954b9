"""What a server says of itself and of its nodes, asked for in as few calls as it allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

_LIMITS: Final = (
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription,
)
_OURS: Final = 500
_HISTORY_READ: Final = 4  # bit of AccessLevel (Part 3, 8.57)
WELL: Final = 255


@dataclass(frozen=True, slots=True)
class Limits:
    """Most of each a call; ours where the server names none or a greater one. items_per_subscription: 0 = unlimited."""

    items: int = _OURS
    reads: int = _OURS
    histories: int = _OURS
    paths: int = _OURS
    browses: int = _OURS
    items_per_subscription: int = 0


@dataclass(frozen=True, slots=True)
class Wellness:
    """level: ServiceLevel 0-255 (Part 4, 6.6.2.4.2); running: its ServerState says so."""

    level: int
    running: bool


async def limits_of(client: Client) -> Limits:
    answers = await read_attribute(
        client, [ua.NodeId(ua.Int32(each)) for each in _LIMITS], AttributeIds.Value, len(_LIMITS)
    )
    told = [int(v) if isinstance(v := _value(answer), int) else 0 for answer in answers]
    items, reads, histories, paths, browses = (min(each, _OURS) if each > 0 else _OURS for each in told[:-1])
    return Limits(items, reads, histories, paths, browses, told[-1])


async def wellness_of(client: Client) -> Wellness:
    """A server that tells neither counts as well."""
    nodes = [ua.NodeId(ua.Int32(each)) for each in (ObjectIds.Server_ServiceLevel, ObjectIds.Server_ServerStatus_State)]
    level, state = map(_value, await read_attribute(client, nodes, AttributeIds.Value, 2))
    return Wellness(
        level if isinstance(level, int) and not isinstance(level, bool) else WELL,
        not isinstance(state, int) or state == ua.ServerState.Running,
    )


async def ranges_of(client: Client, nodes: Sequence[ua.NodeId], limits: Limits) -> list[tuple[float, float] | None]:
    """EURange, low and high, of each node that has one."""
    found: list[tuple[float, float] | None] = [None] * len(nodes)
    places = await property_of(client, nodes, "EURange", limits)
    where = [i for i, place in enumerate(places) if place is not None]
    answers = await read_attribute(
        client, [place for place in places if place is not None], AttributeIds.Value, limits.reads
    )
    for i, answer in zip(where, answers, strict=True):
        value = _value(answer)
        if isinstance(value, ua.Range):
            found[i] = float(value.Low), float(value.High)
    return found


async def keep_history(client: Client, nodes: Sequence[ua.NodeId], limits: Limits) -> list[bool]:
    """Whether the server has history of each node that we may read."""
    answers = await read_attribute(client, nodes, AttributeIds.UserAccessLevel, limits.reads)
    levels = [_value(answer) for answer in answers]
    return [isinstance(level, int) and bool(level & _HISTORY_READ) for level in levels]


async def property_of(client: Client, nodes: Sequence[ua.NodeId], name: str, limits: Limits) -> list[ua.NodeId | None]:
    """The node of each node's property `name` of the standard, if it has it."""
    found: list[ua.NodeId | None] = []
    step = ua.RelativePathElement()
    step.ReferenceTypeId = ua.NodeId(ua.Int32(ObjectIds.HasProperty))
    step.IsInverse, step.IncludeSubtypes = False, True  # type: ignore[assignment]
    step.TargetName = ua.QualifiedName(name, 0)
    for start in range(0, len(nodes), limits.paths):
        paths = []
        for node in nodes[start : start + limits.paths]:
            path = ua.BrowsePath()
            path.StartingNode = node
            path.RelativePath.Elements = [step]
            paths.append(path)
        for result in await client.uaclient.translate_browsepaths_to_nodeids(paths):
            good = result.StatusCode.is_good() and result.Targets
            found.append(result.Targets[0].TargetId if good else None)
    return found


async def read_attribute(
    client: Client, nodes: Sequence[ua.NodeId], attribute: AttributeIds, most: int
) -> list[ua.DataValue]:
    answers: list[ua.DataValue] = []
    for start in range(0, len(nodes), most):
        answers += await client.uaclient.read_attributes(list(nodes[start : start + most]), attribute)
    return answers


def _value(answer: ua.DataValue) -> object:
    if answer.StatusCode is not None and not answer.StatusCode.is_good():
        return None
    return answer.Value.Value if answer.Value is not None else None
