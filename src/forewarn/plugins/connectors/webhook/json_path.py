"""Where something lies in a JSON document: `data.temp`, `sensors[0].value`, `payload["a.b"]`."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from forewarn.domain.errors import InvalidInput

Step = str | int
_STEP: Final = re.compile(r'\.?([^.\[\]"{}\s]+)|\[(\d+)\]|\["([^"]+)"\]')
_HOLE: Final = re.compile(r"\{([^{}]*)\}")
MISSING: Final = object()


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps; none for ''. Raises InvalidInput."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (at == 0 and text.startswith(".")):
            raise InvalidInput(
                f"{text!r} is no path from character {at + 1} on: write it as data.temp or list[0].value"
            )
        name, index, quoted = found.groups()
        steps.append(int(index) if index is not None else name or quoted)
        at = found.end()
    return tuple(steps)


def look_up(document: Any, steps: Sequence[Step]) -> Any:
    """What lies there, or MISSING."""
    for step in steps:
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return MISSING
        elif not isinstance(document, list) or step >= len(document):
            return MISSING
        document = document[step]
    return document


def parse_template(text: str) -> Callable[[Any, Any], str]:
    """A text with `{path}` in it, as (element, body) -> the text filled in.

    Raises InvalidInput, later on too: where a path leads to no text and no number."""
    pieces = _HOLE.split(text)
    paths = [parse_path(piece) for piece in pieces[1::2]]
    if "{" in "".join(pieces[::2]) or "}" in "".join(pieces[::2]) or () in paths:
        raise InvalidInput(f"{text!r}: each {{ needs a path and a }} after it")

    def fill(element: Any, body: Any) -> str:
        filled = list(pieces)
        for i, steps in enumerate(paths):
            found = first_of(steps, element, body)
            if not isinstance(found, str | int) or isinstance(found, bool):
                raise InvalidInput(f"{pieces[2 * i + 1]} is neither text nor a whole number", field=pieces[2 * i + 1])
            filled[2 * i + 1] = str(found)
        return "".join(filled)

    return fill


def first_of(steps: Sequence[Step], element: Any, body: Any) -> Any:
    """In the element, or else in the whole body; MISSING in neither."""
    found = look_up(element, steps)
    return look_up(body, steps) if found is MISSING else found
