from collections.abc import Iterator

import pytest
import structlog

from tests.api.site import Site, open_parts, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_parts(tmp_path_factory.mktemp("site")) as parts, serving(parts) as running:
        yield running


@pytest.fixture(scope="package", autouse=True)
def plain_log() -> Iterator[None]:
    """structlog's own default draws tracebacks with every local variable, which takes seconds."""
    processors = [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    structlog.configure(processors=processors, cache_logger_on_first_use=False)
    yield
    structlog.reset_defaults()
