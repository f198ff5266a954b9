"""What tests have carried out elsewhere: a worker finds it by its name."""

import os
import time
from pathlib import Path


def squared(number: int) -> int:
    return number * number


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die_once(told: Path) -> str:
    """The process that does it first is killed."""
    if not told.exists():
        told.touch()
        os.kill(os.getpid(), 9)
    return "done by another"


def die() -> None:
    os.kill(os.getpid(), 9)
