"""Which passwords are refused, and in which words."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.policies.passwords import LONGEST, SHORTEST, faults, typed


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "kJ8#pq0-xyTr",
        "пароль-насоса-семь",
        "冷却水泵的轴承在今晚会坏掉吗",
        "gravel under the old turbine",
    ],
)
def test_good_ones_pass(password: str) -> None:
    assert faults(password, "anna", "Anna Kulkarni") == ()


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("", "12 are the least"),
        ("kJ8#pq0-xyT", "12 are the least"),
        ("x" * 129, "128 are the most"),
        ("passwordpassword", "easy to guess"),
        ("P@ssw0rd12345", "easy to guess"),
        ("qwertyuiop1234", "easy to guess"),
        ("aaaaaaaaaaaaaaaaaaaaaa", "easy to guess"),
        ("123456789012", "easy to guess"),
        ("Welcome@12345", "easy to guess"),
        ("kJ8#pq0-xyTr\u0000", "cannot be seen"),
        ("kJ8#pq0-xyTr\ud800", "cannot be seen"),
    ],
)
def test_bad_ones_are_told_why(password: str, word: str) -> None:
    assert any(word in fault for fault in faults(password, "anna")), faults(password, "anna")


@pytest.mark.parametrize(
    "password",
    ["a.kulkarni-7f", "Kulkarni.Anna", "ANNA KULKARNI", "annakulkarni", "ａｎｎａ kulkarni", "anna.kulkarni.anna"],
)
def test_the_accounts_own_names_are_no_password(password: str) -> None:
    assert faults(password, "a.kulkarni", "Anna Kulkarni")


def test_a_name_within_a_long_password_is_no_fault() -> None:
    assert faults("anna reads gravel under turbines", "anna", "Anna Kulkarni") == ()


def test_what_would_keep_the_judge_busy_for_seconds_is_judged_by_its_beginning() -> None:
    assert faults("4@8({[<3691!|70$5+7%2" * 6, "anna") == ()
    assert faults("a" * 32 + "kJ8#pq0-xyTr", "anna")


@given(st.text(max_size=LONGEST + 10), st.text(max_size=20), st.text(max_size=40))
def test_any_text_gets_an_answer_and_the_lengths_hold(password: str, name: str, full_name: str) -> None:
    found = faults(password, name, full_name)
    assert all(found) or found == ()
    if not SHORTEST <= len(password) <= LONGEST:
        assert found


@given(st.text(max_size=50))
def test_typed_is_the_same_however_often(text: str) -> None:
    assert typed(typed(text)) == typed(text)


def test_threads_do_not_share_the_accounts_words() -> None:
    """zxcvbn's own entry keeps them in a module's global."""
    wrong: list[str] = []

    def judge(name: str) -> None:
        wrong.extend(name for _ in range(30) if not faults(name, name))

    threads = [threading.Thread(target=judge, args=(name,)) for name in ("kv-zrtq-plomb", "wx-jaqu-flimt")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert faults("kv-zrtq-plomb", "anna") == ()
