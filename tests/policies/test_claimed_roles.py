"""Roles by claims: what the map gives, and nothing else, whatever the claims look like."""

from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.access import Grant, Role
from forewarn.policies.claimed_roles import claimed_grants

TECHNICIAN, AUDITOR, ADMIN = Grant(Role.TECHNICIAN, "acme/pune"), Grant(Role.AUDITOR), Grant(Role.ADMIN)
MAP = {"maintenance": (TECHNICIAN,), "office": (AUDITOR, TECHNICIAN), "root": (ADMIN,)}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_list_or_one_text() -> None:
    assert claimed_grants({"roles": ["chess", "office", "maintenance"]}, "roles", MAP) == (TECHNICIAN, AUDITOR)
    assert claimed_grants({"roles": "root"}, "roles", MAP) == (ADMIN,)
    assert claimed_grants({"roles": []}, "roles", MAP) == ()
    assert claimed_grants({"groups": ["root"]}, "roles", MAP) == ()


def test_a_value_is_exact() -> None:
    for value in ("Root", " root", "root ", "root,office", "roots", ["root office"], [["root"]], {"root": True}):
        assert claimed_grants({"roles": value}, "roles", MAP) == ()


def test_a_claim_within_another_and_one_that_is_an_address() -> None:
    claims = {"realm_access": {"roles": ["office"]}, "https://acme.example/roles": ["root"], "a": {"b.c": "root"}}
    assert claimed_grants(claims, "realm_access.roles", MAP) == (AUDITOR, TECHNICIAN)
    assert claimed_grants(claims, "https://acme.example/roles", MAP) == (ADMIN,)
    assert claimed_grants(claims, "a.b.c", MAP) == (ADMIN,)
    assert claimed_grants(claims, "realm_access.roles.office", MAP) == ()
    assert claimed_grants(claims, "realm_access", MAP) == ()


@given(st.dictionaries(st.text(), ANYTHING), st.text(min_size=1))
def test_nothing_that_is_no_value_of_the_map_gives_a_role(claims: dict[str, object], name: str) -> None:
    found = claimed_grants(claims, name, MAP)
    assert not found or any(value in str(claims) for value in MAP)
