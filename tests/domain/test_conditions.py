"""Every state says what to do, and nothing says it twice."""

import pytest

from forewarn.domain.conditions import ConditionCode, GatewayCondition, remedy_for


def test_every_state_has_a_remedy_of_one_plain_sentence() -> None:
    for code in ConditionCode:
        assert code.remedy[0].isupper(), code
        assert code.remedy.endswith("."), code
        assert ". " not in code.remedy, code
        assert len(code.remedy) <= 100, code
        assert not remedy_for(code, code.remedy), "it is recognised as one"


@pytest.mark.parametrize(
    "text",
    [
        "signal 'p1.flow' (ns=2;s=x): BadNodeIdUnknown",
        "unit 3 of 127.0.0.1:502: illegal data address; its signals are bad, the other units are read on",
        "http://127.0.0.1:8099 does not answer: Cannot connect to host 127.0.0.1:8099",
        "opc.tcp://plc-1:4840 is lost: Broken pipe",
        "connected, but silent for 31 s",
        "output mqtt_events failed: ValueError: could not set x",
        "topic 'a/see/b' is not among those asked for",
        "push/t1?x=1: 3 readings are null or NaN: they are kept, as bad (BadNoData)",
        "",
    ],
)
def test_a_text_that_only_says_what_was_seen_gets_the_states_remedy(text: str) -> None:
    held = GatewayCondition(ConditionCode.UNREACHABLE, "plc", 1, 1, text)
    assert held.remedy == ConditionCode.UNREACHABLE.remedy


@pytest.mark.parametrize(
    "text",
    [
        "opc.tcp://plc-1:4840 refuses user eva (BadUserAccessDenied): check user and password",
        "the certificate of https://site is not trusted (self-signed): set gateway.uplink.ca to who signed it",
        "the certificate of https://site has expired: renew it at the site",
        "cannot listen on 0.0.0.0:80: Permission denied. Is another program, or another gateway, listening there?",
        "signal 'p1.a': address '': it is empty; write it like holding:100:float32",
        "the outbox could not be read: disk is full. Nothing was changed. Check free space and the state of the disk",
        "a.csv: line 3: no number. Correct the file or the settings, or take it away",
        "the server's certificate is not the pinned one (a.der): if the server's was renewed, put it there",
        "state_file x cannot be written: full. Nothing is read meanwhile; name one where there is space",
        "server's certificate is valid only from 2030-01-01 00:00 UTC on (is our clock right?)",
    ],
)
def test_a_text_that_tells_what_to_do_stands_alone(text: str) -> None:
    assert not remedy_for(ConditionCode.UNREACHABLE, text)


def test_a_state_that_only_a_newer_gateway_knows_has_one_too() -> None:
    assert ConditionCode("melted").remedy
