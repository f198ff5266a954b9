"""Names that look the same are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.policies.one_time import LETTERS, one_time_password
from forewarn.policies.person_names import folded


@pytest.mark.parametrize(("one", "other"), [("Anna", "ANNA"), ("straße", "STRASSE"), ("ａｎｎａ", "anna"), ("é", "é")])
def test_case_and_form_do_not_count(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@given(st.text())
def test_folding_is_stable(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert folded(f" {name}\t") == folded(name)


def test_a_one_time_password_is_random_and_has_nothing_alike() -> None:
    passwords = {one_time_password() for _ in range(200)}
    assert len(passwords) == 200
    assert {letter for password in passwords for letter in password} == {*LETTERS, "-"}
    assert all([len(group) for group in password.split("-")] == [5, 5, 5, 5] for password in passwords)
    assert not set("01OIL") & set(LETTERS)
    assert len(set(LETTERS)) == len(LETTERS)
