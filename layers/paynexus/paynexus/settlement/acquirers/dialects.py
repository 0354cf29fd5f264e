"""Which gateway's files are read how. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from paynexus.errors import BankFileRefused
from paynexus.settlement.acquirers import sandbox, stripe_report
from paynexus.settlement.acquirers.model import Dialect

_SANDBOX = Dialect("sandbox", "test", sandbox.read)
DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "sandbox": _SANDBOX,
        "sandbox_two": _SANDBOX,
        "stripe": Dialect("stripe_report", "live", stripe_report.read),
        "stripe_test": Dialect("stripe_report", "test", stripe_report.read),
    }
)
"""Gateways by the name that attempts know them under."""


def dialect_of(gateway: str) -> Dialect:
    """How the gateway's files are read; BankFileRefused for one that is not known."""
    if gateway not in DIALECTS:
        raise BankFileRefused(f"no settlement files are known of a gateway {gateway[:50]!r}")
    return DIALECTS[gateway]
