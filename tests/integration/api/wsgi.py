"""The API as a WSGI application, which generators of requests know how to call."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from paynexus import runtime
from paynexus.gateways.sandbox_callbacks import signature_of
from tests.integration.api import edge
from tests.integration.api.edge import Request
from tests.sandbox import KEY

STAGE = "/v1"
SIGNED = "signed by the sandbox"
"""A signature that is made here, where the body's bytes are known."""

type Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: Mapping[str, Any], start: Start) -> Iterable[bytes]:
    """The answer to one request."""
    answer = edge.answer(_request(environ))
    headers = [(name, _latin(value)) for name, value in answer.headers.items()]
    start(f"{answer.status} As it is", headers)
    return [answer.body]


def _request(environ: Mapping[str, Any]) -> Request:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    }
    if headers.get("acquirer-signature") == SIGNED:
        text = body.decode("utf-8", "replace")
        headers["acquirer-signature"] = signature_of(text, key=KEY, at=runtime.clock()())
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return Request(
        environ["REQUEST_METHOD"],
        path.removeprefix(STAGE),
        environ.get("QUERY_STRING", ""),
        headers,
        body,
    )


def _latin(value: str) -> str:
    # WSGI's headers are Latin-1; HTTP's are percent-encoded where they are more.
    return value if value.isascii() else quote(value)
