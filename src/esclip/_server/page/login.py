"""What asks a browser for the token: a form without a script, which is sent to POST /session and leads back.

Its styles stand in it, allowed by their hash: every file of the server but this wants the token.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from esclip._server.http import RequestHead, Response
from esclip._server.page.rendering import FOLDER, render

FORM = "application/x-www-form-urlencoded"


def is_for_browser(head: RequestHead) -> bool:
    """Whether a request without a token is a person's, who can be asked for it."""
    return head.path == "/" and head.method == "GET" and "text/html" in head.header("Accept")


def login_response(
    query: str, *, failed: bool = False, from_elsewhere: bool = False
) -> tuple[Response, dict[str, str]]:
    """The form, which leads to the page with this query string, and the headers that belong to it.

    To a link on another site a browser adds no cookie of its session: then the form loads the page once more.
    """
    html = render("login.html", query=query, failed=failed, again=from_elsewhere, style=_style())
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'"
        ),
        "Referrer-Policy": "same-origin",  # without a referrer a form's Origin is null
        "Cache-Control": "no-store",
        "WWW-Authenticate": "Bearer",
    }
    return Response(html.encode(), "text/html; charset=utf-8", HTTPStatus.UNAUTHORIZED), headers


def page_location(query: str) -> str:
    """Where a form leads: always this server's page, whatever it says."""
    pairs = parse_qsl(query, max_num_fields=1000)
    return f"./?{urlencode(pairs)}" if pairs else "./"


@cache
def _style() -> str:
    return (FOLDER / "login.css").read_text(encoding="utf-8").strip()
