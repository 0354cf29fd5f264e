"""Authorize a request: verify its bearer token, tell API Gateway and the API who calls."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.errors import Unauthenticated
from paynexus.identity.model import context_of
from paynexus.observability import logger, request_id_of

SCHEME = "bearer "


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer a policy for the whole stage, so that API Gateway may reuse it for any route.

    API Gateway turns an exception with exactly this message into a 401, and any other into a
    5xx: a database that is away refuses nobody's token, and accepts none.
    """
    now = runtime.clock()()
    logger.set_correlation_id(request_id_of(event))
    try:
        token = runtime.bearer_verifier().verify(_bearer_token(event), now=now)
    except Unauthenticated as error:
        logger.info("token refused", reason=error.detail)
        raise Exception("Unauthorized") from None  # noqa: TRY002 - API Gateway's own protocol
    return {
        "principalId": token.principal.client_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": _whole_stage(event["methodArn"]),
                }
            ],
        },
        "context": context_of(token.principal, expires_at=token.expires_at),
    }


def _bearer_token(event: Mapping[str, Any]) -> str:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    value = headers.get("authorization") or ""
    if value[: len(SCHEME)].lower() != SCHEME:
        raise Unauthenticated("Send the token as `Authorization: Bearer …`.")
    return value[len(SCHEME) :].strip()


def _whole_stage(method_arn: str) -> str:
    # arn:aws:execute-api:region:account:api/stage/METHOD/path
    api, stage, *_ = method_arn.split("/")
    return f"{api}/{stage}/*"
