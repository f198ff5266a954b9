"""Columns as JSON rows say what the rows themselves would."""

import json

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from forewarn.api.json_rows import instants, named, numbers, rows_json
from forewarn.api.times import text_of
from forewarn.domain.status import severity_name

int64 = st.integers(np.iinfo(np.int64).min, np.iinfo(np.int64).max)
near = st.integers(1_500_000_000_000_000, 1_900_000_000_000_000)
codes = st.sampled_from([0, 0x40000000, 0x80000000, 0x80310000])
rows = st.lists(st.tuples(near, st.floats(), codes, int64), max_size=30)


@given(rows)
def test_rows_are_what_objects_would_be(told: list[tuple[int, float, int, int]]) -> None:
    time, value, code, count = (
        np.array([row[at] for row in told], dtype)
        for at, dtype in enumerate((np.int64, np.float64, np.uint32, np.int64))
    )
    columns = {
        "timestamp": instants(time),
        "value": numbers(value),
        "quality_name": named(code, severity_name),
        "count": numbers(count),
    }
    objects = [
        {"timestamp": text_of(at), "value": v, "quality_name": severity_name(c), "count": n} for at, v, c, n in told
    ]
    assert orjson.dumps(rows_json(columns)) == orjson.dumps(objects)


@given(st.lists(int64, max_size=5))
def test_instants_of_any_age(told: list[int]) -> None:
    assert [json.loads(text) for text in instants(np.array(told, np.int64))] == [text_of(at) for at in told]
