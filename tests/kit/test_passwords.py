"""Argon2id hashes: who has the password gets in, nobody else, whatever is stored."""

from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.kit.passwords import PasswordHashing

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHING = PasswordHashing(WEAK)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_same_password_verifies(password: str, other: str) -> None:
    hashed = HASHING.hash(password)
    assert HASHING.verify(hashed, password)
    assert HASHING.verify(hashed, other) == (password == other)
    assert not HASHING.verify(None, password)


def test_a_lone_surrogate_is_a_password_too() -> None:
    hashed = HASHING.hash("a\ud800")
    assert HASHING.verify(hashed, "a\ud800")
    assert not HASHING.verify(hashed, "a")


def test_what_is_no_hash_lets_nobody_in() -> None:
    for stored in ("", "x", "$argon2id$v=19$m=8", "secret"):
        assert not HASHING.verify(stored, "secret")
        assert not HASHING.verify(stored, "")


def test_a_hash_with_other_parameters_is_made_anew() -> None:
    assert PasswordHashing().needs_rehash(HASHING.hash("x"))
    assert not HASHING.needs_rehash(HASHING.hash("x"))


def test_the_parameters_are_argon2id_with_64_mib() -> None:
    assert PasswordHashing().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
