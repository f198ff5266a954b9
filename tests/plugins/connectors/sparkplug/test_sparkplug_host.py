"""The host's part of the Eclipse Sparkplug specification 3.0; a test is named after the `tck-id` that it keeps."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.plugins.connectors.sparkplug.host import denied, rebirth_command, state
from forewarn.plugins.connectors.sparkplug.messages import Payload
from tests.plugins.connectors.sparkplug.edge import DOUBLE, NOW, STALE, T0, Heard, bd_seq, double, payload

KINDS = st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH", "NDEATH"])
VOLTS, SPEED = "g/n/-/volts", "g/n/d/speed"


def host(**settings: object) -> Heard:
    return Heard(VOLTS, SPEED, **settings)


# --- births, aliases


def test_payloads_nbirth_and_dbirth_metrics_carry_values() -> None:
    heard = host().born()
    assert heard.values(1) == [230.0]
    assert heard.values(2) == [1.0]
    assert heard.rejections == []


def test_payloads_alias_data_requirement() -> None:
    """Data carries the alias alone."""
    heard = host().born().data(2, 5.0)
    assert heard.values(2) == [1.0, 5.0]


def test_payloads_alias_uniqueness_is_by_edge_node() -> None:
    """The same alias of two edge nodes names two metrics."""
    heard = Heard("g/a/-/x", "g/b/-/y")
    for node, name, value in (("a", "x", 1.0), ("b", "y", 2.0)):
        heard.hear(f"g/NBIRTH/{node}", payload(0, [bd_seq(0), double(value, name=name, alias=7, datatype=DOUBLE)]))
    heard.hear("g/NDATA/b", payload(1, [double(20.0, alias=7)])).hear("g/NDATA/a", payload(1, [double(10.0, alias=7)]))
    assert (heard.values(1), heard.values(2)) == ([1.0, 10.0], [2.0, 20.0])


def test_a_new_birth_makes_the_aliases_anew() -> None:
    heard = Heard("g/n/-/x", "g/n/-/y")
    for names in (("x", "y"), ("y", "x")):
        metrics = [double(0.0, name=name, alias=alias, datatype=DOUBLE) for alias, name in enumerate(names)]
        heard.hear("g/NBIRTH/n", payload(0, [bd_seq(0), *metrics]))
        heard.hear("g/NDATA/n", payload(1, [double(3.0, alias=0)]))
    assert (heard.values(1), heard.values(2)) == ([0.0, 3.0, 0.0], [0.0, 0.0, 3.0])


def test_names_work_without_aliases() -> None:
    heard = Heard("g/n/-/a/b c/d")
    heard.hear("g/NBIRTH/n", payload(0, [double(1.0, name="a/b c/d", datatype=DOUBLE)]))
    heard.hear("g/NDATA/n", payload(1, [double(2.0, name="a/b c/d")]))
    assert heard.values(1) == [1.0, 2.0]


def test_a_signal_that_is_not_in_the_birth_is_named() -> None:
    heard = Heard(VOLTS, "g/n/-/amps").node_birth()
    assert heard.rejections == ["'pump.s2' (amps): not in the birth of g/n/-"]


def test_data_before_a_birth_asks_for_a_rebirth_and_is_not_guessed() -> None:
    heard = host().data(5, 1.0)
    assert heard.rows == []
    assert heard.rebirths == [("g", "n")]
    assert "has told no birth yet" in heard.rejections[0]


def test_a_metric_that_no_birth_told_asks_for_a_rebirth() -> None:
    heard = host().born().data(2, 1.0, alias=99)
    assert heard.rebirths == [("g", "n")]
    assert heard.values(2) == [1.0]


def test_data_of_a_device_that_has_told_no_birth_asks_for_a_rebirth() -> None:
    heard = host().node_birth().data(1, 9.0)
    assert heard.rebirths == [("g", "n")]
    assert heard.values(2) == []


def test_host_start_asks_each_edge_node_for_its_birth() -> None:
    heard = Heard("g/a/-/x", "g/b/d/y", "h/a/-/x").start()
    assert heard.rebirths == [("g", "a"), ("g", "b"), ("h", "a")]


def test_others_edge_nodes_and_messages_are_passed_over() -> None:
    heard = host()
    for topic in ("x/NBIRTH/y", "g/NCMD/n", "g/DCMD/n/d", "g/NBIRTH/n/d", "g/DDATA/n", "STATE/forewarn", "", "g/ODD/n"):
        heard.hear(topic, payload(0, [double(1.0, name="volts")]))
    assert (heard.rows, heard.rebirths, heard.rejections) == ([], [], [])


# --- sequence


def test_payloads_sequence_num_always_included() -> None:
    heard = host().born().hear("g/DDATA/n/d", payload(None, [double(9.0, alias=2)]))
    assert heard.values(2) == [1.0]
    assert "sequence number" in heard.rejections[0]


def test_payloads_sequence_num_incrementing_wraps_at_255() -> None:
    heard = host().node_birth().device_birth()
    for number in range(2, 600):
        heard.data(number % 256, float(number))
    assert heard.values(2) == [1.0, *map(float, range(2, 600))]
    assert heard.after(60).rebirths == []


@pytest.mark.parametrize("first", [0, 1, 254, 255])
def test_payloads_nbirth_seq_may_begin_anywhere(first: int) -> None:
    heard = host().node_birth(seq=first).device_birth(seq=(first + 1) % 256).data((first + 2) % 256, 4.0)
    assert heard.values(2) == [1.0, 4.0]


def test_operational_behavior_host_reordering_success() -> None:
    heard = host().born().data(4, 4.0).data(3, 3.0)
    assert heard.values(2) == [1.0]
    heard.data(2, 2.0)
    assert heard.values(2) == [1.0, 2.0, 3.0, 4.0]
    assert heard.after(60).rebirths == []


def test_operational_behavior_host_reordering_start_and_rebirth() -> None:
    heard = host(reorder_timeout_s=3.0).born().data(3, 3.0)
    assert heard.after(2.9).rebirths == []
    heard.data(4, 4.0)  # does not begin the time anew
    assert heard.after(0.2).rebirths == [("g", "n")]
    assert heard.values(2) == [1.0, 3.0, 4.0]
    heard.data(5, 5.0)
    assert heard.values(2) == [1.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("timeout", [0.5, 30.0])
def test_operational_behavior_host_reordering_param(timeout: float) -> None:
    heard = host(reorder_timeout_s=timeout).born().data(3, 3.0)
    assert heard.after(timeout * 0.9).rebirths == []
    assert heard.after(timeout * 0.2).rebirths == [("g", "n")]


def test_a_gap_across_the_wrap_is_put_in_order() -> None:
    heard = host().node_birth(seq=252).device_birth(seq=253)
    heard.data(0, 3.0).data(255, 2.0).data(254, 1.5)
    assert heard.values(2) == [1.0, 1.5, 2.0, 3.0]
    heard.data(3, 6.0).data(2, 5.0).after(60)
    assert heard.values(2) == [1.0, 1.5, 2.0, 3.0, 5.0, 6.0]


def test_rebirths_are_asked_for_at_a_limited_rate_and_in_the_end() -> None:
    heard = host(rebirth_interval_s=10.0)
    for _ in range(500):
        heard.data(5, 1.0)
    assert heard.rebirths == [("g", "n")]
    heard.after(9.9)
    assert len(heard.rebirths) == 1
    heard.after(0.2)
    assert len(heard.rebirths) == 2
    heard.born().after(60)
    assert len(heard.rebirths) == 2


def test_a_node_that_sends_much_loses_nothing_more_while_a_message_is_missing() -> None:
    """Hundreds of messages within the reorder timeout: the numbers come round before it is over."""
    heard = host(reorder_timeout_s=30.0).born()
    for number in range(3, 900):
        heard.data(number % 256, float(number))
    heard.after(60)
    assert heard.values(2) == [1.0, *map(float, range(3, 900))]
    assert heard.rebirths != []


@pytest.mark.parametrize("kind", ["NBIRTH", "NDEATH"])
def test_what_waited_is_taken_before_a_new_session_or_a_death(kind: str) -> None:
    heard = host().born().data(4, 4.0).data(3, 3.0)
    if kind == "NBIRTH":
        heard.node_birth()
    else:
        heard.hear("g/NDEATH/n", payload(None, [bd_seq(1)]))
        assert heard.rows[-1][3] == STALE
    assert heard.values(2) == [1.0, 3.0, 4.0]


@pytest.mark.parametrize("at", [0, 2**64 - 1, NOW // 1_000 + 10**9])
def test_a_death_at_an_impossible_time_is_now(at: int) -> None:
    assert host().born().hear("g/DDEATH/n/d", payload(2, at=at)).stale(2) == [NOW]


@given(st.permutations(range(2, 12)))
def test_any_order_within_the_window_gives_all_values_once_and_in_order(order: list[int]) -> None:
    heard = host().born()
    for number in order:
        heard.data(number, float(number))
    assert heard.values(2) == [1.0, *map(float, range(2, 12))]


@given(st.lists(st.tuples(KINDS, st.integers(0, 255)), max_size=40))
def test_any_course_of_messages_is_survived_and_no_reading_is_made_up(course: list[tuple[str, int]]) -> None:
    heard = host()
    sent = 0
    for kind, seq in course:
        device = "/d" if kind.startswith("D") else ""
        name, alias = ("speed", 2) if device else ("volts", 1)
        sent += 1
        metrics = [] if "DEATH" in kind else [double(float(sent), name=name, alias=alias, datatype=DOUBLE)]
        heard.hear(f"g/{kind}/n{device}", payload(seq, metrics)).after(0.1)
    heard.after(60)
    told = heard.values(1) + heard.values(2)
    assert len(told) == len(set(told))
    assert set(told) <= set(map(float, range(1, sent + 1)))


# --- deaths


def test_operational_behavior_edge_node_termination_host_action_ndeath_node_and_devices_tags_stale() -> None:
    """By our clock, as a death's own time is when the edge node connected."""
    heard = host().born().hear("g/NDEATH/n", payload(None, [bd_seq(1)], at=T0 - 10**6))
    assert heard.stale(1) == [NOW]
    assert heard.stale(2) == [NOW]
    assert heard.host.away() == ["g/n"]


def test_operational_behavior_edge_node_termination_host_action_ddeath_devices_tags_stale() -> None:
    """With the time in the payload, and the device alone."""
    heard = host().born().hear("g/DDEATH/n/d", payload(2, at=T0 + 5_000))
    assert heard.stale(2) == [(T0 + 5_000) * 1_000]
    assert heard.stale(1) == []
    assert heard.host.away() == []
    heard.data(3, 7.0)
    assert heard.values(2) == [1.0]
    assert heard.rebirths == [("g", "n")]


def test_a_death_comes_after_the_last_reading() -> None:
    ahead = NOW // 1_000 + 60_000
    heard = host().born().hear("g/DDATA/n/d", payload(2, [double(5.0, alias=2, at=ahead)]))
    heard.hear("g/NDEATH/n", payload(None, [bd_seq(1)]))
    assert heard.stale(2) == [ahead * 1_000 + 1]


def test_payloads_ndeath_bdseq_of_another_session_is_ignored() -> None:
    heard = host().node_birth(bd=7).hear("g/NDEATH/n", payload(None, [bd_seq(6)]))
    assert heard.stale(1) == []
    heard.hear("g/NDEATH/n", payload(None, [bd_seq(7)]))
    assert len(heard.stale(1)) == 1


def test_payloads_ndeath_seq_is_not_looked_for() -> None:
    heard = host().born().hear("g/NDEATH/n", payload(200, [bd_seq(1)]))
    assert len(heard.stale(1)) == 1


def test_two_deaths_are_one() -> None:
    heard = host().born()
    for _ in range(2):
        heard.hear("g/NDEATH/n", payload(None, [bd_seq(1)]))
    assert len(heard.stale(1)) == 1


def test_after_a_death_a_birth_brings_it_back() -> None:
    heard = host().born().hear("g/NDEATH/n", payload(None, [bd_seq(1)])).node_birth(bd=2, volts=231.0).device_birth()
    assert heard.values(1) == [230.0, 231.0]
    assert heard.host.away() == []


def test_a_device_that_does_not_come_back_with_its_node_is_stale() -> None:
    heard = host(reorder_timeout_s=2.0).born().node_birth()
    assert heard.after(1.9).stale(2) == []
    assert len(heard.after(0.2).stale(2)) == 1
    assert heard.stale(1) == []
    again = host(reorder_timeout_s=2.0).born().born().after(60)
    assert again.stale(2) == []


# --- commands and STATE


def test_payloads_ncmd_rebirth() -> None:
    """`Node Control/Rebirth` = true, Boolean, with times and without a sequence number."""
    command = Payload.FromString(rebirth_command(T0))
    [metric] = command.metrics
    assert (metric.name, metric.datatype, metric.boolean_value) == ("Node Control/Rebirth", 11, True)
    assert command.timestamp == metric.timestamp == T0
    assert not command.HasField("seq")


def test_host_topic_phid_birth_and_death_payload() -> None:
    assert json.loads(state(online=True, at_ms=T0)) == {"online": True, "timestamp": T0}
    assert json.loads(state(online=False, at_ms=T0)) == {"online": False, "timestamp": T0}
    assert denied(state(online=False, at_ms=T0)) == T0
    for other in (state(online=True, at_ms=T0), b"OFFLINE", b"", b"[]", b"\xff", b'{"online": 0}'):
        assert denied(other) is None
