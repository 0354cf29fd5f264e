"""Parts of the document that no handler says: its front page, headers, forms, ways to sign."""

from typing import Any

from paynexus import versions

INFO: dict[str, Any] = {
    "title": "PayNexus",
    "summary": "Payments once and only once.",
    "description": (
        "Amounts are integers in minor units of their currency. Errors are problem+json (RFC 9457) "
        "with a `code` for programs. Every POST that acts needs an Idempotency-Key: repeating a "
        "request under its key never acts twice. A client sees its own merchant's objects in its "
        "own mode, test or live; everything else is not found."
    ),
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
SERVERS = [{"url": "/v1", "description": "The stage of the API that serves this document."}]
TAGS = [
    {"name": "payments", "description": "Taking money once, and what may follow."},
    {"name": "refunds", "description": "Money on its way back."},
    {"name": "disputes", "description": "Money that payers ask back through their bank."},
    {"name": "qr-codes", "description": "Codes that a payer scans and one payment spends."},
    {"name": "merchant", "description": "The merchant's own record and choices."},
    {"name": "balances", "description": "What the merchant is owed, and the entries it is of."},
    {"name": "settlements", "description": "Payouts, and what they are made of."},
    {"name": "webhooks", "description": "Endpoints, and how telling them went."},
    {"name": "events", "description": "What happened, one fact after another."},
    {"name": "fraud", "description": "What decides about payments, and what people find."},
    {"name": "gateways", "description": "What gateways say of their own accord."},
    {"name": "identity", "description": "Clients, access tokens, and keys."},
    {"name": "health", "description": "Whether the API is alive."},
]
_TAG_OF = {
    "ledger-entries": "balances",
    "webhook-endpoints": "webhooks",
    "deliveries": "webhooks",
    "clients": "identity",
    "oauth": "identity",
    ".well-known": "identity",
}
"""Paths that are filed under another word than their first."""


def tag_of(path: str) -> str:
    """What the path is filed under."""
    first = path.split("/")[1]
    return _TAG_OF.get(first, first)


PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457); docs/errors.md says what to do.",
    "required": ["type", "title", "code", "detail"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "The code's section."},
        "title": {"type": "string"},
        "status": {"type": "integer", "description": "Absent where the edge itself failed."},
        "code": {"type": "string"},
        "detail": {"type": "string", "description": "For people; it may change."},
        "request_id": {
            "type": "string",
            "description": "As the header `Request-Id`; absent in refusals kept for replays (402).",
        },
        "param": {"type": "string", "description": "The field at fault."},
        "operation_state": {
            "type": "string",
            "description": "On conflicts: the object's status, `running` or `finished`.",
        },
        "operation_ref": {
            "type": "string",
            "description": "On conflicts: the object that the key stands for, or that is busy.",
        },
        "safe_new_key": {
            "type": "boolean",
            "description": "Whether a request under a new key can't do the same twice.",
        },
        "checks": {
            "type": "array",
            "description": "What the gate asks and was not shown.",
            "items": {
                "type": "object",
                "required": ["name", "is_met", "actual", "limit"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "is_met": {"type": "boolean"},
                    "actual": {"type": ["number", "boolean", "null"]},
                    "limit": {"type": ["number", "boolean"]},
                },
            },
        },
        "line": {"type": "integer", "description": "The line of the file at fault."},
        "gateway_code": {"type": "string", "description": "Why the gateway refused."},
        "scope": {"type": "string", "description": "The scope that the token lacks."},
        "allow": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The methods that the path answers.",
        },
    },
}
HEADERS: dict[str, Any] = {
    "Request-Id": {
        "description": "Names the request in our logs.",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "PayNexus-Version": {
        "description": "What the answer looks like: the version asked for, or the client's own.",
        "required": True,
        "schema": {"type": "string", "enum": list(versions.RELEASED)},
    },
    "RateLimit": {
        "description": "What is left: `r` requests, all of them again in `t` seconds.",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "RateLimit-Policy": {
        "description": "`q` requests in `w` seconds.",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "Retry-After": {
        "description": "Seconds to wait before the same request, where waiting helps.",
        "schema": {"type": "string", "pattern": r"^\d+$"},
    },
    "WWW-Authenticate": {
        "description": "What is asked for (RFC 9110, 11.6.1).",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "The answer was given before, under this key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
TOKEN_FORM: dict[str, Any] = {
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
CALLBACK: dict[str, Any] = {
    "required": True,
    "description": "As the gateway puts it; it is never believed, only a reason to ask.",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this request: repeating it under its key never acts twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
SECURITY_SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "client": {"type": "http", "scheme": "basic", "description": "Client id and secret."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Acquirer-Signature",
        "description": "By the gateway: `t=<seconds>,v1=<HMAC-SHA256 of <seconds>.<body>>`.",
    },
}
_TOKEN_REFUSALS = {
    "400": {
        "invalid_request": "grant_type is missing.",
        "invalid_scope": "The client does not have every scope asked for.",
        "unsupported_grant_type": "The one grant_type here is client_credentials.",
    },
    "401": {"invalid_client": "Unknown client or wrong secret."},
    "429": {"rate_limited": "Too many tokens: wait as Retry-After says."},
}


def token_refusal(status: str) -> dict[str, Any]:
    """How the token endpoint says no with this status (RFC 6749, 5.2)."""
    told = _TOKEN_REFUSALS[status]
    schema = {
        "type": "object",
        "required": ["error", "error_description"],
        "additionalProperties": False,
        "properties": {
            "error": {"type": "string", "enum": sorted(told)},
            "error_description": {"type": "string"},
        },
    }
    examples = {
        code: {"value": {"error": code, "error_description": words}} for code, words in told.items()
    }
    return {
        "description": f"Refused: {', '.join(f'`{code}`' for code in told)}.",
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in ("Request-Id", *(["Retry-After"] if status == "429" else []))
        },
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }
