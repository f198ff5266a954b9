"""A client over HTTP cannot stand in the way of a source, whatever it calls itself."""

from pathlib import Path

import numpy as np
import pytest

from forewarn.api.telemetry_batch import gateway_name
from forewarn.app.wiring import open_site
from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.sink import gateway_of
from forewarn.kit.clock import now_us
from tests.app.test_absence import settings


def test_a_source_and_a_client_of_its_name_number_their_batches_apart(tmp_path: Path) -> None:
    with open_site(settings(tmp_path / "site")) as site:
        for sequence, name in ((0, "plc"), (2**63 - 1, "plc"), (0, gateway_of("plc"))):
            time = np.full(1, now_us(), np.int64)
            batch = ReadingBatch(np.ones(1, np.int32), time, np.ones(1), np.zeros(1, np.uint32), name, sequence)
            assert not site.door.submit(batch).appended.result(30).repeated
        assert site.log.last_sequence(gateway_of("plc")) == 0


def test_no_client_may_take_a_source_s_name() -> None:
    assert gateway_name("plc") == "plc"
    with pytest.raises(InvalidInput, match="printable"):
        gateway_name(gateway_of("plc"))
