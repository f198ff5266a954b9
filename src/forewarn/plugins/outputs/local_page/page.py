"""The page around the sections: one file, nothing from elsewhere, and a content policy that says so."""

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Final

_TEMPLATE: Final = (files(__package__) / "page.html").read_text(encoding="utf-8")
_LEFT: Final = ("alarms", "conditions", "sources")
_RIGHT: Final = ("site", "models", "buffer", "ledger")


def _hash(tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", _TEMPLATE, re.DOTALL)
    assert found is not None
    return "'sha256-" + base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode() + "'"


HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash('style')}; script-src {_hash('script')}; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def document(gateway: str, sections: Mapping[str, str]) -> str:
    def column(ids: tuple[str, ...]) -> str:
        return "".join(f'<section id="{name}">{sections.get(name, "")}</section>' for name in ids)

    return _filled(
        gateway,
        f'<header id="head">{sections.get("head", "")}</header>'
        '<p id="lost" role="alert" hidden>No connection to the gateway. What you see is old.</p>'
        f'<main><div class="column">{column(_LEFT)}</div><div class="column">{column(_RIGHT)}</div></main>'
        f'<footer id="about">{sections.get("about", "")}</footer>',
    )


def sign_in(gateway: str, problem: str = "") -> str:
    said = f'<p class="badge wrong" role="alert">{escape(problem)}</p>' if problem else ""
    return _filled(
        gateway,
        f"<main><section><h1>{escape(gateway)}</h1>{said}"
        '<form method="post" action="/sign-in"><label for="token">Token of this page</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
        "<button>Show the gateway</button></form></section></main>",
    )


def _filled(gateway: str, body: str) -> str:
    return _TEMPLATE.replace("<!--title-->", f"{escape(gateway)} – gateway").replace("<!--body-->", body)
