"""How the whole suite is shared out, and the event loop that the product runs on."""

import asyncio
import os
from collections.abc import Callable, Mapping

import pytest
import uvloop
from hypothesis import HealthCheck, settings

# The ordinary suite draws the same examples each run: a change is judged by what it changed. Rare ones are searched for
# by `make test-all` and at night. No test asserts a time, nor does Hypothesis: by itself it fails what takes 200 ms.
_SAME = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, database=None, derandomize=True
)
settings.register_profile("same", _SAME)
settings.register_profile("random", _SAME, derandomize=False)
settings.load_profile(os.environ.get("FOREWARN_EXAMPLES") or "same")
# What mostly waits comes first, so that at the end no worker is left with minutes of it.
_WAITING = ("browser", "journeys", "gateway", "plugins/connectors", "app", "plugins", "conformance", "simulator")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as `forewarn serve` has it: it closes sockets later than asyncio does."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    return next((i for i, folder in enumerate(_WAITING) if nodeid.startswith(f"tests/{folder}/")), len(_WAITING))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A file stays with one worker, as its tests share servers; so does browser/, which shares a site and a browser."""
    from xdist.scheduler import LoadFileScheduling

    class ByServers(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return ByServers(config, log)
