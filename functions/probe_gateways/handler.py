"""One health probe of each gateway whose circuit is not closed."""

from typing import Any

from paynexus import runtime
from paynexus.observability import logger


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, str]:  # noqa: ANN401 - Lambda's own
    """Where each gateway's circuit stands after its probe."""
    states = {gateway.name: gateway.probe().value for gateway in runtime.gateways().values()}
    logger.info("gateways probed", circuits=states)
    return states
