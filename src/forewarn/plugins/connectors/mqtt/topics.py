"""Topic patterns: MQTT filters whose one-level wildcards may have names, `plant/{line}/{asset}/#`."""

import re
from collections.abc import Sequence
from typing import Final

_NAME: Final = re.compile(r"\{(\w+)\}")
_LONGEST: Final = 65_535
_MOST_REMEMBERED: Final = 20_000


def names_in(text: str) -> list[str]:
    return _NAME.findall(text)


def check_pattern(pattern: str) -> None:
    """Raises ValueError saying what is wrong with it."""
    if not pattern or "\0" in pattern or len(pattern.encode()) > _LONGEST:
        raise ValueError(f"topic {pattern!r:.40} is empty, too long or has a null character in it")
    levels = pattern.split("/")
    for place, level in enumerate(levels):
        if _NAME.fullmatch(level) or level == "+" or (level == "#" and place == len(levels) - 1):
            continue
        if level == "#":
            raise ValueError(f"topic {pattern!r}: # may only be the last level")
        if any(mark in level for mark in "+#{}"):
            raise ValueError(f"topic {pattern!r}: the level {level!r} is neither plain nor a whole wildcard")
    names = names_in(pattern)
    if len(set(names)) < len(names) or {"topic", "sensor"} & set(names):
        raise ValueError(f"topic {pattern!r}: its names must differ from each other and from topic and sensor")


def filter_of(pattern: str) -> str:
    """As the broker wants it."""
    return _NAME.sub("+", pattern)


class TopicFinder:
    """Which pattern a topic fits first, and what its named levels say; a plain + that comes first is called asset."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_levels(pattern) for pattern in patterns]
        self._remembered: dict[str, tuple[int, dict[str, str]] | None] = {}

    def find(self, topic: str) -> tuple[int, dict[str, str]] | None:
        """(number of the pattern, {name: level}); None when it fits none. Not to be changed by the caller."""
        try:
            return self._remembered[topic]
        except KeyError:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[topic] = self._find(topic.split("/"))
            return found

    def _find(self, levels: Sequence[str]) -> tuple[int, dict[str, str]] | None:
        for number, pattern in enumerate(self._patterns):
            if (named := _fit(pattern, levels)) is not None:
                return number, named
        return None


def _levels(pattern: str) -> list[str]:
    levels = [_NAME.sub(r"+\1", level) for level in pattern.split("/")]
    if "+asset" not in levels and "+" in levels:
        levels[levels.index("+")] = "+asset"
    return levels


def _fit(pattern: Sequence[str], levels: Sequence[str]) -> dict[str, str] | None:
    if pattern[-1] == "#":
        pattern = pattern[:-1]
        if len(levels) < len(pattern):
            return None
    elif len(pattern) != len(levels):
        return None
    named = {}
    for wanted, level in zip(pattern, levels, strict=False):
        if wanted.startswith("+"):
            named[wanted[1:]] = level
        elif wanted != level:
            return None
    named.pop("", None)
    return named
