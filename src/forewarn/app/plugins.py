"""Plugin discovery by entry points; loading is lazy, so a missing library hurts one plugin only."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from forewarn.contracts.connector import Connector
from forewarn.domain.errors import ConfigurationError


def available(group: str) -> dict[str, EntryPoint]:
    """Entry points of `forewarn.<group>` by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=f"forewarn.{group}")}


def load(group: str, name: str) -> Any:
    """The plugin object. Raises ConfigurationError naming what exists, or the library that is missing."""
    points = available(group)
    if name not in points:
        known = ", ".join(sorted(points)) or "none installed"
        raise ConfigurationError(
            f"there is no {group.removesuffix('s').replace('_', ' ')} {name!r}; there are: {known}"
        )
    try:
        return points[name].load()
    except ImportError as error:
        raise ConfigurationError(f"{group} plugin {name!r} needs a library that is not installed: {error}") from error


def connectors() -> dict[str, Connector]:
    """Every connector whose libraries are installed."""
    found: dict[str, Connector] = {}
    for name in available("connectors"):
        try:
            found[name] = load("connectors", name)
        except ConfigurationError:
            continue
    return found
