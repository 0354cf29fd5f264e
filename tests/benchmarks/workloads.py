"""What pgbench does: TPC-B, and the product's own SQL in a shop of many merchants."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from paynexus import ids, jsontext
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.merchants import service as merchants
from paynexus.merchants.model import CurrencyFee, Place
from paynexus.money import Money
from paynexus.payments.model import Payment, Status
from paynexus.payments.resource import payment_resource
from tests.benchmarks import pgbench
from tests.benchmarks.pgbench import Work
from tests.benchmarks.servers import Postgres

SCRIPTS = Path(__file__).parent / "scripts"
MERCHANTS = 64
HOT_SLOTS = 64
BATCH = 50

SQL_OPEN = "SELECT (ledger_account(%s, 'test', 'EUR', %s)).id"
SQL_SPREAD = "SELECT ledger_spread_account(%s, %s)"


@dataclass(frozen=True, slots=True)
class Shop:
    """A database of the product with many merchants, and one who is as busy as all of them."""

    url: str
    merchants: Sequence[MerchantId]
    hot: MerchantId
    receivable: UUID
    fees: UUID
    payables: Sequence[UUID]
    """The accounts of `merchants`, in their order."""

    def selling(self, *, hot: bool) -> Sequence[MerchantId]:
        """Whose payments are taken: each script serves one, chosen at random."""
        return [self.hot] if hot else self.merchants


def open_shop(url: str) -> Shop:
    """The merchants are there, all accounts are open, and the busy one's is spread."""
    with closing(Database(lambda: url)) as database:
        hot, *others = onboard(database, MERCHANTS + 1)
    with psycopg.connect(url, autocommit=True) as connection:

        def opened(kind: str, merchant_id: MerchantId | None = None) -> UUID:
            row: Any = connection.execute(SQL_OPEN, (kind, merchant_id)).fetchone()
            account: UUID = row[0]
            return account

        connection.execute(SQL_SPREAD, (opened("merchant_payable", hot), HOT_SLOTS))
        return Shop(
            url,
            others,
            hot,
            receivable=opened("gateway_receivable"),
            fees=opened("fees"),
            payables=[opened("merchant_payable", merchant_id) for merchant_id in others],
        )


def onboard(database: Database, number: int) -> list[MerchantId]:
    """So many merchants exist, with a fee."""
    return [
        merchants.onboard(
            database,
            name=f"Merchant {index}",
            email=f"owner-{index}@example.com",
            place=Place("DE", "Berlin", "5999"),
            fees=[CurrencyFee("EUR", 150, 25)],
            payout_accounts=[],
        )
        for index in range(number)
    ]


def tpcb(server: Postgres, name: str) -> Work:
    """The yardstick, in a database of its own."""
    url = server.database(name)
    pgbench.initialize(url)
    return Work(url)


def payments(shop: Shop, *, hot: bool = False) -> Work:
    """Complete payments: two commits, each one call of the product's."""
    scripts = [_serving("payment", one) for one in shop.selling(hot=hot)]
    variables = {
        "is_begun": "0",
        "created": _said_of(Status.PENDING),
        "completed": _said_of(Status.COMPLETED),
    }
    return Work(shop.url, scripts, variables)


def bookings(shop: Shop, *, hot: bool = False) -> Work:
    """What the ledger does of a complete payment: hold, post and fee, in two commits."""
    scripts = [_serving("booking", one) for one in shop.selling(hot=hot)]
    return Work(shop.url, scripts, {"is_begun": "0"})


def batches(shop: Shop, *, hot: bool = False) -> Work:
    """Transfers by the BATCH in one commit, each one's merchant chosen at random."""
    listed = "{" + ",".join(str(one) for one in shop.selling(hot=hot)) + "}"
    return Work(shop.url, [text_of("batch")], {"merchants": listed, "batch": str(BATCH)})


def past_balances(shop: Shop) -> Work:
    """Balances of any account at any time of the last three months, one after the other."""
    accounts = [shop.receivable, shop.fees, *shop.payables]
    text = text_of("past_balance")
    return Work(shop.url, [text.replace(":account", f"'{account}'") for account in accounts])


def _said_of(status: Status) -> str:
    """What events and stored answers hold of a payment: as long for one as for another."""
    payment = Payment(
        id=PaymentId(ids.new_id()),
        merchant_id=MerchantId(ids.new_id()),
        mode="test",
        money=Money(1999, "EUR"),
        status=status,
        capture="automatic",
        payment_method="tok_benchmark",
        fingerprint="",
        fee_basis_points=150,
        fee_fixed_minor=25,
        transfer_id=TransferId(ids.new_id()),
        created_at=system_clock(),
        idempotency_key="benchmark",
        reference="order-1999",
        description="A payment of the benchmark",
    )
    return jsontext.write(payment_resource(payment))


def text_of(script: str) -> str:
    """What pgbench is given to do."""
    return (SCRIPTS / f"{script}.sql").read_text()


def _serving(script: str, merchant_id: MerchantId) -> str:
    return text_of(script).replace(":merchant", f"'{merchant_id}'::UUID")
