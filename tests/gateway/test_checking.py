"""What a look at the live devices says of a signal that nothing came for."""

from forewarn.gateway.checking import Found, check_source
from tests.gateway.scripted import ScriptedConnector, signal, source


async def test_a_signal_that_is_sent_seldom_is_told_how_to_wait_for_it():
    connectors = {"scripted": ScriptedConnector(a=[(1, 10, 1.0)])}
    check = await check_source(source("a"), [signal(1, "a"), signal(2, "a")], connectors, 0.3)
    assert [one.found for one in check.signals] == [Found.GOOD, Found.NOTHING]
    assert check.signals[0].remark == ""
    assert "--seconds" in check.signals[1].remark
    assert not check.problem


async def test_a_source_that_says_nothing_at_all_is_told_once():
    check = await check_source(source("a"), [signal(1, "a")], {"scripted": ScriptedConnector()}, 0.2)
    assert "nothing was heard within 0.2 s" in check.problem
    assert check.signals[0].remark == ""
