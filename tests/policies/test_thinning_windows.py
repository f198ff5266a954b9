"""Windows of full resolution: they open on news, grow where they touch, and end."""

import msgspec

from forewarn.domain.alarms import AlarmEvent, AlarmState
from forewarn.domain.findings import Finding, Severity
from forewarn.policies.thinning_windows import OpenFinding, Window, Windows

SECOND = 1_000_000


def seconds(window: Window) -> tuple[float, float]:
    return window.start / SECOND, window.end / SECOND


def finding(start: int, last: int, end: int | None = None, score: float = 0.8, asset: str = "a") -> Finding:
    ended = None if end is None else end * SECOND
    return Finding(
        1, "a.1", asset, "limits", "limit", Severity.HIGH, score, 1.0, None, "", start * SECOND, last * SECOND, ended
    )


def test_a_finding_opens_a_window_that_its_end_closes() -> None:
    windows = Windows(10.0, 300.0)
    assert {a: seconds(w) for a, w in windows.follow([finding(100, 105)], [], {}).items()} == {"a": (90, 405)}
    assert windows.follow([finding(100, 165, score=0.82)], [], {}) == {}, "that it lasts is no news"
    grown = windows.follow([finding(100, 180, score=0.9)], [], {})
    assert seconds(grown["a"]) == (90, 480), "that it rises is"
    assert seconds(windows.follow([finding(100, 200, end=200)], [], {})["a"]) == (90, 210)
    assert not windows.open


def test_while_another_finding_lasts_the_window_stays_open() -> None:
    windows = Windows(10.0, 300.0)
    windows.follow([finding(100, 105), finding(110, 111)], [], {})
    windows.follow([finding(100, 120, end=120)], [], {})
    assert seconds(windows.windows["a"]) == (90, 411)
    windows.follow([finding(110, 130, end=130)], [], {})
    assert seconds(windows.windows["a"]) == (90, 140)


def test_a_new_window_far_from_the_last_does_not_reach_back_to_it() -> None:
    windows = Windows(10.0, 300.0)
    windows.follow([finding(100, 101, end=101)], [], {})
    windows.follow([finding(500, 501, end=501)], [], {})
    assert seconds(windows.windows["a"]) == (490, 511)


def test_an_alarm_event_counts_at_the_assets_newest_reading() -> None:
    windows = Windows(10.0, 300.0)
    event = AlarmEvent("b", "silent", 1_000 * SECOND, "raised", AlarmState.UNACKNOWLEDGED)
    assert seconds(windows.follow([], [event], {"b": 940 * SECOND})["b"]) == (930, 950)
    assert seconds(windows.follow([], [event], {})["b"]) == (990, 1010)


def test_what_is_open_outlives_a_restart() -> None:
    windows = Windows(10.0, 300.0)
    windows.follow([finding(100, 105)], [], {})
    told = msgspec.msgpack.encode((windows.windows, windows.open))
    again = Windows(10.0, 300.0)
    again.windows, again.open = msgspec.msgpack.decode(told, type=tuple[dict[str, Window], dict[str, OpenFinding]])
    assert again.follow([finding(100, 165)], [], {}) == {}, "it is known"
    assert again.windows == windows.windows
