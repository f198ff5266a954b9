"""The page's client is generated from docs/openapi.json, so that file must say what the running site says."""

import json
import os
from pathlib import Path

from tests.api.site import Site

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_kept_document_is_the_one_the_site_serves(site: Site) -> None:
    served = site.client.get("/openapi.json").json()
    # The version changes with every release and says nothing about the interface.
    served["info"]["version"] = "-"
    text = json.dumps(served, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("FOREWARN_WRITE_OPENAPI"):
        KEPT.write_text(text)
    fresh = KEPT.is_file() and KEPT.read_text() == text
    assert fresh, (
        f"{KEPT} is not what /openapi.json serves; run scripts/web-api, which also renews web/src/api/schema.ts"
    )
