"""A merchant's own record."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from pydantic import AfterValidator, Field, StringConstraints

from merchants_api.routing import Routing
from paynexus import http, runtime
from paynexus.merchants import service, views
from paynexus.merchants.model import Profile
from paynexus.settlement.merchant import views as settlement_views
from paynexus.settlement.merchant.agreements import service as agreements

AMOUNT_MAX = 10**15
PAYMENTS_MAX = 10**6

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


def _not_blank(name: str) -> str:
    if not name.strip():
        raise ValueError("a name has letters")
    return name


Amount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Name = Annotated[
    str,
    StringConstraints(pattern=f"^{http.PLAIN}+$"),
    AfterValidator(_not_blank),
    http.NoCardNumber,
]


class FraudLimits(http.Strict):
    """The merchant's own limits; null returns to the default."""

    challenge_above_minor: Amount | None = None
    block_above_minor: Amount | None = None
    max_payments_per_hour: Annotated[int, Field(ge=1, le=PAYMENTS_MAX)] | None = None
    case_above_minor: Amount | None = None
    skip_below_minor: Amount | None = None


class Configuration(http.Strict):
    """What a merchant may choose for itself."""

    fraud: FraudLimits | None = None
    routing: Routing | None = None


class MerchantChange(http.Strict):
    """What changes; what is absent stays."""

    name: Annotated[Name, Field(min_length=1, max_length=200)] | None = None
    city: Annotated[Name, Field(min_length=1, max_length=100)] | None = None
    category_code: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[0-9]{4}$"),
            Field(description="what is sold, by ISO 18245; QR codes say it"),
        ]
        | None
    ) = None
    configuration: Configuration | None = None


@router.get("/merchant", summary="Read the merchant's own record")
def read_merchant() -> Response[str]:
    """Name, fees, payout accounts, when it is paid, and configuration."""
    principal = runtime.principal(router)
    return _shown(service.profile_of(runtime.database(), principal.merchant_id), principal.mode)


@router.patch("/merchant", summary="Change name, place and configuration")
def change_merchant(body: Annotated[MerchantChange, Body()]) -> Response[str]:
    """What the body mentions is laid over what there is (RFC 7386)."""
    principal = runtime.principal(router)
    changes = body.model_dump(exclude_unset=True)
    profile = service.change(
        runtime.database(),
        principal.merchant_id,
        name=changes.get("name"),
        city=changes.get("city"),
        category_code=changes.get("category_code"),
        configuration=changes.get("configuration"),
    )
    return _shown(profile, principal.mode)


def _shown(profile: Profile, mode: str) -> Response[str]:
    terms = agreements.terms_of(runtime.database(), profile.merchant.id)
    agreed = [settlement_views.agreed(currency, one) for currency, one in terms.items()]
    return http.reply(200, views.resource(profile, mode=mode) | {"settlement_terms": agreed})
