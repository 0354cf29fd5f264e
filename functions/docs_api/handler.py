"""The API reference, for whoever asks: a page, its looks, and the document it is made from.

None of these routes is in the document, which tells of the API alone.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from paynexus import http

FOLDER = Path(__file__).parent
MAX_AGE_SECONDS = 300
"""How long a browser shows a page without asking whether it is still the one."""
HEADERS = {
    # No script at all, nothing from elsewhere, in nobody's frame.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}",
}

app = http.new_resolver()


@app.get("/docs", include_in_schema=False)
def show_reference() -> Response[str]:
    """Every operation on one page: no script, nothing loaded from elsewhere."""
    return _answer("reference.html", "text/html; charset=utf-8")


@app.get("/docs/style.css", include_in_schema=False)
def show_style() -> Response[str]:
    """How the page looks."""
    return _answer("style.css", "text/css; charset=utf-8")


@app.get("/docs/icon.svg", include_in_schema=False)
def show_icon() -> Response[str]:
    """What the browser shows beside the page's title."""
    return _answer("icon.svg", "image/svg+xml")


@app.get("/openapi.json", include_in_schema=False)
def show_document() -> Response[str]:
    """What the reference is made from, for programs: OpenAPI 3.1."""
    return _answer("openapi.json", http.JSON)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)


def _answer(name: str, content_type: str) -> Response[str]:
    text, tag = _file(name)
    headers: dict[str, str | list[str]] = {**HEADERS, "ETag": tag}
    if tag in (app.current_event.headers.get("if-none-match") or ""):
        return Response(status_code=304, body="", headers=headers)
    return Response(status_code=200, content_type=content_type, body=text, headers=headers)


@cache
def _file(name: str) -> tuple[str, str]:
    """The file's text and its entity tag; both stay as they are while this code runs."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
