"""Processes that learn beside a site step back for it."""

import os
from collections.abc import Sequence
from pathlib import Path

from forewarn.jobs.training.niceness import NICENESS
from forewarn.jobs.training.workers import Workers, carried_out

PROC = Path("/proc/self/task")


def nice_of_threads() -> tuple[int, Sequence[int]]:
    """As the kernel says: field 19 of stat, counted behind the name, which may hold blanks."""
    told = [(task / "stat").read_text().rpartition(")")[2].split() for task in PROC.iterdir()]
    return os.getpid(), [int(fields[16]) for fields in told]


def test_workers_are_nice_and_whoever_asked_is_not() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    told = dict(carried_out([(nice_of_threads, ())] * 8, Workers(2)))
    assert os.getpid() not in told
    assert all(set(nice) == {max(NICENESS, before)} for nice in told.values()), told
    here = dict(carried_out([(nice_of_threads, ())], Workers(1)))
    assert before in here[os.getpid()]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
