"""What gateways' settlement files travel by, and what they prove: built above the runtime.

Settlement and payments know nothing of each other; here the one's files get the other's ear.
"""

from __future__ import annotations

from functools import cache as once
from typing import TYPE_CHECKING

from paynexus import runtime

if TYPE_CHECKING:
    import datetime as dt

    from paynexus.gateways.port import Result
    from paynexus.settlement.acquirers.port import Desk, Shelf


@once
def shelf() -> Shelf:
    """The gateways' folder of the bank's bucket."""
    from paynexus.settlement.acquirers.s3 import S3Shelf

    return S3Shelf(runtime.aws("s3"), runtime.settings().require("bank_bucket"))


@once
def desks() -> tuple[Desk, ...]:
    """The configured gateways that hand out their files; others' are delivered."""
    from paynexus.payments.callbacks import dialect_of
    from paynexus.settlement.acquirers.desks import SandboxDesk

    names = [name for name in gateways() if name in runtime.SANDBOX_URLS]
    return tuple(
        SandboxDesk(
            runtime.settings().require(runtime.SANDBOX_URLS[name]),
            api_key=runtime.keys()[dialect_of(name).key_name],
            name=name,
        )
        for name in names
    )


def gateways() -> tuple[str, ...]:
    """The configured gateways whose settlement files are read, as attempts know them."""
    from paynexus.settlement.acquirers.dialects import DIALECTS

    by_mode = runtime.settings().gateways()
    named = [
        "stripe_test" if name == "stripe" and mode == "test" else name
        for mode, names in by_mode.items()
        for name in names
    ]
    return tuple(name for name in dict.fromkeys(named) if name in DIALECTS)


def prove(reference: str, result: Result, now: dt.datetime) -> None:
    """The attempt under our reference has ended as its gateway's file proves."""
    from paynexus.payments import authority

    authority.settle_unknown(runtime.database(), reference, result, now=now)
