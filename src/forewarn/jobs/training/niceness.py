"""Processes that work beside a site step back for it: what readings need comes first."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

NICENESS: Final = 10
_THREADS: Final = Path("/proc/self/task")


def beside(asked_by: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """The call, in a process that steps back unless it is `asked_by` itself (a process id). Linux reads and writes with
    less urgency too what is nice."""
    if os.getpid() != asked_by and os.getpriority(os.PRIO_PROCESS, 0) < NICENESS:
        for thread in _threads():
            os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
    return function(*arguments)


def _threads() -> Sequence[int]:
    """Of this process: Linux keeps the niceness of each by itself; elsewhere 0 is all of it."""
    return [int(thread.name) for thread in _THREADS.iterdir()] if _THREADS.is_dir() else [0]
