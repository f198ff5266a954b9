"""Sources, system, probes, metrics, problems, the web page and the simulation's switches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from forewarn.domain.errors import StorageFailed
from tests.api.site import Site, open_parts, serving


def test_sources_list_pushing_gateways(site: Site) -> None:
    site.post([{"sensor_id": "p1.speed", "timestamp": 1_700_000_000_000, "value": 1}, {}], gateway="pusher")
    sources = {s["name"]: s for s in site.client.get("/api/v1/sources").json()["sources"]}
    assert (sources["line-1"]["connector"], sources["line-1"]["reconnects"]) == ("opcua", 2)
    pusher = sources["pusher"]
    assert (pusher["connector"], pusher["state"], pusher["readings"], pusher["rejected"]) == (
        *("http", "connected", 1),
        1,
    )
    assert pusher["seconds_since_last"] < 10


def test_system(site: Site) -> None:
    system = site.client.get("/api/v1/system").json()
    assert (system["version"], system["database"]) == ("1.2.3", "sqlite")
    assert system["queue"]["capacity_bytes"] > 0
    assert system["disk_free_bytes"] > 0


def test_metrics_are_valid_and_never_name_a_signal(site: Site) -> None:
    site.post([{"sensor_id": "p1.speed", "timestamp": 1_700_000_001_000, "value": 1}])
    text = site.client.get("/metrics").text
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert {"forewarn_http_readings", "forewarn_http_request_seconds", "forewarn_alarms"} <= families.keys()
    assert "p1.speed" not in text
    accepted = [s.value for s in families["forewarn_http_readings"].samples if s.labels.get("verdict") == "accepted"]
    assert accepted[0] >= 1


def test_probes(site: Site) -> None:
    assert site.client.get("/healthz").json() == {"status": "ok"}
    ready = site.client.get("/readyz")
    assert (ready.status_code, [c["name"] for c in ready.json()["checks"]]) == (200, ["log", "catalog", "line"])


@dataclass(frozen=True)
class StoppedLine:
    running: bool = False
    behind: int = 3
    last_error: str = "record: disk full"
    last_progress_at: int | None = 1


def catalog_away() -> None:
    raise StorageFailed("the database does not answer")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_parts(tmp_path_factory.mktemp("broken")) as parts:
        line = StoppedLine()
        changed = parts.but(line_health=lambda: line, catalog_alive=catalog_away, simulation=None)
        with serving(changed) as site:
            yield site


def test_readyz_names_what_fails(broken: Site) -> None:
    answer = broken.client.get("/readyz")
    failing = {c["name"]: c["detail"] for c in answer.json()["checks"] if not c["ok"]}
    assert answer.status_code == 503
    assert failing == {"catalog": "the database does not answer", "line": "record: disk full"}
    assert broken.client.get("/healthz").status_code == 200


def test_without_a_simulator(broken: Site) -> None:
    assert broken.client.get("/api/v1/simulation").json()["available"] is False
    assert broken.client.post("/api/v1/simulation/start").status_code == 409


def test_an_unexpected_error_tells_nothing_but_its_trace(broken: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(broken.parts.historian), "size", lambda self: crash())
    answer = broken.client.get("/api/v1/system")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert answer.json()["trace_id"] == answer.headers["x-trace-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/assets", 405), ("GET", "/nothing", 404)],
)
def test_not_found_and_not_allowed_are_problems(site: Site, method: str, path: str, status: int) -> None:
    answer = site.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["trace_id"]


def test_the_simulation(site: Site) -> None:
    post = site.client.post
    assert post("/api/v1/simulation/start").json()["running"]
    fault = {"asset_id": "p1", "fault": "imbalance", "severity": 0.5}
    active = post("/api/v1/simulation/faults", json=fault).json()["active"]
    assert (active[0]["fault"], active[0]["severity"]) == ("imbalance", 0.5)
    assert post("/api/v1/simulation/faults", json={**fault, "asset_id": "p7"}).status_code == 404
    assert post("/api/v1/simulation/faults", json={**fault, "severity": 2}).status_code == 422
    cleared = site.client.delete("/api/v1/simulation/faults", params={"asset_id": "p1", "fault": "imbalance"})
    assert cleared.json()["active"] == []
    assert site.client.get("/api/v1/simulation").json()["faults"][0]["title"] == "Imbalance"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    web: Path = tmp_path_factory.mktemp("web")
    (web / "static").mkdir()
    (web / "index.html").write_text("<html>the page</html>")
    (web / "static" / "app-1a2b.js").write_text("let a = 1;" * 500)
    (web.parent / "secret.txt").write_text("secret")
    with open_parts(tmp_path_factory.mktemp("paged")) as parts, serving(parts.but(static_dir=web)) as site:
        yield site.client


def test_the_page_is_served(page: httpx.Client) -> None:
    for path in ("/", "/assets-list", "/alarms?state=shelved", "/asset/p1"):
        answer = page.get(path)
        assert (answer.text, answer.headers["cache-control"]) == ("<html>the page</html>", "no-cache")
    script = page.get("/static/app-1a2b.js")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-encoding"] == "gzip"


def test_the_page_does_not_hide_what_is_missing(page: httpx.Client) -> None:
    for path in ("/api/v1/nothing", "/static/gone-0000.js", "/api"):
        assert page.get(path).status_code == (200 if path == "/api" else 404)
    assert page.post("/api/v1/nothing", json={}).status_code in (404, 405)
    assert page.get("/%2e%2e/secret.txt").text != "secret"
    assert page.get("/healthz").json() == {"status": "ok"}
