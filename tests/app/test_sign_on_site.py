"""`forewarn serve` with single sign-on by its environment alone, and all it prints while somebody signs in."""

import json
from pathlib import Path

from tests.api.sign_on_site import CALLBACK, SECRET, Browser, problem_of, query_of
from tests.peers.processes import free_port, node_peer
from tests.site_process import SiteProcess


def test_a_real_site_lets_in_whom_the_provider_knows(tmp_path: Path) -> None:
    port, accounts = free_port(), tmp_path / "accounts.json"
    accounts.write_text(json.dumps({"anna": {"realm_access": {"roles": ["it"]}}, "ben": {}}))
    (tmp_path / "secret").write_text(SECRET)
    site = SiteProcess(
        tmp_path / "site",
        FOREWARN_OIDC_ISSUER=f"http://127.0.0.1:{port}",
        FOREWARN_OIDC_CLIENT_ID="forewarn",
        FOREWARN_OIDC_CLIENT_SECRET_FILE=str(tmp_path / "secret"),
        FOREWARN_OIDC_ROLES_CLAIM="realm_access.roles",
        FOREWARN_OIDC_ROLE_MAP='{"it": ["auditor", "technician:acme/pune"]}',
        FOREWARN_OIDC_CREATE_PEOPLE="true",
        FOREWARN_OIDC_BUTTON="Sign in with ACME",
        FOREWARN_LOG_LEVEL="debug",
    )
    browser = Browser(site.url)
    with node_peer("oidc_provider.mjs", f"{site.url}{CALLBACK}", str(accounts), port=port), browser.client:
        site.start()
        try:
            options = browser.client.get(f"{site.url}/api/v1/session/options").json()
            assert options == {"single_sign_on": {"button": "Sign in with ACME"}, "demo": False}
            back = browser.comes_back("anna", browser.away("/alarms"))
            cookie = browser.client.cookies["forewarn_sign_on"]
            assert browser.ends_on(back) == "/alarms"
            session = browser.session()
            assert session is not None
            bearer = {"Authorization": f"Bearer {session['access_token']}"}
            audit = browser.client.get(f"{site.url}/api/v1/audit", headers=bearer)
            assert audit.status_code == 200, audit.text
            assert problem_of(browser.ends_on(back)) == "expired"
            browser.client.cookies.clear()
            assert problem_of(browser.signs_in("ben")) == "no_role"
        finally:
            site.stop()
    printed = site.log.read_text()
    assert "single_sign_on_refused" in printed
    for secret in (SECRET, query_of(back)["code"], query_of(back)["state"], cookie, str(session["access_token"])):
        assert secret not in printed
        assert secret not in audit.text
