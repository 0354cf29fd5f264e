"""Write docs/openapi.json: what the API functions' own routes and models say, as one document.

python -m tools.export_openapi            write the file
python -m tools.export_openapi --check    fail when it is not what the code says
"""

import argparse
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paynexus.identity.access import PUBLIC_ROUTES, SCOPE_OF

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs/openapi.json"
FUNCTIONS = ROOT / "functions"

PUBLIC = "tokens_api"
"""The one API function whose routes need no access token."""
CALLBACKS = "gateway_callbacks"
"""The function that gateways call, which sign what they say."""
WITHOUT_KEY = {"/oauth/token", "/qr-codes/scan", "/gateways/{name}/callbacks"}
"""POSTs that do not act, or whose body has an id of its own: they need no Idempotency-Key."""
REFERENCE = "#/components/schemas/"
METHODS = {"get", "post", "patch", "put", "delete"}
GENERATED = {"HTTPValidationError", "ResponseValidationError", "ValidationError"}
"""Powertools' own error bodies, which this API never sends."""

DESCRIPTION = (
    "Payments once and only once. Amounts are integers in minor units; errors are problem+json "
    "(RFC 9457); every POST that acts needs an Idempotency-Key."
)
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "param": {"type": "string", "description": "The field at fault."},
        "request_id": {"type": "string"},
    },
}
REFUSAL = {
    "description": "Refused: `code` says why.",
    "headers": {"Request-Id": {"schema": {"type": "string"}}},
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
TOKEN_REFUSAL = {
    "description": "Refused (RFC 6749, 5.2).",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {"type": "string"},
                    "error_description": {"type": "string"},
                },
            }
        }
    },
}
TOKEN_FORM = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": {"const": "client_credentials"},
                    "client_id": {"type": "string"},
                    "client_secret": {"type": "string"},
                    "scope": {"type": "string"},
                },
            }
        }
    },
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this request: repeating it under its key never acts twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "client": {"type": "http", "scheme": "basic", "description": "Client id and secret."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Acquirer-Signature",
        "description": "By the gateway: `t=<seconds>,v1=<HMAC-SHA256 of <seconds>.<body>>`.",
    },
}


def document() -> dict[str, Any]:
    """The OpenAPI document that the code stands for."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for name in _api_functions():
        part = _set_apart(_part_of(name), schemas, function=name)
        for path, item in part["paths"].items():
            paths.setdefault(path, {}).update(_finished(path, item, function=name))
        own = part.get("components", {}).get("schemas", {})
        schemas |= {title: own[title] for title in own.keys() - GENERATED}
    _mark_token_request(paths["/oauth/token"]["post"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "PayNexus", "version": _version(), "description": DESCRIPTION},
        "servers": [{"url": "/v1"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write or check the file; an exit status of 1 says that it is stale."""
    parser = argparse.ArgumentParser(description="Export the API's OpenAPI document.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    current = text()
    if not parser.parse_args().check:
        TARGET.write_text(current, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == current:
        return 0
    print(
        f"{TARGET.relative_to(ROOT)} is stale: run python -m tools.export_openapi", file=sys.stderr
    )
    return 1


def _api_functions() -> Iterator[str]:
    yield CALLBACKS
    for handler in sorted(FUNCTIONS.glob("*_api/handler.py")):
        yield handler.parent.name


def _part_of(function: str) -> dict[str, Any]:
    app = importlib.import_module(f"{function}.handler").app
    part: dict[str, Any] = json.loads(app.get_openapi_json_schema(title=function, version="1"))
    return part


def _finished(path: str, item: dict[str, Any], *, function: str) -> dict[str, Any]:
    for method in METHODS & item.keys():
        operation = item[method]
        operation["tags"] = [function.removesuffix("_api")]
        operation["responses"] = _answers(operation["responses"])
        operation["security"] = _security_of(method, path, function)
        if method == "post" and path not in WITHOUT_KEY:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    return item


def _security_of(method: str, path: str, function: str) -> list[dict[str, list[str]]]:
    if function == PUBLIC or f"{method.upper()} {path}" in PUBLIC_ROUTES:
        return []
    if function == CALLBACKS:
        return [{"signature": []}]
    return [{"token": [_scope_of(method, path)]}]


def _scope_of(method: str, path: str) -> str:
    route = re.sub(r"\{.+?\}", "{id}", path)
    return SCOPE_OF[f"{method.upper()} {route}"].value


def _answers(generated: dict[str, Any]) -> dict[str, Any]:
    answers = {}
    for status, answer in generated.items():
        if status in ("422", "default"):  # Powertools' own, which never go out
            continue
        # Bodies are made as JSON text by the rooms: their schema is an object, not a string.
        for media_type, content in (answer.get("content") or {}).items():
            if (
                media_type == "application/json"
                and content.get("schema", {}).get("title") == "Return"
            ):
                content["schema"] = {"type": "object"}
        answers[status] = answer
    return {**answers, "default": REFUSAL}


def _mark_token_request(operation: dict[str, Any]) -> None:
    operation["requestBody"] = TOKEN_FORM
    operation["security"] = [{"client": []}, {}]
    for status in ("400", "401", "429"):
        operation["responses"][status] = TOKEN_REFUSAL


def _set_apart(part: dict[str, Any], schemas: dict[str, Any], *, function: str) -> dict[str, Any]:
    """The part with those of its schemas renamed whose names mean something else elsewhere."""
    text = json.dumps(part)
    own = part.get("components", {}).get("schemas", {})
    for name in own:
        if schemas.get(name, own[name]) != own[name]:
            unique = function.title().replace("_", "") + name
            text = text.replace(f'"{REFERENCE}{name}"', f'"{REFERENCE}{unique}"')
            text = text.replace(f'"{name}": {{', f'"{unique}": {{')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version: str = project["version"]
    return version


if __name__ == "__main__":
    sys.exit(main())
