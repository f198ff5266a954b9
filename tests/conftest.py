"""Order of the whole suite, and the event loop that the product runs on."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop
from hypothesis import HealthCheck, settings

# No test asserts a time, nor does Hypothesis: by itself it fails examples that take 200 ms.
settings.register_profile("forewarn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("forewarn")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as `forewarn serve` has it: it closes sockets later than asyncio does."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's synchronous API keeps an event loop running, and no other may start."""
    items.sort(key=lambda item: "/browser/" in item.path.as_posix())
