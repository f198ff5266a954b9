"""What a signal's address names: a node, and for arrays and structures a part of its value."""

import re
from dataclasses import dataclass
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from forewarn.domain.assets import Signal
from forewarn.domain.errors import ConfigurationError

# A NodeId's text begins with ns=, nsu=, i=, s=, g=, b= or svr=; none begins with part=.
_PREFIX: Final = "part="
_STEP: Final = re.compile(r"\.?([^.\[\];]+)|\[(\d+)\]")

Step = str | int


@dataclass(frozen=True, slots=True)
class Address:
    """part: fields' names and indexes, from the outside in; empty for the value as a whole."""

    node: ua.NodeId
    part: tuple[Step, ...] = ()

    @property
    def needs_types(self) -> bool:
        """A structure's fields can be told apart only by the server's description of its type."""
        return any(isinstance(step, str) for step in self.part)


class NoSuchPart(Exception):
    """The value has no such field or element, or what is there is no number."""


def parse_address(signal: Signal) -> Address:
    """Raises ConfigurationError."""
    text = signal.address or ""
    part, node = "", text
    if text.startswith(_PREFIX):
        part, _, node = text.removeprefix(_PREFIX).partition(";")
    try:
        return Address(ua.NodeId.from_string(node), _steps(part))
    except (UaError, ValueError):
        raise ConfigurationError(
            f"signal {signal.id!r}: address {text!r} is no NodeId; write it like ns=2;s=pump-101.vibration, and a part "
            "of a value like part=[3];ns=2;s=node or part=sub.speed[0];ns=2;s=node"
        ) from None


def _steps(part: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = 0
    while at < len(part):
        found = _STEP.match(part, at)
        if found is None:
            raise ValueError(part)
        steps.append(found[1] if found[1] is not None else int(found[2]))
        at = found.end()
    return tuple(steps)


def pick(value: object, part: tuple[Step, ...]) -> float:
    """The number at `part` of a decoded value. Raises NoSuchPart, which names the step that fails."""
    here = value
    for step in part:
        if isinstance(step, int):
            if not isinstance(here, list | tuple):
                raise NoSuchPart(f"[{step}]: a {type(here).__name__} has no elements")
            if step >= len(here):
                raise NoSuchPart(f"[{step}]: it has {len(here)} elements")
            here = here[step]
        else:
            if not hasattr(here, step) or step.startswith("_"):
                raise NoSuchPart(f"{step}: a {type(here).__name__} has no such field{_fields(here)}")
            here = getattr(here, step)
    if isinstance(here, bool | int | float):
        return float(here)
    raise NoSuchPart(f"it is a {type(here).__name__}, not a number")


def _fields(value: object) -> str:
    names = [name for name in getattr(value, "__dataclass_fields__", {}) if name != "Encoding"]
    return f"; there are: {', '.join(names)}" if names else ""
