"""Client credentials in, access tokens out (RFC 6749, 4.4), and what verifies them."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from paynexus import http, runtime
from paynexus.errors import RateLimited, TokenRefused
from paynexus.identity import service
from paynexus.identity.allowance import Rate
from tokens_api.credentials import credentials_of, form_of, require_client_credentials_grant

JWKS_MAX_AGE_SECONDS = 300

app = http.new_resolver()


@app.exception_handler([TokenRefused, RateLimited])  # type: ignore[untyped-decorator]  # Powertools'
def refuse(error: TokenRefused | RateLimited) -> Response[str]:
    """Refusals have the form of RFC 6749, 5.2, which every OAuth library knows."""
    body = {"error": error.code, "error_description": error.detail}
    if isinstance(error, RateLimited):
        return http.reply(429, body, headers={"Retry-After": str(error.retry_after)})
    is_unauthenticated = error.code == "invalid_client"
    headers = {"WWW-Authenticate": 'Basic realm="paynexus"'} if is_unauthenticated else {}
    return http.reply(401 if is_unauthenticated else 400, body, headers=headers)


@app.post("/oauth/token", summary="Exchange client credentials for an access token")
def issue_token() -> Response[str]:
    """Credentials come by HTTP Basic or as `client_id` and `client_secret` in the form."""
    event = app.current_event
    form = form_of(event.headers.get("content-type") or "", event.decoded_body or "")
    require_client_credentials_grant(form)
    client_id, secret = credentials_of(event.headers.get("authorization") or "", form)
    token = service.issue_token(
        runtime.database(),
        runtime.token_signer(),
        client_id,
        secret,
        scope=form.get("scope"),
        admit=_count_token,
        now=runtime.clock()(),
    )
    answer = {
        "access_token": token.text,
        "token_type": "Bearer",
        "expires_in": token.expires_in,
        "scope": " ".join(token.scopes),
    }
    return http.reply(200, answer)


@app.get("/.well-known/jwks.json", summary="Read the public keys of access tokens")
def publish_keys() -> Response[str]:
    """Keys are published before they sign and stay after they have stopped."""
    headers = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE_SECONDS}"}
    return http.reply(200, runtime.token_keys().jwks(now=runtime.clock()()), headers=headers)


@app.get("/health", summary="Ask whether the API is alive")
def answer_health() -> Response[str]:
    """The API answers; nothing behind it is asked."""
    return http.reply(200, {"status": "ok"})


def _count_token(client_id: str) -> None:
    limiter = runtime.rate_limiter()
    charge = limiter.allowances.request(Rate.TOKEN)
    verdict = limiter.admit(client_id, [charge], now=runtime.clock()())
    app.answer_headers.update(verdict.headers())
    verdict.require_allowed()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)
