"""ID tokens and answers that no honest provider gives: nobody comes in by them."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from forewarn.domain.audit import AuditAction
from forewarn.kit.clock import HOUR, SECOND
from tests.api.lying_provider import ACCESS_TOKEN, CLIENT, KEY, OTHER_KEY, LyingProvider, lying_provider, signed
from tests.api.sign_on_site import CALLBACK, SECRET, Browser, SignOnSite, problem_of, query_of, sign_on_site


@pytest.fixture(scope="module")
def liar() -> Iterator[LyingProvider]:
    with lying_provider() as made:
        yield made


@pytest.fixture
def provider(liar: LyingProvider) -> LyingProvider:
    liar.be_honest()
    return liar


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, liar: LyingProvider) -> Iterator[SignOnSite]:
    with sign_on_site(tmp_path_factory.mktemp("shared"), liar.issuer, oidc_create_people=True) as made:
        yield made


@pytest.fixture
def site(shared: SignOnSite) -> SignOnSite:
    """Has read the provider's description already, and minds no failures."""
    shared.site.stores.people.forget_failures(["single sign-on 127.0.0.1"])
    return shared


@pytest.fixture
def fresh_site(tmp_path: Path, liar: LyingProvider) -> Iterator[SignOnSite]:
    """One whose clock may be moved, and that knows nothing of the provider yet."""
    with sign_on_site(tmp_path, liar.issuer, oidc_create_people=True) as made:
        yield made


@pytest.fixture
def browser(site: SignOnSite) -> Iterator[Browser]:
    with site.browser() as made:
        yield made


@pytest.fixture
def fresh_browser(fresh_site: SignOnSite) -> Iterator[Browser]:
    with fresh_site.browser() as made:
        yield made


def outcome(site: SignOnSite, provider: LyingProvider, browser: Browser) -> str:
    """Signs in without asking the provider's page; where the browser ends."""
    away = query_of(browser.away())
    provider.nonce = away["nonce"]
    url = httpx.URL(site.site.url + CALLBACK, params={"code": "c", "state": away["state"]})
    return browser.ends_on(url)


def why(site: SignOnSite) -> str:
    return site.site.stores.deeds(AuditAction.SIGN_IN_REFUSED)[0].why


def in_base64(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def no_algorithm(claims: dict[str, object]) -> str:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)
    )
    return b".".join((head, body, b"")).decode()


def by_secret(secret: bytes) -> Callable[[dict[str, object]], str]:
    def sign(claims: dict[str, object]) -> str:
        text = f"{in_base64({'alg': 'HS256', 'kid': 'k1'})}.{in_base64(claims)}"
        digest = hmac.digest(secret, text.encode(), "sha256")
        return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    return sign


def shortened(claims: dict[str, object]) -> str:
    return signed(claims, KEY)[:-4]


def changed_after(claims: dict[str, object]) -> str:
    head, _, signature = signed(claims, KEY).split(".")
    return f"{head}.{in_base64(claims | {'sub': 'root'})}.{signature}"


def brings_its_key(claims: dict[str, object]) -> str:
    return signed(claims, OTHER_KEY, jwk=OTHER_KEY.as_dict(private=False), kid=None)


def test_an_honest_answer_lets_in(site: SignOnSite, provider: LyingProvider, browser: Browser) -> None:
    """What the others differ from in one thing."""
    assert outcome(site, provider, browser) == "/"
    assert browser.person()["name"] == "anna"


FORGED = {
    "alg none": no_algorithm,
    "alg HS256, the public key as its secret": by_secret(KEY.as_pem(private=False)),
    "alg HS256, the client's secret": by_secret(SECRET.encode()),
    "another's key under the same name": lambda claims: signed(claims, OTHER_KEY),
    "a key that nobody knows": lambda claims: signed(claims, OTHER_KEY, kid="k2"),
    "brings its own key": brings_its_key,
    "says where its key lies": lambda claims: signed(claims, OTHER_KEY, jku="http://127.0.0.1:1/keys"),
    "another curve's key": lambda claims: signed(claims, ECKey.generate_key("P-256"), alg="ES256"),
    "changed after it was signed": changed_after,
    "signature too short": shortened,
    "no token": lambda _: "nothing",
    "empty": lambda _: "",
    "header is no JSON": lambda _: "e30x.e30.e30",
    "claims are a list": lambda _: jws.serialize_compact({"alg": "RS256", "kid": "k1"}, b"[1]", KEY),
    "nested deep": lambda _: base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".e30.e30",
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_signature(site: SignOnSite, provider: LyingProvider, browser: Browser, forged: str) -> None:
    provider.sign = FORGED[forged]
    assert problem_of(outcome(site, provider, browser)) == "not_trusted"
    assert browser.session() is None
    assert "ID token" in why(site)


NOW = int(time.time())
CLAIMS: dict[str, dict[str, object]] = {
    "another nonce": {"nonce": "of another sign-in"},
    "no nonce": {"nonce": None},
    "another client's": {"aud": "another"},
    "by us, for another": {"aud": "another", "azp": CLIENT},
    "no audience": {"aud": None},
    "an audience of numbers": {"aud": [1]},
    "for several, and not by us": {"aud": [CLIENT, "another"], "azp": "another"},
    "for several, and by nobody": {"aud": [CLIENT, "another"]},
    "for us, by another": {"azp": "another"},
    "expired": {"exp": NOW - 120},
    "never expires": {"exp": None},
    "expires in words": {"exp": "tomorrow"},
    "expires never": {"exp": float("nan")},
    "not yet": {"nbf": NOW + 3_600},
    "no issue": {"iat": None},
    "issued tomorrow": {"iat": NOW + 86_400},
    "another issuer": {"iss": "https://evil.example"},
    "an issuer that begins like ours": {"iss": "http://127.0.0.1"},
    "no issuer": {"iss": None},
    "several issuers": {"iss": ["https://evil.example"]},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number": {"sub": 7},
    "a long subject": {"sub": "a" * 256},
    "a subject with a line break": {"sub": "anna\nadmin"},
    "another access token's": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("wrong", CLAIMS)
def test_a_wrong_claim(site: SignOnSite, provider: LyingProvider, browser: Browser, wrong: str) -> None:
    provider.claims = CLAIMS[wrong]
    assert problem_of(outcome(site, provider, browser)) == "not_trusted"
    assert browser.session() is None
    assert "ID token" in why(site)


def test_an_id_token_ends_a_minute_late_at_most(
    fresh_site: SignOnSite, provider: LyingProvider, fresh_browser: Browser
) -> None:
    assert outcome(fresh_site, provider, fresh_browser) == "/"
    fresh_site.site.clock.now += 700 * SECOND
    assert problem_of(outcome(fresh_site, provider, fresh_browser)) == "not_trusted"
    assert "xpired" in why(fresh_site)


ANSWERS: dict[str, tuple[str, tuple[int, str, bytes], str]] = {
    "token: server error": ("/token", (500, "text/html", b"<h1>oops"), "provider_away"),
    "token: a page": ("/token", (200, "text/html", b"<h1>hello"), "not_trusted"),
    "token: a list": ("/token", (200, "application/json", b"[]"), "not_trusted"),
    "token: its own error": ("/token", (400, "application/json", b'{"error": "<script>"}'), "not_trusted"),
    "token: an odd error": ("/token", (400, "application/json", b'{"error": [1]}'), "not_trusted"),
    "token: empty": ("/token", (200, "application/json", b"{}"), "not_trusted"),
    "userinfo: a page": ("/me", (200, "text/html", b"<h1>hello"), "not_trusted"),
    "userinfo: refused": ("/me", (401, "application/json", b"{}"), "provider_away"),
    "userinfo: endless": ("/me", (200, "application/json", b"[" + b" " * (2 << 20)), "not_trusted"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_cannot_be_read(site: SignOnSite, provider: LyingProvider, browser: Browser, kind: str) -> None:
    path, answer, problem = ANSWERS[kind]
    provider.userinfo = {"sub": "anna"}
    provider.instead[path] = answer
    assert problem_of(outcome(site, provider, browser)) == problem
    assert browser.session() is None
    assert "script" not in why(site)


TOKENS: dict[str, dict[str, object]] = {
    "no ID token": {"id_token": None},
    "no access token": {"access_token": None},
    "an ID token that is a list": {"id_token": ["a"]},
}


@pytest.mark.parametrize("kind", TOKENS)
def test_an_answer_that_lacks_a_token(site: SignOnSite, provider: LyingProvider, browser: Browser, kind: str) -> None:
    provider.token = TOKENS[kind]
    assert problem_of(outcome(site, provider, browser)) == "not_trusted"


def test_userinfo_of_another_person(site: SignOnSite, provider: LyingProvider, browser: Browser) -> None:
    provider.userinfo = {"sub": "root", "preferred_username": "root"}
    assert problem_of(outcome(site, provider, browser)) == "not_trusted"
    provider.claims = {"sub": "new"}
    provider.userinfo = {"sub": "new", "preferred_username": "the new one", "email": "x", "iss": "x", "aud": "x"}
    assert outcome(site, provider, browser) == "/"
    assert browser.person()["name"] == "the_new_one"


def test_what_is_signed_counts_before_what_is_not(site: SignOnSite, provider: LyingProvider, browser: Browser) -> None:
    provider.claims = {"sub": "signed", "preferred_username": "signed"}
    provider.userinfo = {"sub": "signed", "preferred_username": "unsigned", "name": "Only Here"}
    assert outcome(site, provider, browser) == "/"
    assert (browser.person()["name"], browser.person()["full_name"]) == ("signed", "Only Here")


METADATA: dict[str, dict[str, object]] = {
    "another issuer": {"issuer": "https://evil.example"},
    "no issuer": {"issuer": None},
    "keys in clear over the network": {"jwks_uri": "http://evil.example/jwks"},
    "codes in clear over the network": {"token_endpoint": "http://evil.example/token"},
    "a file": {"jwks_uri": "file:///etc/passwd"},
    "no token endpoint": {"token_endpoint": None},
    "sign in by script": {"authorization_endpoint": "javascript:alert(1)"},
    "an address that is none": {"userinfo_endpoint": "https://[/"},
}


@pytest.mark.parametrize("kind", METADATA)
def test_a_description_that_is_not_the_providers(provider: LyingProvider, fresh_browser: Browser, kind: str) -> None:
    provider.metadata = METADATA[kind]
    assert fresh_browser.away().raw_path == b"/sign-in?problem=not_trusted"
    assert "/token" not in provider.asked


@pytest.mark.parametrize("status", [301, 302, 404, 500])
def test_a_description_elsewhere_is_not_followed(provider: LyingProvider, fresh_browser: Browser, status: int) -> None:
    provider.instead["/.well-known/openid-configuration"] = (status, "text/html", b"")
    assert fresh_browser.away().raw_path == b"/sign-in?problem=provider_away"


def test_keys_that_cannot_be_read_hide_no_other(
    fresh_site: SignOnSite, provider: LyingProvider, fresh_browser: Browser
) -> None:
    odd: list[object] = [
        *(7, {}, {"kty": "XYZ"}, {"kty": "RSA"}, {"kty": "oct", "k": "AAAA", "kid": "k1"}),
        {"kty": "EC", "crv": "P-256", "x": "!", "y": 1},
        KEY.as_dict(private=False) | {"use": "enc"},
    ]
    provider.keys = [*odd, KEY.as_dict(private=False)]
    assert outcome(fresh_site, provider, fresh_browser) == "/"
    provider.keys = odd
    fresh_site.site.clock.now += HOUR
    assert problem_of(outcome(fresh_site, provider, fresh_browser)) == "not_trusted"


def test_a_key_that_is_new_counts_at_once_and_one_that_is_withdrawn_no_more(
    fresh_site: SignOnSite, provider: LyingProvider, fresh_browser: Browser
) -> None:
    assert outcome(fresh_site, provider, fresh_browser) == "/"
    fresh = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"}, private=True)
    provider.keys = [fresh.as_dict(private=False)]
    provider.sign = lambda claims: signed(claims, fresh, kid="k2")
    assert outcome(fresh_site, provider, fresh_browser) == "/"
    provider.sign = lambda claims: signed(claims, KEY)
    assert problem_of(outcome(fresh_site, provider, fresh_browser)) == "not_trusted"


def test_a_key_that_is_withdrawn_counts_an_hour_at_most(
    fresh_site: SignOnSite, provider: LyingProvider, fresh_browser: Browser
) -> None:
    provider.claims = {"exp": int(time.time()) + 86_400}
    assert outcome(fresh_site, provider, fresh_browser) == "/"
    provider.keys = [OTHER_KEY.as_dict(private=False) | {"kid": "k2"}]
    assert outcome(fresh_site, provider, fresh_browser) == "/"
    fresh_site.site.clock.now += HOUR
    assert problem_of(outcome(fresh_site, provider, fresh_browser)) == "not_trusted"
    assert "xpired" not in why(fresh_site)


def test_what_the_browser_brings_is_not_repeated(site: SignOnSite, provider: LyingProvider, browser: Browser) -> None:
    state = query_of(browser.away())["state"]
    given = {"state": state, "error": "<script>alert(1)</script>", "error_description": "call 0900-123"}
    location = browser.ends_on(httpx.URL(site.site.url + CALLBACK, params=given))
    assert problem_of(location) == "not_trusted"
    assert "script" not in location + why(site)
    assert "0900" not in location + why(site)
    assert "/token" not in provider.asked


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c.d.e", "é", "x" * 9_000, "e30..e30.e30.e30"])
def test_a_cookie_that_is_not_ours(site: SignOnSite, provider: LyingProvider, browser: Browser, cookie: str) -> None:
    state = query_of(browser.away())["state"]
    url = httpx.URL(site.site.url + CALLBACK, params={"code": "c", "state": state})
    sent = [(b"Cookie", f"forewarn_sign_on={cookie}".encode())]
    answer = httpx.get(url, headers=sent)
    assert problem_of(answer.headers["location"]) == "expired"
    assert "/token" not in provider.asked


def test_an_access_token_is_sent_to_userinfo_alone(site: SignOnSite, provider: LyingProvider, browser: Browser) -> None:
    provider.userinfo = {"sub": "anna"}
    assert outcome(site, provider, browser) == "/"
    assert not [path for path in provider.asked if ACCESS_TOKEN in path or "code" in path]
