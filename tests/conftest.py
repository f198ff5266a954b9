"""Order of the whole suite."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's synchronous API keeps an event loop running, and no other may start."""
    items.sort(key=lambda item: "/browser/" in item.path.as_posix())
