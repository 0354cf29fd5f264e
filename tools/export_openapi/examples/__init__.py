"""Believable requests and answers, by operation. tests/integration/api sends each of them."""

from collections.abc import Mapping
from types import MappingProxyType

from tools.export_openapi.examples.backtests import BACKTESTS
from tools.export_openapi.examples.exchange import Example
from tools.export_openapi.examples.fraud import FRAUD
from tools.export_openapi.examples.fraud_lists import LISTS
from tools.export_openapi.examples.merchants import MERCHANTS
from tools.export_openapi.examples.payments import PAYMENTS

EXAMPLES: Mapping[str, tuple[Example, ...]] = MappingProxyType(
    PAYMENTS | MERCHANTS | FRAUD | LISTS | BACKTESTS
)

__all__ = ["EXAMPLES", "Example"]
