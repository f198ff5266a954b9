"""Times of files, whatever zone and form."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.plugins.connectors.folder.stamps import NONE, Stamps

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
moments = st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1))


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(st.lists(moments, min_size=1, max_size=20), zones)
def test_local_times_are_read_as_zoneinfo_reads_them(found: list[datetime], zone: str) -> None:
    found = [m for m in found if not twice(m, zone)]
    text = np.array([m.isoformat(sep=" ") for m in found], np.str_)
    read = Stamps("auto", zone).to_utc(text, False)
    assert read.tolist() == [us(m.replace(tzinfo=ZoneInfo(zone))) for m in found]


def twice(moment: datetime, zone: str) -> bool:
    first = moment.replace(tzinfo=ZoneInfo(zone))
    return first.utcoffset() != first.replace(fold=1).utcoffset()


@given(st.integers(1, 60), st.integers(1, 50))
def test_the_hour_that_comes_twice_is_told_apart_across_blocks(step_min: int, cut: int) -> None:
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    truth = [start + timedelta(minutes=i * step_min) for i in range(180 // step_min + 1)]
    local = [m.astimezone(ZoneInfo("Europe/Berlin")).strftime("%d.%m.%Y %H:%M") for m in truth]
    stamps = Stamps("%d.%m.%Y %H:%M", "Europe/Berlin")
    read: list[int] = []
    for i in range(0, len(local), cut):
        read += stamps.to_utc(np.array(local[i : i + cut]), False).tolist()
        stamps = Stamps("%d.%m.%Y %H:%M", "Europe/Berlin", stamps.local_us, stamps.second_pass)
    # With steps of half an hour and more a repeated hour need not go back by half an hour.
    if step_min < 30:
        assert read == [us(m) for m in truth]


@given(st.lists(st.integers(10**9, 4 * 10**9), min_size=1), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_numbers_tell_their_unit_by_their_size(seconds: list[int], per_second: int) -> None:
    want = [second * 1_000_000 for second in seconds]
    whole = np.array(seconds) * per_second
    assert Stamps("auto", "UTC").to_utc(whole, False).tolist() == want
    assert Stamps("auto", "Asia/Kolkata").to_utc(whole.astype(np.str_), False).tolist() == want


@given(st.lists(st.text(max_size=30) | moments.map(str), max_size=30), zones, st.sampled_from(["auto", "s", "%H:%M"]))
def test_no_text_is_more_than_no_time(texts: list[str], zone: str, form: str) -> None:
    read = Stamps(form, zone).to_utc(np.char.strip(np.array(texts, np.str_)), False)
    assert (len(read), read.dtype) == (len(texts), np.int64)


@pytest.mark.parametrize("text", ["", "now", "today", "NaT", "nan", "inf", "1e300", "yesterday", "2026-13-01", "-1e30"])
def test_what_is_no_time_is_none_and_harms_no_other(text: str) -> None:
    read = Stamps("auto", "UTC").to_utc(np.array([text, "2026-01-31T08:00:00Z"]), False)
    assert read.tolist() == [NONE, 1_769_846_400_000_000]


def test_offsets_are_heeded_whatever_the_zone() -> None:
    texts = np.array(
        ["2026-01-31T09:00:00+01:00", "2026-01-31T08:00:00Z", "2026-01-31 10:00:00", "2026-01-31T03:00:00-05:00"]
    )
    read = Stamps("auto", "Europe/Helsinki").to_utc(texts, False)
    assert read.tolist() == [1_769_846_400_000_000] * 4
    assert Stamps("auto", "UTC").to_utc(texts[:1], False).tolist() == [1_769_846_400_000_000]
