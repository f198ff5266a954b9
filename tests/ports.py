"""Ports for servers of the tests: below those that the kernel hands out by itself (Linux: from 32768), so that no
connection and no server on port 0 takes one between the asking and the start, or while its server is killed."""

import itertools
import os
import random
import socket

_FIRST, _OF_A_WORKER, _WORKERS = 20_000, 1_500, 8
# Each of pytest-xdist's workers has ports of its own; several runs on one machine begin at different ones.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _WORKERS
_steps = itertools.count(random.SystemRandom().randrange(_OF_A_WORKER))


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens; another one at each call."""
    for _ in range(_OF_A_WORKER):
        port = _FIRST + _worker * _OF_A_WORKER + next(_steps) % _OF_A_WORKER
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"none of {_OF_A_WORKER} ports is free on 127.0.0.1")
