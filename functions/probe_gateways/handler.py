"""One health probe of each gateway whose circuit is not closed, and how each has done of late."""

from typing import Any

from paynexus import runtime
from paynexus.observability import logger
from paynexus.payments import rates


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, str]:  # noqa: ANN401 - Lambda's own
    """Where each gateway's circuit stands after its probe."""
    states = {gateway.name: gateway.probe().value for gateway in runtime.gateways().all()}
    logger.info("gateways probed", circuits=states)
    rates.refresh(runtime.database(), runtime.cache(), now=runtime.clock()())
    return states
