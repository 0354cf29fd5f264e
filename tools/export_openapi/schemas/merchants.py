"""What answers about a merchant look like: its record, and the API's own answers to anyone."""

from typing import Annotated, Literal

from pydantic import Field

from merchants_api.merchant import Configuration
from paynexus.events import data
from paynexus.identity.model import Scope
from paynexus.identity.token_keys import ALGORITHM
from tools.export_openapi.schemas.money import SettlementTerms
from tools.export_openapi.schemas.words import CLIENT_ID, Closed, Mode, Moment, one_of


class Fee(Closed):
    """What a payment in one currency costs."""

    currency: data.Currency
    basis_points: Annotated[int, Field(ge=0)]
    fixed: data.Amount


class PayoutAccount(Closed):
    """Where money in one currency goes; the IBAN is masked."""

    currency: data.Currency
    holder: str
    iban: str
    bic: str | None


class Merchant(Closed):
    """The merchant's own record."""

    id: data.MerchantText
    object: Literal["merchant"]
    name: str
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    city: str
    category_code: Annotated[str, Field(pattern="^[0-9]{4}$", description="By ISO 18245.")]
    configuration: Configuration
    fees: list[Fee]
    payout_accounts: list[PayoutAccount]
    settlement_terms: list[SettlementTerms]
    mode: Mode
    created: Moment


class Client(Closed):
    """A client that is not revoked."""

    id: Annotated[str, Field(pattern=CLIENT_ID)]
    object: Literal["client"]
    name: str
    scopes: list[Annotated[str, one_of(Scope)]]
    api_version: Annotated[str, Field(description="What its answers look like by default.")]
    former_secret_expires: Annotated[
        Moment | None, Field(description="When the secret before ends; null if there is none.")
    ]
    mode: Mode
    created: Moment


class ClientWithSecret(Client):
    """A client and its secret, which nobody can read again."""

    client_secret: str


class RevokedClient(Closed):
    """It gets no more tokens, and those it has end within a minute."""

    id: Annotated[str, Field(pattern=CLIENT_ID)]
    object: Literal["client"]
    revoked: Literal[True]


class Token(Closed):
    """An access token (RFC 6749, 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(gt=0, description="Seconds.")]
    scope: Annotated[str, Field(description="What the token opens, separated by spaces.")]


class PublicKey(Closed):
    """A key that access tokens are verified with (RFC 7517)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Annotated[str, Field(json_schema_extra={"const": ALGORITHM})]


class PublicKeys(Closed):
    """Every key that may have signed a token that is still valid."""

    keys: list[PublicKey]


class Health(Closed):
    """The API answers."""

    status: Literal["ok"]


class Received(Closed):
    """The callback is on record."""

    received: Literal[True]
