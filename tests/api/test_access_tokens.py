"""Access tokens, as a forger would try them."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OKPKey

from forewarn.api.access_tokens import LIFE_US, TokenSigner
from forewarn.domain.errors import NotSignedIn
from forewarn.kit.clock import SECOND
from tests.api.access_site import SetClock

SEED = bytes(range(32))


def _part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signed(header: dict[str, object], claims: dict[str, object], seed: bytes = SEED) -> str:
    key = OKPKey.import_key(_private(seed))
    return jwt.encode(header, claims, key, algorithms=["Ed25519", "EdDSA"], default_type=None)


def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _claims(signer: TokenSigner, clock: SetClock, **other: object) -> dict[str, object]:
    now = clock() // SECOND
    whole = {"iss": signer.site_id, "aud": "forewarn", "sub": "p1", "sid": "s1", "iat": now, "exp": now + 600, **other}
    return {name: value for name, value in whole.items() if value is not None}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def signer(clock: SetClock) -> TokenSigner:
    return TokenSigner(SEED, clock)


def test_what_is_issued_is_read(signer: TokenSigner, clock: SetClock) -> None:
    token, expires_at = signer.issue("p1", "s1")
    claims = signer.read(token)
    assert (claims.person_id, claims.session_id, claims.expires_at) == ("p1", "s1", expires_at)
    assert 0 <= clock() + LIFE_US - expires_at < SECOND
    clock.now = expires_at - 1
    signer.read(token)
    clock.now = expires_at
    with pytest.raises(NotSignedIn, match="expired"):
        signer.read(token)


def test_a_token_of_the_future_waits(signer: TokenSigner, clock: SetClock) -> None:
    token, _ = signer.issue("p1", "s1")
    clock.now -= 31 * SECOND
    with pytest.raises(NotSignedIn, match="future"):
        signer.read(token)


def test_our_own_forge_is_not_what_refuses(signer: TokenSigner, clock: SetClock) -> None:
    """The forgeries below fail for what is wrong with them, not for how they were made."""
    assert signer.read(_signed({"alg": "Ed25519", "typ": "at+jwt"}, _claims(signer, clock))).person_id == "p1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": None},
        {"iss": "0" * 32},
        {"aud": None},
        {"aud": "another"},
        {"aud": ["forewarn"]},
        {"sub": None},
        {"sub": 7},
        {"sid": None},
        {"sid": ["s1"]},
        {"iat": None},
        {"iat": "0"},
        {"iat": True},
        {"exp": None},
        {"exp": 9e99},
        {"exp": "9999999999"},
        {"exp": True},
    ],
)
def test_claims_that_lack_or_are_of_another_kind(
    signer: TokenSigner, clock: SetClock, claims: dict[str, object]
) -> None:
    with pytest.raises(NotSignedIn):
        signer.read(_signed({"alg": "Ed25519", "typ": "at+jwt"}, _claims(signer, clock, **claims)))


@pytest.mark.parametrize("typ", [None, "JWT", "rt+jwt", "AT+JWT "])
def test_other_kinds_of_token_are_none(signer: TokenSigner, clock: SetClock, typ: str | None) -> None:
    header: dict[str, object] = {"alg": "Ed25519", "typ": typ} if typ else {"alg": "Ed25519"}
    with pytest.raises(NotSignedIn):
        signer.read(_signed(header, _claims(signer, clock)))


@pytest.mark.filterwarnings("ignore")
def test_no_other_algorithm(signer: TokenSigner, clock: SetClock) -> None:
    claims = _claims(signer, clock)
    public = _private(SEED).public_key().public_bytes_raw()
    body = _part(claims)
    tokens = [_signed({"alg": "EdDSA", "typ": "at+jwt"}, claims)]
    for alg in ("none", "None", "NONE", "", "HS256"):
        head = _part({"alg": alg, "typ": "at+jwt"})
        tokens.extend([f"{head}.{body}.", f"{head}.{body}.{_part(b'x' * 64)}"])
    for key in (public, OKPKey.import_key(_private(SEED).public_key()).as_pem(private=False)):
        head = _part({"alg": "HS256", "typ": "at+jwt"})
        mac = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
        tokens.append(f"{head}.{body}.{_part(mac)}")
    for token in tokens:
        with pytest.raises(NotSignedIn):
            signer.read(token)


def test_another_sites_token(signer: TokenSigner, clock: SetClock) -> None:
    other = TokenSigner(b"\x07" * 32, clock)
    assert other.site_id != signer.site_id
    for token in (
        other.issue("p1", "s1")[0],
        _signed({"alg": "Ed25519", "typ": "at+jwt"}, _claims(signer, clock), b"\x07" * 32),
    ):
        with pytest.raises(NotSignedIn):
            signer.read(token)


def test_a_changed_bit_anywhere(signer: TokenSigner) -> None:
    token, _ = signer.issue("p1", "s1")
    # The last character holds bits that base64 leaves over: the one before stands for the end.
    for at in range(len(token) - 1):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(NotSignedIn):
            signer.read(changed)


def test_headers_that_would_have_us_fetch_or_believe_a_key(signer: TokenSigner, clock: SetClock) -> None:
    stranger = OKPKey.import_key(_private(b"\x09" * 32))
    head = {"alg": "Ed25519", "typ": "at+jwt", "jwk": stranger.as_dict(private=False), "kid": "../../etc/passwd"}
    with pytest.raises(NotSignedIn):
        signer.read(jwt.encode(head, _claims(signer, clock), stranger, algorithms=["Ed25519"]))


def test_huge_and_deep(signer: TokenSigner) -> None:
    for token in ("a" * 2_049, "." * 2_000, _part(b"[" * 380) + ".e30.AA", _part(b"{" * 1_000) + ".e30.AA"):
        with pytest.raises(NotSignedIn):
            signer.read(token)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,80}\.[\w-]{0,80}\.[\w-]{0,90}", fullmatch=True))
def test_garbage(text: str) -> None:
    with pytest.raises(NotSignedIn):
        TokenSigner(SEED, SetClock()).read(text)
