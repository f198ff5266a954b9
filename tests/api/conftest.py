from collections.abc import Iterator

import pytest
from tests.api.site import Site, open_parts, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_parts(tmp_path_factory.mktemp("site")) as parts, serving(parts) as running:
        yield running
