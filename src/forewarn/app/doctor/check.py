"""One line of the doctor's report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy` is shown when not `ok`; a warning does not fail the command."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    warning: bool = False
