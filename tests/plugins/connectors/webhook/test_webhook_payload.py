"""Whatever JSON comes, the translators answer with readings or a reason."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import InvalidInput
from forewarn.plugins.connectors.webhook.columns import microseconds
from forewarn.plugins.connectors.webhook.json_path import MISSING, look_up, parse_path, parse_template
from forewarn.plugins.connectors.webhook.payload import Hook, Signals, batch_of, pushed_at
from forewarn.plugins.connectors.webhook.settings import HookSettings
from tests.plugins.connectors.recording import signals_at

SIGNALS = Signals(signals_at("a", "b"))
HOOK = Hook(HookSettings(path="/h", each="e", time="t", values={"v": "a", "w[0].x": "{n}"}))
keys = st.sampled_from(["readings", "sensor_id", "timestamp", "value", "quality", "e", "t", "v", "w", "x", "n", "a"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "b", "good", "2026-01-31"])
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)
names = st.text(st.characters(exclude_characters='.[]"{}', exclude_categories=["Z", "C"]), min_size=1, max_size=8)


@given(documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60))
def test_no_body_brings_more_than_a_reason(body: bytes) -> None:
    for translate in (
        lambda: batch_of(body, SIGNALS, 5),
        lambda: pushed_at("a", body, SIGNALS, 5),
        lambda: HOOK.readings_of(body, SIGNALS, 5),
    ):
        with contextlib.suppress(InvalidInput):
            gathered = translate()
            signal, time, value, quality = gathered.columns()
            assert len(signal) == len(time) == len(value) == len(quality)
            assert not np.isinf(value).any()
            assert (quality[np.isnan(value)] >> 31 == 1).all()
            assert set(signal.tolist()) <= {1, 2}


@given(st.lists(names | st.integers(0, 9), min_size=1, max_size=6))
def test_a_path_finds_what_lies_there(steps: list[str | int]) -> None:
    document: object = "found"
    for step in reversed(steps):
        document = {step: document} if isinstance(step, str) else [None] * step + [document]
    plain = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
    quoted = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps)
    assert look_up(document, parse_path(plain)) == look_up(document, parse_path(quoted)) == "found"
    assert look_up(document, [*parse_path(plain), "deeper"]) is MISSING


@pytest.mark.parametrize("text", [".a", "a..b", "a[", "a[x]", "a b", 'a["b]', "a{b}"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no path"):
        parse_path(text)


def test_templates_are_filled_from_the_element_then_the_body() -> None:
    fill = parse_template("{site}/{id}.temp")
    assert fill({"id": 7}, {"site": "north", "id": 1}) == "north/7.temp"
    with pytest.raises(InvalidInput, match="site"):
        fill({"id": 7}, {})


def test_a_number_in_quotes_is_no_date() -> None:
    assert microseconds("1768122012300", "auto", "t") == 1_768_122_012_300_000


@given(st.integers(10**9, 4 * 10**9), st.sampled_from([("s", 1), ("ms", 1_000), ("us", 10**6), ("ns", 10**9)]))
def test_a_time_is_told_by_its_size(second: int, unit: tuple[str, int]) -> None:
    name, per_second = unit
    assert microseconds(second * per_second, "auto", "t") == second * 1_000_000
    assert microseconds(second * per_second, name, "t") == second * 1_000_000
    assert microseconds(str(second * per_second), "auto", "t") == second * 1_000_000
