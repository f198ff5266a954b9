"""Where a signal lies: `<group>/<edge node>/<device, or - for the node itself>/<metric>`, / allowed in a metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from forewarn.domain.assets import Signal

NODE_ITSELF: Final = "-"
_NAMESPACE: Final = "spBv1.0"
_KINDS: Final = {"NBIRTH": 4, "NDATA": 4, "NDEATH": 4, "DBIRTH": 5, "DDATA": 5, "DDEATH": 5}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who speaks. device: '' for the edge node itself."""

    group: str
    node: str
    device: str = ""

    def __str__(self) -> str:
        return f"{self.group}/{self.node}/{self.device or NODE_ITSELF}"


def topic_of(topic: str) -> tuple[str, Origin] | None:
    """(kind of message, who speaks) of an edge node's message; None for any other topic."""
    levels = topic.split("/")
    if len(levels) < 4 or levels[0] != _NAMESPACE or _KINDS.get(levels[2]) != len(levels):
        return None
    return levels[2], Origin(levels[1], levels[3], levels[4] if len(levels) == 5 else "")


def command_topic(group: str, node: str) -> str:
    return f"{_NAMESPACE}/{group}/NCMD/{node}"


def state_topic(host_id: str) -> str:
    return f"{_NAMESPACE}/STATE/{host_id}"


def filter_of(groups: Sequence[str]) -> list[str]:
    return [f"{_NAMESPACE}/{group}/#" for group in groups] or [f"{_NAMESPACE}/#"]


class Wanted:
    """Our signals by who tells them. `strange`: those whose address is none."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.strange: list[Signal] = []
        self.of: dict[Origin, dict[str, int]] = {}
        self.id_of = {signal.key: signal.id for signal in signals}
        for signal in signals:
            parts = (signal.address or "").split("/", 3)
            if len(parts) < 4 or not all(parts):
                self.strange.append(signal)
                continue
            device = "" if parts[2] == NODE_ITSELF else parts[2]
            self.of.setdefault(Origin(parts[0], parts[1], device), {})[parts[3]] = signal.key
        self.nodes = {(origin.group, origin.node) for origin in self.of}

    def metrics(self, origin: Origin) -> Mapping[str, int]:
        """name -> key"""
        return self.of.get(origin, {})
