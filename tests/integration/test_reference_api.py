"""The reference's function: pages for everyone, kept by browsers, and what they may do."""

import json

import pytest

import docs_api.handler as docs
from tests.integration.conftest import Answer, answer_of, gateway_event
from tools import export_openapi

PAGES = {
    "/docs": "text/html; charset=utf-8",
    "/docs/style.css": "text/css; charset=utf-8",
    "/docs/icon.svg": "image/svg+xml",
    "/openapi.json": "application/json",
}


def get(path: str, **headers: str) -> Answer:
    """The answer to a request without a token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer_of(docs.handler(gateway_event("GET", path, headers=named), None))


@pytest.mark.parametrize(("path", "content_type"), PAGES.items())
def test_everyone_gets_the_page(path: str, content_type: str) -> None:
    """Without a token; it may be kept, and does nothing but show itself."""
    answer = get(path)

    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.body
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy == [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]


@pytest.mark.parametrize("path", PAGES)
def test_what_the_browser_has_is_not_sent_again(path: str) -> None:
    """304 for the entity tag it was given, alone or among others, weak or not; not for another."""
    tag = get(path).headers["ETag"]

    for said in (tag, f"W/{tag}", f'"another", {tag}'):
        answer = get(path, if_none_match=said)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
        assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert get(path, if_none_match='"another"').status == 200


def test_the_document_is_the_one_in_docs() -> None:
    """The same, without spaces."""
    assert get("/openapi.json").json() == json.loads(
        export_openapi.TARGET.read_text(encoding="utf-8")
    )


def test_what_is_not_there_is_a_problem() -> None:
    """Neither files beside the pages nor other methods are answered."""
    for path in ("/docs/handler.py", "/docs/../handler.py", "/docs/reference.html"):
        assert get(path).status == 404
    event = gateway_event("POST", "/docs", text="{}")
    assert answer_of(docs.handler(event, None)).status == 405
