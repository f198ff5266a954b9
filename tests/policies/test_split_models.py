"""Machines that no one collects whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.findings import BY_EDGE, BY_MODEL
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.split_models import SPLIT, split_finding, split_models
from tests.trained import signals_of

TABLE = SignalTable.of(signals_of("p1"))
IDS = tuple(TABLE.key_of)
JUDGED = {"p1": IDS}


def collected(**keys: list[int]) -> dict[str, np.ndarray]:
    return {name: np.array(own, np.int32) for name, own in keys.items()}


@given(
    st.dictionaries(
        st.sampled_from(["gw-a", "gw-b", "gw-c"]), st.lists(st.sampled_from([1, 2, 3, 9]), min_size=1), max_size=3
    )
)
def test_a_machine_is_split_where_gateways_have_parts_and_none_has_all(keys: dict[str, list[int]]) -> None:
    sets = {name: set(own) & {1, 2, 3} for name, own in keys.items()}
    expected = any(sets.values()) and {1, 2, 3} not in sets.values()
    found = split_models(JUDGED, TABLE, collected(**keys))
    assert (list(found) == ["p1"]) == expected
    if expected:
        told = {s for part in found["p1"].values() for s in part}
        assert told == set(IDS)
        assert "" not in found["p1"] or not set(found["p1"][""]) & {IDS[k - 1] for own in sets.values() for k in own}


def test_it_is_told_who_has_what_and_what_to_do() -> None:
    parts = split_models(JUDGED, TABLE, collected(**{"gw-a": [1], "gw-b": [2]}))["p1"]
    found = split_finding("p1", parts, TABLE, 5)
    assert (found.detector, found.anomaly_type, found.detected_by) == (BY_MODEL, SPLIT, BY_EDGE)
    assert (found.asset_id, found.signal_key, found.started_at) == ("p1", 1, 5)
    assert "gateway gw-a has flow; gateway gw-b has pressure; this site itself has temperature" in found.reason
    assert "Collect all signals of the machine in one gateway" in found.reason


def test_a_signal_that_the_plant_has_no_more_is_said() -> None:
    judged = {"p1": (*IDS, "p1.torque")}
    parts = split_models(judged, TABLE, collected(**{"gw-a": [1, 2, 3]}))["p1"]
    assert "the plant has no more p1.torque" in split_finding("p1", parts, TABLE, 5).reason
    assert split_models(judged, TABLE, {}) == {}  # the site's own line says so
