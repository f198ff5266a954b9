"""All edge nodes that have signals of ours. No I/O; time is given."""

import json
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.sparkplug.address import Wanted, topic_of
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.edge_node import EdgeNode, LastTimes, message_of
from forewarn.plugins.connectors.sparkplug.later import flush
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.plugins.connectors.sparkplug.settings import SparkplugSettings

_BOOLEAN: Final = 11


class Host:
    """What others than our edge nodes say is passed over."""

    def __init__(self, signals: Sequence[Signal], settings: SparkplugSettings) -> None:
        self.wanted = Wanted(signals)
        last = LastTimes(max((signal.key for signal in signals), default=0) + 1)
        self._nodes = {
            name: EdgeNode(*name, self.wanted, settings, last)
            for name in sorted(self.wanted.nodes)
            if not settings.groups or name[0] in settings.groups
        }

    def start(self, now_s: float, into: Batch) -> None:
        """Nothing is known of a node before its birth: each is asked for one."""
        for node in self._nodes.values():
            node.ask_rebirth(now_s, into)

    def take(self, topic: str, raw: bytes, received_us: int, now_s: float, into: Batch) -> None:
        """One message. now_s: of a clock that nobody sets, received_us: of the one that everybody does."""
        found = topic_of(topic)
        if found is None:
            return
        kind, origin = found
        node = self._nodes.get((origin.group, origin.node))
        if node is None:
            return
        try:
            node.take(message_of(kind, origin, raw, received_us), now_s, into)
        except (DecodeError, UnicodeDecodeError) as error:
            into.reject(1, f"{kind} of {origin} is no Sparkplug B payload: {error}", ConditionCode.NONSENSE)

    def tick(self, now_s: float, received_us: int, into: Batch) -> None:
        for node in self._nodes.values():
            node.tick(now_s, received_us, into)

    def settle(self, into: Batch) -> None:
        """After the last message for `into`: only then is it complete."""
        flush(into)

    def away(self) -> list[str]:
        """Edge nodes that have told no birth, or have died."""
        return [f"{group}/{node}" for (group, node), each in self._nodes.items() if not each.online]


def rebirth_command(now_ms: int) -> bytes:
    payload: Any = Payload(timestamp=now_ms)
    payload.metrics.add(name="Node Control/Rebirth", timestamp=now_ms, datatype=_BOOLEAN, boolean_value=True)
    return bytes(payload.SerializeToString())


def state(*, online: bool, at_ms: int) -> bytes:
    """A host application's birth or death certificate."""
    return json.dumps({"online": online, "timestamp": at_ms}, separators=(",", ":")).encode()


def denied(raw: bytes) -> int | None:
    """The timestamp of a STATE message that says `offline`; None for any other."""
    try:
        said = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("online") is not False:
        return None
    at_ms = said.get("timestamp")
    return at_ms if isinstance(at_ms, int) else 0
