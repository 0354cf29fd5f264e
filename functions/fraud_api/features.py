"""What rules and models may read of a payment."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from paynexus import http
from paynexus.fraud.features import FEATURES, Feature

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/fraud/features", summary="List the features that rules read")
def list_fraud_features() -> Response[str]:
    """All of them, with their types in CEL. A rule asks `has_<name>` before an optional one."""
    return http.reply(200, http.page([_feature(one) for one in FEATURES.values()], has_more=False))


def _feature(feature: Feature) -> dict[str, object]:
    return {
        "object": "fraud_feature",
        "name": feature.name,
        "type": feature.kind,
        "meaning": feature.meaning,
        "optional": feature.is_optional,
    }
