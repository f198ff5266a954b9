"""What every answer tells a browser, whatever it is an answer to."""

import httpx
import pytest

from tests.api.site import Site

POLICY = "default-src 'none'"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/healthz", 200), ("/readyz", 200), ("/openapi.json", 200), ("/metrics", 200), ("/api/v1/assets", 200)),
        *(("/api/v1/assets/none", 404), ("/api/v1/series", 422), ("/api/nothing", 404), ("/nothing.js", 404)),
    ],
)
def test_every_answer_has_them(site: Site, path: str, status: int) -> None:
    answer = site.client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"].startswith(POLICY)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_refusals_have_them(site: Site) -> None:
    answers = [
        httpx.get(f"{site.url}/api/v1/assets"),
        httpx.post(f"{site.url}/api/v1/assets"),
        httpx.post(f"{site.url}/api/v1/telemetry/batch", content=b"[", headers=site.opened.admin.header),
        httpx.post(f"{site.url}/api/v1/session", headers={"Origin": "https://evil.example"}),
        httpx.request("TRACE", f"{site.url}/api/v1/assets"),
    ]
    assert [answer.status_code for answer in answers] == [401, 405, 400, 403, 405]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith(POLICY)


def test_the_page_s_policy_lets_no_script_in_but_its_files(site: Site) -> None:
    policy = site.client.get("/healthz").headers["content-security-policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["script-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert {directives[name] for name in ("base-uri", "form-action", "frame-ancestors", "default-src")} == {"'none'"}


def test_a_stream_keeps_what_it_says_of_caches(site: Site) -> None:
    with site.client.stream("GET", "/api/v1/live") as answer:
        assert answer.headers.get_list("cache-control") == ["no-cache"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_plain_http_says_nothing_of_tls(site: Site) -> None:
    assert "strict-transport-security" not in site.client.get("/healthz").headers


def test_no_answer_opens_the_site_to_others(site: Site) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "authorization, content-type"}
    answers = [
        site.client.options("/api/v1/alarms/actions", headers=asked),
        site.client.options("/api/v1/session", headers=asked),
        site.client.get("/api/v1/assets", headers={"Origin": "https://evil.example"}),
        site.client.get("/api/v1/assets", headers={"Origin": "null"}),
        site.client.get("/healthz", headers={"Origin": site.url}),
    ]
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control-")]
    assert [answer.status_code for answer in answers] == [405, 405, 200, 200, 200]
