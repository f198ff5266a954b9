"""Reading a TOML table by hand, collecting every mistake with its line instead of stopping at the first."""

import math
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from forewarn.domain.errors import ConfigurationError
from forewarn.policies.toml_lines import Path, TomlLines

_E = TypeVar("_E", bound=StrEnum)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean "speed"?`, or the whole list where nothing is near."""
    near = get_close_matches(word.lower(), {k.lower(): k for k in known}, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{next(k for k in known if k.lower() == near[0])}"?'
    return f"; known are: {', '.join(known)}" if known else ""


@dataclass
class Problems:
    """Every mistake found in one file."""

    file: str
    lines: TomlLines
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: Path, reason: str) -> None:
        problem = (self.lines.line(path), reason)
        if problem not in self.found:
            self.found.append(problem)

    def raise_if_any(self) -> None:
        """Raises ConfigurationError, one `file:line: reason` a line, in the file's order."""
        if not self.found:
            return
        ordered = sorted(self.found, key=lambda p: p[0])
        error = ConfigurationError("\n".join(f"{self.file}:{line}: {reason}" for line, reason in ordered))
        error.where = f"{self.file}:{ordered[0][0]}"
        raise error


class Table:
    """One table of the file. Each reader answers None (or nothing) after it has noted a mistake."""

    def __init__(self, content: Mapping[str, Any], path: Path, problems: Problems, keys: Sequence[str] | None) -> None:
        """keys: what may stand here; None = anything."""
        self.content = content
        self.path = path
        self.problems = problems
        for key in content:
            if keys is not None and key not in keys:
                self.wrong(key, f'unknown key "{key}"{did_you_mean(key, keys)}')

    def wrong(self, key: str | None, reason: str) -> None:
        self.problems.add(self.path if key is None else (*self.path, key), reason)

    def has(self, key: str) -> bool:
        return key in self.content

    def text(self, key: str, *, required: bool = False) -> str | None:
        value = self.content.get(key)
        if value is None:
            if required:
                self.wrong(None, f'"{key}" is missing: add {key} = "..."')
            return None
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, f"{key} must be a text in quotes, not {_shown(value)}")
            return None
        if any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value):
            self.wrong(key, f"{key} holds a character that no database takes")
            return None
        return value

    def number(
        self, key: str, *, least: float | None = None, above: float | None = None, most: float | None = None
    ) -> float | None:
        value = self.content.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(key, f"{key} must be a number, not {_shown(value)}")
        elif abs(value) > sys.float_info.max or not math.isfinite(value):
            self.wrong(key, f"{key} must be a finite number, not {value}")
        elif least is not None and value < least:
            self.wrong(key, f"{key} must be at least {least:g}, not {value}")
        elif above is not None and value <= above:
            self.wrong(key, f"{key} must be above {above:g}, not {value}")
        elif most is not None and value > most:
            self.wrong(key, f"{key} must be at most {most:g}, not {value}")
        else:
            return float(value)
        return None

    def flag(self, key: str) -> bool | None:
        value = self.content.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.wrong(key, f"{key} must be true or false, not {_shown(value)}")
        return None

    def choice(self, key: str, options: type[_E]) -> _E | None:
        word = self.text(key)
        if word is None:
            return None
        try:
            return options(word)
        except ValueError:
            self.wrong(key, f'{key} "{word}" is unknown{did_you_mean(word, [o.value for o in options])}')
            return None

    def word(self, key: str, options: Collection[str]) -> str | None:
        word = self.text(key)
        if word is not None and word not in options:
            self.wrong(key, f'{key} "{word}" is unknown{did_you_mean(word, options)}')
            return None
        return word

    def words(self, key: str) -> list[str] | None:
        value = self.content.get(key)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return value
        self.wrong(key, f'{key} must be a list of texts, like ["a", "b"], not {_shown(value)}')
        return None

    def table(self, key: str, keys: Sequence[str] | None) -> "Table":
        """The table under `key`; empty where there is none."""
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            self.wrong(key, f"{key} must be a table, not {_shown(value)}")
            value = {}
        return Table(value, (*self.path, key), self.problems, keys)

    def tables(self, key: str, keys: Sequence[str]) -> Iterator["Table"]:
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            self.wrong(key, f"{key} must be written with double brackets: [[{key}]]")
            return
        for index, content in enumerate(value):
            yield Table(content, (*self.path, key, index), self.problems, keys)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
