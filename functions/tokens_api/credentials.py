"""The token request's form and credentials, as RFC 6749 (2.3.1, 4.4.2) lays them out."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from paynexus.errors import TokenRefused

FORM = "application/x-www-form-urlencoded"
FORM_CHARACTERS_MAX = 4_096
FORM_FIELDS_MAX = 10


def form_of(content_type: str, body: str) -> dict[str, str]:
    """The form's fields; TokenRefused for what is no form or names a field twice."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise TokenRefused(f"Send {FORM}.", reason="invalid_request")
    if len(body) > FORM_CHARACTERS_MAX:
        raise TokenRefused("The form is too long.", reason="invalid_request")
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        raise TokenRefused("The form can't be read.", reason="invalid_request") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise TokenRefused("A parameter stands twice.", reason="invalid_request")
    return form


def require_client_credentials_grant(form: Mapping[str, str]) -> None:
    """Raise TokenRefused for any other grant."""
    if not form.get("grant_type"):
        raise TokenRefused("grant_type is missing.", reason="invalid_request")
    if form["grant_type"] != "client_credentials":
        raise TokenRefused(
            "The one grant_type here is client_credentials.", reason="unsupported_grant_type"
        )


def credentials_of(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    """The client's id and secret, from the header or else the form; never from both."""
    if not authorization:
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise TokenRefused("Send the credentials in one place only.", reason="invalid_request")
    scheme, _, encoded = authorization.partition(" ")
    client_id, separator, secret = _decoded(encoded).partition(":")
    if scheme.lower() != "basic" or not separator:
        raise TokenRefused("The Authorization header can't be read.", reason="invalid_client")
    return unquote_plus(client_id), unquote_plus(secret)


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
